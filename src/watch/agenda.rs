//! The agenda: what has to be looked at when. Pure.

use std::time::{Duration, Instant};

/// Times of the next looks, each at a part of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Agenda {
    /// The whole tree.
    pub everything: Instant,
    /// The mounts of which events are not relied upon.
    pub untrusted: Option<Instant>,
    /// The directories in which something changed lately.
    pub hot: Option<Instant>,
    /// What is changing, to see whether it has come to rest.
    pub settling: Option<Instant>,
    /// The directories of which native events told.
    pub hints: Option<Instant>,
}

/// What has to be looked at now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The whole tree.
    pub everything: bool,
    /// The mounts of which events are not relied upon.
    pub untrusted: bool,
    /// The directories in which something changed lately.
    pub hot: bool,
    /// What is changing.
    pub settling: bool,
    /// The directories of which native events told.
    pub hints: bool,
}

impl Agenda {
    /// Everything at this time, and nothing before.
    pub fn new(everything: Instant) -> Self {
        Self { everything, untrusted: None, hot: None, settling: None, hints: None }
    }

    /// When the next look is due.
    pub fn next(&self) -> Instant {
        let parts = [self.untrusted, self.hot, self.settling, self.hints];
        parts.into_iter().flatten().fold(self.everything, Instant::min)
    }

    /// Takes off what is due at `now`; what was a time will have to be set again.
    pub fn take(&mut self, now: Instant) -> Option<Due> {
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        let due = Due {
            everything: self.everything <= now,
            untrusted: due(&mut self.untrusted),
            hot: due(&mut self.hot),
            settling: due(&mut self.settling),
            hints: due(&mut self.hints),
        };
        (due != Due::default()).then_some(due)
    }
}

impl Due {
    /// Whether a look at this can prove that what was changing has come to rest.
    pub fn proves_rest(self) -> bool {
        self.everything || self.settling
    }
}

/// Paces the looks that events ask for: the first comes at once, and between two there is ten
/// times as much rest as work, so that a program that writes without end does not keep us busy.
pub fn rest_after_hints(took: Duration) -> Duration {
    took.saturating_mul(10).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_taken_off_and_the_rest_stays() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut agenda = Agenda::new(at(10_000));
        agenda.hot = Some(at(50));
        agenda.settling = Some(at(100));
        assert_eq!(agenda.next(), at(50));
        assert_eq!(agenda.take(at(49)), None);
        let both = Due { hot: true, settling: true, ..Due::default() };
        assert_eq!(agenda.take(at(100)), Some(both));
        assert_eq!(agenda.next(), at(10_000));
        let due = agenda.take(at(10_001)).unwrap();
        assert!(due.everything && !due.hot);
    }
}
