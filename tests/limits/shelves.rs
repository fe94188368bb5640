//! Directories that are held in other descriptor tables than the process's own.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use stakeout::scan::Scope;

use super::edit::any_edit;
use super::skip::skip;
use super::support::{Watched, write};
use super::{LIMIT, limited, limited_to, set};

/// Where the directories lie that are found last, for which the process's own table has no room.
const DEEP: &str = "d/e/e/p";

/// A tree of more than one thread looks at alone, and with more directories than may be open.
fn tree() -> Watched {
    tree_of(240)
}

/// The same with so many directories, and some more.
fn tree_of(directories: usize) -> Watched {
    let names = (0..2400).map(|n| format!("{}/{}/{n}", n % 20, n % directories));
    let names: Vec<String> = names.chain((0..100).map(|n| format!("{DEEP}/{n}/a"))).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "one")).collect();
    let mut tree = Watched::new(&files);
    tree.settle();
    // What was proven only now is held from this one on.
    tree.settle();
    tree
}

/// What is open in the table of a thread.
fn open_in(thread: &Path) -> Vec<PathBuf> {
    let descriptors = fs::read_dir(thread.join("fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok()).collect()
}

/// What is open on all shelves, but for the standard streams of each.
fn on_shelves() -> Vec<PathBuf> {
    let threads = fs::read_dir("/proc/self/task").expect("/proc").flatten();
    // Each shelf has one that is called so, with its own number in the midst.
    let is_first = |thread: &PathBuf| {
        fs::read_to_string(thread.join("comm"))
            .is_ok_and(|name| name.starts_with("shelf-") && name.ends_with("-0\n"))
    };
    let first = threads.map(|thread| thread.path()).filter(is_first);
    first.flat_map(|thread| open_in(&thread).into_iter().skip(3)).collect()
}

pub fn shelved() -> usize {
    on_shelves().len()
}

fn is_deleted(path: &Path) -> bool {
    path.to_string_lossy().ends_with(" (deleted)")
}

fn own() -> usize {
    open_in(Path::new("/proc/self")).len()
}

#[test]
fn more_directories_are_held_than_files_may_be_open() {
    let _alone = limited();
    let mut tree = tree_of(800);
    let directories = tree.scanner.directories().count();
    assert!(directories > 2 * LIMIT as usize);
    assert!((200..300).contains(&own()), "{} in the process's own table", own());
    // All but the root, which is opened anew for each look.
    assert_eq!(shelved(), directories - 1 - 200);

    // What is not there any more is let go of, and what is new is held.
    fs::remove_dir_all(tree.path(DEEP)).unwrap();
    assert_eq!(tree.changes().len(), 100);
    tree.scanner.look();
    let left = on_shelves();
    assert!(!left.iter().any(|path| is_deleted(path)), "{left:?}");
    (0..50).for_each(|n| tree.write(&format!("new/new/new/{n}/a"), "new"));
    assert_eq!(tree.changes().len(), 50);
    tree.settle();
    tree.settle();
    let now = tree.scanner.directories().count();
    assert_eq!(now, directories - 101 + 53);
    assert_eq!(shelved(), now - 1 - 200);
}

#[test]
fn what_takes_the_place_of_a_held_directory_is_seen() {
    let _alone = limited();
    let mut tree = tree();
    assert!(shelved() > 100);
    let at = |name: &str| format!("{DEEP}/{name}");
    tree.write(&at("1/a"), "two");
    tree.write(&at("2/b"), "new");
    tree.remove(&at("3/a"));
    assert_eq!(
        tree.changes(),
        [
            format!("modified {DEEP}/1/a"),
            format!("created {DEEP}/2/b"),
            format!("removed {DEEP}/3/a")
        ]
    );
    // Another directory with other content, under the same name.
    fs::remove_dir_all(tree.path(&at("6"))).unwrap();
    tree.write(&at("other/a"), "two");
    tree.rename(&at("other"), &at("6"));
    tree.rename(&at("4"), "gone");
    tree.write(&at("4/a"), "two");
    fs::remove_dir_all(tree.path(&at("5"))).unwrap();
    symlink("6", tree.path(&at("5"))).unwrap();
    fs::remove_dir_all(tree.path(&at("7"))).unwrap();
    tree.write(&at("7"), "a file");
    tree.assert_equals_reference();
    tree.forget_changes();
    // What is not there any more is held no longer, as soon as what is there instead is.
    tree.settle();
    assert!(!on_shelves().iter().any(|path| is_deleted(path)), "{:?}", on_shelves());
    // The whole of it moves; what is under the old name is not what is held.
    tree.rename(DEEP, "d/e/e/q");
    tree.write(&at("8/a"), "two");
    tree.assert_equals_reference();
    tree.write("d/e/e/q/9/a", "two");
    tree.assert_equals_reference();
}

#[test]
fn what_no_shelf_has_room_for_is_seen_as_well() {
    let _alone = limited_to(140);
    let mut tree = tree_of(2000);
    assert_eq!(shelved(), 16 * (140 - 64), "as many shelves as there may be");
    for n in [0, 50, 99] {
        tree.write(&format!("{DEEP}/{n}/b/b"), "new");
        assert_eq!(tree.changes(), [format!("created {DEEP}/{n}/b/b")]);
        tree.write(&format!("{DEEP}/{n}/b/b"), "two");
        assert_eq!(tree.changes(), [format!("modified {DEEP}/{n}/b/b")]);
    }
    fs::remove_dir_all(tree.path("3")).unwrap();
    tree.assert_equals_reference();
    tree.settle();
    assert_eq!(shelved(), 16 * (140 - 64), "others took their places");
}

#[test]
fn a_limit_that_is_lowered_hides_nothing() {
    let _alone = limited();
    let mut tree = tree_of(800);
    assert!(shelved() > 600);
    set(300);
    tree.write(&format!("{DEEP}/1/b"), "new");
    assert_eq!(tree.changes(), [format!("created {DEEP}/1/b")]);
    tree.settle();
    tree.settle();
    assert_eq!(shelved(), tree.scanner.directories().count() - 1 - 200, "on more of them");
}

#[test]
fn a_mount_over_a_held_directory_that_does_not_answer_is_told_of_for_as_long_as_it_is_there() {
    let _alone = limited();
    if !rustix::process::geteuid().is_root() {
        return skip("needs root");
    }
    let Ok(server) = fs::File::options().read(true).write(true).open("/dev/fuse") else {
        return skip("needs /dev/fuse");
    };
    let mut tree = tree();
    assert!(shelved() > 100);
    let place = tree.path(&format!("{DEEP}/1"));
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
    let options = CString::new(options).unwrap();
    mount("dead", &place, "fuse", MountFlags::empty(), options.as_c_str()).unwrap();
    drop(server);
    let errnos: Vec<i32> = (0..3)
        .flat_map(|_| tree.scanner.look().troubles.into_iter().map(|trouble| trouble.errno))
        .collect();
    unmount(&place, UnmountFlags::DETACH).unwrap();
    assert_eq!(errnos, [libc::ENOTCONN; 3]);
    assert_eq!(tree.changes(), [""; 0]);
}

#[test]
fn what_is_mounted_over_a_held_directory_is_seen() {
    let _alone = limited();
    if !rustix::process::geteuid().is_root() {
        return skip("needs root");
    }
    let mut tree = tree();
    assert!(shelved() > 100);
    let other = tempfile::tempdir().unwrap();
    write(&other.path().join("a"), "two");
    let place = tree.path(&format!("{DEEP}/1"));
    mount_bind(other.path(), &place).unwrap();
    let over = tree.changes();
    write(&other.path().join("a"), "three");
    let edited = tree.changes();
    unmount(&place, UnmountFlags::DETACH).unwrap();
    assert_eq!(over, [format!("modified {DEEP}/1/a")]);
    assert_eq!(edited, [format!("modified {DEEP}/1/a")]);
    assert_eq!(tree.changes(), [format!("modified {DEEP}/1/a")]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 16, ..Default::default() })]

    #[test]
    fn after_any_edits_the_rescan_equals_a_plain_walk(
        batches in proptest::collection::vec(proptest::collection::vec(any_edit(), 1..10), 2..6),
    ) {
        let _alone = limited();
        let mut tree = tree();
        prop_assert!(shelved() > 100);
        let place = tree.path(DEEP);
        let dirs = [place.clone(), place.join("a"), place.join("b")].map(Arc::from);
        let part = Scope::Part { mounts: BTreeSet::new(), dirs: BTreeSet::from(dirs) };
        for batch in batches {
            for (edit, scope) in batch.iter().zip([&Scope::Everything, &part].into_iter().cycle()) {
                edit.apply(&place);
                tree.scanner.look_at(scope);
            }
            tree.assert_equals_reference();
        }
    }
}
