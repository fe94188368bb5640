//! What holds for every key, with a value for each: where it comes from, that YAML says the same,
//! and that the documentation has it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stakeout::config::{Key, OUTPUT, PROXY, SERVICE, Shape, WATCH, write};

use super::support::Tree;
use super::{running, toml, yaml};

/// A key with what a file says of it, and what a variable and the command line say otherwise.
const SAMPLES: &[(&str, &str, &str, &str)] = &[
    ("paths", "src", "conf", "web"),
    ("include", "*.a", "*.b", "*.c"),
    ("exclude", "*.a", "*.b", "*.c"),
    ("exts", "a", "b", "c"),
    ("mode", "poll", "native", "auto"),
    ("interval", "1s", "2s", "3s"),
    ("cpu-budget", "1%", "2%", "3%"),
    ("debounce", "1s", "2s", "3s"),
    ("max-wait", "1s", "2s", "3s"),
    ("hash-limit", "1MiB", "2MiB", "none"),
    ("build", "make a", "make b", "make c"),
    ("build-outputs", "a/", "b/", "c/"),
    ("on-busy", "queue", "ignore", "cancel"),
    ("run", "./file", "", "./typed"),
    ("shell", "bash -c", "dash -c", "none"),
    ("env", "A=1", "A=2", "A=3"),
    ("env-file", "-a", "-b", "-c"),
    ("cwd", "src", "conf", "web"),
    ("user", "0", "0:0", "root"),
    ("stdin", "null", "inherit", "null"),
    ("stop-signal", "INT", "HUP", "TERM"),
    ("stop-timeout", "1s", "2s", "3s"),
    ("map-signal", "TERM:INT", "TERM:HUP", "TERM:QUIT"),
    ("signal", "INT", "HUP", "TERM"),
    ("reload", "make a", "make b", "make c"),
    ("restart", "never", "always", "on-failure"),
    ("listen", "8001", "8002", "8003"),
    ("ready", "tcp:1", "tcp:2", "notify"),
    ("ready-timeout", "1s", "2s", "3s"),
    ("watchdog", "1s", "2s", "3s"),
    ("routes", "8080=3000", "8080=3001", "8080=3002"),
    ("wait", "1s", "2s", "3s"),
    ("service", "app", "app", "app"),
    ("http", "9090", "9091", "9092"),
    ("allow-hosts", "a.test", "b.test", "c.test"),
    ("log-format", "json", "human", "json"),
    ("color", "always", "never", "auto"),
];

