//! Everything that descends from the program is gone before the next start, wherever it fled.

use std::net::TcpListener;

use rustix::process::{Pid, Signal, kill_process};

use super::support::{Session, Tree, descendants, eventually, is_alive, number, read};

/// Waits until the helper has said so.
const AWAIT_HELPER: &str = "until [ -e .git/up ]; do sleep 0.01; done; rm .git/up";

/// Runs a script that prints `helper PID end` of a process that it leaves behind, and asserts
/// that this one lives until the restart, and not after it.
fn is_gone_after_a_restart(options: &[&str], script: &str) {
    let tree = Tree::new(&[("a", "one"), (".git/x", "")]);
    let script = format!("{script}\n{AWAIT_HELPER}; echo shows $(cat a); exec sleep 1000");
    let mut session = tree.run(options, &script);
    let helper = number(&session.wait_for("helper "), "helper ");
    session.wait_for("shows one");
    assert!(is_alive(helper), "{}", session.output());
    tree.write("a", "two");
    session.wait_for("shows two");
    assert!(!is_alive(helper), "{}", session.output());
}

#[test]
fn a_daemon_in_a_session_of_its_own_is_stopped() {
    is_gone_after_a_restart(
        &[],
        "setsid sh -c 'echo helper $$ end; : > .git/up; exec sleep 1000' &",
    );
}

#[test]
fn a_daemon_that_forked_twice_is_stopped() {
    let script = "(setsid sh -c 'echo helper $$ end; : > .git/up; exec sleep 1000' &) &";
    is_gone_after_a_restart(&[], script);
}

#[test]
fn a_daemon_without_environment_or_directory_is_stopped() {
    let script =
        "(exec env -i setsid sh -c 'echo helper $$ end; : > .git/up; cd /; exec sleep 1000' &)";
    is_gone_after_a_restart(&[], script);
}

#[test]
fn a_daemon_that_ignores_the_stop_signal_is_killed() {
    let script =
        "(setsid sh -c 'trap \"\" TERM; echo helper $$ end; : > .git/up; exec sleep 1000' &)";
    is_gone_after_a_restart(&["--stop-timeout", "200ms"], script);
}

#[test]
fn a_daemon_that_is_stopped_by_a_signal_is_stopped_for_good() {
    is_gone_after_a_restart(
        &[],
        "(setsid sh -c 'echo helper $$ end; : > .git/up; kill -STOP $$' &)",
    );
}

#[test]
fn a_daemon_may_end_in_its_own_way() {
    let tree = Tree::new(&[("a", "one")]);
    let daemon = "trap 'echo daemon says goodbye; exit' TERM; echo daemon is up; \
                  while :; do sleep 0.01; done";
    tree.write(".git/daemon", daemon);
    let script = "(setsid sh .git/daemon &); echo shows $(cat a); exec sleep 1000";
    let mut session = tree.run(&[], script);
    session.wait_for("daemon is up");
    tree.write("a", "two");
    session.wait_for("daemon says goodbye");
    session.wait_for("shows two");
}

