//! Each edit from behind is noticed, and once, whatever the share remembers, how slow it is and what
//! its clock and its inode numbers are.

use std::fs;
use std::thread;

use super::share::{Share, WHY};

/// What shares are like, and how `fuse-share.py` makes one of them.
const SHARES: [(&str, &[&str]); 7] = [
    ("as Docker Desktop's", &["preset=docker-desktop"]),
    ("slow, and never as slow as before", &["preset=slow"]),
    ("as sshfs: whole seconds, and an inode for each path", &["preset=sshfs"]),
    ("of FAT's times", &["mtime_gran=2", "preset=docker-desktop"]),
    ("with its clock ahead", &["mtime_skew=3600"]),
    ("with its clock behind", &["mtime_skew=-3600"]),
    ("of other inodes each time", &["ino=random"]),
];

/// What is done to it, what is told of that, and what is in `a` then.
type Edit = (fn(&Share), &'static str, &'static str);

/// One after the other, each by one call and so at once or not at all.
const EDITS: [Edit; 6] = [
    (|share| share.write_over("a", "two"), "modified a", "two"),
    // It may be of the same second.
    (|share| share.write_over("a", "six"), "modified a", "six"),
    (|share| share.behind.save_by_rename("a", "ten"), "modified a", "ten"),
    (|share| rename(share, "src/b", "src/c"), "renamed src/b → src/c", "ten"),
    (|share| fs::remove_file(share.behind.path("src/c")).unwrap(), "removed src/c", "ten"),
    (|share| share.behind.save_by_rename("src/d", "new"), "created src/d", "ten"),
];

#[test]
fn each_edit_from_behind_is_noticed_once() {
    // At the same time, since all of them mostly wait.
    thread::scope(|scope| {
        for (which, settings) in SHARES {
            let files = [("a", "one"), ("src/b", "one")];
            let Some(share) = Share::up(settings, &files) else { return };
            thread::Builder::new()
                .name(which.to_owned())
                .spawn_scoped(scope, move || edit(&share))
                .unwrap();
        }
    });
}

fn edit(share: &Share) {
    let mut session = share.watched();
    for (edit, told, shown) in EDITS {
        edit(share);
        let (told, shown) = (format!("stakeout: {told} (settled in"), format!("shows {shown}"));
        // Who writes first is not settled.
        session.wait_for_all(&[&told, &shown]);
    }
    // By now what was made up would have been told of.
    assert_eq!(session.seen("settled in"), EDITS.len(), "{}", session.output());
    assert_eq!(session.seen("shows "), 1 + EDITS.len(), "{}", session.output());
    assert_eq!(session.seen(WHY), 1, "{}", session.output());
    assert_eq!(session.terminate().code(), Some(143), "{}", session.output());
}

fn rename(share: &Share, from: &str, to: &str) {
    fs::rename(share.behind.path(from), share.behind.path(to)).unwrap();
}
