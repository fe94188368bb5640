//! Edits from behind, of which the kernel tells nobody, on a share that is otherwise well or whose
//! clock and inode numbers cannot be trusted.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::share::{Faults, Share};
use super::support::{Watched, plan};
use stakeout::scan::Scanner;
use stakeout::tree::Place;

#[test]
fn edits_from_behind_are_found() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    share.write("src/b", "two");
    let mut tree = Watched::at(share.path(), false);
    share.write("a", "six");
    share.write("src/new/c", "new");
    fs::rename(share.behind("src/b"), share.behind("src/d")).unwrap();
    assert_eq!(tree.changes(), ["modified a", "renamed src/b -> src/d", "created src/new/c"]);
    fs::remove_dir_all(share.behind("src")).unwrap();
    assert_eq!(tree.changes(), ["removed src/d", "removed src/new/c"]);
}

#[test]
fn files_directories_and_links_take_each_others_place() {
    let Some(share) = Share::mount() else { return };
    share.write("x", "file");
    share.write("y/in", "directory");
    let mut tree = Watched::at(share.path(), false);
    fs::remove_file(share.behind("x")).unwrap();
    fs::rename(share.behind("y"), share.behind("x")).unwrap();
    symlink("x", share.behind("y")).unwrap();
    assert_eq!(tree.changes(), ["removed x", "created y", "renamed y/in -> x/in"]);
    fs::remove_file(share.behind("y")).unwrap();
    share.write("y", "file");
    fs::write(share.behind("new"), "in").unwrap();
    fs::rename(share.behind("new"), share.behind("x/in")).unwrap();
    assert_eq!(tree.changes(), ["modified y", "modified x/in"]);
}

#[test]
fn five_thousand_files_at_once() {
    let Some(share) = Share::mount() else { return };
    let paths: Vec<String> = (0..5_000).map(|n| format!("{}/{}/{n}", n % 7, n % 60)).collect();
    paths.iter().for_each(|path| share.write(path, "main"));
    let mut tree = Watched::at(share.path(), false);
    paths.iter().for_each(|path| share.write(path, "next"));
    assert_eq!(tree.changes().len(), 5_000);
}

/// Tries until it is done in time, however busy the machine is: other tests end at some time.
fn insist(mut is_done_in_time: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(600);
    while !is_done_in_time() {
        assert!(Instant::now() < until, "this machine is too busy");
    }
}

#[test]
fn an_edit_that_leaves_the_stamp_the_same_is_found_once_the_granule_has_passed() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    share.set(Faults { stopped_clock: true, ..Faults::default() });
    let mut tree = Watched::at(share.path(), false);
    insist(|| {
        share.write("a", "a");
        tree.scanner.look();
        share.write("a", "longer");
        let began = Instant::now();
        tree.scanner.look();
        tree.forget_changes();
        // A share may keep its times as FAT does, in units of two seconds.
        thread::sleep(Duration::from_millis(1200));
        tree.scanner.look();
        // Of the same size, at the same time, in the same file: nothing tells it but the content.
        share.write("a", "taller");
        began.elapsed() < Duration::from_secs(2)
    });
    assert_eq!(tree.changes(), ["modified a"]);
}

#[test]
fn coarse_and_skewed_clocks_change_nothing() {
    // At the same time, since each waits for its clock.
    thread::scope(|scope| {
        for (granule, skew) in [(1, 1), (1, -1), (2, 1), (2, -1)] {
            let Some(share) = Share::mount() else { return };
            let (granule, skew) = (Duration::from_secs(granule), skew * 3600);
            share.write("a", "one");
            share.set(Faults { granule, skew, ..Faults::default() });
            scope.spawn(move || edit_within_a_tick(&share, granule));
        }
    });
}

/// Edits a file twice while the clock of its share stands still, with looks in between.
fn edit_within_a_tick(share: &Share, granule: Duration) {
    let mut tree = Watched::at(share.path(), false);
    let modified = || fs::metadata(share.path().join("a")).unwrap().modified().unwrap();
    insist(|| {
        wait_for_tick(granule);
        share.write("a", "two");
        let before = modified();
        tree.scanner.look();
        tree.forget_changes();
        thread::sleep(granule * 11 / 20);
        tree.scanner.look();
        share.write("a", "six");
        before == modified()
    });
    share.write("b", "new");
    assert_eq!(tree.changes(), ["modified a", "created b"], "{granule:?}");
}

