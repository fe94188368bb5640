//! Keys: what each does, when they are read, and that the terminal is left as it was.

use std::process::Command;

use rustix::process::Signal;
use rustix::termios::LocalModes;

use super::support::{Keyboard, Session, Tree, eventually};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// Prints something else in each run.
const PROGRAM: &str = "echo runs $((40 + 2)) with $(cat a); exec sleep 1000";

/// Whether the terminal reads key by key, without an echo, and Ctrl-C is still a signal.
fn is_taken(keyboard: &Keyboard) -> bool {
    let modes = keyboard.modes();
    !modes.intersects(LocalModes::ICANON | LocalModes::ECHO) && modes.contains(LocalModes::ISIG)
}

fn is_restored(keyboard: &Keyboard) -> bool {
    keyboard.modes().contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}

#[test]
fn each_key_does_what_the_help_says() {
    let tree = Tree::new(&[("a", "one")]);
    let (mut session, mut keyboard) = tree.run_at_terminal(&["--stdin", "null"], PROGRAM);
    // stakeout and the program write each by themselves.
    session.wait_for_all(&["press h for help", "runs 42 with one", "all files were read once"]);
    keyboard.type_in("h");
    session.wait_for("r restart, b do what a change leads to");
    keyboard.type_in("r");
    session.wait_for_all(&["asked to restart", "runs 42"]);
    keyboard.type_in("b");
    session.wait_for_all(&["asked for what a change leads to", "runs 42"]);
    keyboard.type_in("p");
    session.wait_for("paused: changes wait");
    tree.write("a", "two");
    session.wait_for("modified a");
    keyboard.type_in("s");
    assert!(session.wait_for("state ").contains(", paused (generation 1)"));
    assert!(session.wait_for("restarts  0 by changes").ends_with("2 by request\r"));
    keyboard.type_in("p");
    session.wait_for_all(&["resumed", "runs 42 with two"]);
    keyboard.type_in("c");
    // Two at once would be taken for pasted, and the screen's clearing ends no line.
    let mut keys = ["c", "?"].iter().cycle();
    eventually("a clear screen", || {
        keyboard.type_in(keys.next().expect("they have no end"));
        session.has_said("\x1b[2J")
    });
    assert!(is_taken(&keyboard));
    keyboard.type_in("q");
    session.wait_for("asked to stop");
    assert_eq!(session.wait().code(), Some(128 + 15), "{}", session.output());
    assert!(is_restored(&keyboard));
}

#[test]
fn what_cannot_be_done_is_said_and_other_keys_do_nothing() {
    let tree = Tree::new(&[]);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "-q"]);
    let (mut session, mut keyboard) = Session::at_terminal(&command);
    eventually("the keys", || is_taken(&keyboard));
    keyboard.type_in(&"x\x1b[A\npasted: quit".repeat(100));
    // What is asked for is said in a quiet log, too.
    eventually("an answer", || {
        keyboard.type_in("r");
        session.has_said("there is no program here to restart")
    });
    eventually("the status", || {
        keyboard.type_in("s");
        session.has_said("watching (generation 0)")
    });
    keyboard.type_in(CTRL_C);
    assert_eq!(session.wait().code(), Some(130), "{}", session.output());
    assert!(is_restored(&keyboard));
}

#[test]
fn what_the_program_would_read_is_not_taken_from_it_unless_that_is_asked_for() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "echo up; read line && echo got \"<$line>\" || echo nothing to read; sleep 1000";
    let (mut session, mut keyboard) = tree.run_at_terminal(&[], script);
    session.wait_for("up");
    keyboard.type_in("q\n");
    session.wait_for("got <q>");
    assert_eq!(session.seen("press h"), 0, "{}", session.output());
    session.insist(Signal::TERM);
    let (mut session, mut keyboard) = tree.run_at_terminal(&["--keys"], script);
    session.wait_for_all(&["press h for help", "nothing to read"]);
    keyboard.type_in("q");
    assert_eq!(session.wait().code(), Some(128 + 15), "{}", session.output());
}

#[test]
fn no_keys_leaves_the_terminal_as_it_is() {
    let tree = Tree::new(&[("a", "one")]);
    let (mut session, keyboard) = tree.run_at_terminal(&["--stdin", "null", "--no-keys"], PROGRAM);
    session.wait_for("runs 42");
    assert!(is_restored(&keyboard));
    let mut command = tree.command(&["--stdin", "null"], PROGRAM);
    command.env("STAKEOUT_NO_KEYS", "1").env("STAKEOUT_KEYS", "1");
    let (mut other, keyboard) = Session::at_terminal(&command);
    other.wait_for("runs 42");
    assert!(is_restored(&keyboard));
    assert_eq!(session.seen("press h") + other.seen("press h"), 0);
}

#[test]
fn without_a_terminal_nothing_is_read_and_the_program_keeps_its_input() {
    let tree = Tree::new(&[]);
    let mut command = tree.command(&["--keys", "--exit-with-child"], "cat; exit 3");
    let (reader, mut writer) = std::io::pipe().unwrap();
    command.stdin(reader);
    let mut session = Session::start(command);
    std::io::Write::write_all(&mut writer, b"q is for the program\n").unwrap();
    session.wait_for("q is for the program");
    drop(writer);
    assert_eq!(session.wait().code(), Some(3), "{}", session.output());
}

