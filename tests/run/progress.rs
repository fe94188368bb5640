//! How far the baseline has come, beside programs: drawn where their lines come by us, indicated by
//! the terminal where they do not, and that something is wrong.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::emulator::screen;
use super::support::{Keyboard, Session, Tree, eventually};

/// What a drawing begins with.
const DRAWN: &str = "\r\x1b[?7l";

/// A tree that takes seconds to read. As holes its files cost no disk; each takes a step of the
/// baseline, and a rest of nine times that.
fn slow_tree() -> Tree {
    tree_of(30)
}

/// The same with so many files.
fn tree_of(files: usize) -> Tree {
    let tree = Tree::new(&[]);
    for name in 0..files {
        let file = fs::File::create(tree.path(&name.to_string())).expect("a file");
        file.set_len(32 << 20).expect("a hole");
    }
    tree
}

/// Two that write all the time.
const TWO: &str = r#"
[watch]
exclude = ["/stakeout.toml"]

[service.web]
run = "n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.05; done"

[service.worker]
run = "n=0; while :; do n=$((n + 1)); echo line $n >&2; sleep 0.07; done"
"#;

/// stakeout with these options and variables, and no others that a terminal has.
fn command(tree: &Tree, options: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = tree.stakeout();
    for name in ["WT_SESSION", "ConEmuANSI", "TERM_PROGRAM", "TERM_FEATURES", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").envs(variables.iter().copied());
    command.args(["--color", "never"]).args(options);
    command
}

fn two(tree: &Tree, options: &[&str], variables: &[(&str, &str)]) -> (Session, Keyboard) {
    tree.write("stakeout.toml", TWO);
    Session::at_terminal(&command(tree, options, variables))
}

/// Checks that there are nothing but whole lines, and none missing of what programs wrote.
fn assert_only_lines(shown: &[String]) {
    let (mut web, mut worker) = (0, 0);
    for line in shown.iter().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("web    | line ") {
            web += 1;
            assert_eq!(rest, web.to_string());
        } else if let Some(rest) = line.strip_prefix("worker | line ") {
            worker += 1;
            assert_eq!(rest, worker.to_string());
        } else {
            assert!(line.starts_with("stakeout: "), "{line:?}");
            assert!(!line.contains("reading"), "{line:?}");
        }
    }
    assert!(web > 10 && worker > 10, "{shown:?}");
}

#[test]
fn it_is_drawn_below_marked_lines_and_leaves_nothing_behind() {
    let tree = slow_tree();
    let (mut session, keyboard) = two(&tree, &["-v"], &[]);
    session.wait_for("reading: ");
    keyboard.resize(24, 40);
    session.wait_for(" of 30 files (");
    keyboard.resize(24, 120);
    session.wait_for("all files were read once");
    session.terminate();
    let output = session.output();
    assert!(output.contains(" of 30 files [="), "{output:?}");
    let before = screen(output.split_inclusive("reading: ").next().unwrap(), 200);
    assert_eq!(before.last().unwrap(), "stakeout: reading:");
    assert_only_lines(&screen(&output, 200));
    let after = output.split("all files were read once").nth(1).unwrap();
    assert!(!after.contains("reading: "), "{after:?}");
}

#[test]
fn its_end_in_the_midst_of_it_leaves_nothing_behind_either() {
    let tree = slow_tree();
    let (mut session, mut keyboard) = two(&tree, &["-v", "--stdin", "null"], &[]);
    for _ in 0..5 {
        session.wait_for(" of 30 files [");
        session.wait_for("web ");
    }
    keyboard.type_in("\x03");
    session.wait();
    let shown = screen(&session.output(), 200);
    assert_only_lines(&shown);
    assert_eq!(shown.last().unwrap(), "", "the shell's prompt comes there");
}

