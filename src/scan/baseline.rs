//! The baseline: the digests that files had when watching began, read after the program started.
//!
//! The first look takes stamps only, so that the program need not wait for a whole tree to be
//! read. Until a file's baseline digest is known, any touch of it counts as a change.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Scanner;
use super::forest::DirId;
use super::known::KnownDir;
use super::mount::Mount;
use super::touched::{Job, Outcome};
use crate::tree::{Entry, File, Snapshot};

/// One step reads so many files or bytes, whichever is reached first: on a usual disk, some
/// tens of milliseconds.
const STEP_FILES: usize = 1024;
const STEP_BYTES: u64 = 16 * 1024 * 1024;

/// A snapshot copies the pages that it does not share, so it is not made anew for each step; and it
/// keeps the old contents, so it is, once that has become this part of the tree.
const AHEAD: usize = 16;

/// How far another machine's clock may plausibly be off: any time zone taken for UTC.
const SKEW: Duration = Duration::from_secs(26 * 60 * 60);

/// How far reading the baseline has come.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    /// Directories still to be read, the next one last.
    pending: Vec<DirId>,
    /// The last entry in it that was tried.
    tried: Option<OsString>,
}

impl Baseline {
    pub(super) fn begin(&mut self, dirs: &[DirId]) {
        self.pending = dirs.iter().rev().copied().collect();
        self.tried = None;
    }
}

impl Scanner {
    /// Reads the files that were changed so shortly before the first look that an edit right
    /// after it could leave their stamp the same. To be called before the program starts: for
    /// these alone it has to be known what they held.
    ///
    /// At most one step's worth is read, the newest files first, so that the start is not held
    /// up where a whole tree is new.
    ///
    /// Such a file's ctime is within a granule of the newest one on its device, whatever that
    /// machine's clock says, or within a granule of our own now.
    pub fn read_recent(&mut self) -> usize {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let nanoseconds = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let is_plausible = |ctime: i64| ctime > now.saturating_sub(nanoseconds(SKEW));
        let mut newest: HashMap<u32, i64> = HashMap::new();
        for (_, dir) in self.snapshot().dirs() {
            for (_, entry) in dir.iter() {
                let stamp = entry.stamp();
                let newest = newest.entry(stamp.device).or_insert(i64::MIN);
                *newest = (*newest).max(stamp.ctime);
            }
        }
        let mut recent: Vec<(i64, u64, Job)> = Vec::new();
        for &id in self.dirs.order() {
            let dir = self.dir(id);
            for (name, entry) in dir.contents.iter() {
                let stamp = entry.stamp();
                let granule = nanoseconds(dir.granule(stamp));
                let reference = now.min(newest[&stamp.device]);
                let is_recent = stamp.ctime >= reference.saturating_sub(granule);
                if is_recent && is_plausible(stamp.ctime) && entry.is_unread() {
                    recent.push((stamp.ctime, stamp.size, (id, name.to_os_string())));
                }
            }
        }
        recent.sort_unstable_by_key(|(ctime, _, _)| std::cmp::Reverse(*ctime));
        let mut bytes = 0;
        let few = recent.into_iter().take(STEP_FILES).take_while(|(_, size, _)| {
            bytes += size;
            bytes <= STEP_BYTES
        });
        let jobs: Vec<Job> = few.map(|(_, _, job)| job).collect();
        let read = jobs.len();
        let results = self.read_known(jobs);
        for ((id, name), _) in &results {
            let stamp = self.dir(*id).contents.get(name).map(|entry| *entry.stamp());
            let granule = stamp.map_or(Mount::COARSEST, |stamp| self.dir(*id).granule(&stamp));
            self.racy.insert(*id, name, Instant::now() + granule);
        }
        self.adopt(results);
        self.publish();
        read
    }

    /// When [`Scanner::read_baseline`] may begin: once an edit can no longer leave a stamp of the
    /// first look the same, so that what it reads is proven. `None` when it is done.
    pub fn baseline_after(&self) -> Option<Duration> {
        let pending = self.baseline.pending.iter();
        let dirs = pending.filter_map(|&id| self.dirs.get(id));
        let granule = |dir: &KnownDir| match dir.stamp {
            Some(stamp) if !dir.has_links => dir.mount.granule(&stamp),
            _ => Mount::COARSEST,
        };
        dirs.map(granule).max()
    }

    /// Reads some more files whose digest is not known yet, about 16 MiB or 1,024 files; says
    /// whether there are more. Not each step makes a snapshot with what it read, see
    /// [`Scanner::filled`].
    pub fn read_baseline(&mut self) -> bool {
        let mut jobs: Vec<Job> = Vec::new();
        let mut bytes = 0;
        while let Some(&id) = self.baseline.pending.last() {
            let unread = self.unread_after(id, self.baseline.tried.as_deref());
            let mut is_full = false;
            for (name, size) in unread {
                self.baseline.tried = Some(name.clone());
                jobs.push((id, name));
                bytes += size;
                is_full = jobs.len() >= STEP_FILES || bytes >= STEP_BYTES;
                if is_full {
                    break;
                }
            }
            if is_full {
                break;
            }
            self.baseline.pending.pop();
            self.baseline.tried = None;
        }
        let results = self.read_known(jobs);
        self.adopt(results);
        let is_done = self.baseline.pending.is_empty();
        if is_done || self.unpublished.len() > self.dirs.order().len() / AHEAD {
            self.publish();
        }
        if is_done {
            Self::trim();
        }
        !is_done
    }

    /// A snapshot of the same content that also has the digests which were read since the last
    /// one, if there are any.
    pub fn filled(&mut self) -> Option<&Snapshot> {
        self.publish().then(|| self.snapshot())
    }

    fn unread_after(&self, id: DirId, tried: Option<&OsStr>) -> Vec<(OsString, u64)> {
        let limit = self.plan.hash_limit.unwrap_or(u64::MAX);
        let Some(dir) = self.dirs.get(id) else { return Vec::new() };
        let entries = dir.contents.iter();
        let unread = entries.filter(|(name, entry)| entry.is_unread() && Some(*name) > tried);
        unread
            .map(|(name, entry)| (name.to_os_string(), entry.stamp().size))
            .filter(|(_, size)| *size <= limit)
            .collect()
    }

    fn read_known(&mut self, jobs: Vec<Job>) -> Vec<(Job, Outcome)> {
        if jobs.is_empty() {
            return Vec::new();
        }
        // Roots that cannot be opened make their jobs fail; the next look reports why.
        _ = self.open_roots();
        let results = self.read(jobs);
        self.close_roots();
        results
    }

    /// Fills in the digests of files that are still as they were looked at. The others were
    /// changed since: the next look must see that they were.
    fn adopt(&mut self, results: Vec<(Job, Outcome)>) {
        // Those of one directory come one after the other.
        for batch in results.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
            let id = batch[0].0.0;
            let mut contents = Arc::clone(&self.dir(id).contents);
            for ((_, name), outcome) in batch {
                match outcome {
                    Ok(Some(Entry::File(File { stamp, digest: Some(digest) }))) => {
                        let Some(index) = contents.index_of(name) else { continue };
                        let is_as_seen = self.inodes.same(stamp, &contents.stamp(index));
                        if is_as_seen && contents.is_unread(index) {
                            Arc::make_mut(&mut contents).set_digest(index, *digest);
                        }
                    }
                    Ok(_) => {}
                    // The next look tries again, and says why it cannot be read.
                    Err(_) => self.racy.insert(id, name, Instant::now()),
                }
            }
            self.dir_mut(id).contents = contents;
            self.unpublished.push(id);
        }
    }
}
