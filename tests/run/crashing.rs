//! The program ends by itself: what is started again, when, and what ends with it.

use super::support::{Session, Tree, is_alive, number};

#[test]
fn what_a_signal_killed_is_started_again_with_a_growing_wait() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&[], "echo runs; kill -SEGV $$");
    for wait in ["250ms", "500ms", "1s"] {
        session.wait_for("runs");
        session.wait_for(&format!("was killed by SIGSEGV; starting it again in {wait}"));
    }
    session.wait_for("runs");
}

#[test]
fn an_end_for_want_of_memory_is_named() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&[], "kill -KILL $$");
    session.wait_for("was killed by SIGKILL (is memory short?); starting it again in 250ms");
}

#[test]
fn a_change_waits_for_no_back_off() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&[], "echo shows $(cat a); kill -SEGV $$");
    session.wait_for("starting it again in 1s");
    tree.write("a", "two");
    // What is new has not failed yet.
    session.wait_for_each(&[&["modified a", "starting it again in 250ms"], &["shows two"]]);
}

#[test]
fn an_error_waits_for_the_change_that_mends_it() {
    let tree = Tree::new(&[("a", "exit 1")]);
    let mut session = tree.run(&[], "echo runs; . ./a");
    session.wait_for("ended with status 1; waiting for a change");
    tree.save_by_rename("a", "echo mended; exec sleep 1000");
    session.wait_for("mended");
    assert_eq!(session.seen("runs"), 2, "{}", session.output());
}

#[test]
fn never_means_never() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&["--restart", "never"], "echo shows $(cat a); kill -SEGV $$");
    session.wait_for("was killed by SIGSEGV; waiting for a change");
    tree.write("a", "two");
    session.wait_for("shows two");
    assert_eq!(session.seen("shows one"), 1, "{}", session.output());
}

#[test]
fn failures_and_all_ends_can_be_followed_by_a_start() {
    for (when, status) in [("on-failure", 1), ("always", 1), ("always", 0)] {
        let tree = Tree::new(&[]);
        let mut session = tree.run(&["--restart", when], &format!("echo runs; exit {status}"));
        session.wait_for("starting it again in 250ms");
        session.wait_for("starting it again in 500ms");
        assert_eq!(session.seen("runs"), 2, "{}", session.output());
    }
    let tree = Tree::new(&[]);
    let mut session = tree.run(&["--restart", "on-failure"], "exit 0");
    session.wait_for("ended; waiting for a change");
}

#[test]
fn what_a_crash_leaves_behind_is_cleared_away_before_the_next_start() {
    let tree = Tree::new(&[(".git/x", "")]);
    let script = "(setsid sh -c 'echo helper $$ end; : > .git/up; exec sleep 1000' &)
        until [ -e .git/up ]; do sleep 0.01; done; rm .git/up; kill -SEGV $$";
    let mut session = tree.run(&[], script);
    let first = number(&session.wait_for("helper "), "helper ");
    session.wait_for("starting it again");
    session.wait_for("helper ");
    assert!(!is_alive(first));
}

/// As a plain init, by the shell command that ends it.
const ENDS: [(&str, i32); 9] = [
    ("exit 0", 0),
    ("exit 1", 1),
    ("exit 77", 77),
    ("exit 126", 126),
    ("exit 127", 127),
    ("kill -INT $$", 130),
    ("kill -KILL $$", 137),
    ("kill -TERM $$", 143),
    ("exit 255", 255),
];

#[test]
fn without_watching_it_ends_with_the_programs_status() {
    for (end, status) in ENDS {
        let tree = Tree::new(&[]);
        let mut session = tree.run(&["--no-watch"], end);
        assert_eq!(session.wait().code(), Some(status), "{end}: {}", session.output());
        assert_eq!(session.seen("watching"), 0, "{}", session.output());
    }
}

#[test]
fn with_exit_with_child_it_ends_though_it_watches() {
    for (end, status) in ENDS {
        let tree = Tree::new(&[]);
        let mut session = tree.run(&["--exit-with-child"], end);
        assert_eq!(session.wait().code(), Some(status), "{end}: {}", session.output());
    }
}

#[test]
fn without_watching_the_rest_of_the_program_is_stopped() {
    let tree = Tree::new(&[(".git/x", "")]);
    let script = "(setsid sh -c 'echo helper $$ end; : > .git/up; exec sleep 1000' &)
        until [ -e .git/up ]; do sleep 0.01; done; exit 5";
    let mut session = tree.run(&["--no-watch"], script);
    let helper = number(&session.wait_for("helper "), "helper ");
    assert_eq!(session.wait().code(), Some(5), "{}", session.output());
    assert!(!is_alive(helper));
}

#[test]
fn without_watching_what_cannot_be_run_has_its_own_status() {
    let tree = Tree::new(&[("plain", "text")]);
    for (name, status) in [("./nope", 127), ("no-such-program", 127), ("./plain", 126)] {
        let mut command = tree.stakeout();
        command.args(["--no-watch", "--", name]);
        let mut session = Session::start(command);
        assert_eq!(session.wait().code(), Some(status), "{}", session.output());
    }
}

#[test]
fn without_watching_a_crash_can_be_followed_by_a_start() {
    let tree = Tree::new(&[(".git/x", "")]);
    let script = "[ -e .git/ran ] && exit 4; : > .git/ran; kill -SEGV $$";
    let mut session = tree.run(&["--no-watch", "--restart", "on-crash"], script);
    assert_eq!(session.wait().code(), Some(4), "{}", session.output());
    assert_eq!(session.seen("starting it again in 250ms"), 1, "{}", session.output());
}
