//! As whom, where and with which environment the program runs.

use rustix::process::{Signal, geteuid};

use super::skip::skip;
use super::support::{Session, Tree, eventually, is_alive, number};

/// Whether the test may change users; says so, or fails in CI, if not.
pub fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        skip("needs root");
    }
    is_root
}

/// Runs a shell command to its end with these options; gives the status and what was said.
fn ends(tree: &Tree, options: &[&str], script: &str) -> (Option<i32>, String) {
    let mut command = tree.stakeout();
    command.arg("--no-watch").args(options).args(["--", "sh", "-c", script]);
    let mut session = Session::start(command);
    let status = session.wait();
    (status.code(), session.output())
}

#[test]
fn the_user_and_its_groups_are_what_was_asked_for() {
    if !is_root() {
        return;
    }
    let tree = Tree::new(&[]);
    let script = "echo ids $(id -u) $(id -g) $(id -G) home $HOME end";
    let (status, output) = ends(&tree, &["--user", "12345:54321"], script);
    assert_eq!(status, Some(0), "{output}");
    assert!(output.contains("ids 12345 54321 54321 home"), "{output}");
    let (_, output) = ends(&tree, &["--user", "nobody"], script);
    assert!(output.contains("ids 65534 65534 65534 home /nonexistent end"), "{output}");
}

#[test]
fn a_program_of_another_user_is_stopped_and_dies_with_stakeout() {
    if !is_root() {
        return;
    }
    let tree = Tree::new(&[("a", "one")]);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--user", "12345:54321", "--", "sh", "-c"]);
    command.arg("echo up $((40 + 2)) as $$ end; exec sleep 1000");
    let mut session = Session::start(command);
    let first = number(&session.wait_for("up 42 as"), "as ");
    tree.write("a", "two");
    let second = number(&session.wait_for("up 42 as"), "as ");
    assert!(!is_alive(first) && is_alive(second));
    session.signal(Signal::KILL);
    eventually("the program's end", || !is_alive(second));
}

#[test]
fn becoming_somebody_else_takes_root() {
    if !is_root() {
        return;
    }
    let tree = Tree::new(&[]);
    // Where everybody may execute it.
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.path(), open).unwrap();
    let binary = place.path().join("stakeout");
    std::fs::copy(env!("CARGO_BIN_EXE_stakeout"), &binary).unwrap();
    let inner = format!("exec {} --no-watch --user 0:0 -- true", binary.display());
    let options = ["--user", "12345:54321", "--workdir", "/"];
    let (status, output) = ends(&tree, &options, &inner);
    assert_eq!(status, Some(126), "{output}");
    assert!(output.contains("as the user of --user") && output.contains("takes root"), "{output}");
}

#[test]
fn an_unknown_user_is_a_mistake() {
    let tree = Tree::new(&[]);
    for (user, says) in [("no-such-user", "no user `no-such-user`"), ("4321", "write 4321:GID")] {
        let (status, output) = ends(&tree, &["--user", user], "true");
        assert_eq!(status, Some(2), "{output}");
        assert!(output.contains(says), "{output}");
    }
}

#[test]
fn the_working_directory_is_what_was_asked_for() {
    let tree = Tree::new(&[("sub/x", "")]);
    let (status, output) = ends(&tree, &["--workdir", "sub"], "[ -e x ] && echo there");
    assert_eq!(status, Some(0), "{output}");
    assert!(output.contains("there"), "{output}");
    let (status, output) = ends(&tree, &["--workdir", "nope"], "true");
    assert_eq!(status, Some(126), "{output}");
    assert!(output.contains("in the directory of --workdir: No such file"), "{output}");
}

#[test]
fn a_working_directory_that_vanishes_is_waited_for() {
    let tree = Tree::new(&[("sub/x", ""), ("a", "one")]);
    let script = "echo shows $(cat ../a); exec sleep 1000";
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--workdir", "sub", "--", "sh", "-c", script]);
    let mut session = Session::start(command);
    session.wait_for("shows one");
    std::fs::remove_dir_all(tree.path("sub")).unwrap();
    session.wait_for("in the directory of --workdir: No such file");
    tree.write("sub/x", "");
    session.wait_for("shows one");
}

#[test]
fn env_files_set_variables_for_the_program_alone() {
    let tree = Tree::new(&[
        ("one.env", "# docker's format\nA=1\nB='kept as it is'\nSTAKEOUT_USER=not-for-us\n"),
        ("two.env", "A=2\nHOME=/chosen\n"),
        ("bad.env", "A=1\nnot a variable\n"),
    ]);
    let options = ["--env-file", "one.env", "--env-file", "two.env"];
    let (status, output) = ends(&tree, &options, "echo \"$A $B $HOME end\"");
    assert_eq!(status, Some(0), "{output}");
    assert!(output.contains("2 'kept as it is' /chosen end"), "{output}");
    let (status, output) = ends(&tree, &["--env-file", "bad.env"], "true");
    assert_eq!(status, Some(2), "{output}");
    assert!(output.contains("bad.env: line 2 is no KEY=VALUE"), "{output}");
    let (status, output) = ends(&tree, &["--env-file", "nope.env"], "true");
    assert_eq!(status, Some(2), "{output}");
    assert!(output.contains("cannot read the env file nope.env: No such file"), "{output}");
}

#[test]
fn the_umask_is_passed_on() {
    let tree = Tree::new(&[]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 027; exec \"$0\" --no-watch -- sh -c 'echo umask $(umask)'"]);
    command.arg(env!("CARGO_BIN_EXE_stakeout")).current_dir(tree.path(""));
    let mut session = Session::start(command);
    session.wait_for("umask 0027");
    assert_eq!(session.wait().code(), Some(0));
}