#[test]
fn it_is_drawn_only_for_people_at_a_terminal_of_which_we_have_all() {
    // So long that a line of the log says how far it has come.
    let tree = tree_of(64);
    let all_read = |(mut session, _keyboard): (Session, Keyboard)| {
        session.wait_for("all files were read once");
        session.terminate();
        session.output()
    };
    let json = two(&tree, &["-v", "--json"], &[("TERM_PROGRAM", "ghostty")]);
    let dumb = two(&tree, &["-v"], &[("TERM", "dumb"), ("TERM_PROGRAM", "ghostty")]);
    // The program's own lines could be anywhere.
    let script = "while :; do echo runs; sleep 0.1; done";
    let other = tree_of(64);
    let single = Session::at_terminal(&command(&other, &["-v", "--", "sh", "-c", script], &[]));
    for output in [json, dumb, single].map(all_read) {
        assert!(!output.contains(DRAWN), "{output:?}");
        assert!(output.contains("reading in the background: "), "{output}");
        assert!(!output.contains("\x1b]"), "{output:?}");
    }
    let mut piped = Session::start(command(&tree, &["-v"], &[("TERM_PROGRAM", "ghostty")]));
    piped.wait_for("all files were read once");
    piped.terminate();
    assert!(!piped.output().contains('\x1b'), "{:?}", piped.output());
}

#[test]
fn a_quiet_log_draws_nothing() {
    let tree = slow_tree();
    let (mut session, _keyboard) = two(&tree, &["-q"], &[("TERM_PROGRAM", "ghostty")]);
    // By then it would have been.
    session.wait_for("web    | line 60");
    session.terminate();
    assert!(!session.output().contains(DRAWN), "{:?}", session.output());
    assert!(!session.output().contains("\x1b]"), "{:?}", session.output());
}

#[test]
fn a_terminal_that_is_held_holds_up_nothing_but_lines() {
    let tree = slow_tree();
    let (mut session, mut keyboard) = two(&tree, &["--stdin", "null"], &[]);
    session.wait_for(" of 30 files [");
    keyboard.type_in("\x13");
    session.signal(Signal::TERM);
    eventually("its end", || session.has_ended());
}

#[test]
fn a_shell_that_gets_the_terminal_back_finds_only_lines_there() {
    let tree = slow_tree();
    tree.write("stakeout.toml", TWO);
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"]).current_dir(tree.path(""));
    bash.env("PS1", "").env("TERM", "dumb");
    let (mut session, mut keyboard) = Session::at_terminal(&bash);
    let binary = env!("CARGO_BIN_EXE_stakeout");
    keyboard.type_in(&format!("TERM=xterm TERM_PROGRAM=ghostty {binary} --color never\n"));
    session.wait_for(" of 30 files [");
    keyboard.type_in("\x1a");
    session.wait_for("Stopped");
    keyboard.type_in("echo the shell is $((40 + 2))\n");
    session.wait_for("the shell is 42");
    let output = session.output();
    let is_left = |line: &String| line.contains("reading: ");
    assert!(!screen(&output, 200).iter().any(is_left), "{output:?}");
    assert_eq!(*indicated(&output).last().unwrap(), "0;0", "{output:?}");
    keyboard.type_in("fg\n");
    session.wait_for(" of 30 files [");
    keyboard.type_in("\x03");
    // stakeout reads what is typed as long as it is there.
    eventually("the shell", || {
        keyboard.type_in("echo over $((40 + 2))\n");
        session.has_said("over 42")
    });
    keyboard.type_in("exit\n");
    session.wait();
    let output = session.output();
    assert!(!screen(&output, 200).iter().any(is_left), "{output:?}");
    assert_eq!(*indicated(&output).last().unwrap(), "0;0", "{output:?}");
}

/// What was indicated, one after the other.
fn indicated(output: &str) -> Vec<&str> {
    output.split("\x1b]9;4;").skip(1).map(|rest| rest.split('\x1b').next().unwrap()).collect()
}

