//! The steps in which a file system keeps times, from times that it has kept. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

/// Steps that file systems and protocols are known to have, in nanoseconds: FAT's 2 s, whole
/// seconds, FAT's hundredths, milli- and microseconds, NTFS's 100 ns.
const STEPS: [i64; 7] = [2_000_000_000, 1_000_000_000, 10_000_000, 1_000_000, 1_000, 100, 1];

/// By chance alone, so many times share a step that is twice too long once in a thousand.
const ENOUGH: usize = 10;

/// The longest step that all of these times, in nanoseconds, are multiples of; none if they are
/// too few to tell.
pub(super) fn steps(times: impl IntoIterator<Item = i64>) -> Option<Duration> {
    let times: BTreeSet<i64> = times.into_iter().collect();
    if times.len() < ENOUGH {
        return None;
    }
    let step = STEPS.into_iter().find(|step| times.iter().all(|time| time % step == 0));
    step.map(|step| Duration::from_nanos(step.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_step_is_found() {
        let times = |step: i64| (0..20).map(move |n| (1_764_000_000_000_000_000 / step + n) * step);
        for step in STEPS {
            assert_eq!(steps(times(step)), Some(Duration::from_nanos(step.unsigned_abs())));
        }
    }

    #[test]
    fn a_few_times_tell_nothing() {
        assert_eq!(steps([0; 100]), None, "one time, many times over");
        assert_eq!(steps(0..9), None);
        assert_eq!(steps(0..10), Some(Duration::from_nanos(1)));
    }
}
