//! A survey: looks at the tree as watching would, and measures what it lies on. Read-only, unless a
//! trial was asked for. Whatever asks a root for something says so to the scanner's pulse.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, statfs, statx};
use rustix::time::{ClockId, clock_gettime};

use super::facts::{Chosen, Facts, Looking, Mount, NameTimes, Root, RootState, Seconds, Unread};
use super::mount_table::{Mounted, mount_table};
use super::{inotify, times, trial};
use crate::scan::{self, Directory, MountId, Scanner, Scope};
use crate::tree::Stamp;
use crate::ui::text;
use crate::watch::try_events;

/// Files of a mount that are asked for one by one.
const SAMPLES: usize = 64;

/// Looks of which the median counts.
const LOOKS: usize = 5;

/// After so long, a look is not repeated any more.
const ENOUGH: Duration = Duration::from_secs(5);

/// Unreadable places that are named; there may be a million.
const NAMED: usize = 100;

/// Measures what `scanner`, which has not looked yet, would watch. `trials`: on each mount, a
/// scratch file may be written. `looked` is told how many files the first look has found.
pub fn survey(
    mut scanner: Scanner,
    chosen: Chosen,
    trials: bool,
    looked: impl FnOnce(usize),
) -> Facts {
    let roots: Vec<Root> = scanner
        .roots()
        .iter()
        .enumerate()
        .map(|(index, root)| {
            let asked = scanner.pulse().while_asking(index, || root.path.metadata());
            let state = match asked {
                Ok(metadata) if metadata.is_dir() || metadata.is_file() => RootState::Answers,
                Ok(_) => RootState::Unwatchable("it is neither a directory nor a file".into()),
                Err(error) => RootState::Unwatchable(scan::reason(&error)),
            };
            root_of(root, state)
        })
        .collect();
    let (_, first) = timed(|| _ = scanner.look());
    looked(scanner.snapshot().len());
    let until = Instant::now() + ENOUGH;
    let mut troubles = Vec::new();
    let (cpu, look) = median(until, || troubles = scanner.look().troubles);
    let troubles = troubles
        .into_iter()
        .map(|trouble| Unread { path: text::path(&trouble.path), reason: trouble.reason() });
    // Of these it is said already.
    let unreadable = troubles.filter(|unread| {
        let is_it = |root: &&Root| root.path == unread.path && root.state != RootState::Answers;
        !roots.iter().any(|root| is_it(&root))
    });
    let unreadable = unreadable.take(NAMED).collect();
    let watchable: Vec<bool> = roots.iter().map(|root| root.state == RootState::Answers).collect();
    let mounts = mounts(&mut scanner, &watchable, trials, look, until);
    Facts {
        looking: Looking { first: Seconds(first), look: Seconds(look), cpu: Seconds(cpu) },
        not_entered: scanner.made_up().map(|path| text::path(path)).collect(),
        events: inotify::events(try_events(&scanner, chosen.mode())),
        chosen,
        roots,
        mounts,
        unreadable,
    }
}

/// What is known of a root before it was asked for anything.
pub(super) fn root_of(root: &scan::Root, state: RootState) -> Root {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let too_broad = root.breadth(home).map(|breadth| breadth.warning().to_owned());
    Root { path: text::path(&root.label), state, too_broad }
}

/// A part of the tree that lies on one mount.
#[derive(Default)]
struct Part {
    directories: usize,
    files: usize,
    is_local: bool,
    /// The topmost directory: as it is shown, where it is, and under which root.
    top: Option<(PathBuf, PathBuf, usize)>,
    times: Vec<i64>,
    samples: Vec<Sample>,
}

/// A file that is asked for.
struct Sample {
    path: PathBuf,
    root: usize,
    stamp: Stamp,
}

/// Measures each mount that a part of the tree lies on; `look` is how long it takes to look at all.
fn mounts(
    scanner: &mut Scanner,
    watchable: &[bool],
    trials: bool,
    look: Duration,
    until: Instant,
) -> Vec<Mount> {
    let table = mount_table();
    let parts = parts(scanner, watchable);
    let is_only_one = parts.len() == 1;
    let mut mounts = Vec::new();
    for (id, part) in parts {
        let its = Scope::Part { mounts: [id].into(), dirs: Default::default() };
        let look = match is_only_one {
            true => look,
            false => median(until, || _ = scanner.look_at(&its)).1,
        };
        mounts.push(part.measure(scanner, table.get(&id), look, trials));
    }
    mounts.sort_by(|a, b| a.path.cmp(&b.path));
    mounts
}

