//! Several services of one file: their order, their output, and what one's end means for others.

use std::fs;

use serde_json::Value;

use super::support::{Session, Tree, eventually, read};

/// Starts stakeout on this file; the lines of services come on its standard output.
fn start(tree: &Tree, file: &str, options: &[&str]) -> Session {
    tree.write("stakeout.toml", file);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1ms"]).args(options);
    Session::start(command)
}

fn ask(tree: &Tree, words: &[&str]) -> (Option<i32>, String) {
    let output = tree.stakeout().args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Each waits for the one before, and says so to the file `log` when it begins and ends. It is not
/// ready before the file of its name is there.
const CHAIN: &str = r#"
[watch]
exclude = ["/log", "/ready/"]

[service.web]
run = "trap 'echo web ends >> log; exit 0' TERM INT; echo web begins >> log; while :; do sleep 0.01; done"
depends-on = ["api"]

[service.api]
run = "trap 'sleep 0.1; echo api ends >> log; exit 0' TERM INT; echo api begins >> log; while :; do sleep 0.01; done"
ready = "exec:test -e ready/api"
depends-on = ["db"]

[service.db]
run = "trap 'echo db ends >> log; exit 0' TERM INT; echo db begins >> log; while :; do sleep 0.01; done"
ready = "exec:test -e ready/db"
"#;

#[test]
fn each_starts_when_those_are_ready_that_it_needs_and_stops_before_them() {
    let tree = Tree::new(&[]);
    let mut session = start(&tree, CHAIN, &[]);
    session.wait_for("web: waiting for api");
    eventually("the first one", || read(&tree.path("log")) == "db begins\n");
    tree.write("ready/db", "");
    session.wait_for("api: starting");
    eventually("the second one", || read(&tree.path("log")).ends_with("api begins\n"));
    tree.write("ready/api", "");
    eventually("the third one", || read(&tree.path("log")).ends_with("web begins\n"));
    assert_eq!(session.terminate().code(), Some(0), "{}", session.output());
    let order = "db begins\napi begins\nweb begins\nweb ends\napi ends\ndb ends\n";
    assert_eq!(read(&tree.path("log")), order);
    assert_eq!(session.seen("got SIGTERM"), 1);
}

#[test]
fn what_has_not_begun_need_not_end() {
    let tree = Tree::new(&[]);
    let mut session = start(&tree, CHAIN, &[]);
    eventually("the first one", || read(&tree.path("log")) == "db begins\n");
    assert_eq!(session.terminate().code(), Some(0), "{}", session.output());
    assert_eq!(read(&tree.path("log")), "db begins\ndb ends\n");
}

#[test]
fn who_asks_twice_does_not_wait_for_the_order() {
    let tree = Tree::new(&[]);
    let file = r#"
[service.web]
run = "trap '' TERM; echo web $((40 + 2)); while :; do sleep 0.01; done"
depends-on = ["db"]
[service.db]
run = "trap '' TERM; echo db $((40 + 2)); while :; do sleep 0.01; done"
"#;
    let mut session = start(&tree, file, &["--stop-timeout", "1h"]);
    session.wait_for("web | web 42");
    let status = session.insist(rustix::process::Signal::TERM);
    assert_eq!(status.code(), Some(137), "{}", session.output());
}

/// Two that know nothing of each other, each with files of its own.
const TWO: &str = r#"
[service.web]
run = "echo shows $(cat web/a); exec sleep 1000"
watch = { include = ["/web/"] }

[service.api]
build = "grep -v wrong api/a"
run = "echo shows $(cat api/a); exec sleep 1000"
watch = { include = ["/api/"], exclude = ["*.md"] }
"#;

#[test]
fn a_change_concerns_those_whose_own_it_is() {
    let tree = Tree::new(&[("web/a", "one"), ("api/a", "one")]);
    let mut session = start(&tree, TWO, &[]);
    session.wait_for_all(&["web | shows one", "api | shows one"]);
    tree.save_by_rename("web/a", "two");
    session.wait_for("web | shows two");
    tree.write("api/note.md", "nothing");
    session.wait_for("created api/note.md");
    tree.save_by_rename("api/a", "wrong");
    session.wait_for("api: BUILD FAILED");
    tree.save_by_rename("api/a", "three");
    session.wait_for_all(&["api build | three", "api | shows three"]);
    session.terminate();
    assert_eq!((session.seen("web: starting"), session.seen("api: starting")), (2, 2));
}

#[test]
fn each_can_be_asked_for_by_its_name() {
    let tree = Tree::new(&[("web/a", "one"), ("api/a", "one")]);
    let mut session = start(&tree, TWO, &[]);
    session.wait_for_all(&["web | shows one", "api | shows one"]);
    assert_eq!(ask(&tree, &["restart", "api"]).0, Some(0));
    session.wait_for_all(&["api: asked to restart", "api | shows one"]);
    // What it writes may come before it is known to be executed, and so to be ready.
    assert_eq!(ask(&tree, &["status", "--wait", "ready", "--timeout", "60s"]).0, Some(0));
    assert_eq!(ask(&tree, &["pause", "web"]).0, Some(0));
    let (code, status) = ask(&tree, &["status", "--json"]);
    assert_eq!(code, Some(0), "{status}");
    let status: Value = serde_json::from_str(&status).unwrap();
    let services = status["services"].as_array().unwrap();
    let of = |field: &str| services.iter().map(|it| it[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("name"), ["web", "api"]);
    assert_eq!(of("paused"), [true, false]);
    let restarts: Vec<_> = services.iter().map(|it| &it["program"]["restarts"]).collect();
    assert_eq!((&restarts[0]["by_request"], &restarts[1]["by_request"]), (&0.into(), &1.into()));
    assert_eq!((&status["ready"], &status["paused"]), (&true.into(), &true.into()));
    let (code, refusal) = ask(&tree, &["restart", "database"]);
    assert_eq!(code, Some(2));
    assert!(refusal.contains("no service \"database\" here, but web, api"), "{refusal}");
    let (_, build) = ask(&tree, &["logs", "--build", "api"]);
    assert_eq!(build, "one\n");
    session.terminate();
}

#[test]
fn the_crash_of_one_leaves_the_others_alone_unless_it_is_essential() {
    let tree = Tree::new(&[]);
    let file = |essential: &str| {
        format!(
            "[service.web]\nrun = \"trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done\"\n\
             [service.api]\nrun = 'until test -e crash; do sleep 0.01; done; exit 7'\n{essential}"
        )
    };
    let mut session = start(&tree, &file(""), &["-i", "crash"]);
    session.wait_for("web | up");
    tree.write("crash", "");
    session.wait_for("ended with status 7; waiting for a change");
    let (code, _) = ask(&tree, &["status", "--check"]);
    assert_eq!(code, Some(1), "one of them is not ready");
    assert_eq!(session.terminate().code(), Some(7), "{}", session.output());
    fs::remove_file(tree.path("crash")).unwrap();
    let mut session = start(&tree, &file("essential = true\n"), &["-i", "crash"]);
    session.wait_for("web | up");
    tree.write("crash", "");
    session.wait_for("api: this was essential: stopping all");
    assert_eq!(session.wait().code(), Some(7), "{}", session.output());
}

#[test]
fn the_only_one_can_be_essential_too() {
    let tree = Tree::new(&[]);
    let file = "[service.api]\nrun = 'until test -e crash; do sleep 0.01; done; exit 7'\n\
                essential = true";
    let mut session = start(&tree, file, &["-i", "crash"]);
    session.wait_for("starting");
    tree.write("crash", "");
    assert_eq!(session.wait().code(), Some(7), "{}", session.output());
}

#[test]
fn what_waits_for_another_cannot_be_asked_to_restart() {
    let tree = Tree::new(&[]);
    let file = "[service.web]\nrun = 'sleep 1000'\ndepends-on = ['db']\n\
                [service.db]\nrun = 'sleep 1000'\nready = 'exec:test -e up'";
    let mut session = start(&tree, file, &["-i", "up"]);
    session.wait_for("web: waiting for db");
    let (code, refusal) = ask(&tree, &["restart", "web"]);
    assert_eq!(code, Some(2));
    assert!(refusal.contains("web has not started yet: it waits for db"), "{refusal}");
    let (code, _) = ask(&tree, &["pause", "web"]);
    assert_eq!(code, Some(0), "it can be paused before");
    tree.write("up", "");
    session.wait_for("web: starting");
    session.terminate();
}

#[test]
fn what_it_needs_may_only_build_or_be_done() {
    let tree = Tree::new(&[("a", "wrong")]);
    let file = r#"
[service.web]
run = "echo up; exec sleep 1000"
depends-on = ["assets", "migrate"]
[service.assets]
build = "grep right a"
[service.migrate]
run = "echo migrated"
restart = "never"
"#;
    let mut session = start(&tree, file, &[]);
    session.wait_for_all(&["assets: BUILD FAILED", "migrate | migrated"]);
    tree.write("a", "right");
    session.wait_for("web     | up");
    session.terminate();
}

#[test]
fn their_output_is_told_as_json_too() {
    let tree = Tree::new(&[("web/a", "one"), ("api/a", "one")]);
    let mut session = start(&tree, TWO, &["--log-format", "json"]);
    session.wait_for_all(&[
        r#""event":"output","service":"web","message":"shows one","source":"stdout""#,
        r#""event":"output","service":"api","message":"shows one","source":"stdout""#,
    ]);
    session.terminate();
    for line in session.output().lines() {
        let event: Value = serde_json::from_str(line).expect(line);
        assert_eq!(event["schema"], 1);
    }
}

#[test]
fn only_one_reads_what_is_typed_and_none_takes_the_command_line() {
    let tree = Tree::new(&[]);
    let reader = "run = 'cat'\nstdin = 'inherit'\n";
    tree.write("stakeout.toml", &format!("[service.a]\n{reader}[service.b]\n{reader}"));
    let (code, text) = ask(&tree, &[]);
    assert_eq!(code, Some(2));
    assert!(text.contains("only one service can read what is typed, not a and b"), "{text}");
    tree.write("stakeout.toml", TWO);
    let (code, text) = ask(&tree, &["--", "true"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("has several services"), "{text}");
}

#[test]
fn the_one_that_reads_what_is_typed_has_the_terminal() {
    let tree = Tree::new(&[]);
    let file = "[service.shell]\nrun = 'while read line; do echo \"got <$line>\"; done'\n\
                stdin = 'inherit'\n[service.web]\nrun = 'echo up; exec sleep 1000'\n";
    tree.write("stakeout.toml", file);
    let mut command = tree.stakeout();
    command.args(["--color", "never"]);
    let (mut session, mut keyboard) = Session::at_terminal(&command);
    session.wait_for("web   | up");
    keyboard.type_in("hello\n");
    session.wait_for("shell | got <hello>");
    keyboard.type_in("\x03");
    session.wait_for("shell: this was essential: stopping all");
    assert_eq!(session.wait().code(), Some(130), "{}", session.output());
}
