//! What cannot be read is neither gone nor changed: the last known state stands, the trouble is
//! named, and once it ends what was done meanwhile is found, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread;

use super::share::{Faults, Op, Share};
use super::support::Watched;
use super::witness::Witness;

const ERRNOS: [i32; 4] = [libc::EIO, libc::ESTALE, libc::ENOTCONN, libc::EACCES];

/// Has the next look list and read all, though nothing changes.
fn disturb(share: &Share, round: usize) {
    share.write("a", "one");
    share.write("src/b", "two");
    symlink("a", share.behind("scratch")).unwrap();
    fs::rename(share.behind("scratch"), share.behind("link")).unwrap();
    // A directory in which is nothing is no entry, but it is a name.
    let empty = share.behind(&format!("empty{}", round % 2));
    fs::create_dir(&empty).or_else(|_| fs::remove_dir(&empty)).unwrap();
}

#[test]
fn no_error_of_any_call_is_a_deletion_or_a_change() {
    let Some(share) = Share::mount() else { return };
    disturb(&share, 0);
    let mut tree = Watched::at(share.path(), false);
    let mut witness = Witness::new(&share);
    for op in Op::ALL {
        for errno in ERRNOS {
            share.set(Faults { errors: Some((vec![op], errno)), ..Faults::default() });
            for round in 0..3 {
                let failed = share.failed();
                disturb(&share, round);
                let look = tree.scanner.look();
                assert!(share.failed() > failed, "{op:?} was not asked");
                let told: Vec<i32> = look.troubles.iter().map(|trouble| trouble.errno).collect();
                assert!(told.contains(&errno), "{op:?} fails with {errno}: {:?}", look.troubles);
                witness.judge(&look);
            }
            share.set(Faults::default());
        }
    }
    assert_eq!(tree.changes(), [""; 0]);
}

#[test]
fn what_is_done_during_trouble_is_found_after_it() {
    // At the same time, since each waits for stamps to be proven.
    thread::scope(|scope| {
        for errno in [libc::EIO, libc::ESTALE, libc::ENOTCONN] {
            let Some(share) = Share::mount() else { return };
            scope.spawn(move || edit_during_trouble(&share, errno));
        }
    });
}

fn edit_during_trouble(share: &Share, errno: i32) {
    disturb(share, 0);
    let mut tree = Watched::at(share.path(), false);
    for (round, op) in Op::ALL.into_iter().enumerate() {
        let mut witness = Witness::new(share);
        share.set(Faults { errors: Some((vec![op], errno)), ..Faults::default() });
        witness.judge(&tree.scanner.look());
        share.write("a", &format!("edit {round}"));
        fs::rename(share.behind("src"), share.behind("lib")).unwrap();
        fs::remove_file(share.behind("link")).unwrap();
        symlink(format!("edit {round}"), share.behind("link")).unwrap();
        witness.take_note();
        for _ in 0..2 {
            let look = tree.scanner.look();
            assert!(look.troubles.iter().any(|trouble| trouble.errno == errno), "{op:?}, {errno}");
            witness.judge(&look);
        }
        assert!(share.failed() > 0, "{op:?} was not asked");
        share.set(Faults::default());
        let changes = tree.changes();
        let wanted = ["modified a", "modified link", "renamed src/b -> lib/b"];
        assert_eq!(changes, wanted, "{op:?}, {errno}");
        fs::rename(share.behind("lib"), share.behind("src")).unwrap();
        assert_eq!(tree.scanner.look().troubles, []);
        tree.forget_changes();
    }
}

#[test]
fn the_trouble_is_named_and_the_rest_is_seen() {
    let Some(share) = Share::mount() else { return };
    share.write("bad/a", "one");
    share.write("good/b", "two");
    let mut tree = Watched::at(share.path(), false);
    share.set(Faults {
        errors: Some((vec![Op::Opendir], libc::EIO)),
        only: Some(PathBuf::from("bad")),
        ..Faults::default()
    });
    share.write("good/c", "new");
    let look = tree.scanner.look();
    let troubles: Vec<_> = look.troubles.iter().map(|t| (t.path.clone(), t.errno)).collect();
    assert_eq!(troubles, [(share.path().join("bad"), libc::EIO)]);
    assert_eq!(look.snapshot.len(), 3);
}

#[test]
fn a_listing_that_fails_half_way_deletes_nothing() {
    let Some(share) = Share::mount() else { return };
    (0..5).for_each(|n| share.write(&format!("src/{n}"), "x"));
    let mut tree = Watched::at(share.path(), false);
    share.set(Faults { half_listings: true, ..Faults::default() });
    share.write("src/new", "x");
    for _ in 0..3 {
        let look = tree.scanner.look();
        assert!(look.snapshot.len() >= 5);
        assert!(!look.troubles.is_empty());
    }
    share.set(Faults::default());
    assert_eq!(tree.changes(), ["created src/new"]);
}

#[test]
fn a_stale_listing_is_made_up_for() {
    let Some(share) = Share::mount() else { return };
    share.write("src/a", "one");
    share.set(Faults { stale_listings: true, ..Faults::default() });
    let mut tree = Watched::at(share.path(), false);
    share.write("src/b", "two");
    share.write("src/a", "six");
    fs::remove_file(share.behind("src/a")).unwrap();
    tree.scanner.look();
    share.set(Faults::default());
    assert_eq!(tree.changes(), ["removed src/a", "created src/b"]);
}

#[test]
fn a_share_that_is_unmounted_and_comes_back_lost_nothing() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    let mut tree = Watched::at(share.path(), false);
    let all = Op::ALL.to_vec();
    share.set(Faults { errors: Some((all, libc::ENOTCONN)), ..Faults::default() });
    let look = tree.scanner.look();
    assert_eq!((look.snapshot.len(), look.troubles.len()), (1, 1));
    share.set(Faults::default());
    assert_eq!(tree.changes(), [""; 0]);
}
