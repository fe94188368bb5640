//! What cannot be read stays what it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::support::Watched;

#[test]
fn what_cannot_be_read_is_told_of_at_each_look_until_it_can() {
    let mut tree = Watched::new(&[("a", "1")]);
    as_another_user(&mut tree, false, unreadable);
}

/// Watches as a user who may not read everything.
fn as_another_user(tree: &mut Watched, ignore_files: bool, test: impl Fn(&mut Watched) + Sync) {
    if !rustix::process::geteuid().is_root() {
        tree.renew(ignore_files);
        return test(tree);
    }
    // Only the new thread becomes another user, and the scanner's, which it starts.
    let nobody = rustix::process::Uid::from_raw(65534);
    fs::set_permissions(tree.path(""), PermissionsExt::from_mode(0o777)).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            tree.renew(ignore_files);
            test(tree);
        });
        thread.join().unwrap();
    });
}

fn unreadable(tree: &mut Watched) {
    let allow = |tree: &Watched, mode| {
        fs::set_permissions(tree.path("secret"), PermissionsExt::from_mode(mode)).unwrap();
    };
    tree.write("secret", "1");
    allow(tree, 0o000);
    for _ in 0..3 {
        let look = tree.scanner.look();
        assert_eq!(tree.shown_by(&look), ["created secret"], "that it is there is known");
        let reasons: Vec<_> = look.troubles.iter().map(|trouble| trouble.reason()).collect();
        assert_eq!(reasons, ["Permission denied"]);
        assert_eq!(look.troubles[0].path, tree.path("secret"));
    }
    allow(tree, 0o600);
    assert_eq!(tree.changes(), ["created secret"]);
    allow(tree, 0o000);
    for _ in 0..3 {
        let look = tree.scanner.look();
        assert_eq!(look.troubles.len(), 1);
        assert_eq!(tree.shown_by(&look), [""; 0], "unreadable is neither removed nor changed");
        assert_eq!(look.snapshot.len(), 2);
    }
    allow(tree, 0o600);
    assert_eq!(tree.changes(), [""; 0]);
    // What is written in the meantime is found when it can be read.
    tree.write("secret", "2");
    allow(tree, 0o000);
    let look = tree.scanner.look();
    assert_eq!(tree.shown_by(&look), [""; 0]);
    allow(tree, 0o600);
    assert_eq!(tree.changes(), ["modified secret"]);
}

#[test]
fn an_unreadable_directory_is_neither_removed_nor_changed() {
    let mut tree = Watched::new(&[]);
    as_another_user(&mut tree, false, |tree| {
        tree.write("closed/a", "1");
        tree.write("closed/deep/b", "2");
        assert_eq!(tree.changes(), ["created closed/a", "created closed/deep/b"]);
        fs::set_permissions(tree.path("closed"), PermissionsExt::from_mode(0o000)).unwrap();
        for _ in 0..3 {
            let look = tree.scanner.look();
            assert_eq!(tree.shown_by(&look), [""; 0]);
            assert!(!look.troubles.is_empty());
        }
        fs::set_permissions(tree.path("closed"), PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(tree.changes(), [""; 0]);
    });
}

#[test]
fn an_ignore_file_that_cannot_be_read_hides_nothing_else() {
    let mut tree = Watched::new(&[]);
    as_another_user(&mut tree, true, |tree| {
        tree.write("a", "1");
        tree.write(".gitignore", "b");
        fs::set_permissions(tree.path(".gitignore"), PermissionsExt::from_mode(0o000)).unwrap();
        for _ in 0..2 {
            let look = tree.scanner.look();
            assert!(look.troubles.iter().all(|t| t.path == tree.path(".gitignore")));
            assert!(!look.troubles.is_empty());
            assert!(look.snapshot.entries().any(|(path, _)| path == tree.path("a")));
        }
        fs::set_permissions(tree.path(".gitignore"), PermissionsExt::from_mode(0o600)).unwrap();
        tree.write("b", "1");
        assert_eq!(tree.changes(), ["created .gitignore", "created a"]);
    });
}
