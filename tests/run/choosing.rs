//! Which files count: extensions, globs, ignore files, roots, and the same from the environment.

use std::fs;

use super::support::{Session, Tree};

/// Starts on a tree of several kinds of files, writes to each of `quiet` and then to `loud`, and
/// asserts that only `loud` counted.
fn only(options: &[&str], variables: &[(&str, &str)], quiet: &[&str], loud: &str) {
    let tree = Tree::new(&[
        ("main.rs", ""),
        ("lib/deep/a.py", ""),
        ("web/site.css", ""),
        ("notes.txt", ""),
        ("end", ""),
    ]);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "-v"]).args(options);
    command.envs(variables.iter().copied());
    let mut session = Session::start(command);
    session.wait_until_settled();
    for path in quiet {
        tree.write(path, "edited");
    }
    tree.write(loud, "edited");
    let line = session.wait_for("settled in");
    assert!(line.contains(&format!("{loud} (settled")), "{options:?} {variables:?}: {line}");
}

#[test]
fn extensions_choose_files() {
    only(&["-e", "rs,.py"], &[], &["notes.txt", "web/site.css"], "lib/deep/a.py");
    only(&["-e", "rs", "-e", "py"], &[], &["notes.txt"], "main.rs");
    only(&[], &[("STAKEOUT_EXTS", "rs,py")], &["notes.txt"], "main.rs");
}

#[test]
fn globs_choose_files() {
    only(&["-f", "web/"], &[], &["main.rs", "new.rs"], "web/site.css");
    only(&["-f", "*.{rs,py}"], &[], &["notes.txt"], "lib/deep/a.py");
    only(&["-f", "/notes.txt", "-e", "rs"], &[], &["lib/notes.txt", "a.py"], "notes.txt");
    only(&[], &[("STAKEOUT_FILTER", "*.{rs,py},web/")], &["notes.txt"], "web/site.css");
}

#[test]
fn globs_leave_files_out() {
    only(&["-i", "lib/,*.txt"], &[], &["lib/deep/a.py", "lib/b", "notes.txt"], "end");
    only(&[], &[("STAKEOUT_IGNORE", "/lib/**")], &["lib/deep/a.py"], "end");
}

#[test]
fn defaults_leave_out_what_tools_write() {
    let noise = ["target/x.rs", "node_modules/m/i.js", "a/__pycache__/x", ".main.rs.swp", "a.rs~"];
    only(&[], &[], &noise, "end");
    only(&["--no-ignore"], &[], &[".git/index"], "target/x.rs");
    only(&[], &[("STAKEOUT_NO_IGNORE", "true")], &[".git/index"], "node_modules/m/i.js");
    only(&["-i", "!target/"], &[], &["node_modules/x"], "target/x.rs");
}

#[test]
fn roots_choose_trees() {
    only(&["-w", "lib", "-w", "main.rs"], &[], &["end", "web/site.css", "other.rs"], "main.rs");
    only(&[], &[("STAKEOUT_WATCH", "lib:web")], &["end", "main.rs"], "web/site.css");
    only(&["-w", "."], &[("STAKEOUT_WATCH", "web")], &[], "end");
}

#[test]
fn an_empty_variable_is_none() {
    let variables = ["INTERVAL", "EXTS", "WATCH", "NO_IGNORE", "DEBOUNCE", "SHELL"];
    let variables: Vec<String> = variables.iter().map(|name| format!("STAKEOUT_{name}")).collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|name| (name.as_str(), "")).collect();
    only(&[], &variables, &["target/x"], "end");
}

#[test]
fn ignore_files_are_honoured_without_a_repository_and_followed() {
    let tree = Tree::new(&[(".gitignore", "*.log\n"), ("x.log", ""), ("data/y", ""), ("a", "")]);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1s", "-v"]);
    let mut session = Session::start(command);
    session.wait_until_settled();
    tree.write("x.log", "edited");
    // What becomes ignored is not removed; that the rules changed is a change itself.
    tree.write(".gitignore", "data/\n");
    let line = session.wait_for("settled in");
    assert!(line.contains("modified .gitignore; created x.log (settled"), "{line}");
    tree.write("data/y", "edited");
    tree.write("x.log", "edited again");
    let line = session.wait_for("settled in");
    assert!(line.contains("modified x.log (settled"), "{line}");
}

#[test]
fn a_root_that_is_a_link_may_be_pointed_elsewhere_inside_another() {
    let tree = Tree::new(&[("rel/1/a", ""), ("rel/2/a", "")]);
    std::os::unix::fs::symlink("rel/1", tree.path("current")).unwrap();
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "-v", "-w", ".", "-w", "current"]);
    let mut session = Session::start(command);
    session.wait_until_settled();
    std::os::unix::fs::symlink("rel/2", tree.path("next")).unwrap();
    fs::rename(tree.path("next"), tree.path("current")).unwrap();
    session.wait_for("settled in");
    tree.write("rel/1/a", "edited");
    let line = session.wait_for("settled in");
    assert!(line.contains("modified rel/1/a (settled"), "{line}");
    tree.write("rel/2/a", "edited");
    let line = session.wait_for("settled in");
    assert!(line.contains("modified current/a (settled"), "{line}");
}

#[test]
fn a_root_inside_another_is_told_of_once() {
    let tree = Tree::new(&[("vendor/lib/a", ""), ("b", "")]);
    fs::write(tree.path(".gitignore"), "vendor/\n").unwrap();
    let mut command = tree.stakeout();
    command.args([
        "--interval",
        "20ms",
        "--debounce",
        "1s",
        "-v",
        "-w",
        ".",
        "-w",
        "vendor/lib",
        "-w",
        "b",
    ]);
    let mut session = Session::start(command);
    session.wait_until_settled();
    tree.write("vendor/lib/a", "edited");
    tree.write("b", "edited");
    let line = session.wait_for("settled in");
    assert!(line.contains("modified b, vendor/lib/a (settled"), "{line}");
}
