//! The JSON Schema, held against a validator: Python's jsonschema, where that is.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;
use stakeout::config::{detect::detect, schema, write};

use super::skip::skip;
use super::support::Tree;
use super::{every_key, init, options};

/// Says what is wrong, a line each; nothing if all is as it should be.
const VALIDATE: &str = r#"
import json, sys, tomllib
from jsonschema import Draft202012Validator as Draft
given = json.load(sys.stdin)
Draft.check_schema(given["schema"])
validator = Draft(given["schema"])
for text in given["right"]:
    for error in validator.iter_errors(tomllib.loads(text)):
        print("refused:", list(error.path), error.message[:200], "in", text)
for text in given["wrong"]:
    if validator.is_valid(tomllib.loads(text)):
        print("let pass:", text)
"#;

/// A Python that has what it takes.
fn python() -> Option<&'static str> {
    let has = |python: &&str| {
        let mut command = Command::new(python);
        command.args(["-c", "import jsonschema, tomllib"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has);
    if found.is_none() {
        skip("needs Python 3.11 with jsonschema (python3-jsonschema)");
    }
    found
}

#[test]
fn the_schema_is_one_and_takes_what_is_right_and_nothing_else() {
    let Some(python) = python() else { return };
    let projects = init::ROWS.iter().map(|(files, ..)| detect(&Tree::new(files).path("")));
    let begun = projects.chain([None]).map(|project| write::beginning(project.as_ref()));
    let examples = every_key::examples().map(str::to_owned);
    let samples =
        every_key::samples().map(|(section, key, [text, ..])| every_key::file(section, key, text));
    let right: Vec<String> = begun.chain(examples).chain(samples).collect();
    let wrong = [
        "watch.intervall = '1s'",
        "watch.no-ignore = 'yes'",
        "watch.mode = 'pol'",
        "service.a.run = true",
        "service.a.env = ['A=1']",
        "service.a.depends-on = 1",
        "service.a.watch.paths = 'x'",
        "rule.a.match = '*'",
        "rule.a = { match = '*', action = 'restrat' }",
        "rule.a = { match = '*', action = 'ignore', kinds = ['made'] }",
        "output.color = 'allways'",
        "services.a.run = 'x'",
    ];
    let given = json!({ "schema": schema(&options()), "right": right, "wrong": wrong });
    let mut child = Command::new(python)
        .args(["-c", VALIDATE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    assert!(output.status.success());
}
