//! `stakeout config`: the configuration that is in effect, and where each value comes from.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::parser::ValueSource;
use serde_json::{Map, Value, json};

use super::effective::Source;
use super::typed::{self, Typed};
use super::{Failure, print_out};
use crate::config::{self, Key, Options, Service, write};

/// Print the configuration that is in effect, and where each value comes from.
///
/// It is printed as a stakeout.toml. Options and a command after `--` count as they would without
/// `config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long, conflicts_with = "schema")]
    json: bool,

    /// Print the JSON Schema of stakeout.toml and stakeout.yaml, for editors
    #[arg(long)]
    schema: bool,

    /// Options of stakeout
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    _words: Vec<OsString>,
}

/// Prints it.
pub fn config(args: &Args, words: Vec<OsString>) -> Result<u8, Failure> {
    let text = match args.schema {
        true => pretty(&config::schema(&Options::new(typed::definitions()))),
        false => {
            let effective = Effective::of(&without_ours(words))?;
            if let Some(warning) = effective.source.as_ref().and_then(Source::warning) {
                _ = writeln!(io::stderr(), "stakeout: {warning}");
            }
            match args.json {
                true => pretty(&effective.json()),
                false => effective.toml(),
            }
        }
    };
    print_out(&text)?;
    Ok(0)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// What would have been typed without the subcommand and its own options.
fn without_ours(words: Vec<OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut rest: Vec<OsString> = words.next().into_iter().collect();
    let mut is_ours = true;
    for word in words.skip(1) {
        is_ours &= word != "--";
        if !(is_ours && word == "--json") {
            rest.push(word);
        }
    }
    rest
}

/// All values, by section.
struct Effective {
    source: Option<Source>,
    sections: Vec<Section>,
}

struct Section {
    kind: &'static str,
    /// Which one of its kind, where there may be several.
    name: Option<String>,
    lines: Vec<Line>,
}

/// A value and where it comes from.
struct Line {
    name: String,
    value: Value,
    from: From,
}

enum From {
    CommandLine,
    Environment(String),
    /// With the line.
    File(usize),
    Default,
}

impl Effective {
    fn of(words: &[OsString]) -> Result<Self, Failure> {
        let typed = typed::parse(words, &[]).map_err(Failure::usage)?;
        let source = Source::read(&typed.cli)?;
        let complete = |service| match &source {
            None => typed::parse(words, &[]).map_err(Failure::usage),
            Some(source) => source.complete(words, &typed, service),
        };
        let general = complete(None)?;
        let lines = |keys: &'static [Key], typed: &Typed, service| -> Vec<Line> {
            keys.iter().filter_map(|key| line(key, typed, source.as_ref(), service)).collect()
        };
        let section = |kind, name, lines| Section { kind, name, lines };
        let watch = lines(config::WATCH, &general, None);
        let mut sections = vec![section("watch", None, watch)];
        if let Some(source) = &source {
            for service in &source.config.services {
                let mut lines = lines(config::SERVICE, &complete(Some(service))?, Some(service));
                let beside = write::beside_service(service).into_iter();
                lines.extend(beside.map(|(name, value, place)| Line {
                    name,
                    value,
                    from: From::File(source.line(place)),
                }));
                sections.push(section("service", Some(service.name.value.clone()), lines));
            }
        }
        if sections.len() == 1 && !typed.cli.command.is_empty() {
            let lines = lines(config::SERVICE, &general, None);
            sections.push(section("service", Some("main".into()), lines));
        }
        if let Some(source) = &source {
            for rule in &source.config.rules {
                let line = source.line(&rule.name.place);
                let lines = write::rule(rule).into_iter();
                let lines = lines.map(|(name, value)| Line { name, value, from: From::File(line) });
                sections.push(section("rule", Some(rule.name.value.clone()), lines.collect()));
            }
        }
        sections.push(section("proxy", None, lines(config::PROXY, &general, None)));
        sections.push(section("output", None, lines(config::OUTPUT, &general, None)));
        Ok(Self { source, sections })
    }

    /// As a stakeout.toml that says the same, with comments on where it comes from.
    fn toml(&self) -> String {
        let goes_by = self.source.iter().map(|source| format!("# {}", source.sentence()));
        let sections = self.sections.iter().map(|Section { kind, name, lines }| {
            let name = name
                .iter()
                .fold((*kind).to_owned(), |kind, name| format!("{kind}.{}", write::name(name)));
            let lines = lines.iter().map(|l| (l.name.clone(), l.value.clone(), l.from.comment()));
            write::section(&name, &lines.collect::<Vec<_>>())
        });
        goes_by.chain(sections).collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> Value {
        let file = self.source.as_ref().map(|source| source.file.to_string_lossy());
        let mut root = json!({ "file": file });
        for Section { kind, name, lines } in &self.sections {
            let lines = lines.iter().map(|line| (line.name.clone(), line.json()));
            let lines: Map<String, Value> = lines.collect();
            match name {
                Some(name) => root[kind][name] = lines.into(),
                None => root[kind] = lines.into(),
            }
        }
        root
    }
}

/// The value of a key, if it has one.
fn line(
    key: &'static Key,
    typed: &Typed,
    source: Option<&Source>,
    service: Option<&Service>,
) -> Option<Line> {
    let raw = typed.matches.get_raw(key.option)?;
    let show = |value: &OsStr| value.to_string_lossy().into_owned();
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| show(path.as_os_str())).collect();
    let values: Vec<String> = match key.option {
        // As they are from the directory that we work in.
        "watch" => paths(&typed.cli.watch),
        "env_file" => paths(&typed.cli.env_file),
        "workdir" => paths(typed.cli.workdir.as_slice()),
        _ => raw.map(show).collect(),
    };
    let set = source.into_iter().flat_map(|source| {
        let set = source.settings(service).filter(|setting| setting.key == key);
        set.map(|setting| source.line(&setting.place))
    });
    let from = match (typed.matches.value_source(key.option)?, set.last()) {
        (ValueSource::CommandLine, _) => From::CommandLine,
        (ValueSource::EnvVariable, _) => From::Environment(variable(key)),
        (_, Some(line)) => From::File(line),
        (_, None) => From::Default,
    };
    let value = write::shaped(key, &values, typed.cli.is_line);
    Some(Line { name: key.name.to_owned(), value, from })
}

/// The variable that stands for a key.
fn variable(key: &Key) -> String {
    let definitions = typed::definitions();
    let definition = definitions.get_arguments().find(|arg| arg.get_id() == key.option);
    let name = definition.and_then(clap::Arg::get_env).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl From {
    fn comment(&self) -> String {
        match self {
            From::CommandLine => "command line".into(),
            From::Environment(name) => format!("environment: {name}"),
            From::File(line) => format!("line {line}"),
            From::Default => "default".into(),
        }
    }
}

impl Line {
    fn json(&self) -> Value {
        match &self.from {
            From::CommandLine => json!({ "value": self.value, "source": "command-line" }),
            From::Environment(name) => {
                json!({ "value": self.value, "source": "environment", "variable": name })
            }
            From::File(line) => json!({ "value": self.value, "source": "file", "line": line }),
            From::Default => json!({ "value": self.value, "source": "default" }),
        }
    }
}
