//! Settling: waiting until changes have come to rest.

use std::time::{Duration, Instant};

/// What follows from a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is under way.
    Quiet,
    /// Something changed; look again at this time.
    LookAgain(Instant),
    /// What changed has come to rest, or has gone on for too long to wait any more.
    Settled {
        /// The end of the first look that saw it.
        since: Instant,
    },
}

/// Decides when changes are settled: once a look that began `debounce` after the last one that
/// saw something move finds that nothing did, or `max_wait` after the first.
#[derive(Clone, Copy, Debug)]
pub struct Settle {
    debounce: Duration,
    max_wait: Duration,
    moving: Option<Moving>,
}

#[derive(Clone, Copy, Debug)]
struct Moving {
    since: Instant,
    last: Instant,
}

impl Settle {
    /// Nothing has moved yet.
    pub fn new(debounce: Duration, max_wait: Duration) -> Self {
        Self { debounce, max_wait, moving: None }
    }

    /// Judges a look that went from `began` to `ended` and found other content than the look
    /// before (`moved`) or not.
    pub fn looked(&mut self, began: Instant, ended: Instant, moved: bool) -> Verdict {
        let Some(moving) = &mut self.moving else {
            if !moved {
                return Verdict::Quiet;
            }
            self.moving = Some(Moving { since: ended, last: ended });
            return Verdict::LookAgain(ended + self.debounce.min(self.max_wait));
        };
        if moved {
            moving.last = ended;
        }
        let gives_up = moving.since + self.max_wait;
        let rests = moving.last + self.debounce;
        if ended >= gives_up || !moved && began >= rests {
            let since = moving.since;
            self.moving = None;
            return Verdict::Settled { since };
        }
        Verdict::LookAgain(rests.min(gives_up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    /// Plays looks that take no time, at these milliseconds, each of which saw something move
    /// or not; gives the milliseconds at which something settled.
    fn settled_at(looks: &[(u32, bool)]) -> Vec<u32> {
        let zero = Instant::now();
        let mut settle = Settle::new(100 * MS, 1000 * MS);
        let mut settled = Vec::new();
        for &(at, moved) in looks {
            let now = zero + at * MS;
            if let Verdict::Settled { .. } = settle.looked(now, now, moved) {
                settled.push(at);
            }
        }
        settled
    }

    #[test]
    fn one_change_settles_after_the_quiet_period() {
        assert_eq!(settled_at(&[(0, false), (50, true), (149, false), (150, false)]), [150]);
    }

    #[test]
    fn each_further_change_starts_the_quiet_period_again() {
        let looks = [(0, true), (90, true), (180, true), (270, false), (280, false)];
        assert_eq!(settled_at(&looks), [280]);
    }

    #[test]
    fn what_never_rests_settles_at_the_upper_bound() {
        let looks: Vec<_> = (0..40).map(|n| (n * 50, true)).collect();
        assert_eq!(settled_at(&looks), [1000]);
    }

    #[test]
    fn a_look_that_began_before_the_quiet_period_ended_proves_nothing() {
        let zero = Instant::now();
        let mut settle = Settle::new(100 * MS, 1000 * MS);
        assert_eq!(settle.looked(zero, zero, true), Verdict::LookAgain(zero + 100 * MS));
        let verdict = settle.looked(zero + 50 * MS, zero + 250 * MS, false);
        assert_eq!(verdict, Verdict::LookAgain(zero + 100 * MS));
    }

    proptest! {
        #[test]
        fn everything_that_moved_settles(moves in proptest::collection::vec(any::<bool>(), 0..50)) {
            let zero = Instant::now();
            let mut settle = Settle::new(30 * MS, 200 * MS);
            let mut unsettled = false;
            let quiet = std::iter::repeat_n(false, 4);
            for (n, moved) in moves.into_iter().chain(quiet).enumerate() {
                let now = zero + u32::try_from(n).unwrap() * 10 * MS;
                unsettled |= moved;
                match settle.looked(now, now, moved) {
                    Verdict::Settled { .. } => {
                        prop_assert!(unsettled, "nothing had moved");
                        unsettled = false;
                    }
                    Verdict::Quiet => prop_assert!(!unsettled, "forgot that something moved"),
                    Verdict::LookAgain(at) => prop_assert!(at > now - 10 * MS),
                }
            }
            prop_assert!(!unsettled);
        }
    }
}
