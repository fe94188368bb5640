//! The forest: all known directories, in one flat array.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::follow::MOST_LINKED;
use super::known::KnownDir;

/// A directory's index in the array. Valid within one look; used again after.
pub(super) type DirId = u32;

/// Known directories, found by id or in the order of their paths.
#[derive(Debug, Default)]
pub(super) struct Forest {
    // Boxed: a list that grows takes twice its size at times.
    dirs: Vec<Option<Box<KnownDir>>>,
    /// The ids of all directories as of the last [`Forest::tidy`], sorted by path.
    order: Vec<DirId>,
    /// Places to use again.
    free: Vec<DirId>,
    /// Places that were given up in this look. They may still be in its queues, and are free
    /// only after it.
    removed: Vec<DirId>,
    is_changed: bool,
    /// How many directories are held open.
    held: usize,
    /// How many were reached by a link.
    linked: usize,
}

impl Forest {
    /// The directory with this id, unless it was removed in this look.
    pub(super) fn get(&self, id: DirId) -> Option<&KnownDir> {
        self.dirs[id as usize].as_deref()
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, id: DirId) -> Option<&mut KnownDir> {
        self.dirs[id as usize].as_deref_mut()
    }

    /// All directories that were known when the look began, sorted by path.
    pub(super) fn order(&self) -> &[DirId] {
        &self.order
    }

    /// The directory that is shown as this path, as of the last [`Forest::tidy`].
    pub(super) fn at(&self, path: &Path) -> Option<DirId> {
        let key = |id: &DirId| self.get(*id).map(|dir| dir.path.as_os_str());
        let found = self.order.binary_search_by(|id| key(id).cmp(&Some(path.as_os_str())));
        found.ok().map(|index| self.order[index])
    }

    /// The directory in `dir` that is called `name`.
    pub(super) fn child_called(&self, dir: &KnownDir, name: &OsStr) -> Option<DirId> {
        let called = |child: &DirId| self.get(*child).map(KnownDir::name);
        let found = dir.children.binary_search_by(|child| called(child).cmp(&Some(name)));
        found.ok().map(|index| dir.children[index])
    }

    /// All directories, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &KnownDir> {
        self.dirs.iter().flatten().map(AsRef::as_ref)
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut KnownDir> {
        self.dirs.iter_mut().flatten().map(AsMut::as_mut)
    }

    /// Whether one more may be reached by a link.
    pub(super) fn takes_linked(&self) -> bool {
        self.linked < MOST_LINKED
    }

    pub(super) fn insert(&mut self, dir: KnownDir) -> DirId {
        self.is_changed = true;
        self.linked += usize::from(dir.link.is_some());
        if let Some(id) = self.free.pop() {
            self.dirs[id as usize] = Some(dir.into());
            return id;
        }
        self.dirs.push(Some(dir.into()));
        DirId::try_from(self.dirs.len() - 1).expect("fewer than 4 billion directories")
    }

    /// How many directories are held open.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Holds a directory open from now on as `opened`, unless `most` are held already.
    pub(super) fn hold(&mut self, id: DirId, opened: OwnedFd, most: usize) {
        self.release(id);
        if self.held < most
            && let Some(dir) = self.get_mut(id)
        {
            dir.held = Some(opened);
            self.held += 1;
        }
    }

    /// Holds a directory open no longer.
    pub(super) fn release(&mut self, id: DirId) {
        let Some(dir) = self.get_mut(id) else { return };
        dir.shelved = None;
        self.held -= usize::from(dir.held.take().is_some());
    }

    /// Holds no more than so many directories open.
    pub(super) fn hold_at_most(&mut self, most: usize) {
        let held = self.dirs.iter_mut().flatten().filter(|dir| dir.held.is_some());
        held.take(self.held.saturating_sub(most)).for_each(|dir| dir.held = None);
        self.held = self.held.min(most);
    }

    /// Takes out a directory and all below it.
    pub(super) fn remove(&mut self, id: DirId) -> Vec<(DirId, KnownDir)> {
        let mut taken = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let Some(dir) = self.dirs[id as usize].take() else { continue };
            stack.extend(&dir.children);
            self.removed.push(id);
            self.held -= usize::from(dir.held.is_some());
            self.linked -= usize::from(dir.link.is_some());
            taken.push((id, *dir));
        }
        self.is_changed |= !taken.is_empty();
        taken
    }

    /// Ends a look: removed ids become free, and the order true. Says whether directories came
    /// or went.
    pub(super) fn tidy(&mut self) -> bool {
        if !self.is_changed {
            return false;
        }
        self.free.append(&mut self.removed);
        // With the paths at hand, or each comparison would look for two of them in memory.
        let known = (0..).zip(&self.dirs).filter_map(|(id, dir)| Some((id, dir.as_ref()?)));
        let mut order: Vec<(&OsStr, DirId)> =
            known.map(|(id, dir)| (dir.path.as_os_str(), id)).collect();
        order.sort_unstable();
        self.order = order.into_iter().map(|(_, id)| id).collect();
        self.is_changed = false;
        true
    }
}
