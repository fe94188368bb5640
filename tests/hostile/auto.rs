//! Watching by itself, with nothing chosen: on a share, where edits make no events, and on a local
//! file system by events alone. Over thousands of random edits, each is told of sooner or later,
//! and nothing that is none.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use stakeout::scan::{Plan, Root, Scanner, Selection, reference};
use stakeout::tree::{Change, Snapshot, apply, diff};
use stakeout::watch::{Interval, Mode, Report, Timing, TrustVerdict, watch};

use super::hang::{Running, wait_until};
use super::mounts::Mounted;
use super::random::{Step, any_step, edit};
use super::share::{Faults, Share, can_mount};

const EDITS: usize = 10_000;

/// Between two looks: longer than any test, so that nothing but an event leads to one.
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn on_a_share_it_looks_again_and_again_and_says_why() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    let stakeout = Running::start(share.path(), &[]);
    let line = stakeout.wait_for("is on a share, where edits made on the other side make no event");
    assert!(line.contains("looking as often as the CPU budget allows"), "{line}");
    share.write("a", "two");
    stakeout.wait_for("modified ");
    share.write("new/b", "one");
    stakeout.wait_for("created ");
}

#[test]
fn on_bindfs_that_is_edited_from_behind_it_looks_again_and_again() {
    if !can_mount() {
        return;
    }
    let (behind, seen) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(behind.path().join("a"), "one").unwrap();
    let mounted = Mounted::by("bindfs", &[behind.path()], seen.path());
    let Some(_mounted) = mounted else { return };
    let stakeout = Running::start(seen.path(), &[]);
    stakeout.wait_for("is on a share, where edits made on the other side make no event");
    for text in ["two", "six"] {
        fs::write(behind.path().join("a"), text).unwrap();
        stakeout.wait_for("modified ");
        stakeout.wait_for("starting sleep");
    }
}

/// Where all edits pass through this kernel.
#[test]
fn on_a_disk_and_in_memory_events_are_trusted_after_a_while() {
    if !can_mount() {
        return;
    }
    let (image, place) = (tempfile::NamedTempFile::new().unwrap(), tempfile::tempdir().unwrap());
    image.as_file().set_len(16 << 20).unwrap();
    let made = Command::new("mkfs.ext4").arg("-q").arg(image.path()).status().unwrap();
    assert!(made.success(), "mkfs.ext4 from e2fsprogs: {made}");
    for kind in ["ext4", "tmpfs"] {
        let _mounted = match kind {
            "ext4" => {
                Mounted::by("mount", &["-oloop".as_ref(), image.path()], place.path()).unwrap()
            }
            kind => Mounted::new(kind, place.path()),
        };
        fs::write(place.path().join("a"), "zero").unwrap();
        let stakeout = Running::start(place.path(), &["-v"]);
        stakeout.wait_for("all files were read once");
        for text in ["one", "two", "six"] {
            // At once: what is cut off first and written then may be seen twice.
            fs::write(place.path().join("a~"), text).unwrap();
            fs::rename(place.path().join("a~"), place.path().join("a")).unwrap();
            stakeout.wait_for(if text == "six" {
                "all changes made events so far"
            } else {
                "modified"
            });
        }
    }
}

#[test]
fn while_a_look_takes_long_more_events_come_than_the_kernel_keeps_and_none_is_lost() {
    let Some(share) = Share::mount() else { return };
    share.write("z", "one");
    let place = tempfile::tempdir().unwrap();
    let path = |name| place.path().join(name);
    fs::create_dir(path("other")).unwrap();
    fs::write(path(".gitignore"), "*.log").unwrap();
    for name in ["a", "b.log", "c.log", "other/d", "other/e"] {
        fs::write(path(name), "one").unwrap();
    }
    let root = share.path().to_str().unwrap();
    let options = ["-v", "--interval", "1h", "--debounce", "100ms", "-w", root];
    let stakeout = Running::start(place.path(), &options);
    stakeout.wait_for("all files were read once");
    share.set(Faults { hangs: true, ..Faults::default() });
    // An event tells of this, and whether it has come to rest is looked for everywhere.
    fs::write(path("a"), "two").unwrap();
    wait_until("it waits for the share", || share.at_once() > 0);
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let most: usize = most.trim().parse().unwrap();
    let mut files =
        ["b.log", "c.log"].map(|name| fs::File::options().append(true).open(path(name)).unwrap());
    for round in 0..=most {
        // In turns, since the kernel takes equal events for one.
        files.iter_mut().for_each(|file| file.write_all(b"x").unwrap());
        if round % 256 == 0 {
            // Whoever reads gets around to it, even on a busy machine.
            thread::sleep(Duration::from_millis(5));
        }
    }
    for name in ["other/d", "other/e"] {
        fs::write(path(name), "two").unwrap();
    }
    share.set(Faults::default());
    // These two count as told of: by their own event, and not by one that stands for all that
    // were lost.
    stakeout.wait_for("all changes made events so far");
}

