//! Roots that vanish, come back, and become something else.

use std::fs;
use std::os::unix::fs::symlink;

use super::support::{Watched, write};

/// A root with two files, and the place that it is in.
fn watched_root() -> (tempfile::TempDir, Watched) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    write(&root.join("a"), "1");
    write(&root.join("deep/c"), "1");
    let tree = Watched::at(&root, false);
    (place, tree)
}

#[test]
fn a_vanished_root_is_trouble_not_deletion() {
    let (place, mut tree) = watched_root();
    fs::rename(place.path().join("root"), place.path().join("away")).unwrap();
    for _ in 0..2 {
        let look = tree.scanner.look();
        assert_eq!(tree.shown_by(&look), [""; 0]);
        assert_eq!(look.troubles.len(), 1);
        assert_eq!(look.troubles[0].reason(), "No such file or directory");
    }
    tree.write("b", "2");
    assert_eq!(tree.changes(), ["removed a", "created b", "removed deep/c"]);
}

#[test]
fn a_root_that_is_removed_and_made_again_between_looks_is_judged_by_its_content() {
    let (_place, mut tree) = watched_root();
    for text in ["2", "3"] {
        fs::remove_dir_all(tree.path("")).unwrap();
        tree.write("a", "1");
        tree.write("deep/c", text);
        assert_eq!(tree.changes(), ["modified deep/c"]);
    }
    // It is the new one that is watched.
    tree.write("deep/new", "1");
    assert_eq!(tree.changes(), ["created deep/new"]);
}

#[test]
fn a_root_may_become_a_file_and_a_link_and_a_directory_again() {
    let (place, mut tree) = watched_root();
    let root = place.path().join("root");
    fs::rename(&root, place.path().join("away")).unwrap();
    fs::write(&root, "file").unwrap();
    assert_eq!(tree.changes(), ["created ", "removed a", "removed deep/c"]);
    fs::write(&root, "edit").unwrap();
    assert_eq!(tree.changes(), ["modified "]);
    // A root may be a link, as it is the user who names it.
    fs::remove_file(&root).unwrap();
    symlink("away", &root).unwrap();
    assert_eq!(tree.changes(), ["removed ", "created a", "created deep/c"]);
    write(&place.path().join("away/a"), "2");
    assert_eq!(tree.changes(), ["modified a"]);
    fs::remove_file(&root).unwrap();
    write(&root.join("a"), "2");
    assert_eq!(tree.changes(), ["removed deep/c"]);
    write(&root.join("deep/d"), "1");
    assert_eq!(tree.changes(), ["created deep/d"]);
}
