//! Listing what was touched, and taking over what the listings found.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rayon::prelude::*;
use rustix::io::Errno;

use super::forest::DirId;
use super::inodes::only_inode_differs;
use super::known::KnownDir;
use super::list::{Child, Found, Listing, Surroundings, Unlisted, list};
use super::mount::Mount;
use super::rules::same_sources;
use super::scanner::{LONGEST_PATH, Scanner};
use super::touched::{Progress, Slot};
use super::{Trouble, Verb};
use crate::tree::{Dir, Entry, File, Place};

/// Directories that are listed before what was found is taken over: enough to keep all threads
/// busy, few enough that a large tree's names never lie in memory twice.
const ROUND: usize = 1024;

/// A listing, compared with what was known of the directory.
struct Compared {
    /// Without its entries.
    listing: Listing,
    /// The directory, if it is to be held. Otherwise it was closed by the thread that listed it:
    /// that takes longest of all that is left to do for it.
    held: Option<OwnedFd>,
    entries: Entries,
    /// When it can be proven.
    due: Instant,
    /// New links, which can be proven then as well.
    racy: Vec<OsString>,
}

/// The entries of a directory that was listed.
enum Entries {
    /// What needs no reading is known at once.
    Known(Dir),
    ToRead(HashMap<OsString, Slot>),
}

