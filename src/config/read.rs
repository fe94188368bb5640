//! From a text to what it says, or to everything that is wrong with it.

mod rule;

use std::mem;
use std::path::Path;

use super::keys::{self, Key, Shape};
use super::meant;
use super::model::{Config, Given, Named, Place, Service, Setting};
use super::options::{Options, Refusal};
use super::problem::{Problem, nearest};
use super::value::{Entry, Node, Value};
use super::{toml, yaml};

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

impl Language {
    /// What a file of this name is written in.
    pub fn of(file: &Path) -> Self {
        let extension = file.extension().map(|extension| extension.to_ascii_lowercase());
        match extension {
            Some(extension) if extension == "yaml" || extension == "yml" => Language::Yaml,
            _ => Language::Toml,
        }
    }
}

/// What a text says.
///
/// # Errors
/// With every mistake there is, in the order of the text.
pub fn read(text: &str, language: Language, options: &Options) -> Result<Config, Vec<Problem>> {
    let mut reader = Reader { options, problems: Vec::new() };
    let (root, unclear) = match language {
        Language::Toml => {
            let tree = toml::parse(text, &mut reader.problems);
            (tree.root, tree.unclear)
        }
        Language::Yaml => (yaml::parse(text, &mut reader.problems), Vec::new()),
    };
    let mut problems = mem::take(&mut reader.problems);
    let config = reader.config(&root);
    let is_clear = |problem: &Problem| !unclear.iter().any(|at| at.contains(&problem.at.start));
    problems.extend(reader.problems.into_iter().filter(is_clear));
    if problems.is_empty() {
        return Ok(config);
    }
    problems.sort_by_key(|problem| problem.at.start);
    // Of a value that is used again, the same would be said again.
    problems.dedup();
    Err(problems)
}

