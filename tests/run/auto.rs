//! Native events: that they make it look at once, that looking finds what they do not tell of, and
//! what is said when they cannot be had. With an interval of an hour, nothing but an event can
//! lead to a restart while a test runs.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::skip::skip;
use super::support::{Session, Tree, eventually, read};

const SHOW: &str = "echo shows $(cat a); exec sleep 1000";

/// Far longer than any test: looking alone would find nothing.
pub const NEVER: [&str; 2] = ["--interval", "1h"];

pub fn start(tree: &Tree, options: &[&str]) -> Session {
    let mut command = tree.stakeout();
    command.args(["-v", "--debounce", "100ms"]).args(options).args(["--", "sh", "-c", SHOW]);
    Session::start(command)
}

/// The same in a user namespace in which this limit of inotify(7) holds, if that works here.
fn start_limited(tree: &Tree, limit: &str, options: &[&str]) -> Option<Session> {
    let mut outer = Command::new("unshare");
    outer.args(["--user", "--map-root-user", "--", "sh", "-c"]);
    let set = format!("echo {limit} && exec \"$@\"").replace(" = ", " > /proc/sys/user/");
    outer.arg(set).arg("sh");
    let works = Command::new(outer.get_program()).args(outer.get_args()).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip("needs user namespaces");
        return None;
    }
    let mut command = tree.stakeout();
    command.args(["-v", "--debounce", "100ms"]).args(options).args(["--", "sh", "-c", SHOW]);
    outer.arg(command.get_program()).args(command.get_args()).current_dir(tree.path(""));
    Some(Session::start(outer))
}

/// How often was looked so far, as the stakeout that watches this tree tells.
fn looks(tree: &Tree) -> u64 {
    let output = tree.stakeout().args(["status", "--json"]).output().expect("an answer");
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    status["watching"]["looks"].as_u64().expect("a count")
}

/// The same, once it stands still.
pub fn looks_at_rest(tree: &Tree) -> u64 {
    let mut last = (looks(tree), Instant::now());
    eventually("rest", || {
        let now = looks(tree);
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(300)
    });
    last.0
}

fn has_inotify(session: &Session) -> bool {
    let descriptors = format!("/proc/{}/fd", session.pid().as_raw_nonzero());
    let descriptors = fs::read_dir(descriptors).expect("stakeout to be there").flatten();
    let mut targets = descriptors.filter_map(|link| fs::read_link(link.path()).ok());
    targets.any(|target| target.to_string_lossy().contains("inotify"))
}

