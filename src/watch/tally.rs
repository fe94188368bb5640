//! How often was looked, and what that has cost: counted by the watcher, read by whoever wants.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts looks, since watching began.
#[derive(Debug, Default)]
pub struct Tally {
    looks: AtomicU64,
    cpu_us: AtomicU64,
}

impl Tally {
    /// A look has cost so much of one core.
    pub(super) fn looked(&self, cost: Duration) {
        let cost = u64::try_from(cost.as_micros()).unwrap_or(u64::MAX);
        self.cpu_us.fetch_add(cost, Ordering::Relaxed);
        self.looks.fetch_add(1, Ordering::Relaxed);
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
