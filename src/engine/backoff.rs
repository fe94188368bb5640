//! Back-off: how long to wait before a program that fails again and again is started again.

use std::time::Duration;

/// The first wait; each further one is twice as long.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// After so long a run, a failure is the first one again.
const STEADY: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after a run that took `up` and failed.
    pub fn next(&mut self, up: Duration) -> Duration {
        if up >= STEADY {
            self.failures = 0;
        }
        let wait = SHORTEST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        wait.min(LONGEST)
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(ups: &[u64]) -> Vec<u128> {
        let mut backoff = Backoff::default();
        ups.iter().map(|up| backoff.next(Duration::from_secs(*up)).as_millis()).collect()
    }

    #[test]
    fn waits_double_up_to_ten_seconds_and_begin_anew_after_a_long_run() {
        assert_eq!(waits(&[0; 8]), [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(waits(&[0, 29, 30, 0]), [250, 500, 250, 500]);
        assert_eq!(waits(&[0; 100])[99], 10_000);
    }
}
