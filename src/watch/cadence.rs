//! The cadence: when to look next, from what looking costs.

use std::time::{Duration, Instant};

/// How often to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Always so often.
    Fixed(Duration),
    /// As often as the CPU budget allows: looking takes at most so many thousandths of one core,
    /// and comes every 200 ms at the most often and every 5 s at the least.
    Budget(u32),
}

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// Chooses the time of the next look.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    interval: Interval,
    cost: Option<Duration>,
}

impl Cadence {
    /// A cadence that has not seen a look yet.
    pub fn new(interval: Interval) -> Self {
        Self { interval, cost: None }
    }

    /// Takes note of a look that took `cost` of CPU time. Costs are averaged,
    /// so that one look on a busy machine does not change the pace. Says whether it is the
    /// first.
    pub fn looked(&mut self, cost: Duration) -> bool {
        let is_first = self.cost.is_none();
        self.cost = Some(self.cost.map_or(cost, |before| (before * 7 + cost) / 8));
        is_first
    }

    /// The interval that holds now.
    pub fn interval(&self) -> Duration {
        match self.interval {
            Interval::Fixed(interval) => interval,
            Interval::Budget(thousandths) => {
                let cost = self.cost.unwrap_or_default();
                (cost.saturating_mul(1000) / thousandths.max(1)).clamp(SHORTEST, LONGEST)
            }
        }
    }

    /// When to look after a look that went from `began` to `ended`. Between two looks there is
    /// at least half an interval of rest, however long one takes.
    pub fn next(&self, began: Instant, ended: Instant) -> Instant {
        let interval = self.interval();
        (began + interval).max(ended + interval / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_budget_sets_the_interval_within_its_bounds() {
        let interval = |cost| {
            let mut cadence = Cadence::new(Interval::Budget(20));
            cadence.looked(cost);
            cadence.interval()
        };
        assert_eq!(interval(MS), 200 * MS);
        assert_eq!(interval(20 * MS), 1000 * MS);
        assert_eq!(interval(Duration::from_secs(3)), Duration::from_secs(5));
        let mut lavish = Cadence::new(Interval::Budget(100));
        lavish.looked(40 * MS);
        assert_eq!(lavish.interval(), 400 * MS);
    }

    #[test]
    fn one_slow_look_does_not_change_the_pace() {
        let mut cadence = Cadence::new(Interval::Budget(20));
        for cost in [10, 10, 50, 10] {
            cadence.looked(cost * MS);
        }
        assert!(cadence.interval() < 750 * MS, "{:?}", cadence.interval());
    }

    #[test]
    fn a_fixed_interval_is_kept_and_a_slow_look_leaves_rest() {
        let mut cadence = Cadence::new(Interval::Fixed(100 * MS));
        cadence.looked(Duration::from_secs(1));
        let began = Instant::now();
        assert_eq!(cadence.next(began, began + MS), began + 100 * MS);
        assert_eq!(cadence.next(began, began + 400 * MS), began + 450 * MS);
    }
}
