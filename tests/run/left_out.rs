//! Events of files that are left out: that they make nobody look, nor even wake who does, for as long
//! as they are left out.

use std::fs;
use std::io::Write;
use std::thread;
use std::time::Duration;

use super::auto::{NEVER, looks_at_rest, start};
use super::support::{Session, Tree, eventually, read};

/// How often the thread that looks went to sleep, and so was woken.
fn wakes(session: &Session) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", session.pid().as_raw_nonzero())).unwrap();
    let mut tasks = tasks.map(|task| task.unwrap().path());
    let task = tasks.find(|task| read(&task.join("comm")).trim() == "watch").expect("a thread");
    let status = read(&task.join("status"));
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.expect("a count").trim().parse().unwrap()
}

#[test]
fn writing_to_a_file_that_is_left_out_makes_nobody_look() {
    let tree = Tree::new(&[("a", "one"), (".gitignore", "*.log\n"), ("app.log", "")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    tree.save_by_rename("a", "two");
    session.wait_for("shows two");
    let before = looks_at_rest(&tree);
    let woken = wakes(&session);
    let mut log = fs::File::options().append(true).open(tree.path("app.log")).unwrap();
    for _ in 0..500 {
        log.write_all(b"line\n").unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(looks_at_rest(&tree), before, "looked at a log");
    let woken = wakes(&session) - woken;
    assert!(woken < 20, "woken {woken} times by a log");
    // What is counted does grow with looks.
    tree.save_by_rename("a", "six");
    session.wait_for("shows six");
    assert!(looks_at_rest(&tree) > before);
    assert_eq!(session.seen("settled in"), 2, "{}", session.output());
}

#[test]
fn what_is_not_left_out_any_more_makes_it_look() {
    let tree = Tree::new(&[("a", "one"), (".gitignore", "*.log\n"), ("app.log", "")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    looks_at_rest(&tree);
    let woken = wakes(&session);
    tree.write("app.log", "one");
    eventually("it was found to be of no interest", || wakes(&session) > woken);
    tree.write(".gitignore", "");
    session.wait_for("created app.log");
    tree.write("app.log", "two");
    session.wait_for("modified app.log");
}
