//! What was probably meant by a value that does not do, where the option itself cannot say.

use super::problem::nearest;
use super::value::{Node, Value};

/// The signals that programs are sent.
const SIGNALS: [&str; 14] = [
    "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGWINCH",
    "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGALRM", "SIGPIPE", "SIGABRT",
];

/// How a readiness begins that is more than a word.
const READY: [&str; 5] = ["tcp", "http", "https", "exec", "log"];

/// A value of an option that is near to this one.
pub(super) fn value(option: &str, typed: &str) -> Option<String> {
    match option {
        "signal" | "stop_signal" => {
            let (typed, prefix) = (typed.to_uppercase(), "SIG");
            let is_whole = typed.starts_with(prefix);
            let whole = if is_whole { typed } else { format!("{prefix}{typed}") };
            let near = nearest_of(&whole, &SIGNALS)?;
            Some(near.strip_prefix(if is_whole { "" } else { prefix })?.to_owned())
        }
        "ready" => match typed.split_once(':') {
            Some((scheme, rest)) if !READY.contains(&scheme) => {
                Some(format!("{}:{rest}", nearest(scheme, READY)?))
            }
            Some(_) => None,
            None => nearest(typed, ["notify"]).map(str::to_owned),
        },
        _ => None,
    }
}

/// [`nearest`] knows words in small letters.
fn nearest_of(typed: &str, words: &[&'static str]) -> Option<&'static str> {
    let small: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let near = nearest(typed, small.iter().map(String::as_str))?;
    words.iter().copied().find(|word| word.to_lowercase() == near)
}

/// How to write a value that should have been another kind of thing.
pub(super) fn written(expected: &str, node: &Node) -> Option<String> {
    match (expected, &node.value) {
        ("true or false", Value::Text(text) | Value::Number(text)) => {
            let flag = match text.to_lowercase().as_str() {
                "true" | "yes" | "on" | "y" | "1" => true,
                "false" | "no" | "off" | "n" | "0" => false,
                _ => return None,
            };
            Some(format!("write {flag}, without quotes"))
        }
        ("a table", Value::List(items)) => match &items.first()?.value {
            // As compose has `environment`.
            Value::Text(text) => {
                let (name, value) = text.split_once('=')?;
                Some(format!("write {{ {name} = {value:?} }} in TOML, `{name}: {value}` in YAML"))
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_signal_or_a_readiness_is_known() {
        let meant = |option, typed| value(option, typed);
        assert_eq!(meant("signal", "SIGTREM").as_deref(), Some("SIGTERM"));
        assert_eq!(meant("stop_signal", "hub").as_deref(), Some("HUP"));
        assert_eq!(meant("signal", "nonsense"), None);
        assert_eq!(meant("ready", "htp://x/").as_deref(), Some("http://x/"));
        assert_eq!(meant("ready", "notfy").as_deref(), Some("notify"));
        assert_eq!(meant("ready", "tcp:"), None);
        assert_eq!(meant("user", "SIGTREM"), None);
    }
}
