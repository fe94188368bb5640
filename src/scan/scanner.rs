//! The scanner: known directories in a flat array, and the look that brings them up to date.
//!
//! A look goes through these steps, each spread over the threads of a rayon pool:
//! 1. `check` every known directory: one `fstatat(2)` for each entry;
//! 2. `list` those that were touched, and then what is new in them;
//! 3. read (`touched`) the entries whose stamp is another or not yet proven ("racy");
//! 4. put a new snapshot together that shares every unchanged directory with the old one.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use rustix::io::Errno;

use super::check::{Check, check};
use super::forest::{DirId, Forest};
use super::known::KnownDir;
use super::list::{Found, Listing, Surroundings, Unlisted, list};
use super::racy::Racy;
use super::root::KnownRoot;
use super::touched::{Progress, Slot, slots_of};
use super::{Plan, Trouble, Verb, baseline::Baseline};
use crate::tree::{Dir, Entry, File, Place, Snapshot};

/// Directories a thread takes at a time: few enough to share the work evenly, many enough that
/// handing them out costs nothing.
const BATCH: usize = 16;

/// Deeper directories are not entered: a file system made up by a program may have no end.
const LONGEST_PATH: usize = 16 * 1024;

/// More threads gain little, and a container may allow few (docker's --pids-limit).
const MOST_THREADS: usize = 8;

/// Takes snapshots of a tree, each at the cost of what changed since the one before.
#[derive(Debug)]
pub struct Scanner {
    pub(super) plan: Plan,
    pub(super) pool: ThreadPool,
    pub(super) roots: Vec<KnownRoot>,
    pub(super) dirs: Forest,
    pub(super) racy: Racy,
    pub(super) baseline: Baseline,
    snapshot: Snapshot,
    is_first: bool,
}

/// What one look found.
#[derive(Debug)]
pub struct Look {
    /// The tree as far as it could be read; what could not, as it was known before.
    pub snapshot: Snapshot,
    /// What is still there but, by a changed ignore file, not part of the tree any more.
    pub hidden: Vec<Place>,
    /// What could not be read.
    pub troubles: Vec<Trouble>,
    /// How many files were read.
    pub read: usize,
}