/// The parts of the tree, by the mount that they lie on, but for roots that are not watchable.
fn parts(scanner: &Scanner, watchable: &[bool]) -> BTreeMap<MountId, Part> {
    let snapshot = scanner.snapshot();
    let every = (snapshot.len() / SAMPLES).max(1);
    let mut parts: BTreeMap<MountId, Part> = BTreeMap::new();
    for dir in scanner.directories() {
        let root = scanner.roots().iter().position(|root| root.path == dir.root);
        let Some(root) = root.filter(|root| watchable[*root]) else { continue };
        let part = parts.entry(dir.mount).or_default();
        part.directories += 1;
        part.is_local = dir.is_local;
        let depth = |path: &Path| path.components().count();
        if part.top.as_ref().is_none_or(|(top, ..)| depth(dir.path) < depth(top)) {
            part.top = Some((dir.path.to_path_buf(), on_disk(dir, Path::new("")), root));
        }
        for (name, entry) in snapshot.dir(dir.path).iter().flat_map(|dir| dir.iter()) {
            let stamp = *entry.stamp();
            part.times.push(stamp.ctime);
            // So that each mount has some, however few of the files are on it.
            if part.files.is_multiple_of(every) || part.files < SAMPLES / 4 {
                part.samples.push(Sample { path: on_disk(dir, name.as_ref()), root, stamp });
            }
            part.files += 1;
        }
    }
    parts
}

/// Where a name in a directory is.
fn on_disk(dir: Directory<'_>, name: &Path) -> PathBuf {
    let mut path = dir.root.to_path_buf();
    if !dir.is_single {
        path.extend(dir.below.components().chain(name.components()));
    }
    path
}

impl Part {
    fn measure(
        self,
        scanner: &Scanner,
        mounted: Option<&Mounted>,
        look: Duration,
        trials: bool,
    ) -> Mount {
        let (path, at, root) = self.top.expect("a mount is met by a directory on it");
        let statfs = scanner.pulse().while_asking(root, || statfs(&at));
        let kind = match (mounted, statfs) {
            (Some(mounted), _) => text::path(Path::new(&mounted.kind)),
            (None, Ok(statfs)) => format!("{:#x}", statfs.f_type as u32),
            (None, Err(_)) => "unknown".into(),
        };
        let mut inodes_last = true;
        let mut latencies = [Vec::new(), Vec::new()];
        let syncs = [AtFlags::empty(), AtFlags::STATX_FORCE_SYNC];
        for Sample { path, root, stamp } in &self.samples {
            for (sync, latencies) in syncs.into_iter().zip(&mut latencies) {
                let asking = || statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW | sync, WANTED);
                let (asked, took) = timed(|| scanner.pulse().while_asking(*root, asking));
                let Ok(asked) = asked else { continue };
                latencies.push(took);
                inodes_last &= asked.stx_ino == stamp.inode || !is_same(&asked, stamp);
            }
        }
        let [stat, stat_uncached] = latencies.map(middle);
        let is_directory = scanner.pulse().while_asking(root, || at.is_dir());
        let try_it = || scanner.pulse().while_asking(root, || trial::try_writing(&at));
        let tried = (trials && is_directory).then(try_it);
        Mount {
            path: text::path(&path),
            mount_point: mounted.map(|mounted| text::path(Path::new(&mounted.point))),
            kind,
            local: self.is_local,
            files: self.files,
            directories: self.directories,
            look: Seconds(look),
            stat: stat.map(Seconds),
            stat_uncached: stat_uncached.map(Seconds),
            time_steps: times::steps(self.times).map(Seconds),
            inodes_last,
            directory_times: match self.is_local {
                true => NameTimes::ReliedUpon,
                false => NameTimes::NotReliedUpon,
            },
            tried,
        }
    }
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS;

/// Whether it is as it was, but for its inode number.
fn is_same(asked: &Statx, stamp: &Stamp) -> bool {
    let time = asked.stx_ctime;
    let ctime = time.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec.into());
    asked.stx_size == stamp.size && ctime == stamp.ctime
}

/// How long something takes, with what came of it.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed())
}

/// How much CPU time and how long something takes, as medians. It is not begun again after `until`.
fn median(until: Instant, mut work: impl FnMut()) -> (Duration, Duration) {
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..LOOKS {
        if number > 0 && Instant::now() >= until {
            break;
        }
        let before = cpu_time();
        let ((), took) = timed(&mut work);
        times[0].push(cpu_time().saturating_sub(before));
        times[1].push(took);
    }
    let [cpu, took] = times.map(|times| middle(times).unwrap_or_default());
    (cpu, took)
}

fn middle(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// What this process has used of the CPU so far, all threads together.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_not_measured_again() {
        let times = |until: Instant| {
            let mut times = 0;
            _ = median(until, || times += 1);
            times
        };
        assert_eq!(times(Instant::now() + Duration::from_secs(3600)), LOOKS);
        assert_eq!(times(Instant::now()), 1);
    }
}
