//! Publishing: what a scanner knows of directories, made a snapshot for others.

use std::path::Path;
use std::sync::Arc;

use super::Scanner;
use super::forest::DirId;
use super::touched::{Progress, Slot};
use crate::tree::{Dir, Snapshot};

impl Scanner {
    /// Makes what was found the known state, and a snapshot of it.
    pub(super) fn commit(&mut self, progress: &mut Progress) {
        let is_other_tree = self.dirs.tidy();
        self.tidied += u64::from(is_other_tree || progress.is_elsewhere);
        for (id, slots) in progress.touched.drain() {
            let entries = slots.into_iter().map(|(name, slot)| match slot {
                Slot::Is(entry) => (name, entry),
                Slot::Read(..) => unreachable!("every slot was read"),
            });
            self.replace(id, Dir::new(entries.collect()));
        }
        if is_other_tree {
            self.unpublished.clear();
            self.snapshot = Snapshot::new(self.dirs.order().iter().map(|&id| self.branch(id)));
        } else {
            self.publish();
        }
    }

    /// Puts these entries in the directory instead of those before.
    pub(super) fn replace(&mut self, id: DirId, contents: Dir) {
        let dir = self.dir_mut(id);
        if *dir.contents != contents {
            dir.contents = Arc::new(contents);
            self.unpublished.push(id);
        }
    }

    /// Has the snapshot show what is known, as long as no directory came or went; says whether
    /// that is more than it did.
    pub(super) fn publish(&mut self) -> bool {
        let unpublished = std::mem::take(&mut self.unpublished);
        let is_more = !unpublished.is_empty();
        self.snapshot = self.snapshot.with(unpublished.into_iter().map(|id| self.branch(id)));
        is_more
    }

    fn branch(&self, id: DirId) -> (Arc<Path>, Arc<Dir>) {
        let dir = self.dir(id);
        (Arc::clone(&dir.path), Arc::clone(&dir.contents))
    }
}