impl Scanner {
    /// A scanner that has not looked yet.
    ///
    /// # Errors
    /// When no threads can be made.
    pub fn new(plan: Plan) -> Result<Self, ThreadPoolBuildError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new()
            .num_threads(cores.min(MOST_THREADS))
            .thread_name(|n| format!("scan-{n}"))
            .build()?;
        Ok(Self {
            roots: plan.roots.iter().cloned().map(KnownRoot::new).collect(),
            plan,
            pool,
            dirs: Forest::default(),
            racy: Racy::default(),
            baseline: Baseline::default(),
            snapshot: Snapshot::default(),
            is_first: true,
        })
    }

    /// What is being watched.
    pub fn roots(&self) -> &[super::Root] {
        &self.plan.roots
    }

    /// The tree as it was last seen.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// When the next stamp that proves nothing yet can be proven by another look; `None` once
    /// all are.
    pub fn next_proof(&self) -> Option<Instant> {
        let dirs = self.dirs.iter().filter_map(|dir| dir.racy_until);
        self.racy.next().into_iter().chain(dirs).min()
    }

    /// Looks at the whole tree. The first look reads no content: its files have no digest until
    /// [`Scanner::read_baseline`] fills them in, or until they change.
    pub fn look(&mut self) -> Look {
        let now = Instant::now();
        let mut progress = Progress { troubles: self.open_roots(), ..Progress::default() };
        let mut queue = self.check_all(now, &mut progress);
        let mut asked_again = HashSet::new();
        while !queue.is_empty() {
            queue = self.list_all(queue, &mut asked_again, &mut progress);
        }
        self.recheck_racy(now, &mut progress);
        self.read_touched(now, &mut progress);
        self.commit(&mut progress);
        if std::mem::take(&mut self.is_first) {
            self.baseline.begin(self.dirs.order());
        }
        self.close_roots();
        Look {
            snapshot: self.snapshot.clone(),
            hidden: progress.hidden,
            troubles: progress.troubles,
            read: progress.read,
        }
    }

    /// A directory that is known to be there.
    pub(super) fn dir(&self, id: DirId) -> &KnownDir {
        self.dirs.get(id).expect("only live directories are asked for")
    }

    fn dir_mut(&mut self, id: DirId) -> &mut KnownDir {
        self.dirs.get_mut(id).expect("only live directories are asked for")
    }

    /// Forgets a directory and all below it. Its entries count as removed, or, if `hide`, as
    /// never having been part of the tree.
    fn remove(&mut self, id: DirId, hide: bool, progress: &mut Progress) {
        for (id, dir) in self.dirs.remove(id) {
            self.racy.remove_dir(id);
            progress.touched.remove(&id);
            if hide {
                let names = dir.contents.iter().map(|(name, _)| name.to_os_string());
                let places = names.map(|name| Place { dir: Arc::clone(&dir.path), name });
                progress.hidden.extend(places);
            }
        }
    }

    /// Opens every root for as long as it is being read; gives those that cannot be opened.
    pub(super) fn open_roots(&mut self) -> Vec<Trouble> {
        let opened = self.roots.iter_mut().map(|root| (root.open(), &root.place.label));
        let failed = opened.filter_map(|(opened, path)| Some((opened.err()?, path)));
        failed.map(|(error, path)| Trouble::new(path, Verb::Open, error)).collect()
    }

    /// Lets go of the roots, so that they can be unmounted between looks.
    pub(super) fn close_roots(&mut self) {
        self.roots.iter_mut().for_each(|root| root.now = None);
    }

    /// Checks what is known under every root that could be opened; gives what has to be listed.
    fn check_all(&mut self, now: Instant, progress: &mut Progress) -> Vec<DirId> {
        let mut queue = Vec::new();
        for index in 0..self.roots.len() {
            queue.extend(self.refresh_root(index, progress));
        }
        let (dirs, roots) = (&self.dirs, &self.roots);
        let checked: Vec<(DirId, Check)> = self.pool.install(|| {
            let known = dirs.order().par_iter().with_min_len(BATCH);
            let checks = known.filter_map(|&id| {
                let dir = dirs.get(id)?;
                let root = roots[dir.root].now.as_ref()?;
                let check = check(&root.directory, dir, now);
                let is_nothing = matches!(&check, Check::Seen(seen) if seen.is_nothing());
                (!is_nothing).then_some((id, check))
            });
            checks.collect()
        });
        for (id, check) in checked {
            match check {
                Check::List => queue.push(id),
                Check::Lost => queue.extend(self.dir(id).parent),
                Check::Failed(trouble) => progress.troubles.push(trouble),
                Check::Seen(seen) => {
                    progress.troubles.extend(seen.troubles);
                    let dir = self.dir_mut(id);
                    if seen.proven {
                        dir.racy_until = None;
                    }
                    if !seen.touched.is_empty() {
                        let mut slots = slots_of(&dir.contents);
                        for index in seen.touched {
                            let (name, entry) = dir.contents.at(index);
                            let slot = Slot::Read(Some(entry.clone()), *entry.stamp());
                            slots.insert(name.to_os_string(), slot);
                        }
                        progress.touched.insert(id, slots);
                    }
                }
            }
        }
        queue.sort_unstable();
        queue.dedup();
        queue
    }

    /// Finds out whether a root is still the one it was; gives its top directory where that is
    /// new.
    fn refresh_root(&mut self, index: usize, progress: &mut Progress) -> Option<DirId> {
        let root = &mut self.roots[index];
        let must_list = root.refresh(self.plan.ignore_files_above);
        if must_list && self.roots.len() > 1 {
            // Where it was and where it is now may lie inside other roots.
            self.dirs.iter_mut().for_each(|dir| dir.must_list = true);
        }
        let root = &self.roots[index];
        let single = root.now.as_ref()?.single.clone();
        if let Some(id) = root.top {
            let top = self.dir_mut(id);
            if top.single.is_some() == single.is_some() {
                top.must_list |= must_list || top.single != single;
                top.single = single;
                return None;
            }
            // It was a file and is a directory, or the other way round.
            self.remove(id, false, progress);
        }
        let root = &mut self.roots[index];
        let top = KnownDir::top(index, &root.place.label, single, Arc::clone(&root.above));
        root.top = Some(self.dirs.insert(top));
        root.top
    }

    /// Lists these directories; gives those to list next: new ones, ones under other rules than
    /// before, and the parents of those that were lost.
    fn list_all(
        &mut self,
        queue: Vec<DirId>,
        asked_again: &mut HashSet<DirId>,
        progress: &mut Progress,
    ) -> Vec<DirId> {
        let other_roots: HashSet<PathBuf> = match self.roots.len() {
            1 => HashSet::new(),
            _ => {
                let found = self.roots.iter().filter_map(|root| root.last.as_ref());
                found.map(|found| found.real.clone()).collect()
            }
        };
        let began = Instant::now();
        let listings: Vec<(DirId, Result<Listing, Unlisted>)> = self.pool.install(|| {
            let lists = queue.into_par_iter().filter_map(|id| {
                let dir = self.dirs.get(id)?;
                let root = &self.roots[dir.root];
                let opened = root.now.as_ref()?;
                let above = dir.parent.map_or(&root.above, |parent| &self.dir(parent).rules);
                let around = Surroundings {
                    plan: &self.plan,
                    root: &opened.directory,
                    base: opened.base(),
                    above,
                    other_roots: &other_roots,
                };
                Some((id, list(around, dir)))
            });
            lists.collect()
        });
        let mut next = Vec::new();
        for (id, listing) in listings {
            if self.dirs.get(id).is_none() {
                // Removed by another listing of this round.
                continue;
            }
            match listing {
                Ok(listing) => self.take_listing(id, listing, began, &mut next, progress),
                Err(Unlisted::Failed(trouble)) => progress.troubles.push(trouble),
                Err(Unlisted::Lost) => match self.dir(id).parent {
                    Some(parent) if asked_again.insert(parent) => next.push(parent),
                    // Its parent says that it is there: then that it could not be opened is
                    // no proof that it is not. The next look asks again.
                    _ => {
                        let path = Arc::clone(&self.dir(id).path);
                        progress.troubles.push(Trouble::new(&*path, Verb::List, Errno::NOENT));
                        self.dir_mut(id).must_list = true;
                    }
                },
            }
        }
        next.sort_unstable();
        next.dedup();
        next
    }

    fn take_listing(
        &mut self,
        id: DirId,
        listing: Listing,
        began: Instant,
        next: &mut Vec<DirId>,
        progress: &mut Progress,
    ) {
        progress.troubles.extend(listing.troubles);
        let is_first = self.is_first;
        let dir = self.dirs.get_mut(id).expect("it was listed");
        let granule = listing.mount.granule(&listing.stamp);
        // Taken after the listing: only names made within a granule from now can go unnoticed.
        let due = Instant::now() + granule;
        let is_proven = dir.stamp == Some(listing.stamp)
            && dir.names == listing.names
            && dir.sources == listing.sources
            && dir.racy_until.is_none_or(|until| until <= began);
        dir.racy_until = if is_proven || dir.single.is_some() { None } else { Some(due) };
        let has_new_rules = !Arc::ptr_eq(&dir.rules, &listing.rules);
        dir.stamp = Some(listing.stamp);
        dir.must_list = !listing.is_complete;
        dir.mount = listing.mount;
        dir.names = listing.names;
        dir.rules = listing.rules;
        dir.sources = listing.sources;

        let mut slots = HashMap::with_capacity(listing.entries.len());
        for (name, found) in listing.entries {
            let before = dir.contents.get(&name);
            let slot = match found {
                Found::Unknown => match before {
                    Some(entry) => Slot::Is(entry.clone()),
                    None => continue,
                },
                Found::Link(link) => {
                    let entry = Entry::Link(link);
                    if before != Some(&entry) {
                        self.racy.insert(id, &name, due);
                    }
                    Slot::Is(entry)
                }
                Found::File(stamp) => match before {
                    Some(entry) if *entry.stamp() == stamp => Slot::Is(entry.clone()),
                    None if is_first => Slot::Is(Entry::File(File { stamp, digest: None })),
                    _ => Slot::Read(before.cloned(), stamp),
                },
            };
            slots.insert(name, slot);
        }
        let hidden_entries =
            listing.hidden.iter().filter(|name| dir.contents.get(name).is_some()).cloned();
        let places = hidden_entries.map(|name| Place { dir: Arc::clone(&dir.path), name });
        progress.hidden.extend(places);
        progress.touched.insert(id, slots);

        let known = std::mem::take(&mut dir.children);
        let listed: HashSet<OsString> = listing.children.into_iter().collect();
        let mut children = Vec::with_capacity(listed.len());
        let mut gone = Vec::new();
        for (name, child) in known {
            if listed.contains(&name) {
                children.push((name, child));
            } else {
                gone.push((child, listing.hidden.contains(&name)));
            }
        }
        if has_new_rules {
            next.extend(children.iter().map(|(_, child)| *child));
        }
        let kept: HashSet<&OsString> = children.iter().map(|(name, _)| name).collect();
        let new: Vec<OsString> =
            listed.iter().filter(|name| !kept.contains(name)).cloned().collect();
        for name in new {
            let child = self.dir(id).child(id, &name);
            if child.path.as_os_str().len() > LONGEST_PATH {
                progress.troubles.push(Trouble::new(&*child.path, Verb::Open, Errno::NAMETOOLONG));
                self.dir_mut(id).must_list = true;
                continue;
            }
            let child = self.dirs.insert(child);
            next.push(child);
            children.push((name, child));
        }
        self.dir_mut(id).children = children;
        for (child, hide) in gone {
            self.remove(child, hide, progress);
        }
    }

    /// Makes what was found the known state, and a snapshot of it.
    fn commit(&mut self, progress: &mut Progress) {
        let mut is_new = self.dirs.tidy();
        for (id, slots) in progress.touched.drain() {
            let entries = slots.into_iter().map(|(name, slot)| match slot {
                Slot::Is(entry) => (name, entry),
                Slot::Read(..) => unreachable!("every slot was read"),
            });
            is_new |= self.replace(id, entries.collect());
        }
        if is_new {
            self.publish();
        }
    }

    /// Whether other entries are now in the directory than before.
    pub(super) fn replace(&mut self, id: DirId, entries: Vec<(OsString, Entry)>) -> bool {
        let contents = Dir::new(entries);
        let dir = self.dir_mut(id);
        let is_new = *dir.contents != contents;
        if is_new {
            dir.contents = Arc::new(contents);
        }
        is_new
    }

    pub(super) fn publish(&mut self) {
        let dirs = self.dirs.order().iter().map(|&id| {
            let dir = self.dir(id);
            (Arc::clone(&dir.path), Arc::clone(&dir.contents))
        });
        self.snapshot = Snapshot::new(dirs);
    }
}
