//! What single kinds of edits look like, and what is no change at all.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use super::support::{Watched, write};

#[test]
fn nothing_done_is_nothing_changed_and_nothing_read() {
    let mut tree = Watched::new(&[("a.rs", "1"), ("src/b.rs", "2")]);
    let look = tree.scanner.look();
    assert_eq!(look.read, 0);
    assert_eq!(tree.changes(), [""; 0]);
}

#[test]
fn a_same_size_edit_with_its_mtime_restored_is_a_change() {
    let mut tree = Watched::new(&[("a", "one")]);
    let mtime = fs::metadata(tree.path("a")).unwrap().modified().unwrap();
    tree.write("a", "two");
    fs::File::options().write(true).open(tree.path("a")).unwrap().set_modified(mtime).unwrap();
    assert_eq!(tree.changes(), ["modified a"]);
}

#[test]
fn touch_chmod_and_rewriting_the_same_bytes_are_no_change() {
    let mut tree = Watched::new(&[("a", "one"), ("b", "two"), ("c", "three")]);
    let later = SystemTime::now() + Duration::from_secs(3600);
    fs::File::options().write(true).open(tree.path("a")).unwrap().set_modified(later).unwrap();
    fs::set_permissions(tree.path("b"), PermissionsExt::from_mode(0o600)).unwrap();
    tree.write("c", "three");
    assert_eq!(tree.changes(), [""; 0]);
}

#[test]
fn a_save_by_rename_is_one_modification() {
    let mut tree = Watched::new(&[("a.py", "one")]);
    tree.write("a.py.new", "two");
    tree.rename("a.py.new", "a.py");
    assert_eq!(tree.changes(), ["modified a.py"]);
}

