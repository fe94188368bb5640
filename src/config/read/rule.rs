//! Reading a rule.

use super::super::keys;
use super::super::model::{Action, Kind, Named, Rule};
use super::super::problem::Problem;
use super::super::value::{Entry, Node};
use super::{Reader, find};

impl Reader<'_> {
    /// A rule, if it is complete.
    pub(super) fn rule(&mut self, entry: &Entry) -> Option<Rule> {
        let section = format!("[rule.{}]", entry.key);
        let entries = self.table(&entry.node, &section);
        for entry in entries {
            if !keys::RULE.contains(&entry.key.as_str()) {
                self.unknown(entry, &section, keys::RULE);
            }
        }
        let name = self.name(entry, "rule");
        let globs =
            find(entries, "match").map_or(Vec::new(), |entry| self.texts(&entry.node, "`match`"));
        for Named { value, place } in &globs {
            if let Err(refusal) = self.options.check("filter", value) {
                self.refuse("match", value, place, refusal);
            }
        }
        if find(entries, "match").is_none() {
            let what = format!("{section} needs `match`: the paths that it is about");
            let help = "for example match = [\"templates/**\"]".to_owned();
            self.problems.push(Problem::new(&entry.at, what).with_help(Some(help)));
        }
        let kinds = match find(entries, "kinds") {
            Some(entry) => self.kinds(&entry.node),
            None => Kind::ALL.map(|(_, kind)| kind).to_vec(),
        };
        Some(Rule {
            name,
            globs: globs.into_iter().map(|glob| glob.value).collect(),
            kinds,
            action: self.action(entry, entries, &section)?,
        })
    }

    fn kinds(&mut self, node: &Node) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for Named { value, place } in self.texts(node, "`kinds`") {
            match Kind::ALL.into_iter().find(|(name, _)| *name == value) {
                Some((_, kind)) => kinds.push(kind),
                None => self.none_of("kinds", &value, &place, &Kind::ALL.map(|(name, _)| name)),
            }
        }
        kinds
    }

    fn action(&mut self, rule: &Entry, entries: &[Entry], section: &str) -> Option<Action> {
        let Some(action) = find(entries, "action") else {
            let what = format!("{section} needs `action`: what it does");
            let help = format!("one of {}", Action::NAMES.join(", "));
            self.problems.push(Problem::new(&rule.at, what).with_help(Some(help)));
            return None;
        };
        let Named { value, place } = self.text(&action.node, "`action`")?;
        let service = find(entries, "service").and_then(|e| self.text(&e.node, "`service`"));
        let signal = find(entries, "signal").and_then(|e| self.text(&e.node, "`signal`"));
        let run = find(entries, "run").and_then(|e| self.text(&e.node, "`run`"));
        if let Some(signal) = &signal
            && let Err(refusal) = self.options.check("signal", &signal.value)
        {
            self.refuse("signal", &signal.value, &signal.place, refusal);
        }
        let takes: &[&str] = match value.as_str() {
            "restart" | "handover" => &["service"],
            "signal" => &["service", "signal"],
            "run" => &["run"],
            _ => &[],
        };
        let is_known = Action::NAMES.contains(&value.as_str());
        for name in ["service", "signal", "run"] {
            match find(entries, name) {
                Some(entry) if is_known && !takes.contains(&name) => {
                    let what = format!("`{name}` means nothing where `action` is \"{value}\"");
                    self.problems.push(Problem::new(&entry.at, what));
                }
                None if takes.contains(&name) && name != "service" => {
                    let what = format!("`action` is \"{value}\" and needs `{name}`");
                    self.problems.push(Problem::new(&place.0, what));
                }
                _ => {}
            }
        }
        match value.as_str() {
            "restart" => Some(Action::Restart(service)),
            "handover" => Some(Action::Handover(service)),
            "signal" => Some(Action::Signal(signal?.value, service)),
            "run" => Some(Action::Run(run?.value)),
            "reload-browser" => Some(Action::ReloadBrowser),
            "ignore" => Some(Action::Ignore),
            _ => {
                self.none_of("action", &value, &place, &Action::NAMES);
                None
            }
        }
    }
}
