//! A probe: what says that a program is ready.

use regex::Regex;

use super::http::{Url, connect, why};

/// How it is found out.
#[derive(Clone, Debug)]
pub enum Probe {
    /// Somebody listens there.
    Tcp(Vec<String>),
    /// A request there is answered with 2xx or 3xx.
    Http(Box<Http>),
    /// This command, run by a shell, ends with 0.
    Exec(String),
    /// A line of the program's output matches.
    Log(Regex),
    /// The program says so itself (sd_notify(3)).
    Notify,
}

/// Where to send a request.
#[derive(Clone, Debug)]
pub struct Http(Url);

impl Probe {
    /// Reads `tcp:[HOST:]PORT`, `http://…`, `exec:CMD`, `log:REGEX` or `notify`.
    ///
    /// # Errors
    /// A sentence that says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "notify" if rest.is_empty() => Ok(Probe::Notify),
            "tcp" => tcp(rest).ok_or_else(|| {
                format!(
                    "`{text}` is no address; write tcp:PORT or tcp:HOST:PORT, for example tcp:8080"
                )
            }),
            "http" | "https" => Ok(Probe::Http(Box::new(Http(Url::parse(text)?)))),
            "exec" if !rest.trim().is_empty() => Ok(Probe::Exec(rest.to_owned())),
            "log" if !rest.is_empty() => {
                let regex = Regex::new(rest);
                // The first lines show where; what counts is the last.
                let reason = |error: regex::Error| {
                    let text = error.to_string();
                    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
                };
                let wrong = |error| format!("`{rest}` is no regular expression: {}", reason(error));
                regex.map(Probe::Log).map_err(wrong)
            }
            _ => Err(format!(
                "`{text}` says nothing of readiness; write tcp:PORT, http://HOST:PORT/PATH, \
                 exec:COMMAND, log:REGEX or notify"
            )),
        }
    }

    /// Whether it asks a network address, which an instance that is to be replaced answers as well.
    pub fn asks_an_address(&self) -> bool {
        matches!(self, Probe::Tcp(_) | Probe::Http(_))
    }

    /// Asks once, for the probes that ask.
    ///
    /// # Errors
    /// What there was instead of readiness, in words.
    pub(super) fn ask(&self) -> Result<(), String> {
        match self {
            Probe::Tcp(addresses) => {
                let mut first = None;
                for address in addresses {
                    match connect(address) {
                        Ok(_) => return Ok(()),
                        Err(error) => {
                            first.get_or_insert_with(|| format!("tcp:{address}: {}", why(&error)));
                        }
                    }
                }
                Err(first.unwrap_or_else(|| self.lacks()))
            }
            Probe::Http(http) => http.0.ask(),
            Probe::Exec(_) | Probe::Log(_) | Probe::Notify => Err(self.lacks()),
        }
    }

    /// What is missing, as long as nothing else was seen.
    pub fn lacks(&self) -> String {
        match self {
            Probe::Tcp(addresses) => format!("tcp:{}: no answer yet", addresses.join(", ")),
            Probe::Http(http) => format!("{}: no answer yet", http.0),
            Probe::Exec(command) => format!("{command} has not ended yet"),
            Probe::Log(regex) => format!("none of its lines matches {regex}"),
            Probe::Notify => "it has not sent READY=1".into(),
        }
    }
}

fn tcp(text: &str) -> Option<Probe> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    Some(Probe::Tcp(match host {
        // Not localhost: a container without /etc/hosts does not know it.
        "" => vec![format!("127.0.0.1:{port}"), format!("[::1]:{port}")],
        host if host.contains(':') && !host.starts_with('[') => return None,
        host => vec![format!("{host}:{port}")],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_read() {
        let ports = |text| match Probe::parse(text) {
            Ok(Probe::Tcp(addresses)) => addresses,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(ports("tcp:80"), ["127.0.0.1:80", "[::1]:80"]);
        assert_eq!(ports("tcp:db:5432"), ["db:5432"]);
        assert_eq!(ports("tcp:[::1]:80"), ["[::1]:80"]);
        assert!(matches!(Probe::parse("notify"), Ok(Probe::Notify)));
        assert!(matches!(Probe::parse("exec:a b: c"), Ok(Probe::Exec(text)) if text == "a b: c"));
        assert!(matches!(Probe::parse("log:up: \\d+"), Ok(Probe::Log(_))));
        assert!(matches!(Probe::parse("http://a:80/x"), Ok(Probe::Http(_))));
        for text in [
            "",
            "tcp",
            "tcp:",
            "tcp:x",
            "tcp:0",
            "tcp:::1:80",
            "exec:",
            "log:",
            "log:(",
            "https://a/",
            "http://",
            "udp:80",
            "notify:x",
        ] {
            assert!(Probe::parse(text).is_err(), "{text}");
        }
    }
}