#[test]
fn beside_a_program_that_has_the_terminal_the_terminal_indicates_it() {
    let tree = slow_tree();
    // Colours are its own business, and it does not end its lines at once.
    let script = r"n=0; while :; do n=$((n + 1)); printf '\033[31mli'; sleep 0.05; printf 'ne %s\033[0m\n' $n
        sleep 0.1; done";
    let options = ["-v", "--", "sh", "-c", script];
    let (mut session, _keyboard) =
        Session::at_terminal(&command(&tree, &options, &[("TERM_PROGRAM", "WezTerm")]));
    session.wait_for("all files were read once");
    session.terminate();
    let output = session.output();
    assert!(!output.contains(DRAWN), "{output:?}");
    let indicated = indicated(&output);
    let (last, before) = indicated.split_last().unwrap();
    assert_eq!(*last, "0;0");
    let percent = |it: &&str| it.strip_prefix("1;").and_then(|it| it.parse::<u8>().ok());
    let percents: Vec<u8> = before.iter().map(|it| percent(it).unwrap()).collect();
    assert!(percents.len() > 3 && percents.is_sorted_by(|a, b| a < b), "{percents:?}");
    // Without what is ours, which may come in the midst of a line, there is what the program wrote.
    let (first, rest) = output.split_once("\x1b]9;4;").unwrap();
    let mut rest: String = rest
        .split("\x1b]9;4;")
        .map(|part| part.split_once("\x1b\\").unwrap().1)
        .fold(first.to_owned(), |all, part| all + part);
    while let Some(start) = rest.find("stakeout: ") {
        let end = rest[start..].find('\n').map_or(rest.len(), |length| start + length + 1);
        rest.drain(start..end);
    }
    let written: String =
        (1..).map(|n| format!("\x1b[31mline {n}\x1b[0m\r\n")).take(10_000).collect();
    assert!(written.starts_with(&rest), "{output:?}");
    assert!(rest.lines().count() > 10, "{output}");
}

#[test]
fn that_something_is_wrong_is_indicated_until_it_is_well_or_over() {
    let tree = Tree::new(&[("a", "exit 1")]);
    let options = ["--build", "sh a", "--", "sh", "-c", "echo runs; exec sleep 1000"];
    let start = |variables: &[(&str, &str)]| {
        Session::at_terminal(&command(
            &tree,
            &[&["-v", "--debounce", "1ms"], &options[..]].concat(),
            variables,
        ))
    };
    let (mut session, mut keyboard) = start(&[("TERM_PROGRAM", "ghostty")]);
    session.wait_for("BUILD FAILED");
    tree.write("a", "true");
    // What is indicated ends no line, but comes before this one.
    session.wait_for("executed after");
    tree.save_by_rename("a", "exit 2");
    session.wait_for("BUILD FAILED");
    keyboard.type_in("\x03");
    session.wait();
    let output = session.output();
    assert_eq!(indicated(&output), ["2;100", "0;0", "2;100", "0;0"], "{output:?}");
    let (mut session, _keyboard) = start(&[("WT_SESSION", "0a")]);
    session.wait_for("BUILD FAILED");
    session.terminate();
    assert_eq!(indicated(&session.output()), ["2;100", "0;0"], "{:?}", session.output());
    let (mut session, _keyboard) = start(&[]);
    session.wait_for("BUILD FAILED");
    session.terminate();
    assert!(indicated(&session.output()).is_empty(), "{:?}", session.output());
}

#[test]
fn a_program_that_failed_is_wrong_until_it_runs_again() {
    let tree = Tree::new(&[("a", "exit 3")]);
    let options = ["--debounce", "1ms", "--", "sh", "a"];
    let (mut session, _keyboard) =
        Session::at_terminal(&command(&tree, &options, &[("ConEmuANSI", "ON")]));
    session.wait_for("ended with status 3");
    tree.write("a", "echo runs; exec sleep 1000");
    session.wait_for("runs");
    session.terminate();
    assert_eq!(indicated(&session.output()), ["2;100", "0;0"], "{:?}", session.output());
}

#[test]
fn what_ends_in_order_and_is_started_again_is_not_wrong() {
    let tree = Tree::new(&[]);
    let options = ["--restart", "always", "--", "sh", "-c", "echo runs; exit 0"];
    let (mut session, _keyboard) =
        Session::at_terminal(&command(&tree, &options, &[("TERM_PROGRAM", "ghostty")]));
    for _ in 0..3 {
        session.wait_for("starting it again");
    }
    session.terminate();
    assert!(indicated(&session.output()).is_empty(), "{:?}", session.output());
}
