//! What a look found touched, and reading it.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use rustix::io::Errno;

use super::check::is_gone;
use super::follow::leads_back;
use super::forest::DirId;
use super::inodes::only_inode_differs;
use super::open::{Access, Freshness, Links};
use super::{Scanner, Trouble, Verb, content, open};
use crate::tree::{Dir, Entry, File, Place, Stamp};

/// A look in progress.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) touched: HashMap<DirId, HashMap<OsString, Slot>>,
    pub(super) hidden: Vec<Place>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) read: usize,
    /// Whether a path means another directory now.
    pub(super) is_elsewhere: bool,
    /// Listed contents that were copied, and are not needed any more.
    pub(super) copied: Vec<Dir>,
    /// The devices on which something changed nothing but its inode number.
    pub(super) flipped: HashSet<u32>,
}

/// What will stand at a name in a directory that was touched.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Is(Entry),
    /// To be read: the entry as it was known, and the stamp that a listing found.
    Read(Option<Entry>, Stamp),
}

/// Where to read, and what was read there.
pub(super) type Job = (DirId, OsString);
pub(super) type Outcome = Result<Option<Entry>, Errno>;

/// Entries that one thread reads at a time.
const BATCH: usize = 16;

impl Scanner {
    /// Adds the entries whose stamp can be proven now to those that will be read.
    pub(super) fn recheck_racy(&mut self, now: Instant, progress: &mut Progress) {
        for (id, name) in self.racy.due(now) {
            let dir = self.dir(id);
            if self.roots[dir.root()].now.is_none() {
                continue;
            }
            let slots = progress.touched.entry(id).or_insert_with(|| slots_of(&dir.contents));
            match slots.get_mut(&name) {
                Some(slot) => {
                    if let Slot::Is(entry) = slot {
                        *slot = Slot::Read(Some(entry.clone()), *entry.stamp());
                    }
                }
                // What is not there any more needs no proof.
                None => self.racy.remove(id, &name),
            }
        }
    }

    pub(super) fn read_touched(&mut self, now: Instant, progress: &mut Progress) {
        let mut jobs: Vec<Job> = Vec::new();
        for (&id, slots) in &progress.touched {
            let to_read = slots.iter().filter(|(_, slot)| matches!(slot, Slot::Read(..)));
            jobs.extend(to_read.map(|(name, _)| (id, name.clone())));
        }
        progress.read += jobs.len();
        for ((id, name), outcome) in self.read(jobs) {
            let slots = progress.touched.get_mut(&id).expect("a job comes from a touched one");
            let Some(Slot::Read(before, stamp)) = slots.remove(&name) else { continue };
            let dir = self.dirs.get_mut(id).expect("a touched directory is known");
            let place = Place { dir: Arc::clone(&dir.path), name };
            let entry = match outcome {
                Ok(Some(entry)) => {
                    // Reading again after the granule proves a stamp that is still the same.
                    let is_again = |old: &Entry| {
                        self.inodes.same(old.stamp(), entry.stamp())
                            && old.is_unread() == entry.is_unread()
                    };
                    if let Some(old) = &before
                        && only_inode_differs(old.stamp(), entry.stamp())
                        && old.same_content(&entry)
                    {
                        progress.flipped.insert(entry.stamp().device);
                    }
                    let is_same = before.is_some_and(|old| is_again(&old));
                    if is_same && self.racy.is_due(id, &place.name, now) {
                        self.racy.remove(id, &place.name);
                    } else {
                        let due = Instant::now() + dir.granule(entry.stamp());
                        self.racy.insert(id, &place.name, due);
                    }
                    entry
                }
                // Gone, or something that is no entry: the next look lists and sees.
                Ok(None) | Err(Errno::NOENT | Errno::LOOP | Errno::AGAIN | Errno::INVAL) => {
                    dir.must_list = true;
                    match before {
                        Some(before) => before,
                        None => continue,
                    }
                }
                Err(error) => {
                    progress.troubles.push(Trouble::new(place.path(), Verb::Read, error));
                    // It is due at once: each look tries again until it can be read.
                    self.racy.insert(id, &place.name, now);
                    before.unwrap_or(Entry::File(File { stamp, digest: None }))
                }
            };
            slots.insert(place.name, Slot::Is(entry));
        }
    }

    /// Reads entries, each directory's together so that it is opened once for several.
    pub(super) fn read(&self, mut jobs: Vec<Job>) -> Vec<(Job, Outcome)> {
        jobs.sort_unstable();
        type Opened = Option<(DirId, Result<OwnedFd, Errno>)>;
        let links = self.plan.links();
        let read_one = |opened: &mut Opened, (id, name): &Job| {
            let dir = self.dir(*id);
            if opened.as_ref().is_none_or(|(other, _)| other != id) {
                let root = self.roots[dir.root()].now.as_ref().ok_or(Errno::NODEV);
                let directory = root.and_then(|root| {
                    open::directory(&root.directory, dir.below(), Access::Search, links)
                });
                *opened = Some((*id, directory));
            }
            let (_, directory) = opened.as_ref().expect("it was just opened");
            let asking = self.pulse.ask(dir.root());
            let answered = || asking.answered();
            let outcome = match directory {
                Ok(directory) => {
                    let on_disk = dir.name_on_disk(name);
                    let stays_link = links == Links::Followed
                        && matches!(dir.contents.get(name), Some(Entry::Link(_)))
                        && open::stamp_of_name(directory, on_disk, links, Freshness::Cached)
                            .is_ok_and(|stamp| leads_back(&self.dirs, dir, &stamp));
                    let links = if stays_link { Links::Kept } else { links };
                    content::read(directory, on_disk, links, self.plan.hash_limit, &answered)
                }
                Err(error) if is_gone(*error) => Err(Errno::NOENT),
                Err(error) => Err(*error),
            };
            self.pulse.has_read();
            outcome
        };
        let outcomes: Vec<Outcome> = if jobs.len() <= BATCH {
            // What one thread takes at a time is no reason to wake another.
            let mut opened = None;
            jobs.iter().map(|job| read_one(&mut opened, job)).collect()
        } else {
            self.pool.install(|| {
                let batches = jobs.par_iter().with_min_len(BATCH);
                batches.map_init(|| None, read_one).collect()
            })
        };
        jobs.into_iter().zip(outcomes).collect()
    }
}

/// A directory's entries as they are known.
pub(super) fn slots_of(contents: &Dir) -> HashMap<OsString, Slot> {
    contents.iter().map(|(name, entry)| (name.to_os_string(), Slot::Is(entry))).collect()
}
