//! Configurations as the text of a stakeout.toml.

use std::fmt::Write;

use serde_json::{Value, json};

use super::detect::Project;
use super::keys::{Key, Shape};
use super::model::{Action, Config, Given, Kind, Place, Rule, Service, Setting};
use super::options::Options;

/// One line of a section: a key, its value, and a comment behind it.
pub type Line = (String, Value, String);

/// A section with its lines, in which `comment` follows.
pub fn section(name: &str, lines: &[Line]) -> String {
    let mut text = format!("[{name}]\n");
    for (key, value, comment) in lines {
        let said = format!("{key} = {}", toml(value));
        _ = match comment.as_str() {
            "" => writeln!(text, "{said}"),
            comment => writeln!(text, "{said:<40} # {comment}"),
        };
    }
    text
}

/// A whole file, in which each key is preceded by what it is for.
pub fn document(config: &Config, options: &Options) -> String {
    let about = |settings: &[Setting]| -> Vec<(Option<String>, String, Value)> {
        let lines = settings.iter().map(|setting| {
            let about = options.about(setting.key.option);
            (about, setting.key.name.to_owned(), setting.value())
        });
        lines.collect()
    };
    let alone = |pairs: Vec<(String, Value)>| {
        pairs.into_iter().map(|(key, value)| (None, key, value)).collect::<Vec<_>>()
    };
    let mut sections = Vec::new();
    sections.push(("watch".to_owned(), about(&config.watch)));
    for service in &config.services {
        let beside = beside_service(service).into_iter().map(|(key, value, _)| (key, value));
        let lines = [about(&service.settings), alone(beside.collect())].concat();
        sections.push((format!("service.{}", name(&service.name.value)), lines));
    }
    for one in &config.rules {
        sections.push((format!("rule.{}", name(&one.name.value)), alone(rule(one))));
    }
    sections.push(("proxy".to_owned(), about(&config.proxy)));
    sections.push(("output".to_owned(), about(&config.output)));
    let mut text = String::new();
    for (section, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
        text += &format!("\n[{section}]\n");
        for (about, key, value) in lines {
            text += &commented(about.as_deref().unwrap_or_default());
            text += &format!("{key} = {}\n", toml(value));
        }
    }
    text
}

