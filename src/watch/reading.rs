//! When to read the next part of the baseline, and when to say how far that has come.

use std::time::{Duration, Instant};

/// It takes at most one part in so many of the time.
const SHARE: u32 = 10;

/// What takes less time is not worth a line.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is said, or once it has taken half as long again.
pub const EVERY: Duration = Duration::from_secs(10);

/// Reading the baseline, in steps, until all is read.
#[derive(Debug)]
pub(super) struct Reading {
    began: Instant,
    /// When the next step is due.
    pub(super) due: Instant,
    /// When it is said again.
    tell: Instant,
}

impl Reading {
    /// To begin after so long.
    pub(super) fn new(now: Instant, wait: Duration) -> Self {
        Self { began: now, due: now + wait, tell: now + PATIENCE }
    }

    /// A step was done, and there are more. Says whether it is time to tell how far this has come.
    pub(super) fn stepped(&mut self, began: Instant, now: Instant) -> bool {
        self.due = now + (now - began) * (SHARE - 1);
        let is_time = now >= self.tell;
        if is_time {
            self.tell = now + EVERY.max(self.took(now) / 2);
        }
        is_time
    }

    /// How long it takes so far, its rests included.
    pub(super) fn took(&self, now: Instant) -> Duration {
        now - self.began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_a_tenth_of_the_time_and_is_told_now_and_then() {
        let start = Instant::now();
        let wait = Duration::from_secs(2);
        let mut reading = Reading::new(start, wait);
        assert_eq!(reading.due, start + wait);
        let mut told = Vec::new();
        while reading.due < start + Duration::from_secs(100) {
            let began = reading.due;
            let ended = began + Duration::from_millis(100);
            if reading.stepped(began, ended) {
                told.push((ended - start).as_millis());
            }
            assert_eq!(reading.due, began + Duration::from_secs(1));
        }
        assert_eq!(told, [5_100, 15_100, 25_100, 38_100, 58_100, 88_100]);
    }
}