#[test]
fn on_a_share_no_edit_is_missed_and_none_made_up() {
    let Some(share) = Share::mount() else { return };
    let watched = Watching::start(share.path(), &share.behind(""), Duration::from_millis(10));
    assert_eq!(soak(watched), [TrustVerdict::Share]);
}

#[test]
fn by_events_alone_no_edit_is_missed_and_none_made_up() {
    let directory = tempfile::tempdir().unwrap();
    let watched = Watching::start(directory.path(), directory.path(), HOUR);
    assert_eq!(soak(watched), [TrustVerdict::Trusted]);
}

/// On ramfs times advance with the timer's ticks, so that an edit may leave the stamp of the one
/// before, which has just been seen. Its event comes then, and shows nothing.
#[test]
fn by_events_alone_an_edit_that_leaves_the_stamp_the_same_is_found() {
    if !can_mount() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let _mounted = Mounted::new("ramfs", directory.path());
    let mut watched = Watching::start(directory.path(), directory.path(), HOUR);
    for round in 0..30 {
        for edit in ["one", "two"] {
            fs::write(directory.path().join("a"), format!("{edit} {round:03}")).unwrap();
            // The look that the first leads to is over by then.
            thread::sleep(Duration::from_millis(2));
        }
        watched.catch_up();
        // So that the next look comes at once.
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(watched.trusts, [TrustVerdict::Trusted]);
}

/// Makes random edits in bursts of any size, and after each waits until all is told of; gives what
/// was said about native events.
fn soak(mut watched: Watching) -> Vec<TrustVerdict> {
    let mut runner = TestRunner::deterministic();
    let mut left = EDITS;
    while left > 0 {
        let burst = (1_usize..80).new_tree(&mut runner).unwrap().current().min(left);
        let mut made = 0;
        while made < burst {
            let step = any_step().new_tree(&mut runner).unwrap().current();
            let is_edit = !matches!(step, Step::Look | Step::Fault(_));
            // Many cannot be done in the tree as it is then.
            made += usize::from(is_edit && edit(&watched.behind.path, &step).is_ok());
        }
        watched.catch_up();
        left -= burst;
    }
    watched.trusts
}

/// A watcher, and the tree as it has told of it.
struct Watching {
    reports: Receiver<Report>,
    told: Snapshot,
    behind: Root,
    trusts: Vec<TrustVerdict>,
    _watching: stakeout::watch::Watching,
}

impl Watching {
    /// Watches the tree at `path`, which is edited at `behind`.
    fn start(path: &Path, behind: &Path, interval: Duration) -> Self {
        let root = |path: &Path| Root { label: PathBuf::new(), path: path.to_path_buf() };
        let behind = root(behind);
        fs::write(behind.path.join("a"), "0").unwrap();
        let (sender, reports) = channel();
        let scanner = Scanner::new(plan(root(path))).expect("threads");
        let timing = Timing {
            mode: Mode::Auto,
            interval: Interval::Fixed(interval),
            debounce: Duration::from_millis(2),
            max_wait: Duration::from_millis(500),
        };
        // An error says that the test is over.
        let send = move |report| sender.send(report).is_ok();
        let _watching = watch(scanner, timing, send).expect("threads");
        let told = reference::read(&plan(behind.clone())).expect("a readable tree");
        let mut watching = Self { reports, told, behind, trusts: Vec::new(), _watching };
        while !matches!(watching.next(), Report::Baseline { .. }) {}
        watching
    }

    fn next(&mut self) -> Report {
        let report = self.reports.recv_timeout(Duration::from_secs(60));
        let report = report.unwrap_or_else(|error| {
            let there = reference::read(&plan(self.behind.clone())).expect("a readable tree");
            panic!("{error}; never told of: {:#?}", diff(&self.told, &there))
        });
        if let Report::Trust { verdict, .. } = &report {
            self.trusts.push(*verdict);
        }
        report
    }

    /// Waits until everything is told of; nobody edits meanwhile.
    fn catch_up(&mut self) {
        let there = reference::read(&plan(self.behind.clone())).expect("a readable tree");
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let missing = diff(&self.told, &there);
            if missing.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "never told of: {missing:#?}");
            if let Report::Changed { changes, .. } = self.next() {
                changes.iter().for_each(|change| self.assert_is_one(change));
                self.told = apply(&changes, &self.told);
            }
        }
    }

    /// Asserts that this differs from what was told before.
    fn assert_is_one(&self, change: &Change) {
        let (place, told) = (change.place(), |place| self.told.get(place));
        let is_one = match change {
            Change::Created { .. } => told(place).is_none(),
            Change::Removed { .. } => told(place).is_some(),
            Change::Modified { entry, .. } => {
                told(place).is_some_and(|before| !before.same_content(entry))
            }
            Change::Renamed { from, .. } => told(from).is_some() && told(place).is_none(),
        };
        assert!(is_one, "{change:?}\nbut before: {:?}", told(place));
    }
}

fn plan(root: Root) -> Plan {
    let everything = Selection::new(&[], &[]).expect("no globs, no errors");
    Plan::new(vec![root], everything, &[], false).expect("no globs, no errors")
}
