//! Signals reach the program, or mean something to stakeout.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::support::{Session, Tree, eventually, number, read};

/// Says the number of each signal that it gets.
const LISTENER: &str = "import os, signal, time\n\
    heard = set(signal.valid_signals()) - {9, 11, 17, 19, 32, 33}\n\
    for s in heard: signal.signal(s, lambda n, _: os.write(1, b'heard %d end\\n' % n))\n\
    print('listening', flush=True)\n\
    while True: time.sleep(1000)\n";

fn listen(options: &[&str]) -> (Tree, Session) {
    let tree = Tree::new(&[(".git/listener.py", LISTENER)]);
    let mut session = tree.run(options, "exec python3 .git/listener.py");
    session.wait_for("listening");
    (tree, session)
}

fn send(session: &Session, signal: i32) {
    // SAFETY: a plain system call on a process that was not waited for yet.
    unsafe { libc::kill(session.pid().as_raw_nonzero().get(), signal) };
}

#[test]
fn every_signal_that_does_not_mean_ending_is_passed_on() {
    let (_tree, mut session) = listen(&[]);
    let ordinary = [
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGPIPE,
        libc::SIGALRM,
        libc::SIGCONT,
        libc::SIGURG,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGWINCH,
        libc::SIGIO,
        libc::SIGPWR,
    ];
    for signal in ordinary.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
        send(&session, signal);
        session.wait_for(&format!("heard {signal} end"));
    }
    session.signal(Signal::KILL);
}

#[test]
fn signals_of_one_kind_that_queue_are_all_passed_on_as_far_as_the_kernel_keeps_them() {
    let (_tree, mut session) = listen(&[]);
    for _ in 0..10 {
        send(&session, libc::SIGRTMIN() + 1);
    }
    send(&session, libc::SIGRTMIN() + 2);
    session.wait_for(&format!("heard {} end", libc::SIGRTMIN() + 2));
    // Python itself merges those that arrive together; one at least was heard.
    assert!(session.seen(&format!("heard {} end", libc::SIGRTMIN() + 1)) > 0);
}

#[test]
fn the_signal_that_ends_it_can_be_mapped() {
    let options = ["--map-signal", "TERM:USR2", "--map-signal", "INT:", "--stop-timeout", "1h"];
    let (_tree, mut session) = listen(&options);
    send(&session, libc::SIGINT);
    send(&session, libc::SIGTERM);
    session.wait_for_all(&["got SIGTERM, stopping", &format!("heard {} end", libc::SIGUSR2)]);
    assert_eq!(session.insist(Signal::TERM).code(), Some(137), "{}", session.output());
    assert_eq!(session.seen("got SIGINT"), 0, "{}", session.output());
}

#[test]
fn a_chosen_stop_signal_is_the_one_at_the_end_too() {
    let tree = Tree::new(&[]);
    let script = "trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done";
    let mut session = tree.run(&["--stop-signal", "USR1"], script);
    session.wait_for("up");
    assert_eq!(session.terminate().code(), Some(9), "{}", session.output());
}

#[test]
fn a_signal_passed_on_that_kills_the_program_ends_both() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&[], "echo up; exec sleep 1000");
    session.wait_for("up");
    session.signal(Signal::USR1);
    assert_eq!(session.wait().code(), Some(138), "{}", session.output());
}

#[test]
fn a_hangup_without_a_terminal_reaches_the_program_alone() {
    let tree = Tree::new(&[]);
    tree.write(
        ".git/program.sh",
        "trap 'echo reloads' HUP; trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done",
    );
    let mut command = std::process::Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_stakeout"));
    command.args(["--", "sh", ".git/program.sh"]).current_dir(tree.path(""));
    // setsid(1) forks only as a group's leader, which it is not here.
    let mut session = Session::start(command);
    session.wait_for("up");
    session.signal(Signal::HUP);
    session.wait_for("reloads");
    session.signal(Signal::HUP);
    session.wait_for("reloads");
    assert_eq!(session.terminate().code(), Some(3), "{}", session.output());
}

fn state(pid: i32) -> Option<char> {
    let stat = read(format!("/proc/{pid}/stat").as_ref());
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next())
}

#[test]
fn a_stop_stops_both_and_a_continue_lets_both_go_on() {
    let tree = Tree::new(&[("a", "one")]);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--", "sh", "-c"]);
    // No loop of processes: a shell that waits for one to be executed cannot be stopped (vfork(2)).
    command.arg("echo shows $(cat a) as $$ end; exec sleep 1000");
    // Of a group of its own, as a shell's job is: only what somebody can continue is stopped.
    command.process_group(0);
    let mut session = Session::start(command);
    let program = number(&session.wait_for("shows one"), " as ");
    let stakeout = session.pid().as_raw_nonzero().get();
    session.signal(Signal::TSTP);
    eventually("both stopped", || [stakeout, program].iter().all(|pid| state(*pid) == Some('T')));
    session.signal(Signal::CONT);
    eventually("both go on", || [stakeout, program].iter().all(|pid| state(*pid) != Some('T')));
    tree.write("a", "two");
    session.wait_for("shows two");
}

#[test]
fn a_signal_at_any_moment_of_the_start_is_not_lost() {
    // Not a wait for something, but where in the start the signal falls.
    for moment in 0..40 {
        let tree = Tree::new(&[]);
        let mut session = tree.run(&[], "exec sleep 1000");
        thread::sleep(Duration::from_micros(moment * 250));
        session.signal(Signal::TERM);
        let status = session.wait();
        // Before main, the kernel ends it.
        let is_ended = status.code() == Some(143) || status.signal() == Some(15);
        assert!(is_ended, "{status:?} {}", session.output());
    }
}

#[test]
fn a_program_stopped_by_a_signal_is_told_of() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&["-v"], "echo up as $$ end; while :; do sleep 0.01; done");
    let program = number(&session.wait_for("up as"), " as ");
    let program = Pid::from_raw(program).unwrap();
    rustix::process::kill_process(program, Signal::from_named_raw(libc::SIGTTIN).unwrap()).unwrap();
    session.wait_for("wants to read from the terminal");
    session.signal(Signal::CONT);
    session.wait_for("passing SIGCONT on");
    assert_eq!(session.terminate().code(), Some(143));
}

#[test]
fn what_the_program_signals_to_its_parent_reaches_stakeout() {
    let tree = Tree::new(&[]);
    let mut session = tree.run(&[], "kill -TERM $PPID; exec sleep 1000");
    assert_eq!(session.wait().code(), Some(143), "{}", session.output());
}
