//! Builds: what runs goes on until one has succeeded, and a change is never lost.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::support::{Session, Tree, descendants, eventually, is_alive, number};

/// A program that shows what was built and goes on.
const SHOW: &str = "echo shows $(cat out/app) end; exec sleep 1000";

/// A tree whose build copies `a` to where the program reads it, unless it is bad.
fn tree(text: &str) -> Tree {
    let tree = Tree::new(&[("a", text)]);
    tree.write(".gitignore", "out\n");
    tree.write("out/.keep", "");
    tree
}

const BUILD: &str = "if grep -q bad a; then echo 'a:1: error: bad' >&2; exit 3; fi; cp a out/app";

#[test]
fn a_change_is_built_before_the_program_is_restarted() {
    let tree = tree("one");
    let mut session = tree.run(&["--build", BUILD], SHOW);
    session.wait_for("shows one end");
    tree.write("a", "two");
    session.wait_for_each(&[&["built in ", "stopped after"], &["shows two end"]]);
    assert_eq!(session.terminate().code(), Some(143), "{}", session.output());
}

#[test]
fn a_build_that_fails_leaves_what_runs_alone_and_says_why() {
    let tree = tree("one");
    let mut session = tree.run(&["--build", BUILD], SHOW);
    session.wait_for("shows one end");
    let before = descendants(session.pid().as_raw_nonzero().get());
    for bad in ["bad", "bad again"] {
        tree.save_by_rename("a", bad);
        session.wait_for("build | a:1: error: bad");
        session.wait_for("BUILD FAILED");
    }
    assert!(before.iter().all(|pid| is_alive(*pid)), "{}", session.output());
    tree.save_by_rename("a", "two");
    session.wait_for("shows two end");
    session.terminate();
    assert_eq!(session.seen("starting sh"), 2, "{}", session.output());
}

#[test]
fn a_first_build_that_fails_waits_for_the_change_that_mends_it() {
    let tree = tree("bad");
    let mut session = tree.run(&["--build", BUILD], SHOW);
    session.wait_for("ended with status 3; waiting for a change");
    tree.write("a", "good");
    session.wait_for("shows good end");
}

#[test]
fn without_watching_a_build_that_fails_is_the_end() {
    let tree = tree("bad");
    let mut session = tree.run(&["--no-watch", "--build", BUILD], SHOW);
    assert_eq!(session.wait().code(), Some(3), "{}", session.output());
    tree.write("a", "good");
    let mut session = tree.run(&["--no-watch", "--build", BUILD], "cat out/app; exit 7");
    assert_eq!(session.wait().code(), Some(7), "{}", session.output());
}

#[test]
fn a_change_during_a_build_stops_it_with_all_that_it_started() {
    let tree = tree("one");
    // As make(1) does: others that run beside it, and a child that leaves the group.
    let slow = "setsid sleep 1000 & sleep 1000 & echo slow $(cat a) end; grep -q three a || wait; \
                cp a out/app";
    let mut session = tree.run(&["--build", slow], SHOW);
    session.wait_for("slow one end");
    tree.save_by_rename("a", "two");
    session.wait_for("the build is stopped after");
    session.wait_for("slow two end");
    // stakeout's keeper, the shell, and two that sleep: of one build alone.
    let own = session.pid().as_raw_nonzero().get();
    eventually("one build", || descendants(own).len() == 4);
    tree.save_by_rename("a", "three");
    session.wait_for("shows three end");
    assert_eq!(session.seen("shows two"), 0, "{}", session.output());
}

#[test]
fn a_change_during_a_build_is_queued_where_that_is_wanted() {
    let tree = tree("one");
    let slow = "cp a out/app; echo has $(cat a) end; until [ -e go ]; do sleep 0.01; done";
    let options = ["--on-busy", "queue", "-i", "go", "--build", slow];
    let mut session = tree.run(&options, SHOW);
    session.wait_for("has one end");
    tree.write("a", "two");
    session.wait_for("modified a");
    tree.write("go", "");
    session.wait_for_each(&[&["built in", "build | has two end", "built in"], &["shows two end"]]);
    assert_eq!(session.seen("is stopped after"), 0, "{}", session.output());
}