struct Reader<'a> {
    options: &'a Options,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self, root: &Node) -> Config {
        let mut config = Config::default();
        for entry in self.table(root, "a configuration") {
            match entry.key.as_str() {
                "watch" => {
                    let entries = self.table(&entry.node, "[watch]");
                    config.watch = self.settings(entries, "[watch]", keys::WATCH, &[]);
                }
                "proxy" => {
                    let entries = self.table(&entry.node, "[proxy]");
                    config.proxy = self.settings(entries, "[proxy]", keys::PROXY, &[]);
                }
                "output" => {
                    let entries = self.table(&entry.node, "[output]");
                    config.output = self.settings(entries, "[output]", keys::OUTPUT, &[]);
                }
                "service" => {
                    let services = self.table(&entry.node, "`service`");
                    config.services = services.iter().map(|entry| self.service(entry)).collect();
                    self.check_purpose(services, &config.services);
                }
                "rule" => {
                    let rules = self.table(&entry.node, "`rule`");
                    config.rules = rules.iter().filter_map(|entry| self.rule(entry)).collect();
                }
                _ => self.unknown(entry, "the top level", keys::SECTIONS),
            }
        }
        self.check_names(&config);
        config
    }

    fn service(&mut self, entry: &Entry) -> Service {
        let section = format!("[service.{}]", entry.key);
        let entries = self.table(&entry.node, &section);
        let settings = self.settings(entries, &section, keys::SERVICE, keys::BESIDE_SERVICE);
        let value_of = |option: &str| settings.iter().find(|s| s.key.option == option);
        if let (Some(shell), Some(Given::Many(_))) =
            (value_of("shell"), value_of("command").map(|run| &run.given))
        {
            let what = "`shell` has nothing to read: `run` is a list, which is executed as it is";
            let help = "write `run` as one text".to_owned();
            self.problems.push(Problem::new(&shell.place.0, what).with_help(Some(help)));
        }
        let filter = find(entries, "watch").map(|entry| {
            let section = format!("[service.{}.watch]", section_name(&section));
            let entries = self.table(&entry.node, &section);
            self.settings(entries, &section, keys::FILTER, &[])
        });
        Service {
            name: self.name(entry, "service"),
            depends_on: find(entries, "depends-on")
                .map_or(Vec::new(), |entry| self.texts(&entry.node, "`depends-on`")),
            essential: self.flag(entries, "essential"),
            filter: filter.unwrap_or_default(),
            settings,
        }
    }

    /// Of several services each does something; the command of only one may be typed.
    fn check_purpose(&mut self, written: &[Entry], services: &[Service]) {
        let does = |it: &Setting| matches!(it.key.option, "command" | "build");
        let is_table = |entry: &Entry| matches!(entry.node.value, Value::Table(_) | Value::Nothing);
        let several = services.iter().zip(written).filter(|_| services.len() > 1);
        let idle = several.filter(|(it, entry)| is_table(entry) && !it.settings.iter().any(does));
        for (Service { name, .. }, _) in idle {
            let what = format!("[service.{}] has neither `run` nor `build`", name.value);
            self.problems.push(Problem::new(&name.place.0, what));
        }
    }

    /// Names of services that are meant have to be there, and lead to no circle.
    fn check_names(&mut self, config: &Config) {
        let names = || config.services.iter().map(|service| service.name.value.as_str());
        let depended = config.services.iter().flat_map(|service| &service.depends_on);
        let acted_on = config.rules.iter().filter_map(|rule| rule.action.service());
        for Named { value, place } in depended.chain(acted_on) {
            if !names().any(|name| name == value) {
                let help = nearest(value, names()).map(|name| format!("did you mean \"{name}\"?"));
                let what = format!("there is no service `{value}`");
                self.problems.push(Problem::new(&place.0, what).with_help(help));
            }
        }
        for service in &config.services {
            if leads_to(config, service, &service.name.value) {
                let at = service.depends_on.first().map_or(&service.name.place, |d| &d.place);
                let what = format!("`{}` would have to be ready before itself", service.name.value);
                self.problems.push(Problem::new(&at.0, what));
            }
        }
    }

    /// The settings among the entries of a section; what is neither a setting nor in `beside` is
    /// a mistake.
    fn settings(
        &mut self,
        entries: &[Entry],
        section: &str,
        keys: &'static [Key],
        beside: &[&str],
    ) -> Vec<Setting> {
        let mut settings: Vec<Setting> = Vec::new();
        for entry in entries {
            let Some(key) = Key::find(keys, &entry.key) else {
                if !beside.contains(&entry.key.as_str()) {
                    let known: Vec<&str> =
                        keys.iter().map(|key| key.name).chain(beside.iter().copied()).collect();
                    self.unknown(entry, section, &known);
                }
                continue;
            };
            let Some(given) = self.given(key, &entry.node) else { continue };
            let conflict = |other: &&Setting| self.options.conflict(key.option, other.key.option);
            if !is_off(&given)
                && let Some(other) = settings.iter().find(|s| !is_off(&s.given) && conflict(s))
            {
                let what = format!("`{}` and `{}` exclude each other", key.name, other.key.name);
                self.problems.push(Problem::new(&entry.at, what));
                continue;
            }
            settings.push(Setting { key, given, place: Place(entry.at.clone()) });
        }
        settings
    }

    /// The value of a key, if it is one.
    fn given(&mut self, key: &Key, node: &Node) -> Option<Given> {
        let name = format!("`{}`", key.name);
        let given = match (key.shape, &node.value) {
            (Shape::Flag, Value::Flag(flag)) => return Some(Given::One(flag.to_string())),
            (Shape::Flag, _) => return self.expect(&name, "true or false", node),
            (Shape::Command, Value::List(_)) | (Shape::Many, _) => {
                let values = self.texts(node, &name);
                self.check(key, &values);
                Given::Many(values.into_iter().map(|value| value.value).collect())
            }
            (Shape::Variables, Value::Table(entries)) => {
                let variables = entries.iter().filter_map(|entry| self.variable(entry));
                let variables: Vec<_> = variables.collect();
                self.check(key, &variables);
                Given::Many(variables.into_iter().map(|variable| variable.value).collect())
            }
            (Shape::Variables, _) => return self.expect(&name, "a table", node),
            (Shape::One | Shape::Command, _) => {
                let value = self.text(node, &name)?;
                self.check(key, std::slice::from_ref(&value));
                Given::One(value.value)
            }
        };
        if key.shape == Shape::Command && given.is_empty() {
            self.problems.push(Problem::new(&node.at, "there is nothing to run"));
        }
        Some(given)
    }

    fn variable(&mut self, entry: &Entry) -> Option<Named<String>> {
        let value = match &entry.node.value {
            // Nobody writes another text by it.
            Value::Flag(flag) => flag.to_string(),
            _ => self.text(&entry.node, &format!("`{}`", entry.key))?.value,
        };
        let place = Place(entry.at.clone());
        Some(Named { value: format!("{}={value}", entry.key), place })
    }

    /// Tries values as those of an option.
    fn check(&mut self, key: &Key, values: &[Named<String>]) {
        for Named { value, place } in values {
            if let Err(refusal) = self.options.check(key.option, value) {
                self.refuse(key.name, value, place, refusal);
            }
        }
    }

    fn refuse(&mut self, name: &str, value: &str, place: &Place, refusal: Refusal) {
        let what = format!("cannot use {value:?} for `{name}`: {}", refusal.why);
        let help = refusal.instead.map(|instead| format!("did you mean {instead:?}?"));
        self.problems.push(Problem::new(&place.0, what).with_help(help));
    }

    fn none_of(&mut self, name: &str, value: &str, place: &Place, possible: &[&str]) {
        let instead = nearest(value, possible.iter().copied()).map(str::to_owned);
        let why = format!("it is none of {}", possible.join(", "));
        self.refuse(name, value, place, Refusal { why, instead });
    }

    /// Says that there is no such key, and which one was probably meant.
    fn unknown(&mut self, entry: &Entry, section: &str, known: &[&str]) {
        let typed = entry.key.replace('_', "-");
        let here = |name: &&str| known.contains(name);
        // Whoever knows the option may take its name for the key's.
        let as_option = Key::all().find(|(_, key)| key.option.replace('_', "-") == typed);
        let as_option = as_option.map(|(_, key)| key.name).filter(here);
        let elsewhere = Key::all().find(|(_, key)| key.name == typed);
        let begins = || known.iter().copied().find(|name| name.starts_with(&format!("{typed}-")));
        let near = || nearest(&typed, known.iter().copied());
        let help = match (as_option, elsewhere) {
            (Some(name), _) => Some(format!("did you mean `{name}`?")),
            (None, Some((place, _))) => Some(format!("`{typed}` goes into [{place}]")),
            (None, None) => near().or_else(begins).map(|name| format!("did you mean `{name}`?")),
        };
        let help = help.unwrap_or_else(|| format!("there are {}", known.join(", ")));
        let what = format!("unknown key `{}` in {section}", entry.key);
        self.problems.push(Problem::new(&entry.at, what).with_help(Some(help)));
    }

    fn name(&mut self, entry: &Entry, noun: &str) -> Named<String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if entry.key.is_empty() || !entry.key.chars().all(is_plain) {
            let what = format!("{:?} is no name for a {noun}", entry.key);
            let help = "letters, digits, `-`, `_` and `.` make a name".to_owned();
            self.problems.push(Problem::new(&entry.at, what).with_help(Some(help)));
        }
        Named { value: entry.key.clone(), place: Place(entry.at.clone()) }
    }

    fn flag(&mut self, entries: &[Entry], name: &str) -> Option<Named<bool>> {
        let entry = find(entries, name)?;
        match entry.node.value {
            Value::Flag(value) => Some(Named { value, place: Place(entry.at.clone()) }),
            _ => self.expect(&format!("`{name}`"), "true or false", &entry.node),
        }
    }

    fn table<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        match &node.value {
            Value::Table(entries) => entries,
            Value::Nothing => &[],
            _ => {
                let _: Option<()> = self.expect(what, "a table", node);
                &[]
            }
        }
    }

    fn texts(&mut self, node: &Node, what: &str) -> Vec<Named<String>> {
        match &node.value {
            Value::List(items) => {
                let what = format!("an item of {what}");
                items.iter().filter_map(|item| self.text(item, &what)).collect()
            }
            _ => self.text(node, what).into_iter().collect(),
        }
    }

    /// A text; a number is one, too, as it is written.
    fn text(&mut self, node: &Node, what: &str) -> Option<Named<String>> {
        match &node.value {
            Value::Text(value) | Value::Number(value) => {
                Some(Named { value: value.clone(), place: Place(node.at.clone()) })
            }
            _ => self.expect(what, "a text", node),
        }
    }

    fn expect<T>(&mut self, what: &str, expected: &str, node: &Node) -> Option<T> {
        let what = format!("{what} has to be {expected}, and is {}", node.value.noun());
        let help = meant::written(expected, node);
        self.problems.push(Problem::new(&node.at, what).with_help(help));
        None
    }
}

impl Given {
    fn is_empty(&self) -> bool {
        match self {
            Given::One(text) => text.trim().is_empty(),
            Given::Many(words) => words.first().is_none_or(String::is_empty),
        }
    }
}

/// Whether a value says nothing, so that it excludes nothing.
fn is_off(given: &Given) -> bool {
    match given {
        Given::One(value) => value == "false",
        Given::Many(values) => values.is_empty(),
    }
}

fn find<'n>(entries: &'n [Entry], name: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key == name)
}

fn section_name(section: &str) -> &str {
    section.trim_start_matches("[service.").trim_end_matches(']')
}

/// Whether a service depends on another, itself included, through whatever is between them.
fn leads_to(config: &Config, from: &Service, to: &str) -> bool {
    let mut waiting: Vec<&str> = from.depends_on.iter().map(|name| name.value.as_str()).collect();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(name) = waiting.pop() {
        if name == to {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            let service = config.services.iter().find(|service| service.name.value == name);
            let further = service.into_iter().flat_map(|service| &service.depends_on);
            waiting.extend(further.map(|name| name.value.as_str()));
        }
    }
    false
}
