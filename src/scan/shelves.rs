//! The shelves of a scanner: which directories are held there, where the process's own table has no
//! room for them, and checking them there.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::thread;

use rayon::prelude::*;

use super::effort::Clocks;
use super::forest::{DirId, Forest};
use super::known::KnownDir;
use super::mount::Mount;
use super::open::{self, Access, Links};
use super::pulse::Pulse;
use super::root::{KnownRoot, open_directory};
use super::scanner::MOST_THREADS;
use super::shelf::{Shelf, Shelved};
use super::sweep::BATCH;
use super::way::{limit, most_held};

/// So many directories are held on shelves at the most: each keeps some 1.6 KB of the kernel's memory
/// from being used otherwise (on ext4, its inode and name, and what is open).
const MOST_SHELVED: usize = 128 * 1024;

/// Each has a thread at the least, and a container may allow few.
const MOST_SHELVES: usize = 16;

/// A shelf is not made for fewer.
const FEWEST: usize = 64;

/// Descriptors that a shelf's threads need for a moment, with what they begin with.
const RESERVE: u64 = 64;

/// All shelves, and what is on them.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    shelves: Vec<Shelf>,
    pub(super) clocks: Clocks,
    /// Whether directories were listed, and not held, since any were taken in.
    has_offers: bool,
    /// What is on each and on none, sorted by path.
    parts: Parts,
    /// The `tidied` for which they were sorted, see [`Shelves::sort`].
    parts_of: Option<u64>,
    /// Whether there is no making another one.
    cannot_grow: bool,
}

/// The known directories, by where they are held.
#[derive(Debug, Default)]
struct Parts {
    on_shelves: Vec<Vec<DirId>>,
    elsewhere: Vec<DirId>,
}

impl Shelves {
    /// Has this directory held on a shelf by and by, if it can be.
    pub(super) fn offer(&mut self, dir: &KnownDir) {
        self.has_offers |= is_unheld(dir);
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.shelves.is_empty()
    }

    /// Closes what is not held any more.
    pub(super) fn tidy(&self) {
        self.shelves.iter().for_each(Shelf::tidy);
    }

    /// Sorts all directories by where they are held. `tidied` is another number whenever there are
    /// others than before.
    pub(super) fn sort(&mut self, dirs: &Forest, tidied: u64) {
        if self.shelves.is_empty() || self.parts_of == Some(tidied) {
            return;
        }
        let mut parts = Parts::default();
        parts.on_shelves.resize_with(self.shelves.len(), Vec::new);
        for &id in dirs.order() {
            let on = dirs.get(id).and_then(|dir| dir.shelved.as_ref());
            let shelf = on.and_then(|on| self.shelves.iter().position(|shelf| shelf.has(on)));
            shelf.map_or(&mut parts.elsewhere, |shelf| &mut parts.on_shelves[shelf]).push(id);
        }
        self.parts = parts;
        self.parts_of = Some(tidied);
    }

