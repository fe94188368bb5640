//! The hot set: the directories in which something changed lately. People edit where they just
//! edited, so these few are looked at more often than the rest. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a directory stays hot.
const WARM: Duration = Duration::from_secs(600);

/// So many directories at the most; a checkout of another branch is no editing.
const MOST: usize = 32;

/// The most often that they are looked at.
const SHORTEST: Duration = Duration::from_millis(50);

/// They get 1 % of one core, as a divisor.
const BUDGET: u32 = 100;

/// Directories, and when something changed there last.
#[derive(Clone, Debug, Default)]
pub struct HotSet {
    dirs: BTreeMap<Arc<Path>, Instant>,
    cost: Option<Duration>,
}

impl HotSet {
    /// Something changed in this directory.
    pub fn changed(&mut self, dir: &Arc<Path>, now: Instant) {
        self.dirs.insert(Arc::clone(dir), now);
        if self.dirs.len() > MOST
            && let Some(oldest) = self.dirs.iter().min_by_key(|(_, at)| **at)
        {
            let oldest = Arc::clone(oldest.0);
            self.dirs.remove(&oldest);
        }
    }

    /// Those that are hot at `now`.
    pub fn dirs(&mut self, now: Instant) -> BTreeSet<Arc<Path>> {
        self.dirs.retain(|_, at| now.saturating_duration_since(*at) < WARM);
        self.dirs.keys().cloned().collect()
    }

    /// Takes note of a look at nothing but them, which took `cost` of CPU time. Costs are averaged:
    /// a look that finds an edit costs more in a large tree, and the next edit is not to wait for
    /// that.
    pub fn looked(&mut self, cost: Duration) {
        self.cost = Some(self.cost.map_or(cost, |before| (before * 7 + cost) / 8));
    }

    /// How long to wait after a look at them.
    pub fn rest(&self) -> Duration {
        self.cost.unwrap_or_default().saturating_mul(BUDGET).max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_hot_for_a_while_after_each_change() {
        let zero = Instant::now();
        let (a, b): (Arc<Path>, Arc<Path>) = (Path::new("a").into(), Path::new("b").into());
        let mut hot = HotSet::default();
        hot.changed(&a, zero);
        hot.changed(&b, zero + WARM / 2);
        assert_eq!(hot.dirs(zero + WARM / 2), BTreeSet::from([a, Arc::clone(&b)]));
        assert_eq!(hot.dirs(zero + WARM), BTreeSet::from([b]));
        assert!(hot.dirs(zero + WARM * 2).is_empty());
    }

    #[test]
    fn the_oldest_gives_way() {
        let zero = Instant::now();
        let mut hot = HotSet::default();
        for n in 0..100_u64 {
            hot.changed(&Path::new(&n.to_string()).into(), zero + Duration::from_millis(n));
        }
        let dirs = hot.dirs(zero + Duration::from_millis(100));
        assert_eq!(dirs.len(), MOST);
        assert!(dirs.contains(Path::new("99")) && !dirs.contains(Path::new("0")));
    }

    #[test]
    fn what_costs_more_is_looked_at_less_often() {
        let rest = |cost| {
            let mut hot = HotSet::default();
            hot.looked(cost);
            hot.rest()
        };
        assert_eq!(rest(Duration::from_micros(100)), SHORTEST);
        assert_eq!(rest(Duration::from_millis(2)), Duration::from_millis(200));
    }

    #[test]
    fn an_edit_that_costs_more_does_not_hold_up_the_next() {
        let mut hot = HotSet::default();
        for _ in 0..8 {
            hot.looked(Duration::from_micros(100));
        }
        hot.looked(Duration::from_millis(4));
        assert!(hot.rest() < Duration::from_millis(65), "{:?}", hot.rest());
        // Of what changes all the time, as a log does, each look costs as much.
        for _ in 0..50 {
            hot.looked(Duration::from_millis(4));
        }
        assert!(hot.rest() > Duration::from_millis(390), "{:?}", hot.rest());
    }
}