#[test]
fn an_event_restarts_long_before_the_next_look() {
    let tree = Tree::new(&[("a", "one"), ("deep/er/b", "one")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    assert!(has_inotify(&session));
    tree.write("a", "two");
    session.wait_for("shows two");
    tree.save_by_rename("deep/er/b", "two");
    session.wait_for("modified deep/er/b");
    fs::remove_file(tree.path("deep/er/b")).unwrap();
    session.wait_for("removed deep/er/b");
}

#[test]
fn a_root_that_is_a_single_file_makes_events_too() {
    let tree = Tree::new(&[("a", "one"), ("b", "one")]);
    let mut session = start(&tree, &[&NEVER[..], &["-w", "a"]].concat());
    session.wait_until_settled();
    tree.write_over("b", "two");
    tree.write_over("a", "two");
    session.wait_for("shows two");
    tree.save_by_rename("a", "six");
    session.wait_for("shows six");
    tree.write_over("a", "ten");
    session.wait_for("shows ten");
    session.terminate();
    assert_eq!(session.seen("modified"), 3, "{}", session.output());
}

#[test]
fn what_is_in_a_directory_before_it_can_be_watched_is_found() {
    let tree = Tree::new(&[("a", "one"), (".git/outside/deep/er/f", "one")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    // Nothing inside of it makes an event.
    fs::rename(tree.path(".git/outside"), tree.path("inside")).unwrap();
    session.wait_for("created inside/deep/er/f");
    tree.write("inside/deep/er/f", "two");
    session.wait_for("modified inside/deep/er/f");
    // Races with the watches, again and again.
    for round in 0..50 {
        let file = format!("new{round}/deep/er/f");
        tree.write(&file, "one");
        session.wait_for(&format!("created {file}"));
    }
    tree.write("new49/deep/er/f", "two");
    session.wait_for("modified new49/deep/er/f");
}

#[test]
fn a_new_file_that_cannot_be_read_in_peace_at_first_is_found() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    for round in 0..20 {
        let mut file = fs::File::create(tree.path(&format!("new{round}"))).unwrap();
        for _ in 0..100 {
            file.write_all(&[b'x'; 1 << 14]).unwrap();
        }
        drop(file);
        session.wait_for(&format!("created new{round} (settled"));
    }
}

#[test]
fn a_directory_is_followed_when_it_is_renamed_and_so_is_its_successor() {
    let tree = Tree::new(&[("a", "one"), ("old/deep/x", "one"), ("old/deep/y", "two")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    fs::rename(tree.path("old"), tree.path("new")).unwrap();
    session.wait_for("renamed old/ → new/ (2 files)");
    tree.write("new/deep/x", "six");
    session.wait_for("modified new/deep/x");
    tree.write("old/deep/x", "three");
    session.wait_for("created old/deep/x");
    tree.write("old/deep/x", "seven");
    session.wait_for("modified old/deep/x");
    // Both at once, so that each path is another directory than before.
    fs::rename(tree.path("old"), tree.path("between")).unwrap();
    fs::rename(tree.path("new"), tree.path("old")).unwrap();
    fs::rename(tree.path("between"), tree.path("new")).unwrap();
    session.wait_for("settled");
    tree.write("old/deep/y", "ten");
    session.wait_for("modified old/deep/y");
    tree.write("new/deep/x", "ten");
    session.wait_for("modified new/deep/x");
}

#[test]
fn more_events_than_the_kernel_keeps_lose_no_change() {
    let most: usize =
        read("/proc/sys/fs/inotify/max_queued_events".as_ref()).trim().parse().unwrap();
    let tree = Tree::new(&[("a", "one"), ("b", "one"), ("c", "one"), ("other/file", "one")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    looks_at_rest(&tree);
    session.signal(Signal::STOP);
    let status = format!("/proc/{}/status", session.pid().as_raw_nonzero());
    eventually("it is stopped", || read(status.as_ref()).contains("State:\tT"));
    // In turns, since the kernel takes equal events for one.
    let file = |name| fs::File::options().append(true).open(tree.path(name)).unwrap();
    let (mut b, mut c) = (file("b"), file("c"));
    for _ in 0..=most / 2 {
        b.write_all(b"x").unwrap();
        c.write_all(b"x").unwrap();
    }
    // Of this none is told any more.
    tree.write("other/file", "two");
    session.signal(Signal::CONT);
    session.wait_for("modified b, c, other/file");
    session.terminate();
    // The third change came without an event of its own.
    assert_eq!(session.seen("made events so far"), 0, "{}", session.output());
}

#[test]
fn ten_thousand_files_at_once_are_all_found() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = start(&tree, &NEVER);
    session.wait_until_settled();
    for n in 0..10_000 {
        tree.write(&format!("dir{}/sub{}/f{n}", n % 10, n % 200), "x");
    }
    let mut found = 0;
    while found < 10_000 {
        let line = session.wait_for("created ").replace(',', "");
        let (named, more) = line.split_once(" and ").unwrap_or((&line, "0 more"));
        let more: usize = more.split(' ').next().unwrap().parse().unwrap();
        found += named.matches("dir").count() + more;
    }
    assert_eq!(found, 10_000);
}

#[test]
fn where_all_changes_make_events_it_looks_only_now_and_then() {
    let tree = Tree::new(&[("a", "one"), ("b", "0")]);
    let mut session = start(&tree, &[]);
    session.wait_until_settled();
    // Each at once: a file that is cut off first and written then may be seen twice.
    for text in ["1", "2"] {
        tree.save_by_rename("b", text);
        session.wait_for("modified b");
    }
    tree.save_by_rename("b", "3");
    session.wait_for(".: all changes made events so far; from now on they say when to look");
    looks_at_rest(&tree);
    // Several would be due in this time if it went on as before: one each 200 ms at least.
    let before = looks(&tree);
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    let made = looks(&tree) - before;
    assert!(made <= 4, "{made} times in 2 s");
    tree.write("a", "two");
    session.wait_for("shows two");
}

#[test]
fn polling_asks_for_no_events() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = start(&tree, &["--mode", "poll", "--interval", "20ms"]);
    session.wait_until_settled();
    assert!(!has_inotify(&session));
    tree.write("a", "two");
    session.wait_for("shows two");
}

#[test]
fn a_limit_on_watches_is_told_of_once_and_the_rest_is_looked_at() {
    let tree = Tree::new(&[("a", "one"), ("x/f", "one"), ("y/f", "one"), ("z/deep/f", "one")]);
    let limited = start_limited(&tree, "2 = max_inotify_watches", &["--interval", "20ms"]);
    let Some(mut session) = limited else { return };
    let line = session.wait_for("native events cannot be relied upon");
    let wanted = "only 2 directories can be watched, as the limit fs.inotify.max_user_watches is";
    assert!(line.contains(wanted) && line.contains("sysctl -w"), "{line}");
    session.wait_until_settled();
    for file in ["a", "x/f", "y/f", "z/deep/f", "new/deep/f"] {
        tree.write(file, "two");
        session.wait_for(&format!(" {file} (settled"));
    }
    session.terminate();
    assert_eq!(session.seen("cannot be relied upon"), 1, "{}", session.output());
}

#[test]
fn a_limit_on_instances_is_told_of_once_and_all_is_looked_at() {
    let tree = Tree::new(&[("a", "one")]);
    let limited = start_limited(&tree, "0 = max_inotify_instances", &["--interval", "20ms"]);
    let Some(mut session) = limited else { return };
    session.wait_for("the limit fs.inotify.max_user_instances is reached; raise it by sysctl -w");
    session.wait_for("looking every 20ms, without events");
    for text in ["two", "six", "ten"] {
        tree.write("a", text);
        session.wait_for(&format!("shows {text}"));
    }
    session.terminate();
    assert_eq!(session.seen("cannot be relied upon"), 1, "{}", session.output());
}

/// Starts stakeout on an overlay of two directories of the tree, whose lower one can be edited
/// beneath it: then the overlay shows it, but no event tells of it.
fn start_on_overlay(tree: &Tree, options: &[&str]) -> Option<Session> {
    for directory in ["upper", "work", "seen"] {
        fs::create_dir(tree.path(directory)).unwrap();
    }
    let mount = "mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work seen";
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "--", "sh", "-c"]).current_dir(tree.path(""));
    let mut trial = Command::new("unshare");
    trial.args(["--mount", "--", "sh", "-c", mount]).current_dir(tree.path(""));
    if !trial.output().is_ok_and(|output| output.status.success()) {
        skip("needs root, mount namespaces and overlayfs");
        return None;
    }
    outer.arg(format!("{mount} && cd seen && exec \"$@\"")).arg("sh");
    let command = tree.stakeout();
    outer.arg(command.get_program()).args(["-v", "--debounce", "100ms"]).args(options);
    outer.args(["--", "sh", "-c", SHOW]);
    Some(Session::start(outer))
}

#[test]
fn a_change_that_made_no_event_ends_the_trust_and_is_found() {
    let tree = Tree::new(&[("lower/a", "one"), ("lower/b", "one"), ("lower/deep/c", "one")]);
    let Some(mut session) = start_on_overlay(&tree, &[]) else { return };
    session.wait_until_settled();
    let seen = format!("/proc/{}/cwd", session.pid().as_raw_nonzero());
    for text in ["two", "six"] {
        fs::write(format!("{seen}/b"), text).unwrap();
        session.wait_for("modified b");
    }
    fs::write(format!("{seen}/b"), "ten").unwrap();
    session.wait_for("all changes made events so far");
    // The safety net finds this, up to 10 s later, and the next ones come sooner.
    tree.write("lower/deep/c", "two");
    session.wait_for("deep/c changed without an event, so events are not relied upon in . any");
    session.wait_for("modified deep/c");
    for text in ["two", "six", "ten"] {
        tree.write("lower/a", text);
        session.wait_for(&format!("shows {text}"));
    }
    session.terminate();
    assert_eq!(session.seen("without an event"), 1, "{}", session.output());
}

#[test]
fn who_insists_on_events_has_a_safety_net_all_the_same() {
    let tree = Tree::new(&[("lower/a", "one")]);
    let Some(mut session) = start_on_overlay(&tree, &["--mode", "native"]) else { return };
    session.wait_until_settled();
    tree.write("lower/a", "two");
    session.wait_for("shows two");
    let seen = format!("/proc/{}/cwd", session.pid().as_raw_nonzero());
    fs::write(format!("{seen}/a"), "six").unwrap();
    session.wait_for("shows six");
    session.terminate();
    assert_eq!(session.seen("an event"), 0, "{}", session.output());
}

#[test]
fn what_changes_where_only_a_link_leads_is_found_though_nothing_tells_of_it() {
    let outside = Tree::new(&[("1/a", "one"), ("2/a", "two"), ("deep/er/b", "one")]);
    std::os::unix::fs::symlink("1", outside.path("current")).unwrap();
    let tree = Tree::new(&[("own/c", "one")]);
    for (target, link) in [("current/a", "a"), ("current", "dir"), ("deep", "deep")] {
        std::os::unix::fs::symlink(outside.path(target), tree.path(link)).unwrap();
    }
    let mut session = start(&tree, &["--follow-symlinks"]);
    session.wait_until_settled();
    for round in 0..4 {
        tree.write("own/c", &format!("{round}"));
        session.wait_for("modified own/c");
    }
    // What is trusted is looked at every 10 s; this makes no event anywhere in the tree.
    std::os::unix::fs::symlink("2", outside.path("new")).unwrap();
    fs::rename(outside.path("new"), outside.path("current")).unwrap();
    session.wait_for("modified a, dir/a");
    session.wait_for("shows two");
    outside.write("2/a", "six");
    session.wait_for("shows six");
    // Directories below are watched where they really are.
    outside.write("deep/er/b", "two");
    session.wait_for("modified deep/er/b");
    assert_eq!(session.seen("without an event"), 0, "{}", session.output());
}