    /// Has the directories on each shelf checked by its threads; gives what they found, and the
    /// directories that are on none.
    pub(super) fn check<T: Send>(
        &self,
        dirs: &Forest,
        check: impl Fn(DirId, BorrowedFd<'_>) -> Option<T> + Sync,
    ) -> (Vec<T>, Vec<DirId>) {
        let here = |&id: &DirId| {
            let on = dirs.get(id)?.shelved.as_ref();
            match on.and_then(|on| on.with(|held| check(id, held))) {
                Some(checked) => checked.map(Ok),
                None => Some(Err(id)),
            }
        };
        let on_shelf = |number: usize| {
            let ids = &self.parts.on_shelves[number];
            ids.par_iter().with_min_len(BATCH).filter_map(here).collect::<Vec<_>>()
        };
        let mut left = self.parts.elsewhere.clone();
        let mut found = Vec::new();
        for one in on_each(&self.shelves, 0, &on_shelf).into_iter().flatten() {
            match one {
                Ok(checked) => found.push(checked),
                // It is not held any more, as of this look.
                Err(id) => left.push(id),
            }
        }
        (found, left)
    }

    /// Holds what was offered, as far as there is room, if it still is what it was when it was
    /// listed.
    pub(super) fn take_in(&mut self, dirs: &mut Forest, approach: Approach<'_>) {
        if self.shelves.is_empty() && !self.has_offers {
            return;
        }
        let capacity = capacity(limit());
        if self.shelves.iter().any(|shelf| shelf.len() > capacity) {
            // The limit is another now.
            self.clear(dirs);
        }
        if !std::mem::take(&mut self.has_offers) {
            return;
        }
        let is_waiting = |id: &DirId| dirs.get(*id).is_some_and(is_unheld);
        let waiting: Vec<DirId> = dirs.order().iter().copied().filter(is_waiting).collect();
        let room = self.make_room(waiting.len(), capacity);
        let mut rest = &waiting[..room.min(waiting.len())];
        let mut left = self.shelves.len();
        let shares = self.shelves.iter().map(|shelf| {
            let even = rest.len().div_ceil(left);
            let (share, others) = rest.split_at(even.min(room_on(shelf, capacity)));
            (rest, left) = (others, left - 1);
            share
        });
        let shares: Vec<&[DirId]> = shares.collect();
        let open = |number: usize| approach.open_all(dirs, shares[number]);
        let opened = on_each(&self.shelves, 0, &open);
        for (id, shelved) in shares.iter().copied().flatten().zip(opened.into_iter().flatten()) {
            if let Some(dir) = dirs.get_mut(*id) {
                dir.shelved = shelved;
            }
        }
        self.parts_of = None;
    }

    /// Makes shelves for so many more directories, as far as they can be had; gives how many there
    /// is room for.
    fn make_room(&mut self, wanted: usize, capacity: usize) -> usize {
        let held: usize = self.shelves.iter().map(Shelf::len).sum();
        let most = MOST_SHELVED.saturating_sub(held);
        let room = |shelves: &[Shelf]| {
            shelves.iter().map(|shelf| room_on(shelf, capacity)).sum::<usize>().min(most)
        };
        let missing = wanted.min(most).saturating_sub(room(&self.shelves));
        let before = self.shelves.len();
        if missing >= FEWEST && capacity >= FEWEST && before < MOST_SHELVES && !self.cannot_grow {
            let all = (before + missing.div_ceil(capacity)).min(MOST_SHELVES);
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let threads = cores.min(MOST_THREADS).div_ceil(all);
            let make = |number| Shelf::new(number, threads, &self.clocks);
            self.shelves.extend((before..all).map_while(make));
            self.cannot_grow = self.shelves.len() < all;
        }
        room(&self.shelves)
    }

    /// Lets go of all, to begin anew.
    fn clear(&mut self, dirs: &mut Forest) {
        dirs.iter_mut().for_each(|dir| dir.shelved = None);
        // Their threads close what they hold by their end.
        *self = Self { has_offers: true, ..Self::default() };
    }

    /// Does without them from now on.
    pub(super) fn give_up(&mut self, dirs: &mut Forest) {
        self.clear(dirs);
        self.cannot_grow = true;
    }
}

/// How a shelf's threads get at directories.
#[derive(Clone, Copy)]
pub(super) struct Approach<'a> {
    pub(super) roots: &'a [KnownRoot],
    pub(super) links: Links,
    pub(super) pulse: &'a Pulse,
}

