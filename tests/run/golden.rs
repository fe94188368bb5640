//! What people and programs read, against files that hold it: the help of each verb, what is said of
//! mistyped words, the lines of the log, and the same as JSON. With UPDATE_GOLDEN=1 the files are
//! written, to be read in the diff.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::support::{Session, Tree, number};

fn check(name: &str, said: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, said).expect("a file");
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(said, expected, "{}", golden.display());
}

/// What these words print, after the words themselves.
fn asked(tree: &Tree, words: &str) -> String {
    let mut command = tree.stakeout();
    command.env_remove("COLUMNS").args(words.split(' '));
    let output = command.output().expect("stakeout to run");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    // Empty lines of clap's have blanks in them.
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let status = output.status.code().expect("a status");
    format!("$ stakeout {words}  # {status}\n{}\n\n", lines.join("\n"))
}

#[test]
fn the_help_of_each_verb() {
    let tree = Tree::new(&[]);
    check("help.short.txt", &asked(&tree, "-h"));
    check("help.long.txt", &asked(&tree, "--help"));
    let definitions = stakeout::cli::definitions();
    let mut verbs = String::new();
    for verb in definitions.get_subcommands() {
        let name = verb.get_name();
        verbs += &asked(&tree, &format!("{name} -h"));
        verbs += &asked(&tree, &format!("{name} --help"));
    }
    check("help.verbs.txt", &verbs);
}

#[test]
fn what_is_said_of_mistyped_words() {
    let tree = Tree::new(&[]);
    let mistakes = [
        "python3 app.py",
        "restrat",
        "smok --ready tcp:1",
        "--intervall 1s",
        "-x -- true",
        "--no-color -- true",
        "--interval often -- true",
        "--mode pol -- true",
        "scan --lst",
        "scan --nothing-like-it",
        "scan one two",
        "status --chek",
        "status --wait redy",
        "smoke --ready tcp:1 -- true",
        "completions basch",
        "logs",
    ];
    let said: String = mistakes.iter().map(|words| asked(&tree, words)).collect();
    check("mistakes.txt", &said);
}

/// With times, process ids and the version taken out.
fn redacted(text: &str) -> String {
    let rules = [
        (r"<?\b\d+(\.\d+)?(µs|ms|s)\b", "TIME"),
        (r"pid \d+", "pid PID"),
        (r"version [0-9][^ ,]*", "version VERSION"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]*Z", "DATE"),
    ];
    rules.iter().fold(text.to_owned(), |text, (rule, with)| {
        Regex::new(rule).expect("a regex").replace_all(&text, *with).into_owned()
    })
}

/// A start, a build that fails, one that does not, a crash, an end, and what ends it all.
fn life(options: &[&str]) -> String {
    let tree = Tree::new(&[("build.sh", "echo compiling")]);
    tree.write(".git/program.sh", "[ -e fail ] && exit 3; exec sleep 1000");
    let mut command: Command = tree.stakeout();
    // The clock of the files takes no part: noticing may be told or not, by how fast that was.
    command.args(["--mode", "poll", "--interval", "20ms", "--control", "off", "--color", "never"]);
    command.args(["--build", "sh build.sh", "--ready", "exec:test ! -e fail"]).args(options);
    command.args(["--", "sh", ".git/program.sh"]);
    let mut session = Session::start(command);
    session.wait_for("ready after");
    tree.save_by_rename("build.sh", "echo 'error: expected ;' >&2; exit 1");
    session.wait_for("BUILD FAILED");
    tree.save_by_rename("build.sh", "echo compiling again");
    let started = session.wait_for("(pid ");
    session.wait_for("ready after");
    let pid = Pid::from_raw(number(&started, "(pid ")).expect("a pid");
    kill_process(pid, Signal::SEGV).expect("the program");
    session.wait_for("CRASHED");
    session.wait_for("ready after");
    tree.write("fail", "");
    session.wait_for("FAILED: sh");
    fs::remove_file(tree.path("fail")).expect("the file");
    session.wait_for("ready after");
    session.terminate();
    session.output() + "\n"
}

#[test]
fn the_lines_of_the_log() {
    check("log.txt", &redacted(&life(&[])));
}

#[test]
fn the_lines_of_the_log_as_json() {
    let mut said = String::new();
    for line in life(&["--log-format", "json"]).lines() {
        let mut event: Value = serde_json::from_str(line).expect(line);
        for (key, value) in event.as_object_mut().expect("an object") {
            match value {
                Value::Number(_) if key.ends_with("_ms") || key == "pid" => *value = 0.into(),
                Value::String(_) if key == "version" => *value = "VERSION".into(),
                Value::String(text) => *text = redacted(text),
                _ => {}
            }
        }
        _ = writeln!(said, "{event}");
    }
    check("log.json", &said);
}