#[test]
fn the_modes_are_restored_however_it_ends() {
    for (end, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let tree = Tree::new(&[("a", "one")]);
        let (mut session, keyboard) = tree.run_at_terminal(&["--keys"], PROGRAM);
        session.wait_for("runs 42");
        assert!(is_taken(&keyboard));
        session.signal(end);
        assert_eq!(session.wait().code(), Some(status), "{}", session.output());
        assert!(is_restored(&keyboard), "{end:?}");
    }
    let tree = Tree::new(&[]);
    let killed = tree.command(&["--keys", "--exit-with-child"], "kill -KILL $$");
    let mut not_started = tree.stakeout();
    not_started.args(["--keys", "--", "/dev/null"]);
    for (command, status) in [(killed, 128 + 9), (not_started, 126)] {
        let (mut session, keyboard) = Session::at_terminal(&command);
        assert_eq!(session.wait().code(), Some(status), "{}", session.output());
        assert!(is_restored(&keyboard));
    }
}

#[test]
fn a_program_that_crashes_takes_no_keys_with_it() {
    let tree = Tree::new(&[]);
    let script = "stty raw </dev/tty; kill -KILL $$";
    let (mut session, mut keyboard) =
        tree.run_at_terminal(&["--stdin", "null", "--restart", "never"], script);
    // In the background, it may not set modes: it is stopped for that, and here does not wait.
    session.wait_for("use --no-keys");
    assert!(is_taken(&keyboard));
    keyboard.type_in("q");
    session.wait();
    assert!(is_restored(&keyboard));
}

/// A shell at a terminal, in a tree, with `s` for stakeout that reads keys.
fn shell(tree: &Tree) -> (Session, Keyboard) {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"]).current_dir(tree.path("")).env("PS1", "");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STAKEOUT_") {
            bash.env_remove(name);
        }
    }
    let (session, mut keyboard) = Session::at_terminal(&bash);
    tree.write(".git/program.sh", PROGRAM);
    let binary = env!("CARGO_BIN_EXE_stakeout");
    keyboard
        .type_in(&format!("alias s='{binary} --keys -v --interval 20ms -- sh .git/program.sh'\n"));
    (session, keyboard)
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_back_and_fg_takes_it_again() {
    let tree = Tree::new(&[("a", "one")]);
    let (mut session, mut keyboard) = shell(&tree);
    keyboard.type_in("s\n");
    session.wait_for("runs 42 with one");
    for _ in 0..2 {
        eventually("the keys", || is_taken(&keyboard));
        keyboard.type_in(CTRL_Z);
        session.wait_for("Stopped");
        keyboard.type_in("echo $(stty -a | tr ' ' '\\n' | grep -cx -e icanon -e echo) modes\n");
        session.wait_for("2 modes");
        // What is typed now is the shell's.
        keyboard.type_in("echo r is $((40 + 2)) now\n");
        session.wait_for("r is 42 now");
        keyboard.type_in("fg; echo status $?\n");
        session.wait_for("program.sh");
    }
    eventually("the keys", || is_taken(&keyboard));
    keyboard.type_in("r");
    session.wait_for_all(&["asked to restart", "runs 42"]);
    keyboard.type_in("q");
    session.wait_for("status 143");
    keyboard.type_in("stty -a\n");
    session.wait_for(" icanon");
}

#[test]
fn in_the_background_nothing_is_read_and_fg_without_a_signal_takes_the_keys() {
    let tree = Tree::new(&[("a", "one")]);
    let (mut session, mut keyboard) = shell(&tree);
    keyboard.type_in("s &\n");
    session.wait_for("runs 42 with one");
    // Each letter of it is a key.
    for number in 0..5 {
        keyboard.type_in(&format!("echo qrq {number} $((40 + 2))\n"));
        session.wait_for(&format!("qrq {number} 42"));
    }
    tree.write("a", "two");
    session.wait_for("runs 42 with two");
    assert_eq!(session.seen("asked to"), 0, "{}", session.output());
    keyboard.type_in("fg\n");
    session.wait_for("program.sh");
    eventually("the keys", || is_taken(&keyboard));
    keyboard.type_in("r");
    // Were it still on its way, or a second one, it could end in the midst of that.
    session.wait_for_all(&["asked to restart", "runs 42 with two"]);
    keyboard.type_in(CTRL_Z);
    session.wait_for("Stopped");
    keyboard.type_in("bg\n");
    tree.write("a", "three");
    session.wait_for("runs 42 with three");
    keyboard.type_in("echo qrq $((40 + 2))\n");
    session.wait_for("qrq 42");
    keyboard.type_in("fg; echo status $?\n");
    session.wait_for("program.sh");
    eventually("the keys", || is_taken(&keyboard));
    keyboard.type_in(CTRL_C);
    session.wait_for("status 130");
}

#[test]
fn ctrl_z_where_nobody_could_continue_it_does_not_freeze_the_program() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "trap 'echo goes on' CONT; echo up; while :; do sleep 0.01; done";
    let (mut session, mut keyboard) = tree.run_at_terminal(&["--keys"], script);
    session.wait_for("up");
    keyboard.type_in(CTRL_Z);
    session.wait_for("goes on");
    eventually("the keys", || is_taken(&keyboard));
    keyboard.type_in("q");
    session.wait();
    assert!(is_restored(&keyboard));
}

#[test]
fn a_name_in_a_list_cannot_drive_the_terminal() {
    let tree = Tree::new(&[("a\u{1b}]0;title\u{7}b", "one")]);
    let mut command = tree.stakeout();
    command.args(["scan", "--list"]);
    let (mut session, _keyboard) = Session::at_terminal(&command);
    session.wait_for("a\\u{1b}]0;title\\u{7}b");
    session.wait();
}
