//! At a terminal: the program reads what is typed, and Ctrl-C and Ctrl-Z do what they do without
//! stakeout.

use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustix::termios::LocalModes;

use super::support::{Keyboard, Session, Tree, descendants, eventually, is_alive};

const CTRL_C: &str = "\x03";
const CTRL_BACKSLASH: &str = "\x1c";
const CTRL_Z: &str = "\x1a";

#[test]
fn the_program_reads_what_is_typed_before_and_after_a_restart() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "echo shows $(cat a); read line; echo got \"<$line>\"; exec sleep 1000";
    let (mut session, mut keyboard) = tree.run_at_terminal(&[], script);
    for content in ["one", "two"] {
        tree.write("a", content);
        session.wait_for(&format!("shows {content}"));
        keyboard.type_in("hello\n");
        session.wait_for("got <hello>");
    }
}

#[test]
fn ctrl_c_ends_both() {
    let tree = Tree::new(&[]);
    let (mut session, mut keyboard) = tree.run_at_terminal(&[], "echo up; exec sleep 1000");
    session.wait_for("up");
    keyboard.type_in(CTRL_C);
    assert_eq!(session.wait().code(), Some(130), "{}", session.output());
    assert_eq!(session.seen("starting it again"), 0, "{}", session.output());
}

#[test]
fn ctrl_c_ends_both_where_the_program_ends_in_order() {
    let tree = Tree::new(&[]);
    let script =
        "trap 'sleep 0.1; echo goodbye; exit 0' INT; echo up; while :; do sleep 0.01; done";
    let (mut session, mut keyboard) = tree.run_at_terminal(&[], script);
    session.wait_for("up");
    keyboard.type_in(CTRL_C);
    session.wait_for("goodbye");
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
    assert_eq!(session.seen("waiting"), 0, "{}", session.output());
}

#[test]
fn ctrl_backslash_ends_both() {
    let tree = Tree::new(&[]);
    let (mut session, mut keyboard) =
        tree.run_at_terminal(&[], "ulimit -c 0; echo up; exec sleep 1000");
    session.wait_for("up");
    keyboard.type_in(CTRL_BACKSLASH);
    assert_eq!(session.wait().code(), Some(131), "{}", session.output());
}

#[test]
fn ctrl_c_is_the_programs_if_it_goes_on_and_twice_is_the_end() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "trap 'echo a new prompt' INT; echo shows $(cat a); while :; do sleep 0.01; done";
    let (mut session, mut keyboard) = tree.run_at_terminal(&[], script);
    session.wait_for("shows one");
    keyboard.type_in(CTRL_C);
    session.wait_for("a new prompt");
    tree.write("a", "two");
    session.wait_for("shows two");
    eventually("the end", || {
        keyboard.type_in(CTRL_C);
        session.has_ended()
    });
    assert_eq!(session.wait().code(), Some(137), "{}", session.output());
    assert_eq!(session.seen("is memory short"), 0, "{}", session.output());
}

#[test]
fn ctrl_c_with_nothing_running_ends_it() {
    let tree = Tree::new(&[]);
    let (mut session, mut keyboard) = tree.run_at_terminal(&[], "exit 3");
    session.wait_for("waiting for a change");
    eventually("the end", || {
        keyboard.type_in(CTRL_C);
        thread::sleep(Duration::from_millis(50));
        session.has_ended()
    });
    assert_eq!(session.wait().code(), Some(3), "{}", session.output());
}

#[test]
fn ctrl_c_works_though_the_program_kills_its_whole_group_now_and_then() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "trap 'exit 6' INT; echo shows $(cat a); [ $(cat a) = two ] || kill -KILL 0
        while :; do sleep 0.01; done";
    let (mut session, mut keyboard) = tree.run_at_terminal(&["--restart", "never"], script);
    session.wait_for("killed by SIGKILL");
    tree.write("a", "two");
    session.wait_for("shows two");
    keyboard.type_in(CTRL_C);
    assert_eq!(session.wait().code(), Some(6), "{}", session.output());
}

