//! Echoes: changes that the program itself seems to make, which restart it for ever.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// A change so soon after a start may be the program's own. Who saves again and again takes longer.
const SOON: Duration = Duration::from_secs(1);

/// What a program does at each start comes after about the same time.
const SIMILAR: Duration = Duration::from_millis(500);

/// So many starts in a row that the same path follows are no coincidence.
const ENOUGH: u32 = 4;

/// Notices paths that change soon after every start.
#[derive(Debug, Default)]
pub struct Echo {
    suspects: BTreeSet<PathBuf>,
    times: u32,
    /// The shortest and the longest time after a start.
    between: Option<(Duration, Duration)>,
}

impl Echo {
    /// Takes note of a change set that began `since_start` after the program was started.
    /// Gives the paths that changed after each of the last four starts, once.
    pub fn changed(
        &mut self,
        paths: impl Iterator<Item = PathBuf>,
        since_start: Option<Duration>,
    ) -> Vec<PathBuf> {
        let Some(since) = since_start.filter(|since| *since <= SOON) else {
            *self = Self::default();
            return Vec::new();
        };
        let paths: BTreeSet<PathBuf> = paths.collect();
        let (least, most) = self.between.unwrap_or((since, since));
        let (least, most) = (least.min(since), most.max(since));
        let common = &self.suspects & &paths;
        if self.times == 0 || common.is_empty() || most - least > SIMILAR {
            // It may be the first of others.
            *self = Self { suspects: paths, times: 1, between: Some((since, since)) };
            return Vec::new();
        }
        *self = Self { suspects: common, times: self.times + 1, between: Some((least, most)) };
        match self.times {
            ENOUGH => self.suspects.iter().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays change sets, each with the milliseconds since the start before it.
    fn told(changes: &[(&[&str], u64)]) -> Vec<Vec<PathBuf>> {
        let mut echo = Echo::default();
        let mut play = |(paths, ms): &(&[&str], u64)| {
            let paths = paths.iter().map(PathBuf::from);
            echo.changed(paths, Some(Duration::from_millis(*ms)))
        };
        changes.iter().map(&mut play).filter(|paths| !paths.is_empty()).collect()
    }

    #[test]
    fn a_path_that_follows_every_start_is_named_once() {
        let both: (&[&str], u64) = (&["app.log", "a.py"], 100);
        let log: (&[&str], u64) = (&["app.log"], 200);
        assert_eq!(told(&[both, log, log, log, log, log]), [[PathBuf::from("app.log")]]);
    }

    #[test]
    fn edits_that_come_later_or_elsewhere_are_edits() {
        let log: (&[&str], u64) = (&["app.log"], 200);
        assert!(told(&[log, log, (&["app.log"], 60_000), log, log]).is_empty());
        assert!(told(&[log, log, (&["a.py"], 200), log, log]).is_empty());
    }

    #[test]
    fn who_saves_a_file_again_and_again_is_not_its_program() {
        // Every 2.4 s, the restart taken off; and in haste, which is at no time in particular.
        let saved = |times: &[u64]| -> Vec<(&'static [&'static str], u64)> {
            times.iter().map(|ms| (&["app.py"][..], *ms)).collect()
        };
        assert!(told(&saved(&[2200; 8])).is_empty());
        assert!(told(&saved(&[900, 100, 800, 150, 950, 300])).is_empty());
        assert_eq!(told(&saved(&[100, 350, 150, 200])).len(), 1);
    }
}
