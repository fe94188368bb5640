//! How often was looked, what that has cost, and how much of the baseline was read: counted by the
//! watcher, read by whoever wants.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Counts looks, since watching began.
#[derive(Debug, Default)]
pub struct Tally {
    looks: AtomicU64,
    cpu_us: AtomicU64,
    read: AtomicUsize,
    is_all_read: AtomicBool,
}

impl Tally {
    /// A look has cost so much of one core.
    pub(super) fn looked(&self, cost: Duration) {
        let cost = u64::try_from(cost.as_micros()).unwrap_or(u64::MAX);
        self.cpu_us.fetch_add(cost, Ordering::Relaxed);
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// So many files were read since watching began.
    pub(super) fn has_read(&self, files: usize) {
        self.read.store(files, Ordering::Relaxed);
    }

    /// The baseline was read.
    pub(super) fn has_read_all(&self) {
        self.is_all_read.store(true, Ordering::Relaxed);
    }

    /// How many files were read so far; `None` once the baseline was, which is all of them but
    /// those over the limit.
    pub fn reading(&self) -> Option<usize> {
        let is_over = self.is_all_read.load(Ordering::Relaxed);
        (!is_over).then(|| self.read.load(Ordering::Relaxed))
    }

    /// How many looks there were.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// What they have cost of one core, all together.
    pub fn cost(&self) -> Duration {
        Duration::from_micros(self.cpu_us.load(Ordering::Relaxed))
    }
}