#[test]
fn what_a_build_leaves_running_is_left_alone_until_the_end() {
    let tree = tree("one");
    // As a compiler's server that makes the next build faster, and holds the output open.
    let build = "[ -e out/pid ] || { sleep 4321 & echo $! > out/pid; }; cp a out/app; \
                 echo server $(cat out/pid) end";
    let mut session = tree.run(&["--build", build], SHOW);
    session.wait_for_all(&["build | server ", "shows one end"]);
    let server = number(session.said("build | server "), "server ");
    tree.write("a", "two");
    session.wait_for("shows two end");
    assert!(is_alive(server));
    session.terminate();
    eventually("its end", || !is_alive(server));
}

#[test]
fn an_interrupt_during_a_build_ends_it() {
    let tree = tree("one");
    let mut session = tree.run(&["--build", "echo building; exec sleep 1000"], SHOW);
    session.wait_for("build | building");
    session.signal(Signal::TERM);
    assert_eq!(session.wait().code(), Some(143), "{}", session.output());
}

#[test]
fn commands_are_told_what_changed_and_a_shell_reads_nothing_of_it() {
    let tree = tree("one");
    let evil = "$(touch pwned) `touch pwned`;\nx";
    let build = "cp a out/app; echo $STAKEOUT_GENERATION $STAKEOUT_CHANGED_COUNT end; \
                 tr '\\0\\n' '@%' < $STAKEOUT_CHANGES_FILE_NUL; echo";
    let mut session = tree.run(&["--build", build], "echo up $STAKEOUT_GENERATION; exec sleep 99");
    session.wait_for_all(&["build | 0 0 end", "up 0"]);
    fs::write(tree.path(evil), "x").expect("a file");
    let built = ["build | 1 1 end", "build | $(touch pwned) `touch pwned`;%x@"];
    session.wait_for_each(&[&built, &["up 1"]]);
    assert!(!tree.path("pwned").exists());
}

#[test]
fn ten_thousand_changes_at_once_are_told_of_by_a_file() {
    let tree = tree("one");
    let build = "cp a out/app; wc -l < $STAKEOUT_CHANGES_FILE";
    let mut session = tree.run(&["--build", build, "--debounce", "1s"], SHOW);
    session.wait_for("shows one end");
    for n in 0..10_000 {
        let name = format!(".git/many/{n:05}-{}", "long".repeat(40));
        tree.write(&name, "");
    }
    // All at once: making them may take longer than one waits for a tree to settle.
    std::fs::rename(tree.path(".git/many"), tree.path("many")).unwrap();
    session.wait_for("build | 10000");
}

#[test]
fn a_signal_or_a_command_can_take_the_place_of_a_restart() {
    let tree = tree("one");
    let script = "trap 'echo got HUP with $(cat a)' HUP; echo up; while :; do sleep 0.01; done";
    let mut session = tree.run(&["--signal", "HUP"], script);
    session.wait_for("up");
    tree.write("a", "two");
    session.wait_for_all(&["sending SIGHUP to the program", "got HUP with two"]);
    session.terminate();
    let mut session = tree.run(&["--reload", "echo reloads $(cat a)"], "echo up; exec sleep 1000");
    session.wait_for("up");
    tree.write("a", "three");
    session.wait_for("reload | reloads three");
    session.wait_for("built in");
    assert_eq!(session.seen("stopped after"), 0, "{}", session.output());
}

#[test]
fn what_a_signal_told_of_is_not_told_again() {
    let tree = Tree::new(&[("a", "one"), ("b", "one")]);
    let script = "trap 'echo got HUP' HUP; echo up with $STAKEOUT_CHANGED_COUNT as $$ end
        while :; do sleep 0.01; done";
    let mut session = tree.run(&["--signal", "HUP"], script);
    let pid = number(&session.wait_for("up with 0"), " as ");
    for path in ["a", "b"] {
        tree.write(path, "two");
        session.wait_for("got HUP");
    }
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    // That of the last change alone.
    session.wait_for("up with 1 as");
}

