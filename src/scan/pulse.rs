//! The pulse: whether each root's file system answers. A call into a dead mount blocks for as long
//! as it likes, and the thread in it cannot say so: another one has to see it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// For each root, how many askers wait for it and how often it answered; and how many files were
/// found and read so far. May be read from any thread at any time.
#[derive(Debug)]
pub struct Pulse {
    roots: Box<[Root]>,
    found: AtomicUsize,
    read: AtomicUsize,
}

#[derive(Debug, Default)]
struct Root {
    askers: AtomicUsize,
    answers: AtomicU64,
}

/// Someone who asks a root for something, until dropped.
#[derive(Debug)]
pub(super) struct Asking<'a>(&'a Root);

impl Pulse {
    pub(super) fn new(roots: usize) -> Self {
        let roots = (0..roots).map(|_| Root::default()).collect();
        Self { roots, found: AtomicUsize::new(0), read: AtomicUsize::new(0) }
    }

    /// Begins to ask a root, given as an index. One asker should not ask for much in between two
    /// [`Asking::answered`]: its answers are what counts.
    pub(super) fn ask(&self, root: usize) -> Asking<'_> {
        let root = &self.roots[root];
        root.askers.fetch_add(1, Ordering::Relaxed);
        Asking(root)
    }

    /// Does something that asks a root, given as an index.
    pub fn while_asking<T>(&self, root: usize, ask: impl FnOnce() -> T) -> T {
        let _asking = self.ask(root);
        ask()
    }

    /// A directory was listed that has so many files.
    pub(super) fn has_found(&self, files: usize) {
        self.found.fetch_add(files, Ordering::Relaxed);
    }

    /// A file was read.
    pub(super) fn has_read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    /// How many files were found so far, and how many were read; a file that is found or read again
    /// counts again.
    pub fn counts(&self) -> (usize, usize) {
        (self.found.load(Ordering::Relaxed), self.read.load(Ordering::Relaxed))
    }

    /// For each root: how often it has answered so far, or `None` where nobody waits for it.
    pub fn waiting(&self) -> impl Iterator<Item = Option<u64>> {
        self.roots.iter().map(|root| {
            let is_asked = root.askers.load(Ordering::Relaxed) > 0;
            is_asked.then(|| root.answers.load(Ordering::Relaxed))
        })
    }
}

impl Asking<'_> {
    /// An answer came.
    pub(super) fn answered(&self) {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.answered();
        self.0.askers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_waits_while_it_is_asked() {
        let pulse = Pulse::new(2);
        let asking = pulse.ask(1);
        assert_eq!(pulse.waiting().collect::<Vec<_>>(), [None, Some(0)]);
        asking.answered();
        assert_eq!(pulse.waiting().collect::<Vec<_>>(), [None, Some(1)]);
        drop(asking);
        assert_eq!(pulse.waiting().collect::<Vec<_>>(), [None, None]);
    }
}