impl Scanner {
    /// Lists these directories; gives those to list next: new ones, ones under other rules than
    /// before, those in a directory that is another now, and the parents of those that were lost.
    pub(super) fn list_all(
        &mut self,
        queue: &[DirId],
        asked_again: &mut HashSet<DirId>,
        progress: &mut Progress,
    ) -> Vec<DirId> {
        let other_roots: HashSet<PathBuf> = match self.roots.len() {
            1 => HashSet::new(),
            _ => {
                let found = self.roots.iter().filter_map(|root| root.last.as_ref());
                let labels = self.roots.iter().map(|root| root.place.label.clone());
                let labels = labels.filter(|_| self.plan.follow_symlinks);
                found.map(|found| found.real.clone()).chain(labels).collect()
            }
        };
        let mut next = Vec::new();
        // What is kept is copied, so that it lies together: glibc gives each thread an arena of its
        // own, where it would lie between what is soon freed. Each original is kept until the end
        // of its round, or the next copy would be put where it was.
        for round in queue.chunks(ROUND) {
            let began = Instant::now();
            for (id, listing) in self.list_round(round, &other_roots) {
                if self.dirs.get(id).is_none() {
                    // Removed by another listing of this look.
                    continue;
                }
                match listing {
                    Ok(compared) => self.take_listing(id, compared, began, &mut next, progress),
                    Err(Unlisted::Failed(trouble)) => {
                        // What is held may be what was there before: the next look asks by name.
                        self.dirs.release(id);
                        progress.troubles.push(trouble);
                    }
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
            let copied = std::mem::take(&mut progress.copied);
            // To wake others for a few takes longer than it saves.
            if copied.len() > ROUND / 4 {
                self.pool.install(|| copied.into_par_iter().for_each(drop));
            }
        }
        next.sort_unstable();
        next.dedup();
        next
    }

    fn list_round(
        &self,
        round: &[DirId],
        other_roots: &HashSet<PathBuf>,
    ) -> Vec<(DirId, Result<Compared, Unlisted>)> {
        let room = AtomicUsize::new(self.most_held.saturating_sub(self.dirs.held()));
        let list_one = |&id: &DirId| {
            let dir = self.dirs.get(id)?;
            let root = &self.roots[dir.root()];
            let opened = root.now.as_ref()?;
            let parent = dir.parent.map(|id| self.dir(id));
            let above = parent.map_or(&root.above, |parent| &parent.rules);
            let asking = self.pulse.ask(dir.root());
            let around = Surroundings {
                plan: &self.plan,
                dirs: &self.dirs,
                root: &opened.directory,
                base: opened.base(),
                parent,
                above,
                other_roots,
                asking: &asking,
            };
            let listed = list(around, dir);
            self.pulse.has_found(listed.as_ref().map_or(0, |(listing, _)| listing.entries.len()));
            let compared = listed.map(|(listing, opened)| {
                let can_be_held = listing.mount == Mount::Local && dir.parent.is_some();
                // One that is held already has its place.
                let has_place = || dir.held.is_some() || takes_one(&room);
                let held = (can_be_held && has_place()).then_some(opened);
                self.compare(dir, listing, held)
            });
            Some((id, compared))
        };
        let listed: Vec<_> = match round {
            [one] if !self.is_wide => vec![list_one(one)],
            _ => self.pool.install(|| round.par_iter().map(list_one).collect()),
        };
        listed.into_iter().flatten().collect()
    }

    /// Compares what was listed with what was known, still on the thread that listed it.
    fn compare(&self, dir: &KnownDir, mut listing: Listing, held: Option<OwnedFd>) -> Compared {
        // Taken after the listing: only names made within a granule from now can go unnoticed.
        let due = Instant::now() + listing.mount.granule(&listing.stamp);
        let mut racy = Vec::new();
        let slot_of = |(name, found): (OsString, Found)| {
            let before = dir.contents.get(&name);
            let slot = match found {
                Found::Unknown => Slot::Is(before?),
                Found::Link(link) => {
                    let entry = Entry::Link(Box::new(link));
                    if before.as_ref() != Some(&entry) {
                        racy.push(name.clone());
                    }
                    Slot::Is(entry)
                }
                Found::File(stamp) => match before {
                    Some(entry) if self.inodes.same(entry.stamp(), &stamp) => Slot::Is(entry),
                    None if self.is_first => Slot::Is(Entry::File(File { stamp, digest: None })),
                    _ => Slot::Read(before, stamp),
                },
            };
            Some((name, slot))
        };
        let slots: Vec<(OsString, Slot)> =
            std::mem::take(&mut listing.entries).into_iter().filter_map(slot_of).collect();
        let entries = if slots.iter().any(|(_, slot)| matches!(slot, Slot::Read(..))) {
            Entries::ToRead(slots.into_iter().collect())
        } else {
            let known = slots.into_iter().filter_map(|(name, slot)| match slot {
                Slot::Is(entry) => Some((name, entry)),
                Slot::Read(..) => None,
            });
            Entries::Known(Dir::new(known.collect()))
        };
        Compared { listing, held, entries, due, racy }
    }

    fn take_listing(
        &mut self,
        id: DirId,
        compared: Compared,
        began: Instant,
        next: &mut Vec<DirId>,
        progress: &mut Progress,
    ) {
        let Compared { listing, held, entries, due, racy } = compared;
        if listing.mount.is_share() {
            self.widen();
        }
        progress.troubles.extend(listing.troubles);
        let dir = self.dirs.get_mut(id).expect("it was listed");
        let before = dir.stamp;
        let is_same = before.is_some_and(|before| self.inodes.same(&before, &listing.stamp))
            && dir.names == listing.names
            && same_sources(&self.inodes, &dir.sources, &listing.sources);
        let is_proven = is_same && dir.racy_until.is_none_or(|until| until <= began);
        if before.is_some_and(|before| only_inode_differs(&before, &listing.stamp))
            && dir.names == listing.names
        {
            progress.flipped.insert(listing.stamp.device);
        }
        let needs_no_proof = dir.single.is_some() || listing.mount == Mount::Pseudo;
        dir.racy_until = if is_proven || needs_no_proof { None } else { Some(due) };
        let has_new_rules = !Arc::ptr_eq(&dir.rules, &listing.rules);
        // What is below was asked by way of the directory that was here before.
        let is_another =
            before.is_some_and(|before| !self.inodes.same_file(&before, &listing.stamp));
        progress.is_elsewhere |= is_another || before.is_none();
        dir.stamp = Some(listing.stamp);
        dir.has_links = listing.has_links;
        dir.must_list = !listing.is_complete;
        dir.mount = listing.mount;
        dir.mount_id = listing.mount_id;
        dir.names = listing.names;
        dir.rules = listing.rules;
        dir.sources = listing.sources.into();

        racy.iter().for_each(|name| self.racy.insert(id, name, due));
        let hidden_entries =
            listing.hidden.iter().filter(|name| dir.contents.index_of(name).is_some()).cloned();
        let places = hidden_entries.map(|name| Place { dir: Arc::clone(&dir.path), name });
        progress.hidden.extend(places);
        match held {
            Some(opened) => self.dirs.hold(id, opened, self.most_held),
            None => self.dirs.release(id),
        }
        self.shelves.offer(self.dirs.get(id).expect("it was listed"));
        self.take_entries(id, entries, progress);
        let must_relist = has_new_rules || is_another;
        self.take_children(id, listing.children, &listing.hidden, must_relist, next, progress);
    }

    fn take_entries(&mut self, id: DirId, entries: Entries, progress: &mut Progress) {
        match entries {
            Entries::ToRead(slots) => _ = progress.touched.insert(id, slots),
            Entries::Known(contents) => {
                progress.touched.remove(&id);
                self.replace(id, contents.clone());
                progress.copied.push(contents);
            }
        }
    }

    fn take_children(
        &mut self,
        id: DirId,
        listed: Vec<Child>,
        hidden: &HashSet<OsString>,
        must_relist: bool,
        next: &mut Vec<DirId>,
        progress: &mut Progress,
    ) {
        let mut children = Vec::with_capacity(listed.len());
        let mut kept = HashSet::new();
        for Child { name, stamp, link } in listed {
            let known = self.dirs.child_called(self.dir(id), &name);
            // A link that was made anew may mean another directory altogether; where what it was
            // cannot be asked, it stands.
            let is_same_link = |child: &DirId| {
                let before = self.dir(*child).link.as_deref();
                stamp.is_none() || self.inodes.same_if_any(before, link.as_deref())
            };
            if let Some(child) = known.filter(is_same_link) {
                let is_same = |stamp| {
                    let before = self.dir(child).stamp.as_ref();
                    before.is_some_and(|before| self.inodes.same_file(before, stamp))
                };
                if must_relist || !stamp.as_ref().is_some_and(is_same) {
                    next.push(child);
                }
                kept.insert(child);
                children.push(child);
                continue;
            }
            let mut child = self.dir(id).child(id, &name);
            child.link = link;
            if child.path.as_os_str().len() > LONGEST_PATH {
                progress.troubles.push(Trouble::new(&*child.path, Verb::Open, Errno::NAMETOOLONG));
                self.dir_mut(id).must_list = true;
                continue;
            }
            let child = self.dirs.insert(child);
            next.push(child);
            children.push(child);
        }
        children.sort_unstable_by(|a, b| self.dir(*a).name().cmp(self.dir(*b).name()));
        let before = std::mem::replace(&mut self.dir_mut(id).children, children.into());
        for child in before {
            if !kept.contains(&child) {
                let name = self.dirs.get(child).map(KnownDir::name);
                let is_hidden = name.is_some_and(|name| hidden.contains(name));
                self.remove(child, is_hidden, progress);
            }
        }
    }
}

/// Takes one of what is left, if there is any.
fn takes_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