/// A file to begin with: what is known of a project, and what else one may want, as comments.
pub fn beginning(project: Option<&Project>) -> String {
    let unknown = Project { what: "nothing that is known here".into(), ..Project::default() };
    let Project { what, exts, include, exclude, build, outputs, run, note } =
        project.unwrap_or(&unknown);
    let none = Vec::<String>::new;
    // What a key is for, the key, its value, and an example where it has none.
    let watch = [
        (
            "What counts; what .gitignore names, node_modules and the like are left out already.",
            "exts",
            json!(exts),
            r#"["py", "html"]"#,
        ),
        ("", "include", json!(include), r#"["/web/", "*.sql"]"#),
        ("", "exclude", json!(exclude), r#"["docs/"]"#),
    ];
    let run_about =
        ["The program: words, or one text for a shell.", note.unwrap_or_default()].join(" ");
    let service = [
        (
            "Run by a shell before the program, and on each change; if it fails, what runs goes on.",
            "build",
            json!(build),
            r#"["make"]"#,
        ),
        (
            "What that writes, which is no change.",
            "build-outputs",
            json!(outputs),
            r#"["/build/"]"#,
        ),
        (&run_about, "run", json!(run), r#"["./server"]"#),
        (
            "Variables for it; with a - before its name, a file need not be there.",
            "env",
            json!(none()),
            r#"{ PORT = "8000" }"#,
        ),
        ("", "env-file", json!(none()), r#"["-.env"]"#),
        (
            "How it is asked to stop, and how long that may take.",
            "stop-signal",
            json!(none()),
            r#""SIGTERM""#,
        ),
        ("", "stop-timeout", json!(none()), r#""8s""#),
        (
            "A socket that stays open over restarts, for programs that take one as from systemd.",
            "listen",
            json!(none()),
            r#""8000""#,
        ),
    ];
    let head = format!(
        "For {what}. `stakeout config` prints what is in effect, and why; `stakeout config \
         --schema` prints all keys."
    );
    let mut text = commented(&head);
    for (section, lines) in [("watch", &watch[..]), ("service.app", &service[..])] {
        text += &format!("\n[{section}]\n");
        for (about, key, value, example) in lines {
            text += &commented(about);
            text += &match value.as_array().is_some_and(Vec::is_empty) {
                true => format!("# {key} = {example}\n"),
                false => format!("{key} = {}\n", toml(value)),
            };
        }
    }
    text
}

/// A text as lines of comments.
fn commented(text: &str) -> String {
    wrapped(text).iter().map(|line| format!("# {line}\n")).collect()
}

/// Lines of no more than this many characters, as far as words allow.
fn wrapped(text: &str) -> Vec<String> {
    const WIDTH: usize = 90;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The value of a key in the shape that a file has it in; `is_line` says that a command is one
/// text for a shell.
pub fn shaped(key: &Key, values: &[String], is_line: bool) -> Value {
    let first = || values.first().cloned().unwrap_or_default();
    match key.shape {
        Shape::One => first().into(),
        Shape::Flag => (first() == "true").into(),
        Shape::Command if is_line => values.join(" ").into(),
        Shape::Many | Shape::Command => values.into(),
        Shape::Variables => {
            let pairs = values.iter().filter_map(|value| value.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
        }
    }
}

/// What a service says that stands for no option, and where.
pub fn beside_service(service: &Service) -> Vec<(String, Value, &Place)> {
    let mut said = Vec::new();
    if let [first, ..] = service.depends_on.as_slice() {
        let names = service.depends_on.iter().map(|name| name.value.clone());
        said.push(("depends-on".into(), names.collect::<Vec<_>>().into(), &first.place));
    }
    if let Some(essential) = &service.essential {
        said.push(("essential".into(), essential.value.into(), &essential.place));
    }
    if let [first, ..] = service.filter.as_slice() {
        let filter = service.filter.iter();
        let filter = filter.map(|setting| (setting.key.name.to_owned(), setting.value()));
        said.push(("watch".into(), filter.collect(), &first.place));
    }
    said
}

/// What a rule says.
pub fn rule(rule: &Rule) -> Vec<(String, Value)> {
    let mut pairs = vec![("match".to_owned(), json!(rule.globs))];
    let kinds = Kind::ALL.into_iter().filter(|(_, kind)| rule.kinds.contains(kind));
    let kinds: Vec<&str> = kinds.map(|(name, _)| name).collect();
    if kinds.len() < Kind::ALL.len() {
        pairs.push(("kinds".into(), json!(kinds)));
    }
    pairs.push(("action".into(), rule.action.name().into()));
    if let Action::Signal(signal, _) = &rule.action {
        pairs.push(("signal".into(), json!(signal)));
    }
    if let Action::Run(run) = &rule.action {
        pairs.push(("run".into(), json!(run)));
    }
    if let Some(service) = rule.action.service() {
        pairs.push(("service".into(), json!(service.value)));
    }
    pairs
}

impl Setting {
    /// The value in the shape that a file has it in.
    pub fn value(&self) -> Value {
        shaped(self.key, self.values(), matches!(self.given, Given::One(_)))
    }
}

/// A value as TOML, in one line.
fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        Value::Object(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{} = {}", name(key), toml(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A key of a table, or a part of a section's name.
pub fn name(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !key.is_empty() && key.chars().all(is_plain) {
        true => key.to_owned(),
        false => quoted(key),
    }
}

/// A text in quotes: single ones where that saves backslashes.
fn quoted(text: &str) -> String {
    let has_control = text.chars().any(char::is_control);
    if text.contains(['"', '\\']) && !text.contains('\'') && !has_control {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\n' => write!(quoted, "\\n"),
            '\t' => write!(quoted, "\\t"),
            c if c.is_control() => write!(quoted, "\\u{:04X}", u32::from(c)),
            c => write!(quoted, "{c}"),
        };
    }
    quoted.push('"');
    quoted
}
