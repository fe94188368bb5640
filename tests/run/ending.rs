//! How it ends: which status, how soon, and what is left behind.

use rustix::process::Signal;

use super::support::{Session, Tree, eventually, is_alive, number};

#[test]
fn the_programs_status_is_passed_on() {
    let cases = [
        ("trap 'exit 0' TERM", 0),
        ("trap 'exit 77' TERM", 77),
        (":", 128 + 15),
        ("trap 'trap - INT; kill -INT $$' TERM", 128 + 2),
    ];
    for (trap, status) in cases {
        let tree = Tree::new(&[]);
        let mut session = tree.run(&[], &format!("{trap}; echo up; while :; do sleep 0.01; done"));
        session.wait_for("up");
        assert_eq!(session.terminate().code(), Some(status), "{trap}: {}", session.output());
    }
}

#[test]
fn each_signal_that_means_ending_reaches_the_program_and_ends_it() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let tree = Tree::new(&[]);
        let mut session = tree.run(&[], "echo up; exec sleep 1000");
        session.wait_for("up");
        session.signal(signal);
        let status = 128 + signal.as_raw();
        assert_eq!(session.wait().code(), Some(status), "{signal:?}: {}", session.output());
    }
}

#[test]
fn under_nohup_a_hangup_does_not_end_it() {
    let tree = Tree::new(&[("a", "one")]);
    let mut command = std::process::Command::new("sh");
    // What nohup(1) does.
    command.args(["-c", "trap '' HUP; exec \"$0\" --interval 20ms"]);
    command.arg(env!("CARGO_BIN_EXE_stakeout")).current_dir(tree.path(""));
    let mut session = Session::start(command);
    session.wait_for("watching .");
    session.signal(Signal::HUP);
    tree.write("a", "two");
    session.wait_for("modified a");
    session.signal(Signal::INT);
    assert_eq!(session.wait().code(), Some(130));
}

#[test]
fn a_program_that_had_ended_by_itself_has_its_status_passed_on() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&[], "exit 3");
    session.wait_for("waiting for a change");
    session.signal(Signal::INT);
    assert_eq!(session.wait().code(), Some(3));
}

#[test]
fn nothing_of_the_group_is_left() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&[], "sleep 1000 & echo helper $! end; wait");
    let helper = number(&session.wait_for("helper"), "helper ");
    session.terminate();
    assert!(!is_alive(helper));
}

#[test]
fn what_ignores_signals_is_killed_at_the_second_one() {
    let tree = Tree::new(&[]);
    let mut session =
        tree.run(&["--stop-timeout", "1h"], "trap '' TERM; echo up; while :; do sleep 0.1; done");
    session.wait_for("up");
    session.signal(Signal::TERM);
    session.wait_for("got SIGTERM");
    assert_eq!(session.insist(Signal::TERM).code(), Some(137), "{}", session.output());
}

#[test]
fn the_stop_timeout_bounds_the_end() {
    let tree = Tree::new(&[]);
    let mut session = tree
        .run(&["--stop-timeout", "200ms"], "trap '' TERM; echo up; while :; do sleep 0.1; done");
    session.wait_for("up");
    assert_eq!(session.terminate().code(), Some(137), "{}", session.output());
}

#[test]
fn the_program_dies_with_a_stakeout_that_is_killed() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&[], "echo up as $$ end; exec sleep 1000");
    let program = number(&session.wait_for("up as"), "as ");
    session.signal(Signal::KILL);
    eventually("the program's end", || !is_alive(program));
}

#[test]
fn without_a_program_changes_are_shown() {
    let tree = Tree::new(&[("a", "one")]);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms"]);
    let mut session = Session::start(command);
    session.wait_for("watching .");
    tree.write("b", "two");
    session.wait_for("created b");
    session.signal(Signal::INT);
    assert_eq!(session.wait().code(), Some(130));
}

#[test]
fn orphans_are_reaped() {
    let tree = Tree::new(&[]);
    // Each inner shell leaves a process behind, which becomes stakeout's child and then ends.
    let script = "for n in 1 2 3 4 5; do sh -c 'sleep 0.01 & :'; done; exec sleep 1000";
    let mut session = tree.run(&["-v"], script);
    let mut reaped = 0;
    while reaped < 5 {
        reaped += number(&session.wait_for("orphan"), "reaped ");
    }
}

