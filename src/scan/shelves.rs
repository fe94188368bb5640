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

/// A container may allow few threads.
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
    /// Directories that were listed, and not held.
    waiting: Vec<DirId>,
    /// Whether there are others among them than at the last look.
    has_offers: bool,
    /// What is on each and on none, sorted by path.
    parts: Parts,
    /// Of which directories these are the parts, see [`Shelves::sort`].
    parts_of: Option<u64>,
    /// Whether there is no making another one.
    is_last: bool,
}

/// The known directories, by where they are held.
#[derive(Debug, Default)]
struct Parts {
    on_shelves: Vec<Vec<DirId>>,
    elsewhere: Vec<DirId>,
}

impl Shelves {
    /// Has this directory held on a shelf by and by, if it can be.
    pub(super) fn offer(&mut self, id: DirId) {
        self.waiting.push(id);
        self.has_offers = true;
    }

    /// Whether nothing is held on any.
    pub(super) fn is_empty(&self) -> bool {
        self.shelves.is_empty()
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
            let on = dirs.get(id)?.shelved.as_ref().and_then(Shelved::here);
            match on {
                Some(held) => check(id, held).map(Ok),
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
    pub(super) fn take_in(&mut self, dirs: &mut Forest, way: Approach<'_>) {
        if !std::mem::take(&mut self.has_offers) {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|id| dirs.get(*id).is_some_and(is_unheld));
        let path = |id: &DirId| dirs.get(*id).map(|dir| &dir.path);
        waiting.sort_unstable_by(|a, b| path(a).cmp(&path(b)));
        waiting.dedup();
        let room = self.make_room(waiting.len());
        self.waiting = waiting.split_off(room.min(waiting.len()));
        if waiting.is_empty() {
            return;
        }
        let mut rest = waiting.as_slice();
        let shares = self.shelves.iter().map(|shelf| {
            let (share, others) = rest.split_at(rest.len().min(room_on(shelf)));
            rest = others;
            share
        });
        let shares: Vec<&[DirId]> = shares.collect();
        let open = |number: usize| way.open_all(dirs, shares[number]);
        let opened = on_each(&self.shelves, 0, &open);
        for (id, shelved) in waiting.iter().zip(opened.into_iter().flatten()) {
            if let Some(dir) = dirs.get_mut(*id) {
                dir.shelved = shelved;
            }
        }
        self.parts_of = None;
    }

    /// Makes shelves for so many more directories, as far as they can be had; gives how many there
    /// is room for.
    fn make_room(&mut self, wanted: usize) -> usize {
        if wanted == 0 {
            return 0;
        }
        self.shelves.iter().for_each(Shelf::tidy);
        let capacity = capacity(limit());
        let held: usize = self.shelves.iter().map(Shelf::len).sum();
        let most = MOST_SHELVED.saturating_sub(held);
        let room = |shelves: &[Shelf]| shelves.iter().map(room_on).sum::<usize>().min(most);
        let missing = wanted.min(most).saturating_sub(room(&self.shelves));
        if missing >= FEWEST && capacity > 0 && !self.is_last {
            let more = missing.div_ceil(capacity).min(MOST_SHELVES - self.shelves.len());
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let threads = cores.min(MOST_THREADS).div_ceil(more.max(1));
            let made = (0..more).map_while(|_| Shelf::new(threads, &self.clocks));
            let wanted = self.shelves.len() + more;
            self.shelves.extend(made);
            self.is_last = self.shelves.len() < wanted;
        }
        room(&self.shelves)
    }

    /// Does without them from now on.
    pub(super) fn give_up(&mut self, dirs: &mut Forest) {
        dirs.iter_mut().for_each(|dir| dir.shelved = None);
        // Their threads close what they hold by their end.
        *self = Self { is_last: true, ..Self::default() };
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
    /// was listed is left out: it will be listed, and offered again.
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
            is_same.then(|| Shelved::new(opened))
        };
        ids.par_iter().map(open).collect()
    }
}

/// Whether there is a descriptor to be had for it.
fn is_unheld(dir: &KnownDir) -> bool {
    let is_held = dir.held.is_some() || dir.shelved.is_some();
    // What a link leads to is not proven by the directory above.
    let can_be = dir.mount == Mount::Local && dir.parent.is_some() && dir.link.is_none();
    can_be && !is_held && !dir.must_list
}

/// How many directories can be held where so many files may be open (RLIMIT_NOFILE; `None`: any
/// number), with shelves where there can be any.
pub fn most_directories(limit: Option<u64>) -> usize {
    let own = most_held(limit);
    let on_shelves = || (capacity(limit) * MOST_SHELVES).min(MOST_SHELVED);
    own + Shelf::new(1, &Clocks::default()).map_or(0, |_| on_shelves())
}

/// How many one shelf holds.
fn capacity(limit: Option<u64>) -> usize {
    let room = limit.and_then(|limit| usize::try_from(limit.saturating_sub(RESERVE)).ok());
    room.map_or(MOST_SHELVED, |room| room.min(MOST_SHELVED))
}

fn room_on(shelf: &Shelf) -> usize {
    capacity(limit()).saturating_sub(shelf.len())
}

/// Has all shelves do this at the same time, each by its threads; the first is called `number`. What
/// they give comes in their order.
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
