//! Racy entries: those whose stamp proves nothing yet, since an edit within the timestamp granule
//! would leave it the same. They are read again once that has passed.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::time::Instant;

use super::forest::DirId;

/// When each racy entry can be proven.
#[derive(Debug, Default)]
pub(super) struct Racy {
    due: HashMap<DirId, HashMap<OsString, Instant>>,
}

impl Racy {
    /// The entry is racy until `due`.
    pub(super) fn insert(&mut self, dir: DirId, name: &OsStr, due: Instant) {
        self.due.entry(dir).or_default().insert(name.to_os_string(), due);
    }

    /// The entry is proven, or not there any more.
    pub(super) fn remove(&mut self, dir: DirId, name: &OsStr) {
        if let Some(names) = self.due.get_mut(&dir) {
            names.remove(name);
            if names.is_empty() {
                self.due.remove(&dir);
            }
        }
    }

    /// The directory is not there any more.
    pub(super) fn remove_dir(&mut self, dir: DirId) {
        self.due.remove(&dir);
    }

    /// Whether the entry can be proven by reading it at `now`.
    pub(super) fn is_due(&self, dir: DirId, name: &OsStr, now: Instant) -> bool {
        self.due.get(&dir).and_then(|names| names.get(name)).is_some_and(|due| *due <= now)
    }

    /// All entries that can be proven by reading them at `now`.
    pub(super) fn due(&self, now: Instant) -> Vec<(DirId, OsString)> {
        let names = self.due.iter().flat_map(|(dir, names)| names.iter().map(|n| (*dir, n)));
        let due = names.filter(|(_, (_, due))| **due <= now);
        due.map(|(dir, (name, _))| (dir, name.clone())).collect()
    }

    /// When all of those in a directory can be proven.
    pub(super) fn last_in(&self, dir: DirId) -> Option<Instant> {
        self.due.get(&dir)?.values().copied().max()
    }

    /// When the first of them can be proven.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.values().flat_map(|names| names.values().copied()).min()
    }
}
