//! stakeout as PID 1 of a PID namespace. Needs root and unshare(1) from util-linux; without
//! them these tests say that they are skipped, unless CI_ALL_TESTS is set: then they fail.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::skip::skip;
use super::support::{Session, Tree, descendants, eventually, is_alive, read};

const UNSHARE: [&str; 4] = ["--pid", "--fork", "--kill-child", "--mount-proc"];

/// What runs a command as PID 1, if that works here.
pub fn in_namespace() -> Option<Command> {
    let works = Command::new("unshare").args(UNSHARE).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip("needs root and PID namespaces");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg("--");
    Some(command)
}

/// Starts stakeout as PID 1 on a script, as [`Tree::run`] does without a namespace.
fn run(tree: &Tree, options: &[&str], script: &str) -> Option<Session> {
    let mut outer = in_namespace()?;
    tree.write(".git/program.sh", script);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1ms", "-v"]).args(options);
    command.args(["--", "sh", ".git/program.sh"]);
    outer.arg(command.get_program()).args(command.get_args());
    outer.current_dir(tree.path(""));
    Some(Session::start(outer))
}

/// PID 1, as it is called outside.
fn init(session: &Session) -> Pid {
    let outer = session.pid().as_raw_nonzero();
    let children = read(format!("/proc/{outer}/task/{outer}/children").as_ref());
    Pid::from_raw(children.trim().parse().expect("one child")).expect("a pid")
}

/// Sends a signal to PID 1 from outside; gives the status that it ends with.
fn end(session: &mut Session, signal: Signal) -> Option<i32> {
    kill_process(init(session), signal).expect("PID 1 to be there");
    session.wait().code()
}

#[test]
fn as_pid_1_it_leaves_no_zombies_over_100_restarts() {
    let tree = Tree::new(&[("a", "0")]);
    // Leaves three orphans behind, each time, and waits until no process is a zombie.
    let script = "for n in 1 2 3; do (sleep 0 & :); done
        while grep -qs '^State:.Z' /proc/[0-9]*/status; do sleep 0.01; done
        echo clean at $(cat a) end; exec sleep 1000";
    let Some(mut session) = run(&tree, &[], script) else { return };
    session.wait_for("clean at 0 end");
    for n in 1..=100 {
        tree.write("a", &n.to_string());
        session.wait_for(&format!("clean at {n} end"));
    }
    assert_eq!(end(&mut session, Signal::TERM), Some(143), "{}", session.output());
}

#[test]
fn as_pid_1_it_ends_on_the_signals_that_a_container_gets() {
    for signal in [Signal::TERM, Signal::INT] {
        let tree = Tree::new(&[]);
        let script = "trap 'exit 7' TERM INT; echo up; while :; do sleep 0.01; done";
        let Some(mut session) = run(&tree, &[], script) else { return };
        session.wait_for("up");
        assert_eq!(end(&mut session, signal), Some(7), "{}", session.output());
    }
}

#[test]
fn as_pid_1_it_keeps_no_descriptors_of_restarts() {
    let tree = Tree::new(&[("a", "0")]);
    let script = "echo open $(ls /proc/1/fd | wc -l) at $(cat a) end; exec sleep 1000";
    let Some(mut session) = run(&tree, &[], script) else { return };
    session.wait_until_settled();
    let mut open = Vec::new();
    for n in 1..=30 {
        tree.write("a", &n.to_string());
        let line = session.wait_for(&format!("at {n} end"));
        open.push(super::support::number(&line, "open "));
    }
    // A look in progress has some more open for a moment.
    assert!(open[20..].iter().min() <= open[..10].iter().min(), "{open:?}");
}

#[test]
fn as_pid_1_it_spares_what_others_started_in_the_container() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "(setsid sleep 1234 &); echo shows $(cat a); exec sleep 1000";
    let Some(mut session) = run(&tree, &[], script) else { return };
    session.wait_for("shows one");
    // As an editor's server that was started by `docker exec`.
    let init = init(&session);
    let mut enter = Command::new("nsenter");
    enter.args(["--pid", "--mount", "--target", &init.as_raw_nonzero().to_string()]);
    enter.args(["sh", "-c", "(setsid sleep 4321 &)"]);
    assert!(enter.status().expect("nsenter(1)").success());
    let sleepers = |seconds: &str| {
        let command = format!("sleep\0{seconds}\0");
        let is_it = |pid: &i32| read(format!("/proc/{pid}/cmdline").as_ref()) == command;
        descendants(init.as_raw_nonzero().get()).into_iter().filter(is_it).collect::<Vec<_>>()
    };
    eventually("both daemons", || sleepers("4321").len() == 1 && sleepers("1234").len() == 1);
    let (theirs, ours) = (sleepers("4321")[0], sleepers("1234")[0]);
    tree.write("a", "two");
    session.wait_for("shows two");
    assert!(is_alive(theirs) && !is_alive(ours));
    assert_eq!(end(&mut session, Signal::TERM), Some(143), "{}", session.output());
    assert!(!is_alive(theirs));
}

/// A command as PID 1 that sees the /proc of another namespace, where its ids mean others.
fn without_proc(tree: &Tree, options: &[&str], script: &str) -> Option<Session> {
    in_namespace()?;
    tree.write(".git/program.sh", script);
    let command = tree.stakeout();
    let mut outer = Command::new("unshare");
    outer.args(["--pid", "--fork", "--kill-child", "--"]).arg(command.get_program());
    outer.args(["--interval", "20ms"]).args(options).args(["--", "sh", ".git/program.sh"]);
    outer.current_dir(tree.path(""));
    Some(Session::start(outer))
}

#[test]
fn without_proc_the_group_is_restarted() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "sleep 1000 & trap '' TERM; echo shows $(cat a); while :; do sleep 0.01; done";
    let Some(mut session) = without_proc(&tree, &["--stop-timeout", "200ms"], script) else {
        return;
    };
    session.wait_for("shows one");
    tree.write("a", "two");
    session.wait_for("shows two");
    assert_eq!(end(&mut session, Signal::TERM), Some(137), "{}", session.output());
}

#[test]
fn without_proc_what_cannot_be_found_is_told_of_and_nothing_is_started() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "[ -e .git/up ] || (setsid sleep 1000 &); : > .git/up; echo shows $(cat a); \
                  exec sleep 1000";
    let Some(mut session) = without_proc(&tree, &["--stop-timeout", "100ms"], script) else {
        return;
    };
    session.wait_for("shows one");
    tree.write("a", "two");
    session.wait_for("cannot be found: /proc of this PID namespace is not mounted");
    assert_eq!(end(&mut session, Signal::TERM), Some(125), "{}", session.output());
    assert_eq!(session.seen("shows two"), 0, "{}", session.output());
}
