//! The values of an .air.toml, each held against what its key takes.

use std::ops::Range;
use std::time::Duration;

use super::super::problem::Problem;
use super::super::value::{Entry, Node, Value};
use super::keys::{Key, Takes};

/// What was given, by the key's whole name.
pub(super) struct Values<'a> {
    given: Vec<(String, &'a Entry)>,
    /// The rules, in their order.
    rules: Vec<&'a Node>,
    pub problems: &'a mut Vec<Problem>,
    passed_over: Vec<String>,
}

/// Something that was given, and where.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    pub value: T,
    pub at: Range<usize>,
}

impl<'a> Values<'a> {
    pub fn new(root: &'a Node, problems: &'a mut Vec<Problem>) -> Self {
        let mut values =
            Self { given: Vec::new(), rules: Vec::new(), problems, passed_over: Vec::new() };
        values.collect("", root);
        values
    }

    /// Sorts out what is in a table; `prefix` is its name with a dot.
    fn collect(&mut self, prefix: &str, table: &'a Node) {
        let Value::Table(entries) = &table.value else { return };
        for entry in entries {
            let name = format!("{prefix}{}", entry.key);
            match (&entry.node.value, Key::find(&name)) {
                (Value::Table(_), None) if Key::is_section(&name) => {
                    self.collect(&format!("{name}."), &entry.node);
                }
                // For other systems.
                (_, None) if matches!(name.as_str(), "build.windows" | "build.darwin") => {}
                (_, None) => self.pass_over(&name),
                (_, Some(key)) => {
                    self.check(&name, key, &entry.node);
                    self.given.push((name, entry));
                }
            }
        }
    }

    /// Holds a value against what its key takes.
    fn check(&mut self, name: &str, key: Key, node: &'a Node) {
        let is_text = |node: &Node| matches!(node.value, Value::Text(_));
        let are_texts =
            |node: &Node| matches!(&node.value, Value::List(items) if items.iter().all(is_text));
        let (fits, expected) = match key.takes {
            Takes::Text => (is_text(node), "a text"),
            Takes::Texts => (are_texts(node), "a list of texts"),
            Takes::TextOrTexts => (is_text(node) || are_texts(node), "a text or a list of texts"),
            Takes::Flag => (matches!(node.value, Value::Flag(_)), "true or false"),
            Takes::Number => (number(node).is_some(), "a number of at least 0"),
            Takes::Duration => (duration(node).is_some(), "a duration such as \"500ms\""),
            Takes::Tables => (self.check_rules(node), "a list of tables"),
        };
        if !fits {
            let what = format!("`{name}` has to be {expected}, and is {}", node.value.noun());
            self.problems.push(Problem::new(&node.at, what));
        }
        // An empty text is air's way to say nothing.
        let shown = shown(node);
        if key.harmless.is_some_and(|harmless| !shown.is_empty() && shown != harmless) {
            self.pass_over(name);
        }
    }

    fn check_rules(&mut self, node: &'a Node) -> bool {
        let Value::List(rules) = &node.value else { return false };
        for rule in rules {
            let Value::Table(entries) = &rule.value else { return false };
            for entry in entries {
                let name = format!("build.rules.{}", entry.key);
                match Key::find(&name) {
                    Some(key) => self.check(&name, key, &entry.node),
                    None => self.pass_over(&name),
                }
            }
            self.rules.push(rule);
        }
        true
    }

    /// Notes a key that has no meaning here, or a part of its value.
    pub fn pass_over(&mut self, name: &str) {
        if !self.passed_over.iter().any(|other| other == name) {
            self.passed_over.push(name.to_owned());
        }
    }

    pub fn passed_over(self) -> Vec<String> {
        self.passed_over
    }

    /// What was given for a key; for this system, if that is another.
    fn node(&self, name: &str) -> Option<&'a Node> {
        let find = |name: &str| self.given.iter().find(|(given, _)| given == name);
        let of_system = name.strip_prefix("build.").map(|key| format!("build.linux.{key}"));
        let entry = of_system.and_then(|name| find(&name)).or_else(|| find(name));
        entry.map(|(_, entry)| &entry.node)
    }

    pub fn text(&self, name: &str) -> Option<Given<String>> {
        text(self.node(name)?)
    }

    /// A list; one text is a list of one.
    pub fn texts(&self, name: &str) -> Option<Given<Vec<String>>> {
        texts(self.node(name)?)
    }

    pub fn flag(&self, name: &str) -> Option<Given<bool>> {
        let node = self.node(name)?;
        let Value::Flag(value) = node.value else { return None };
        Some(Given { value, at: node.at.clone() })
    }

    pub fn number(&self, name: &str) -> Option<Given<u64>> {
        let node = self.node(name)?;
        Some(Given { value: number(node)?, at: node.at.clone() })
    }

    pub fn duration(&self, name: &str) -> Option<Given<Duration>> {
        let node = self.node(name)?;
        Some(Given { value: duration(node)?, at: node.at.clone() })
    }

    pub fn rules(&self) -> Vec<&'a Node> {
        self.rules.clone()
    }
}

/// What a rule says under a key.
pub(super) fn of_rule<'n>(rule: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Table(entries) = &rule.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
}

pub(super) fn text(node: &Node) -> Option<Given<String>> {
    let Value::Text(value) = &node.value else { return None };
    Some(Given { value: value.clone(), at: node.at.clone() })
}

pub(super) fn texts(node: &Node) -> Option<Given<Vec<String>>> {
    let value = match &node.value {
        Value::Text(text) => vec![text.clone()],
        Value::List(items) => items.iter().filter_map(text).map(|text| text.value).collect(),
        _ => return None,
    };
    Some(Given { value, at: node.at.clone() })
}

fn number(node: &Node) -> Option<u64> {
    let Value::Number(number) = &node.value else { return None };
    number.replace('_', "").parse().ok()
}

/// A duration as Go writes it; of a number, below a million milliseconds, and nanoseconds above.
fn duration(node: &Node) -> Option<Duration> {
    match &node.value {
        Value::Text(text) => go_duration(text),
        _ => match number(node)? {
            milliseconds @ 0..1_000_000 => Some(Duration::from_millis(milliseconds)),
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        },
    }
}

/// As time.ParseDuration(3go) reads it, but no negative one: `1m30s`, `1.5s`, `0`.
fn go_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    while seconds == 0.0 || !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// A value as text, to be compared with one that changes nothing.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Text(text) | Value::Number(text) => text.clone(),
        Value::Flag(flag) => flag.to_string(),
        Value::List(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(","))
        }
        Value::Table(_) | Value::Nothing | Value::Date => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_does() {
        let milliseconds = |text| go_duration(text).map(|duration| duration.as_millis());
        assert_eq!(milliseconds("500ms"), Some(500));
        assert_eq!(milliseconds("1.5s"), Some(1500));
        assert_eq!(milliseconds("1m30s"), Some(90_000));
        assert_eq!(milliseconds("0"), Some(0));
        assert_eq!(milliseconds("0s"), Some(0));
        for text in ["", "5", "s", "1x", "-1s", "1s2", "1e9h", "1..2s"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}