/// Waits until the share's clock has just ticked. Files get their times from a clock of the kernel
/// that is up to a timer's tick behind, 10 ms at HZ=100.
fn wait_for_tick(granule: Duration) {
    const BEHIND: Duration = Duration::from_millis(20);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let past = now.checked_rem(granule.as_nanos()).unwrap_or_default();
    thread::sleep(granule - Duration::from_nanos(past.try_into().unwrap()) + BEHIND);
}

#[test]
fn a_clock_that_jumps_is_no_edit() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    share.write("b/c", "one");
    let mut tree = Watched::at(share.path(), false);
    for skew in [3600, -3600, 0] {
        share.set(Faults { skew, ..Faults::default() });
        assert_eq!(tree.changes(), [""; 0]);
    }
}

#[test]
fn inode_numbers_that_do_not_last_are_no_edits_and_soon_cost_nothing() {
    let Some(share) = Share::mount() else { return };
    share.set(Faults { unstable_inodes: true, ..Faults::default() });
    share.write("a", "one");
    share.write("src/b", "two");
    let mut tree = Watched::at(share.path(), false);
    assert_eq!(tree.changes(), [""; 0]);
    assert_eq!(tree.scanner.look().read, 0);
    share.write("src/b", "six");
    fs::rename(share.behind("a"), share.behind("c")).unwrap();
    assert_eq!(tree.changes(), ["renamed a -> c", "modified src/b"]);
}

#[test]
fn directories_whose_times_stand_still_are_listed_all_the_same() {
    let Some(share) = Share::mount() else { return };
    share.set(Faults { frozen_directories: true, ..Faults::default() });
    share.write("src/a", "one");
    let mut tree = Watched::at(share.path(), false);
    share.write("src/b", "two");
    fs::remove_file(share.behind("src/a")).unwrap();
    assert_eq!(tree.changes(), ["removed src/a", "created src/b"]);
}

#[test]
fn a_file_that_grows_whenever_it_is_looked_at_holds_nothing_up() {
    let Some(share) = Share::mount() else { return };
    share.write("log", "line\n");
    let mut tree = Watched::at(share.path(), false);
    for lines in 2..8 {
        share.write("log", &"line\n".repeat(lines));
        tree.scanner.look();
    }
    assert_eq!(tree.changes(), ["modified log"]);
}

#[test]
fn a_slow_share_is_asked_by_many_at_once() {
    let Some(share) = Share::mount() else { return };
    (0..400).for_each(|n| share.write(&format!("{}/{n}", n % 3), "x"));
    let mut tree = Watched::at(share.path(), false);
    share.set(Faults { latency: Duration::from_millis(2), ..Faults::default() });
    assert_eq!(tree.scanner.look().snapshot.len(), 400);
    assert!(share.most_at_once() >= 8, "only {} at once", share.most_at_once());
}

#[test]
fn what_the_kernel_remembers_of_a_share_is_doubted_after_a_while() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    share.write("src/b", "one");
    share.set(Faults { remembered: Duration::from_secs(3600), ..Faults::default() });
    let mut plan = plan(share.path(), false);
    plan.believe = Duration::MAX / 200;
    let mut believing = Scanner::new(plan.clone()).unwrap();
    plan.believe = Duration::ZERO;
    let mut doubting = Scanner::new(plan).unwrap();
    let place = Place { dir: share.path().join("src").into(), name: "b".into() };
    let size = |scanner: &mut Scanner| {
        let snapshot = scanner.look().snapshot;
        snapshot.get(&place).expect("it is there").stamp().size
    };
    assert_eq!([&mut believing, &mut doubting].map(size), [3, 3]);
    share.write("src/b", "longer");
    assert_eq!(size(&mut believing), 3, "or the kernel remembers nothing");
    // It takes no more than a part of the time for that.
    let until = Instant::now() + Duration::from_secs(60);
    while size(&mut doubting) != 6 {
        assert!(Instant::now() < until, "it never asks");
    }
}

#[test]
fn the_files_of_one_directory_of_a_share_are_asked_for_at_once() {
    let Some(share) = Share::mount() else { return };
    (0..64).for_each(|name| share.write(&format!("{name}"), "one"));
    share.set(Faults { latency: Duration::from_millis(20), ..Faults::default() });
    let mut scanner = Scanner::new(plan(share.path(), false)).unwrap();
    assert_eq!(scanner.look().snapshot.len(), 64);
    assert!(share.most_at_once() >= 8, "{} at once", share.most_at_once());
}