#[test]
fn the_port_of_a_grandchild_is_free_at_the_next_start() {
    let tree = Tree::new(&[("a", "one")]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Holds the port, with no SO_REUSEADDR in the way of noticing, and does not want to go.
    let server = format!(
        "import os, signal, socket, time\n\
         signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen()\n\
         print('bound at', open('a').read(), 'end', flush=True)\n\
         time.sleep(1000)\n"
    );
    tree.write(".git/server.py", &server);
    let script = "sh -c 'setsid python3 .git/server.py & wait' & wait; sleep 1000";
    let mut session = tree.run(&["--stop-timeout", "100ms"], script);
    for content in ["one", "two", "three"] {
        tree.write("a", content);
        session.wait_for(&format!("bound at {content} end"));
    }
    session.terminate();
    assert_eq!(session.seen("Address already in use"), 0, "{}", session.output());
}

#[test]
fn two_hundred_that_ignore_the_stop_signal_and_fork_on_are_killed() {
    let tree = Tree::new(&[("a", "one")]);
    // Each of the 200 sits in a session of its own and starts another process all the time.
    let bomb = "import os, signal, time\n\
        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
        for n in range(200):\n\
        \x20   if os.fork() == 0:\n\
        \x20       os.setsid()\n\
        \x20       if n == 199: print('bombed', flush=True)\n\
        \x20       while True:\n\
        \x20           if os.fork() == 0: time.sleep(0.2); os._exit(0)\n\
        \x20           time.sleep(0.1)\n\
        time.sleep(1000)\n";
    tree.write(".git/bomb.py", bomb);
    let script = "[ $(cat a) = one ] && exec python3 .git/bomb.py
        echo bomb is gone; exec sleep 1000";
    let mut session = tree.run(&["--stop-timeout", "200ms"], script);
    session.wait_for("bombed");
    let stakeout = session.pid().as_raw_nonzero().get();
    tree.write("a", "two");
    session.wait_for("bomb is gone");
    // Whoever descends from stakeout now is the new program.
    let left = descendants(stakeout);
    assert!(left.len() <= 2, "{left:?}");
}

#[test]
fn what_is_left_when_the_program_ends_stays_until_the_change() {
    let tree = Tree::new(&[("a", "one"), (".git/x", "")]);
    let script = "(setsid sh -c 'echo helper $$ end; : > .git/up; exec sleep 1000' &)";
    let mut session = tree.run(&[], &format!("{script}\n{AWAIT_HELPER}; exit 3"));
    let helper = number(&session.wait_for("helper "), "helper ");
    session.wait_for("ended with status 3");
    assert!(is_alive(helper));
    tree.write("a", "two");
    let next = number(&session.wait_for("helper "), "helper ");
    assert!(!is_alive(helper) && is_alive(next));
    session.wait_for("ended with status 3");
    assert_eq!(session.terminate().code(), Some(3), "{}", session.output());
    assert!(!is_alive(next));
}

#[test]
fn at_the_end_daemons_are_gone_too() {
    let tree = Tree::new(&[(".git/x", "")]);
    let script = "(setsid sh -c 'trap \"\" TERM; echo helper $$ end; : > .git/up; exec sleep 1000' &); \
                  exec sleep 1000";
    // Long enough for the program itself to end by the signal, however busy the machine is.
    let mut session = tree.run(&["--stop-timeout", "2s"], script);
    let helper = number(&session.wait_for("helper "), "helper ");
    session.signal(Signal::TERM);
    assert_eq!(session.wait().code(), Some(143), "{}", session.output());
    assert!(!is_alive(helper));
}

#[test]
fn a_job_that_was_there_before_is_spared() {
    let tree = Tree::new(&[("a", "one")]);
    let mut command = std::process::Command::new("sh");
    let job = "sh -c 'sleep 1000 & echo inner $! end; wait' & echo job $! end; exec \"$0\" \"$@\"";
    command.args(["-c", job]);
    command.arg(env!("CARGO_BIN_EXE_stakeout")).args(["--interval", "20ms", "--"]);
    command.args(["sh", "-c", "echo shows $(cat a); exec sleep 1000"]);
    command.current_dir(tree.path(""));
    let mut session = Session::start(command);
    let mut jobs = Vec::new();
    while jobs.len() < 2 || session.seen("shows one") == 0 {
        let line = session.wait_for(" ");
        let keys = ["job ", "inner "].into_iter().filter(|key| line.starts_with(key));
        jobs.extend(keys.map(|key| number(&line, key)));
    }
    tree.write("a", "two");
    session.wait_for("shows two");
    assert!(jobs.iter().all(|job| is_alive(*job)));
    session.signal(Signal::TERM);
    session.wait_for("stopped after");
    assert!(jobs.iter().all(|job| is_alive(*job)));
    for job in jobs {
        kill_process(Pid::from_raw(job).unwrap(), Signal::KILL).unwrap();
    }
    assert_eq!(session.wait().code(), Some(143));
}

#[test]
fn a_dead_child_of_a_living_process_holds_nothing_up() {
    let tree = Tree::new(&[("a", "one")]);
    // The parent of the zombie has left the group, and the zombie has not.
    let script = "import os, time\n\
        if os.fork() == 0:\n\
        \x20   child = os.fork()\n\
        \x20   if child == 0: os._exit(0)\n\
        \x20   os.setpgid(0, 0)\n\
        \x20   time.sleep(1000)\n\
        print('shows', open('a').read(), 'end', flush=True)\n\
        time.sleep(1000)\n";
    tree.write(".git/program.py", script);
    let mut session = tree.run(&[], "exec python3 .git/program.py");
    session.wait_for("shows one");
    tree.write("a", "two");
    session.wait_for("shows two");
    assert_eq!(session.seen("killing it"), 0, "{}", session.output());
    // Its keeper, and three processes.
    eventually("one program", || descendants(session.pid().as_raw_nonzero().get()).len() == 4);
}

#[test]
fn when_stakeout_is_killed_nothing_is_left_of_the_program() {
    let tree = Tree::new(&[]);
    // One in a session of its own, and one that forked twice.
    let script = "setsid sleep 1234 & (setsid sh -c 'sleep 1234 & sleep 1234' &) ; echo up; \
                  exec sleep 1000";
    let mut session = tree.run(&[], script);
    session.wait_for("up");
    let own = session.pid();
    // The keeper, the program, and four others.
    eventually("all of them", || descendants(own.as_raw_nonzero().get()).len() == 6);
    let all = descendants(own.as_raw_nonzero().get());
    kill_process(own, Signal::KILL).expect("kill(2)");
    session.wait();
    eventually("the end of all", || !all.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn when_a_keeper_is_killed_nothing_is_left_and_the_program_is_started_again() {
    let tree = Tree::new(&[]);
    let script = "(setsid sleep 1234 &); echo up; exec sleep 1000";
    let mut session = tree.run(&[], script);
    session.wait_for("up");
    let own = session.pid().as_raw_nonzero().get();
    eventually("the daemon", || descendants(own).len() == 3);
    let before = descendants(own);
    let is_keeper = |pid: &&i32| read(format!("/proc/{pid}/comm").as_ref()) == "stakeout-keep\n";
    let keeper = before.iter().find(is_keeper).expect("a keeper");
    kill_process(Pid::from_raw(*keeper).expect("an id"), Signal::KILL).expect("kill(2)");
    session.wait_for("was killed by SIGKILL");
    session.wait_for("up");
    assert!(!before.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn a_keeper_that_somebody_stops_goes_on() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&[], "echo shows $(cat a); exec sleep 1000");
    session.wait_for("shows one");
    let own = session.pid().as_raw_nonzero().get();
    let is_keeper = |pid: &i32| read(format!("/proc/{pid}/comm").as_ref()) == "stakeout-keep\n";
    for content in ["two", "three"] {
        let keeper = descendants(own).into_iter().find(is_keeper).expect("a keeper");
        kill_process(Pid::from_raw(keeper).expect("an id"), Signal::STOP).expect("kill(2)");
        tree.write("a", content);
        session.wait_for(&format!("shows {content}"));
    }
    assert_eq!(session.terminate().code(), Some(143), "{}", session.output());
}
