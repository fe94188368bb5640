//! Checking all that is known, or a part of it, on all threads: where most of a rescan goes.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rayon::prelude::*;

use super::check::{Asker, Check};
use super::forest::{DirId, Forest};
use super::scanner::Scanner;
use super::scope::Scope;
use super::shelves::Approach;
use super::touched::{Progress, Slot, slots_of};
use super::way::Way;

/// Directories a thread takes at a time: few enough to share the work evenly, many enough that
/// handing them out costs nothing.
pub(super) const BATCH: usize = 16;

/// So many local files are asked for sooner by this thread than it wakes others.
const FEW: usize = 2048;

/// Asking shares for what this kernel remembers takes at most one part in so many of the time.
const DOUBTS_SHARE: u32 = 100;

impl Scanner {
    /// Checks what is known under every root that could be opened; gives what has to be listed.
    pub(super) fn check_all(
        &mut self,
        scope: &Scope,
        now: Instant,
        progress: &mut Progress,
    ) -> Vec<DirId> {
        let mut queue = Vec::new();
        for index in 0..self.roots.len() {
            queue.extend(self.refresh_root(index, progress));
        }
        // What is held is proven by the directories above, which only a look at everything asks.
        let is_all = matches!(scope, Scope::Everything);
        let same_mounts = self.has_same_mounts() && is_all;
        if is_all {
            self.shelves.tidy();
            let opened = self.roots.iter_mut().filter(|root| root.now.is_some());
            opened.for_each(|root| root.is_remounted = false);
        }
        let is_alone = !self.is_wide && are_few(&self.dirs, &scope.ids(&self.dirs));
        let links = self.plan.links();
        let by_shelves = same_mounts && !is_alone;
        if by_shelves {
            let approach = Approach { roots: &self.roots, links, pulse: &self.pulse };
            self.shelves.take_in(&mut self.dirs, approach);
            self.shelves.sort(&self.dirs, self.tidied);
        }
        let (dirs, roots) = (&self.dirs, &self.roots);
        let ids = scope.ids(dirs);
        let (inodes, pulse) = (&self.inodes, &self.pulse);
        let asker = Asker { dirs, inodes, pulse, now, same_mounts, is_alone };
        let doubts = is_all && self.is_wide && self.doubts <= now;
        let costs_from = doubts.then(|| self.cpu_time());
        let unless_same =
            |id: DirId, check: Check| (!matches!(check, Check::Same)).then_some((id, check));
        let check = |&id: &DirId| {
            let dir = dirs.get(id)?;
            let root = roots[dir.root()].now.as_ref()?;
            let freshness = dir.mount.freshness(doubts);
            let way = Way::to(dirs, dir, root.directory.as_fd(), links, freshness);
            unless_same(id, asker.check(way, dir))
        };
        let check_held = |id: DirId, held: BorrowedFd<'_>| {
            let dir = dirs.get(id)?;
            roots[dir.root()].now.as_ref()?;
            let way = Way::held(held, links);
            unless_same(id, asker.check(way, dir))
        };
        let (mut checked, ids) = match by_shelves && !self.shelves.is_empty() {
            true => {
                let (found, left) = self.shelves.check(dirs, check_held);
                (found, left.into())
            }
            false => (Vec::new(), ids),
        };
        let batch = if self.is_wide { 1 } else { BATCH };
        checked.extend(match is_alone {
            true => ids.iter().filter_map(check).collect::<Vec<_>>(),
            false => {
                self.pool.install(|| ids.par_iter().with_min_len(batch).filter_map(check).collect())
            }
        });
        if let Some(costs_from) = costs_from {
            let cost = self.cpu_time().saturating_sub(costs_from);
            self.doubts = now + self.plan.believe.max(cost * DOUBTS_SHARE);
        }
        self.take_checked(checked, &mut queue, progress);
        queue.sort_unstable();
        queue.dedup();
        queue
    }

    /// Whether nothing was mounted or unmounted since the last look at all of any root that is open.
    fn has_same_mounts(&mut self) -> bool {
        if self.mounts.may_have_changed() {
            self.roots.iter_mut().for_each(|root| root.is_remounted = true);
        }
        !self.roots.iter().any(|root| root.now.is_some() && root.is_remounted)
    }

    /// Takes over what checks found, but for what is as it was.
    fn take_checked(
        &mut self,
        checked: Vec<(DirId, Check)>,
        queue: &mut Vec<DirId>,
        progress: &mut Progress,
    ) {
        for (id, check) in checked {
            match check {
                Check::List => queue.push(id),
                Check::Lost => queue.extend(self.dir(id).parent),
                Check::Failed(trouble) => {
                    progress.troubles.push(*trouble);
                    let dir = self.dir_mut(id);
                    if dir.held.is_some() || dir.shelved.is_some() {
                        // What is held may be what was there before.
                        dir.must_list = true;
                        self.dirs.release(id);
                    }
                }
                Check::Same => {}
                Check::Proven => self.dir_mut(id).racy_until = None,
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
                            let stamp = *entry.stamp();
                            let slot = Slot::Read(Some(entry), stamp);
                            slots.insert(name.to_os_string(), slot);
                        }
                        progress.touched.insert(id, slots);
                    }
                }
            }
        }
    }
}

/// Whether there is so little in these directories that one thread asks for it as soon as many.
fn are_few(dirs: &Forest, ids: &[DirId]) -> bool {
    let entries = || ids.iter().filter_map(|&id| dirs.get(id)).map(|dir| dir.contents.len());
    ids.len() <= FEW && entries().sum::<usize>() <= FEW
}