#[test]
fn without_a_program_a_change_is_only_built() {
    let tree = tree("one");
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--build", BUILD]);
    let mut session = Session::start(command);
    session.wait_for("built in");
    tree.save_by_rename("a", "bad");
    session.wait_for("BUILD FAILED");
    tree.save_by_rename("a", "two");
    session.wait_for("built in");
    assert_eq!(fs::read_to_string(tree.path("out/app")).expect("a file"), "two");
    assert_eq!(session.terminate().code(), Some(143));
}

#[test]
fn a_quiet_log_shows_what_a_build_wrote_only_if_it_fails() {
    let tree = tree("one");
    let build = format!("echo compiling; {BUILD}");
    let mut session = tree.run(&["-q", "--build", &build], SHOW);
    session.wait_for("shows one end");
    assert_eq!(session.seen("compiling"), 0, "{}", session.output());
    tree.write("a", "bad");
    session.wait_for("build | compiling");
    session.wait_for("build | a:1: error: bad");
    session.wait_for("BUILD FAILED");
}

#[test]
fn what_every_build_writes_is_learnt_and_named_once() {
    // In its midst, so that it is stopped for it at first; and two as its last acts.
    let cases = [
        ("cancel", "50ms", "date +%N > stamp; sleep 0.5", "stamp: written by every build"),
        ("queue", "500ms", "date +%N > stamp; date +%N > log", "log and 1 more: written by every"),
    ];
    for (on_busy, debounce, build, learnt) in cases {
        let tree = Tree::new(&[("a", "one")]);
        let build = format!("cp a .git/built; {build}");
        tree.write(".git/x", "");
        let options = ["-v", "--debounce", debounce, "--on-busy", on_busy, "--build", &build];
        let script = "echo shows $(cat .git/built) end; exec sleep 1000";
        let mut session = tree.run(&options, script);
        session.wait_for(learnt);
        assert_eq!(session.seen("building: "), 4, "{}", session.output());
        tree.save_by_rename("a", "two");
        session.wait_for_all(&["shows two end", "nothing is done for "]);
        assert_eq!(session.seen("building: "), 5, "{}", session.output());
        assert_eq!(session.seen("changes after every build"), 0, "{}", session.output());
    }
}

#[test]
fn a_build_that_hangs_can_be_had_anew_though_it_may_have_written_what_was_edited() {
    let tree = Tree::new(&[("a", "0")]);
    let options = ["--debounce", "1ms", "--build", "echo has $(cat a); exec sleep 1000"];
    let mut session = tree.run(&options, "true");
    session.wait_for("has 0");
    for text in ["1", "2"] {
        tree.save_by_rename("a", text);
        session.wait_for(&format!("has {text}"));
    }
    tree.save_by_rename("a", "3");
    session.wait_for("a changed in the time of three builds in a row");
    let asked = tree.stakeout().arg("build").output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    session.wait_for("has 3");
}

#[test]
fn what_was_learnt_is_built_if_somebody_edits_it_while_nothing_is() {
    let tree = Tree::new(&[("a", "one")]);
    let options = ["--build", "echo has $(cat stamp); date +%N > stamp"];
    let mut session = tree.run(&options, "exec sleep 1000");
    session.wait_for("stamp: written by every build");
    let before = session.seen("building: ");
    tree.save_by_rename("stamp", "by hand");
    session.wait_for("has by hand");
    session.wait_for("stamp: written by every build");
    assert_eq!(session.seen("building: "), before + 4, "{}", session.output());
}

#[test]
fn outputs_can_be_named_from_the_start() {
    let tree = Tree::new(&[("a", "one")]);
    let options = ["--build", "date +%N > stamp; sleep 0.3", "--build-outputs", "stamp"];
    let mut session = tree.run(&options, "echo shows $(cat a) end; exec sleep 1000");
    session.wait_for("shows one end");
    tree.save_by_rename("a", "two");
    session.wait_for("shows two end");
    assert_eq!(session.seen("building: "), 2, "{}", session.output());
}