#[test]
fn after_so_many_runs_it_ends_with_the_status_of_the_last() {
    let tree = Tree::new(&[("a", "1")]);
    let mut session = tree.run(&["-v", "--runs", "2"], "echo runs with $(cat a); exit $(cat a)");
    session.wait_for("ended with status 1; waiting for a change");
    session.wait_until_settled();
    tree.save_by_rename("a", "7");
    session.wait_for("the last run");
    assert_eq!(session.wait().code(), Some(7), "{}", session.output());
    assert_eq!(session.seen("runs with"), 2);
}

#[test]
fn crashes_and_builds_that_fail_are_runs_so_that_a_script_does_not_wait_for_ever() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&["--runs", "2"], "kill -KILL $$");
    assert_eq!(session.wait().code(), Some(128 + 9), "{}", session.output());
    assert_eq!(session.seen("starting it again in"), 1);
    let mut session = tree.run(&["--runs", "1", "--build", "exit 3"], "echo never");
    session.wait_for("exit 3 ended with status 3; ending with status 3");
    assert_eq!(session.wait().code(), Some(3), "{}", session.output());
    let mut command = tree.stakeout();
    command.args(["--runs", "1", "--build", "echo built"]);
    let mut session = Session::start(command);
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
}

#[test]
fn a_change_during_the_last_run_leads_to_nothing() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "echo up; while [ ! -e .git/go ]; do sleep 0.01; done; exit 4";
    let mut session = tree.run(&["-v", "--runs", "1"], script);
    session.wait_until_settled();
    tree.write("a", "two");
    session.wait_for("modified a");
    tree.write(".git/go", "");
    assert_eq!(session.wait().code(), Some(4), "{}", session.output());
    assert_eq!(session.seen("starting"), 1);
}

#[test]
fn what_has_nothing_to_count_is_refused() {
    let tree = Tree::new(&[]);
    for (options, reason) in [(["--runs", "1"], "nothing to count"), (["--runs", "0"], "0")] {
        let output = tree.stakeout().args(options).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.contains(reason)), (Some(2), true), "{text}");
    }
}

#[test]
fn with_exit_on_change_the_first_change_stops_the_program_and_is_success() {
    let tree = Tree::new(&[("a", "one"), ("b.log", ""), (".gitignore", "*.log")]);
    let script =
        "trap 'echo goodbye; exit 9' TERM; echo up as $$ end; while :; do sleep 0.01; done";
    let mut session = tree.run(&["-v", "--exit-on-change"], script);
    let pid = number(&session.wait_for("up as"), "as ");
    session.wait_until_settled();
    tree.write("b.log", "no change");
    tree.write("a", "two");
    session.wait_for_all(&["modified a", "goodbye"]);
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
    assert!(!is_alive(pid));
    assert_eq!(session.seen("starting"), 1);
    // What ends otherwise ends as ever.
    let mut session = tree.run(&["--exit-on-change", "--exit-with-child"], "exit 5");
    assert_eq!(session.wait().code(), Some(5), "{}", session.output());
    let mut session = tree.run(&["--exit-on-change"], "echo up; exec sleep 1000");
    session.wait_for("up");
    assert_eq!(session.terminate().code(), Some(128 + 15), "{}", session.output());
}

#[test]
fn a_change_that_waits_ends_it_when_it_is_resumed() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let socket = place.path("control.sock").into_os_string().into_string().unwrap();
    let options = ["-v", "--exit-on-change", "--control", &socket];
    let mut session = tree.run(&options, "echo up; exec sleep 1000");
    session.wait_for("up");
    session.wait_until_settled();
    let ask =
        |verb: &str| tree.stakeout().args([verb, "--control", &socket]).status().unwrap().code();
    assert_eq!(ask("pause"), Some(0));
    tree.write("a", "two");
    session.wait_for("modified a");
    assert_eq!(ask("status"), Some(0));
    assert_eq!(ask("resume"), Some(0));
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
    assert_eq!(session.seen("starting"), 1);
}