impl Approach<'_> {
    /// Opens these directories on the shelf whose thread this is. What is another now than when it
    /// was listed is left out: it will be listed, and offered again. What cannot be opened has to wait
    /// until something is.
    fn open_all(self, dirs: &Forest, ids: &[DirId]) -> Vec<Option<Shelved>> {
        let is_needed = |index| {
            let mut known = ids.iter().filter_map(|id| dirs.get(*id));
            known.any(|dir| dir.root() == index)
        };
        let open_root = |(index, root): (usize, &KnownRoot)| {
            // What the process has opened it as is nothing here.
            let base = root.now.as_ref().filter(|_| is_needed(index))?.base();
            self.pulse.while_asking(index, || open_directory(base)).ok()
        };
        let roots: Vec<Option<OwnedFd>> = self.roots.iter().enumerate().map(open_root).collect();
        let open = |&id: &DirId| {
            let dir = dirs.get(id)?;
            let _asking = self.pulse.ask(dir.root());
            let root = roots[dir.root()].as_ref()?;
            let opened = open::directory(root, dir.below(), Access::Search, self.links).ok()?;
            let (stamp, mount_id) = open::stamp_and_mount(&opened).ok()?;
            let is_same = dir.stamp == Some(stamp) && dir.mount_id == mount_id;
            // SAFETY: it was just opened, by a thread of the shelf.
            is_same.then(|| unsafe { Shelved::new(opened) })
        };
        ids.par_iter().map(open).collect()
    }
}

/// Whether there is a descriptor to be had for it.
fn is_unheld(dir: &KnownDir) -> bool {
    let is_held = dir.held.is_some() || dir.shelved.is_some();
    // What a link leads to is not proven by the directory above; and where links lead to from within,
    // more threads may be needed than a shelf has.
    let has_links = dir.has_links || dir.link.is_some();
    let can_be = dir.mount == Mount::Local && dir.parent.is_some() && !has_links;
    can_be && !is_held && !dir.must_list
}

/// How many directories can be held where so many files may be open (RLIMIT_NOFILE; `None`: any
/// number), with shelves where there can be any.
pub fn most_directories(limit: Option<u64>) -> usize {
    let own = most_held(limit);
    let on_shelves = || (capacity(limit) * MOST_SHELVES).min(MOST_SHELVED);
    own + Shelf::new(0, 1, &Clocks::default()).map_or(0, |_| on_shelves())
}

/// How many one shelf holds.
fn capacity(limit: Option<u64>) -> usize {
    let room = limit.and_then(|limit| usize::try_from(limit.saturating_sub(RESERVE)).ok());
    room.map_or(MOST_SHELVED, |room| room.min(MOST_SHELVED))
}

fn room_on(shelf: &Shelf, capacity: usize) -> usize {
    capacity.saturating_sub(shelf.len())
}

/// Has all shelves do this at the same time, each by its threads; the first is called `number`. What
/// they give comes in their order. It calls itself, so that the scopes of all are open at once.
fn on_each<T: Send>(
    shelves: &[Shelf],
    number: usize,
    work: &(impl Fn(usize) -> T + Sync),
) -> Vec<T> {
    let [shelf, rest @ ..] = shelves else { return Vec::new() };
    let mut done = None;
    let mut others = shelf.pool.in_place_scope(|scope| {
        scope.spawn(|_| done = Some(work(number)));
        on_each(rest, number + 1, work)
    });
    others.splice(..0, done);
    others
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::scan::{Plan, Root, Scanner, Selection};

    #[test]
    fn without_shelves_all_is_seen_and_none_is_made_again() {
        let tree = tempfile::tempdir().unwrap();
        let directory = |n: usize| tree.path().join(n.to_string());
        // More than the process's own table has room for, whatever its limit.
        let many = most_held(None) + FEWEST + 1;
        (0..many).for_each(|n| fs::create_dir(directory(n)).unwrap());
        let everything = Selection::new(&[], &[]).unwrap();
        let plan = Plan::new(vec![Root::new(tree.path())], everything, &[], false).unwrap();
        let mut scanner = Scanner::new(plan).unwrap();
        scanner.look();
        scanner.look();
        let shelved =
            |scanner: &Scanner| scanner.dirs.iter().filter(|dir| dir.shelved.is_some()).count();
        assert!(shelved(&scanner) > FEWEST, "{}", shelved(&scanner));
        scanner.shelves.give_up(&mut scanner.dirs);
        for n in 0..many {
            fs::write(directory(n).join("a"), "").unwrap();
        }
        assert_eq!(scanner.look().snapshot.len(), many);
        scanner.look();
        assert_eq!(shelved(&scanner), 0);
    }
}