/// Every key with its section and its sample; a flag is true in the file, and not in the variable.
pub fn samples() -> impl Iterator<Item = (&'static str, &'static Key, [&'static str; 3])> {
    let sections =
        [("watch", WATCH), ("service.app", SERVICE), ("proxy", PROXY), ("output", OUTPUT)];
    let keys = sections.into_iter().flat_map(|(name, keys)| keys.iter().map(move |k| (name, k)));
    keys.map(|(section, key)| match key.shape {
        Shape::Flag => (section, key, ["true", "false", "true"]),
        _ => {
            let sample = SAMPLES.iter().find(|(name, ..)| *name == key.name);
            let &(_, file, variable, typed) = sample.unwrap_or_else(|| panic!("no {}", key.name));
            (section, key, [file, variable, typed])
        }
    })
}

fn value(key: &Key, text: &str) -> Value {
    write::shaped(key, &[text.to_owned()], true)
}

/// A file with this one key, as TOML.
pub fn file(section: &str, key: &Key, text: &str) -> String {
    let runs = if section == "service.app" && key.name != "run" { "run = 'x'\n" } else { "" };
    let line = (key.name.to_owned(), value(key, text), String::new());
    write::section(section, &[line]) + runs
}

#[test]
fn the_command_line_the_environment_the_file_and_defaults_come_in_this_order() {
    let definitions = stakeout::cli::definitions();
    for (section, key, [in_file, in_variable, typed]) in samples() {
        let tree = Tree::new(&[("stakeout.toml", &file(section, key, in_file))]);
        let option = definitions.get_arguments().find(|it| it.get_id() == key.option).unwrap();
        let is_flag = key.shape == Shape::Flag;
        let words: Vec<String> = match option.get_long() {
            Some(long) if is_flag => vec![format!("--{long}")],
            Some(long) => vec![format!("--{long}={typed}")],
            None => vec!["--".into(), typed.into()],
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let variable = option.get_env().map(|name| name.to_str().unwrap());
        let variables: Vec<_> = variable.map(|name| (name, in_variable)).into_iter().collect();
        let found = |words: &[&str], variables: &[(&str, &str)]| {
            let all = running::effective(&tree, words, variables);
            let section = section.split('.').fold(&all, |all, part| &all[part]);
            let mut found = section[key.name].clone();
            if let Some(found) = found.as_object_mut() {
                found.remove("line");
            }
            found
        };
        let name = key.name;
        let expected = json!({ "value": value(key, in_file), "source": "file" });
        assert_eq!(found(&[], &[]), expected, "{name} in a file");
        if let Some(variable) = variable {
            let value = value(key, in_variable);
            let expected = json!({ "value": value, "source": "environment", "variable": variable });
            assert_eq!(found(&[], &variables), expected, "{name} in a variable");
        }
        let value = match key.shape {
            Shape::Command => json!([typed]),
            _ => value(key, typed),
        };
        let expected = json!({ "value": value, "source": "command-line" });
        assert_eq!(found(&words, &variables), expected, "{name} on the command line");
    }
}

#[test]
fn yaml_has_every_key_that_toml_has() {
    for (section, key, [in_file, ..]) in samples() {
        let text = file(section, key, in_file);
        let said = toml(&text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        let body = json!({ key.name: value(key, in_file) });
        let body = match section.split_once('.') {
            Some(_) if key.name == "run" => json!({ "service": { "app": body } }),
            Some(_) => {
                let mut body = body;
                body["run"] = "x".into();
                json!({ "service": { "app": body } })
            }
            None => json!({ section: body }),
        };
        // JSON is YAML.
        assert_eq!(yaml(&body.to_string()).unwrap(), said, "{body}");
        let block = text.lines().skip(1).map(|line| line.replacen(" = ", ": ", 1));
        let (above, indent) = match section {
            "service.app" => ("service:\n  app:\n".to_owned(), "    "),
            section => (format!("{section}:\n"), "  "),
        };
        let block: String = block.map(|line| format!("{indent}{line}\n")).collect();
        let block = block.replace("{ A = \"1\" }", "{ A: \"1\" }");
        assert_eq!(yaml(&(above + &block)).unwrap(), said, "{block}");
    }
}

/// What the documentation has as examples.
pub fn examples() -> impl Iterator<Item = &'static str> {
    blocks("toml")
}

fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let text = include_str!("../../docs/configuration.md");
    let begin = format!("```{language}\n");
    let blocks: Vec<&str> = text.split(begin.as_str()).skip(1).collect();
    blocks.into_iter().map(|block| block.split("```").next().unwrap_or_default())
}

#[test]
fn the_documentation_has_an_example_of_every_key() {
    let text = include_str!("../../docs/configuration.md");
    let beside = ["depends-on", "essential", "watch"];
    let of_rules = ["match", "kinds", "action", "service", "signal", "run"];
    let keys = samples().map(|(_, key, _)| key.name).chain(beside).chain(of_rules);
    let mut examples = BTreeSet::new();
    let mut is_example = false;
    for line in text.lines() {
        match line {
            "```" | "```toml" => is_example = line == "```toml",
            line if is_example => {
                let name = line.split([' ', '=']).next().unwrap_or_default();
                examples.insert(name.trim_start_matches("# ").to_owned());
            }
            _ => {}
        }
    }
    for key in keys {
        assert!(examples.contains(key), "{key} has no example in docs/configuration.md");
    }
}

#[test]
fn the_examples_of_the_documentation_are_right() {
    assert!(examples().count() >= 4);
    for example in examples() {
        let problems = toml(example).err().unwrap_or_default();
        // A rule may be about a service of another example.
        let problems: Vec<_> =
            problems.iter().filter(|it| !it.what.starts_with("there is no service")).collect();
        assert!(problems.is_empty(), "{problems:?} in {example}");
    }
    let mut as_yaml = blocks("yaml");
    assert!(as_yaml.all(|example| yaml(example).is_ok_and(|config| config.services.len() > 1)));
}
