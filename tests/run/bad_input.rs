//! Mistakes: one clear sentence that names the thing and what to do, and the right status.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::support::{Session, Tree};

/// Runs to the end; gives the status and standard error.
fn fails(tree: &Tree, words: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = tree.stakeout();
    command.args(words).envs(variables.iter().copied());
    let mut session = Session::start(command);
    let status = session.wait();
    (status.code(), session.output())
}

#[track_caller]
fn assert_fails(words: &[&str], status: i32, says: &[&str]) {
    assert_fails_on(&Tree::new(&[("file", "text")]), words, &[], status, says);
}

#[track_caller]
fn assert_fails_on(
    tree: &Tree,
    words: &[&str],
    variables: &[(&str, &str)],
    status: i32,
    says: &[&str],
) {
    let (code, output) = fails(tree, words, variables);
    assert_eq!(code, Some(status), "{words:?}: {output}");
    for text in says.iter().copied() {
        assert!(output.contains(text), "{words:?}: no {text:?} in {output}");
    }
    assert!(!output.contains("panicked") && !output.contains("RUST_BACKTRACE"), "{output}");
}

#[test]
fn paths_that_are_not_there() {
    assert_fails(&["-w", "nope", "--", "true"], 2, &["cannot watch nope: No such file", "mounted"]);
    assert_fails(&["-w", "/proc"], 2, &["cannot watch /proc: the kernel makes it up"]);
    assert_fails(&["-w", "/dev/null"], 2, &["cannot watch /dev/null", "neither"]);
    assert_fails(&["scan", "/dev/null"], 2, &["cannot scan /dev/null", "neither"]);
    assert_fails(&["scan", "nope"], 2, &["cannot scan nope: No such file"]);
}

#[test]
fn values_that_cannot_be_understood() {
    assert_fails(&["--interval", "5"], 2, &["'--interval", "5ms or 5s"]);
    assert_fails(&["--interval", "0ms"], 2, &["'--interval", "10ms"]);
    assert_fails(&["--debounce", "soon"], 2, &["'--debounce", "soon", "500ms"]);
    assert_fails(&["--stop-timeout", "99999999999999999999s"], 2, &["'--stop-timeout"]);
    assert_fails(&["-i", "src/[a"], 2, &["'src/[a'", "--ignore", "unclosed"]);
    assert_fails(&["-f", "{a"], 2, &["'{a'", "--filter"]);
    assert_fails(&["--stop-signal", "SIGFOO"], 2, &["`SIGFOO`", "SIGTERM"]);
    assert_fails(&["--mode", "pol"], 2, &["'--mode", "'poll'"]);
    let tree = Tree::new(&[]);
    assert_fails_on(&tree, &[], &[("STAKEOUT_INTERVAL", "x")], 2, &["'--interval", "500ms"]);
    assert_fails_on(&tree, &[], &[("STAKEOUT_POSTPONE", "maybe")], 2, &["'--postpone", "maybe"]);
}

#[test]
fn options_that_do_not_exist() {
    assert_fails(&["--intervall", "1s"], 2, &["'--intervall'", "'--interval'"]);
    assert_fails(&["python3", "app.py"], 2, &["'python3'", "goes after `--`"]);
    assert_fails(&["--shell"], 2, &["--shell has nothing to run", "after `--`"]);
}

#[test]
fn programs_that_cannot_be_run() {
    let tree = Tree::new(&[
        ("plain", "text"),
        ("noline", "text"),
        ("broken", "#!/nowhere/interpreter\n"),
        ("folder/x", ""),
    ]);
    for name in ["noline", "broken"] {
        fs::set_permissions(tree.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let cases: [(&str, i32, &[&str]); 7] = [
        ("no-such-program", 127, &["cannot run no-such-program", "not in PATH"]),
        ("./no-such-program", 127, &["cannot run ./no-such-program", "is it built yet?"]),
        ("./plain", 126, &["cannot run ./plain", "chmod +x"]),
        ("./noline", 126, &["cannot run ./noline", "#!/bin/sh"]),
        ("./broken", 126, &["cannot run ./broken", "interpreter"]),
        ("./folder", 126, &["cannot run ./folder"]),
        ("", 127, &["cannot run"]),
    ];
    for (name, status, says) in cases {
        assert_fails_on(&tree, &["--", name], &[], status, says);
    }
}

#[test]
fn a_program_that_is_still_open_for_writing_is_waited_for() {
    let tree = Tree::new(&[]);
    fs::copy("/bin/sh", tree.path("app")).unwrap();
    let linker = fs::File::options().write(true).open(tree.path("app")).unwrap();
    let mut command = tree.stakeout();
    command.args(["--", "./app", "-c", "echo runs; exec sleep 1000"]);
    let mut session = Session::start(command);
    session.wait_for("starting ./app");
    drop(linker);
    session.wait_for("runs");
}

#[test]
fn a_program_that_goes_missing_is_waited_for() {
    let tree = Tree::new(&[("app", "#!/bin/sh\necho runs; exec sleep 1000\n"), ("a", "")]);
    fs::set_permissions(tree.path("app"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--", "./app"]);
    let mut session = Session::start(command);
    session.wait_for("runs");
    fs::rename(tree.path("app"), tree.path("away")).unwrap();
    session.wait_for("cannot run ./app: there is no such file");
    fs::rename(tree.path("away"), tree.path("app")).unwrap();
    session.wait_for("runs");
}