#[test]
fn ctrl_z_where_nobody_could_continue_it_stops_nothing_for_long() {
    let tree = Tree::new(&[]);
    let script = "trap 'echo goes on' CONT; echo up; while :; do sleep 0.01; done";
    let (mut session, mut keyboard) = tree.run_at_terminal(&[], script);
    session.wait_for("up");
    keyboard.type_in(CTRL_Z);
    session.wait_for("goes on");
    keyboard.type_in(CTRL_C);
    assert_eq!(session.wait().code(), Some(130), "{}", session.output());
}

/// A shell at a terminal, in a tree, with `stakeout` as a shell function.
fn shell(tree: &Tree) -> (Session, Keyboard) {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"]).current_dir(tree.path("")).env("PS1", "");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STAKEOUT_") {
            bash.env_remove(name);
        }
    }
    let (session, mut keyboard) = Session::at_terminal(&bash);
    let binary = env!("CARGO_BIN_EXE_stakeout");
    keyboard.type_in(&format!("alias s='{binary} --interval 20ms -- sh .git/program.sh'\n"));
    (session, keyboard)
}

#[test]
fn ctrl_z_gives_the_shell_back_and_fg_goes_on() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "echo shows $(cat a); while read line; do echo \"got <$line>\"; done";
    tree.write(".git/program.sh", script);
    let (mut session, mut keyboard) = shell(&tree);
    keyboard.type_in("s\n");
    session.wait_for("shows one");
    keyboard.type_in(CTRL_Z);
    session.wait_for("Stopped");
    // While all of it is stopped, nothing is looked at.
    tree.write("a", "two");
    keyboard.type_in("echo the shell is $((40 + 2))\n");
    session.wait_for("the shell is 42");
    keyboard.type_in("fg\n");
    session.wait_for("shows two");
    keyboard.type_in("hello\n");
    session.wait_for("got <hello>");
    keyboard.type_in(CTRL_Z);
    session.wait_for("Stopped");
    keyboard.type_in("fg\n");
    session.wait_for("program.sh");
    keyboard.type_in("again\n");
    session.wait_for("got <again>");
    keyboard.type_in(CTRL_C);
    session.wait_for("was killed by SIGINT");
    keyboard.type_in("echo status $?\n");
    session.wait_for("status 130");
}

#[test]
fn ctrl_z_stops_what_has_started_stakeout_too() {
    let tree = Tree::new(&[("a", "one")]);
    tree.write(".git/program.sh", "echo shows $(cat a); read line; echo got \"<$line>\"; exit 7");
    let binary = env!("CARGO_BIN_EXE_stakeout");
    // As make(1) does: it waits for stakeout, in the same job.
    tree.write(
        ".git/make.sh",
        &format!("{binary} --exit-with-child -- sh .git/program.sh; echo made with $?"),
    );
    let (mut session, mut keyboard) = shell(&tree);
    keyboard.type_in("sh .git/make.sh\n");
    session.wait_for("shows one");
    keyboard.type_in(CTRL_Z);
    session.wait_for("Stopped");
    keyboard.type_in("echo the shell is $((40 + 2))\n");
    session.wait_for("the shell is 42");
    keyboard.type_in("fg\n");
    session.wait_for("make.sh");
    keyboard.type_in("hello\n");
    session.wait_for("got <hello>");
    session.wait_for("made with 7");
}

#[test]
fn in_the_background_it_restarts_and_leaves_the_terminal_alone() {
    let tree = Tree::new(&[("a", "one")]);
    tree.write(".git/program.sh", "echo shows $(cat a); exec sleep 1000");
    let (mut session, mut keyboard) = shell(&tree);
    keyboard.type_in("s &\n");
    session.wait_for("shows one");
    tree.write("a", "two");
    session.wait_for("shows two");
    keyboard.type_in("echo the shell is $((40 + 2))\n");
    session.wait_for("the shell is 42");
    keyboard.type_in("fg\n");
    session.wait_for("program.sh");
    tree.write("a", "three");
    session.wait_for("shows three");
    keyboard.type_in(CTRL_C);
    session.wait_for("was killed by SIGINT");
    keyboard.type_in("echo status $?\n");
    session.wait_for("status 130");
}