#[test]
fn the_executable_bit_is_a_change() {
    let mut tree = Watched::new(&[("run.sh", "#!/bin/sh")]);
    fs::set_permissions(tree.path("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(tree.changes(), ["modified run.sh"]);
}

#[test]
fn a_renamed_directory_is_renames_of_what_is_in_it() {
    let mut tree = Watched::new(&[("old/a", "1"), ("old/deep/b", "2")]);
    tree.rename("old", "new");
    assert_eq!(tree.changes(), ["renamed old/a -> new/a", "renamed old/deep/b -> new/deep/b"]);
}

#[test]
fn a_file_may_become_a_directory_and_a_link_and_a_file_again() {
    let mut tree = Watched::new(&[("x", "file")]);
    tree.remove("x");
    tree.write("x/y", "below");
    assert_eq!(tree.changes(), ["removed x", "created x/y"]);
    fs::remove_dir_all(tree.path("x")).unwrap();
    symlink("elsewhere", tree.path("x")).unwrap();
    assert_eq!(tree.changes(), ["created x", "removed x/y"]);
    tree.remove("x");
    tree.write("x", "file");
    assert_eq!(tree.changes(), ["modified x"]);
}

#[test]
fn empty_directories_are_no_content() {
    let mut tree = Watched::new(&[("a", "1")]);
    fs::create_dir_all(tree.path("empty/deep")).unwrap();
    assert_eq!(tree.changes(), [""; 0]);
    tree.write("empty/deep/b", "2");
    assert_eq!(tree.changes(), ["created empty/deep/b"]);
}

#[test]
fn links_are_followed_neither_out_of_the_root_nor_round_in_loops() {
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("secret"), "1");
    let mut tree = Watched::new(&[("a/b", "1")]);
    symlink(outside.path(), tree.path("out")).unwrap();
    symlink("..", tree.path("a/loop")).unwrap();
    assert_eq!(tree.changes(), ["created out", "created a/loop"]);
    write(&outside.path().join("secret"), "2");
    assert_eq!(tree.changes(), [""; 0]);
}

#[test]
fn a_directory_swapped_for_a_link_to_another_is_not_entered() {
    let mut tree = Watched::new(&[("a/x", "1"), ("b/x", "1")]);
    fs::remove_dir_all(tree.path("a")).unwrap();
    symlink("b", tree.path("a")).unwrap();
    assert_eq!(tree.changes(), ["created a", "removed a/x"]);
}

#[test]
fn what_is_deleted_and_made_again_between_looks_is_judged_by_its_content() {
    let mut tree = Watched::new(&[("a", "1"), ("b", "1"), ("dir/c", "1"), ("dir/d", "1")]);
    for path in ["a", "b"] {
        fs::remove_file(tree.path(path)).unwrap();
    }
    fs::remove_dir_all(tree.path("dir")).unwrap();
    tree.write("a", "1");
    tree.write("b", "2");
    tree.write("dir/c", "1");
    tree.write("dir/d", "2");
    assert_eq!(tree.changes(), ["modified b", "modified dir/d"]);
    tree.write("dir/c", "3");
    assert_eq!(tree.changes(), ["modified dir/c"], "the new directory is watched");
}

#[test]
fn a_hole_in_a_sparse_file_is_content() {
    use std::os::unix::fs::FileExt;
    let mut tree = Watched::new(&[("disk", "")]);
    let disk = fs::File::options().write(true).open(tree.path("disk")).unwrap();
    disk.set_len(20 << 20).unwrap();
    assert_eq!(tree.changes(), ["modified disk"]);
    disk.write_all_at(b"x", 10 << 20).unwrap();
    assert_eq!(tree.changes(), ["modified disk"]);
    disk.write_all_at(b"\0", 10 << 20).unwrap();
    disk.write_all_at(b"\0", 15 << 20).unwrap();
    assert_eq!(tree.changes(), ["modified disk"]);
}

#[test]
fn hard_links_are_files_of_their_own() {
    let mut tree = Watched::new(&[("a", "1")]);
    fs::hard_link(tree.path("a"), tree.path("b")).unwrap();
    assert_eq!(tree.changes(), ["created b"]);
    tree.write("a", "2");
    assert_eq!(tree.changes(), ["modified a", "modified b"]);
}

#[test]
fn directories_that_take_each_others_place_are_told_apart() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let mut tree = Watched::new(&[("in/one/deep/x", "1"), ("in/two/deep/x", "2")]);
    let (one, two) = (tree.path("in/one"), tree.path("in/two"));
    renameat_with(CWD, one, CWD, two, RenameFlags::EXCHANGE).unwrap();
    assert_eq!(tree.changes().len(), 2);
    tree.write("in/one/deep/x", "3");
    assert_eq!(tree.changes(), ["modified in/one/deep/x"]);
}

#[test]
fn a_file_system_made_up_by_the_kernel_is_not_entered() {
    use stakeout::scan::{Plan, Root, Scanner, Selection};
    let everything = Selection::new(&[], &[]).unwrap();
    let root = Root::new(std::path::Path::new("/proc"));
    let mut scanner = Scanner::new(Plan::new(vec![root], everything, &[], false).unwrap()).unwrap();
    for _ in 0..2 {
        let look = scanner.look();
        assert_eq!((look.snapshot.len(), look.troubles.len()), (0, 0));
    }
}

#[test]
fn an_edited_ignore_file_hides_without_deleting() {
    let mut tree = Watched::with_rules(&[(".gitignore", ""), ("out/log", "1"), ("a", "1")], true);
    tree.write(".gitignore", "out/\n");
    let look = tree.settle();
    let paths: Vec<_> = look.snapshot.entries().map(|(path, _)| path).collect();
    assert_eq!(paths, [tree.path(".gitignore"), tree.path("a")]);
}

#[test]
fn what_an_ignore_file_hides_is_named_once() {
    let mut tree = Watched::with_rules(&[("sub/.gitignore", ""), ("sub/deep/log", "1")], true);
    tree.write("sub/.gitignore", "log\n");
    let look = tree.scanner.look();
    let hidden: Vec<_> = look.hidden.iter().map(|place| place.path()).collect();
    assert_eq!(hidden, [tree.path("sub/deep/log")]);
    assert!(tree.scanner.look().hidden.is_empty());
}
