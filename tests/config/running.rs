//! The binary with a configuration file: it runs what the file says, and says what counts.

use std::process::Command;

use serde_json::Value;

use super::support::{Session, Tree};

/// One service that says what it was given.
const ONE: &str = r#"
[watch]
paths = ["src"]
interval = "20ms"

[service.api]
build = ["echo was built > result"]
run = "cat result; echo in $(basename $PWD) with $FROM_FILE and $FROM_TABLE; exec sleep 1000"
cwd = "work"
env-file = "variables"
env = { FROM_TABLE = "stronger" }
stop-signal = "INT"
"#;

fn project() -> Tree {
    Tree::new(&[
        ("stakeout.toml", ONE),
        ("src/main", "1"),
        ("src/deep/file", "1"),
        ("work/here", ""),
        ("variables", "FROM_FILE=file\nFROM_TABLE=weaker\n"),
    ])
}

/// What a command writes, and its status.
fn output(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("stakeout to start");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// `stakeout config --json` with these words and variables.
pub fn effective(tree: &Tree, words: &[&str], variables: &[(&str, &str)]) -> Value {
    let mut command = tree.stakeout();
    command.args(["config", "--json"]).args(words).envs(variables.iter().copied());
    let (status, out, error) = output(command);
    assert_eq!(status, Some(0), "{error}");
    serde_json::from_str(&out).expect("JSON")
}

#[test]
fn a_service_runs_as_the_file_says_and_restarts_on_a_change() {
    let tree = project();
    let mut session = Session::start(tree.stakeout());
    session.wait_for("configured by stakeout.toml");
    session.wait_for("watching src");
    session.wait_for("was built");
    session.wait_for("in work with file and stronger");
    tree.write("src/main", "2");
    session.wait_for("src/main");
    session.wait_for("in work with file and stronger");
    assert_eq!(session.terminate().code(), Some(128 + 2));
}

#[test]
fn it_is_found_above_and_typed_paths_stay_what_they_were() {
    let tree = project();
    let mut command = tree.stakeout();
    command.current_dir(tree.path("src/deep")).args(["-w", "."]);
    let mut session = Session::start(command);
    session.wait_for("configured by stakeout.toml in");
    session.wait_for("watching src/deep");
    session.wait_for("in work with file and stronger");
    tree.write("src/deep/file", "2");
    session.wait_for("src/deep/file");
    session.wait_for("in work with file and stronger");
}

#[test]
fn a_file_that_is_named_leaves_the_working_directory_alone() {
    let tree = project();
    tree.write("sub/other.toml", "[service.x]\nrun = ['sh', '-c', 'ls; exec sleep 1000']\n");
    let mut command = tree.stakeout();
    command.args(["-c", "sub/other.toml"]);
    let mut session = Session::start(command);
    session.wait_for("configured by sub/other.toml");
    session.wait_for("variables");
}

#[test]
fn yaml_runs_as_well() {
    let text =
        "watch: {interval: 20ms}\nservice:\n  api:\n    run: echo $((20 + 3)); exec sleep 1000\n";
    let tree = Tree::new(&[("stakeout.yaml", text)]);
    let mut session = Session::start(tree.stakeout());
    session.wait_for("configured by stakeout.yaml");
    session.wait_for("23");
}

#[test]
fn the_command_line_is_stronger_than_the_environment_and_that_than_the_file() {
    let tree = project();
    let interval = |words: &[&str], variables: &[(&str, &str)]| {
        let interval = &effective(&tree, words, variables)["watch"]["interval"];
        let text = |key: &str| interval[key].as_str().unwrap_or_default().to_owned();
        (text("value"), text("source"))
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    let variable = [("STAKEOUT_INTERVAL", "2s")];
    assert_eq!(interval(&["--interval", "3s"], &variable), pair("3s", "command-line"));
    assert_eq!(interval(&[], &variable), pair("2s", "environment"));
    assert_eq!(interval(&[], &[("STAKEOUT_INTERVAL", "")]), pair("20ms", "file"));
    let all = effective(&tree, &[], &[]);
    assert_eq!(all["watch"]["interval"]["line"], 4);
    assert_eq!(all["watch"]["debounce"]["source"], "default");
    assert_eq!(all["service"]["api"]["env"]["value"]["FROM_TABLE"], "stronger");
    assert_eq!(all["file"], "stakeout.toml");
}

#[test]
fn what_only_a_file_can_say_has_its_line_and_several_services_read_nothing() {
    let text = "[service.a]\nrun = 'x'\n[service.b]\nrun = 'x'\ndepends-on = ['a']\n\
                essential = true\nwatch.exts = ['c']\n[rule.r]\nmatch = '*'\naction = 'ignore'\n";
    let tree = Tree::new(&[("stakeout.toml", text)]);
    let all = effective(&tree, &[], &[]);
    let b = &all["service"]["b"];
    let lines = ["depends-on", "essential", "watch"].map(|key| b[key]["line"].as_u64());
    assert_eq!(lines, [Some(5), Some(6), Some(7)]);
    assert_eq!(all["rule"]["r"]["match"]["line"], 8);
    assert_eq!((&b["stdin"]["value"], &b["stdin"]["source"]), (&"null".into(), &"default".into()));
    let all = effective(&tree, &["--stdin", "inherit"], &[]);
    assert_eq!(all["service"]["b"]["stdin"]["value"], "inherit");
}

#[test]
fn a_typed_command_replaces_run_and_needs_no_shell() {
    let tree = project();
    let run = |words: &[&str]| effective(&tree, words, &[])["service"]["api"]["run"].clone();
    assert_eq!(run(&[])["source"], "file");
    assert!(run(&[])["value"].is_string());
    let typed = run(&["--", "echo", "a  b"]);
    assert_eq!(typed["value"], serde_json::json!(["echo", "a  b"]));
    assert_eq!(typed["source"], "command-line");
    let mut command = tree.stakeout();
    command.args(["--no-watch", "--", "printf", "%s.", "$HOME", "a  b"]);
    let (status, out, error) = output(command);
    assert_eq!((status, out.as_str()), (Some(0), "$HOME.a  b."), "{error}");
}

#[test]
fn what_is_typed_puts_away_what_cannot_be_together_with_it() {
    let tree = Tree::new(&[("stakeout.toml", "[service.a]\nrun = 'x'\nreload = 'make'\n")]);
    let all = effective(&tree, &["--signal", "HUP"], &[]);
    assert_eq!(all["service"]["a"]["signal"]["value"], "HUP");
    assert_eq!(all["service"]["a"]["reload"], Value::Null);
}

#[test]
fn what_config_prints_is_a_file_that_says_the_same() {
    let tree = project();
    tree.write(
        "rules.toml",
        &format!("{ONE}\n[rule.'a.b']\nmatch = '*\"'\naction = 'run'\nrun = 'a\\b'\n"),
    );
    let print = |words: &[&str]| {
        let mut command = tree.stakeout();
        command.arg("config").args(words);
        let (status, out, error) = output(command);
        assert_eq!(status, Some(0), "{error}");
        out
    };
    let first = print(&["-c", "rules.toml"]);
    assert!(first.contains("interval = \"20ms\"") && first.contains("# line 4"), "{first}");
    assert!(first.contains("# default"), "{first}");
    tree.write("printed.toml", &first);
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default());
        lines.filter(|line| !line.starts_with('#')).map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(values(&print(&["-c", "printed.toml"])), values(&first));
}

#[test]
fn mistakes_are_told_all_at_once_and_nothing_runs() {
    let tree =
        Tree::new(&[("stakeout.toml", "[watch]\nmode = 'pol'\n[service.a]\nrum = 'touch ran'\n")]);
    for words in [&[][..], &["config"]] {
        let mut command = tree.stakeout();
        command.args(words);
        let (status, _, error) = output(command);
        assert_eq!(status, Some(2), "{error}");
        for text in ["2 problems in stakeout.toml", "stakeout.toml:2:8", "\"poll\"", "4:1", "`run`"]
        {
            assert!(error.contains(text), "no {text:?} in {error}");
        }
    }
    assert!(!tree.path("ran").exists());
}

#[test]
fn a_rule_for_browsers_that_cannot_be_there_is_a_mistake() {
    let rule = "[rule.a]\nmatch = 'x'\naction = 'reload-browser'\n";
    let tree = Tree::new(&[("stakeout.toml", rule)]);
    let (status, _, error) = output(tree.stakeout());
    assert_eq!(status, Some(2), "{error}");
    assert!(error.contains("[rule.a] cannot be followed: no browser could be told"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let tree = Tree::new(&[("latin1.toml", "")]);
    std::fs::write(tree.path("latin1.toml"), b"# \xfc\n").unwrap();
    let cases =
        [("nope.toml", "No such file"), (".", "directory"), ("latin1.toml", "line 1 is not UTF-8")];
    for (file, says) in cases {
        let mut command = tree.stakeout();
        command.args(["-c", file]);
        let (status, _, error) = output(command);
        assert_eq!(status, Some(2), "{error}");
        assert!(error.contains("cannot read the configuration file"), "{error}");
        assert!(error.contains(says), "no {says:?} in {error}");
    }
}