#[test]
fn a_shell_as_the_program_has_its_own_jobs() {
    let tree = Tree::new(&[("a", "one")]);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--", "bash", "--norc", "--noprofile", "-i"]);
    let (mut session, mut keyboard) = Session::at_terminal(&command);
    keyboard.type_in("sh -c 'echo job for $(cat a); exec sleep 1000'\n");
    session.wait_for("job for one");
    // That is the job's alone.
    keyboard.type_in(CTRL_C);
    keyboard.type_in("echo alive $((40 + 2))\n");
    session.wait_for("alive 42");
    keyboard.type_in("exit 5\n");
    session.wait_for("ended with status 5");
    tree.write("a", "two");
    session.wait_for("starting");
    keyboard.type_in("echo shows $(cat a)\n");
    session.wait_for("shows two");
}

#[test]
fn a_new_size_reaches_the_program() {
    let tree = Tree::new(&[]);
    let script = "trap 'echo size $(stty size)' WINCH; echo up; while :; do sleep 0.01; done";
    let (mut session, keyboard) = tree.run_at_terminal(&[], script);
    session.wait_for("up");
    keyboard.resize(33, 99);
    session.wait_for("size 33 99");
}

#[test]
fn the_terminals_modes_are_restored_after_a_crash() {
    let tree = Tree::new(&[]);
    let script = "stty -echo -icanon; echo raw; read go; kill -KILL $$";
    let (mut session, mut keyboard) = tree.run_at_terminal(&["--restart", "never"], script);
    session.wait_for("raw");
    assert!(!keyboard.modes().contains(LocalModes::ECHO));
    keyboard.type_in("\n");
    session.wait_for("killed by SIGKILL");
    let wanted = LocalModes::ECHO | LocalModes::ICANON;
    eventually("the old modes", || keyboard.modes().contains(wanted));
}

#[test]
fn without_standard_input_the_program_reads_nothing_and_ctrl_c_still_ends_it() {
    let tree = Tree::new(&[]);
    let script = "read line || echo nothing to read; exec sleep 1000";
    let (mut session, mut keyboard) = tree.run_at_terminal(&["--stdin", "null"], script);
    session.wait_for("nothing to read");
    keyboard.type_in(CTRL_C);
    assert_eq!(session.wait().code(), Some(130), "{}", session.output());
}

#[test]
fn it_ends_with_the_session_that_has_the_terminal() {
    let tree = Tree::new(&[("a", "one")]);
    tree.write(".git/program.sh", "echo shows $(cat a); exec sleep 1000");
    let (mut session, mut keyboard) = shell(&tree);
    keyboard.type_in("s\n");
    session.wait_for("shows one");
    let left = descendants(session.pid().as_raw_nonzero().get());
    assert!(left.len() >= 3, "stakeout, its sentinel and the program: {left:?}");
    // The shell has no time to tell its jobs.
    session.signal(Signal::KILL);
    eventually("the end of all", || !left.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn as_pid_1_at_a_terminal_ctrl_c_ends_it_in_order() {
    let tree = Tree::new(&[]);
    let script = "trap 'echo goodbye; exit 4' INT; echo up; while :; do sleep 0.01; done";
    let inner = tree.command(&[], script);
    let Some(mut outer) = super::pid1::in_namespace() else { return };
    outer.args(["setsid", "--ctty"]).arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(tree.path(""));
    let (mut session, mut keyboard) = Session::at_terminal(&outer);
    session.wait_for("up");
    keyboard.type_in(CTRL_Z);
    keyboard.type_in(CTRL_C);
    session.wait_for("goodbye");
    assert_eq!(session.wait().code(), Some(4), "{}", session.output());
}

#[test]
fn as_pid_1_of_a_foreign_group_it_leaves_the_terminal_alone_and_ctrl_c_ends_it() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "trap 'echo goodbye; exit 4' INT; read line || echo nothing to read; \
                  echo shows $(cat a); while :; do sleep 0.01; done";
    let inner = tree.command(&[], script);
    // Without setsid(1): the session and the group are those of unshare(1), outside.
    let Some(mut outer) = super::pid1::in_namespace() else { return };
    outer.arg(inner.get_program()).args(inner.get_args()).current_dir(tree.path(""));
    let (mut session, mut keyboard) = Session::at_terminal(&outer);
    session.wait_for("nothing to read");
    session.wait_for("shows one");
    tree.write("a", "two");
    session.wait_for("shows two");
    keyboard.type_in(CTRL_C);
    session.wait_for("goodbye");
    assert_eq!(session.wait().code(), Some(4), "{}", session.output());
}
