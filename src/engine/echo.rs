//! Echoes: changes that the program itself seems to make, which restart it for ever.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// A change so soon after a start may be the program's own.
const SOON: Duration = Duration::from_secs(3);

/// So many starts in a row that the same path follows are no coincidence.
const ENOUGH: u32 = 4;

/// Notices paths that change soon after every start.
#[derive(Debug, Default)]
pub struct Echo {
    suspects: BTreeSet<PathBuf>,
    times: u32,
}

impl Echo {
    /// Takes note of a change set that settled `since_start` after the program was started.
    /// Gives the paths that changed after each of the last four starts, once.
    pub fn changed(
        &mut self,
        paths: impl Iterator<Item = PathBuf>,
        since_start: Option<Duration>,
    ) -> Vec<PathBuf> {
        let paths = paths.collect();
        let is_soon = since_start.is_some_and(|since| since <= SOON);
        let common: BTreeSet<PathBuf> = match self.times {
            0 => paths,
            _ => &self.suspects & &paths,
        };
        if !is_soon || common.is_empty() {
            *self = Self::default();
            return Vec::new();
        }
        self.suspects = common;
        self.times = self.times.saturating_add(1);
        match self.times {
            ENOUGH => self.suspects.iter().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays change sets, each with the seconds since the start before it.
    fn told(changes: &[(&[&str], u64)]) -> Vec<Vec<PathBuf>> {
        let mut echo = Echo::default();
        let mut play = |(paths, seconds): &(&[&str], u64)| {
            let paths = paths.iter().map(PathBuf::from);
            echo.changed(paths, Some(Duration::from_secs(*seconds)))
        };
        changes.iter().map(&mut play).filter(|paths| !paths.is_empty()).collect()
    }

    #[test]
    fn a_path_that_follows_every_start_is_named_once() {
        let both: (&[&str], u64) = (&["app.log", "a.py"], 1);
        let log: (&[&str], u64) = (&["app.log"], 1);
        assert_eq!(told(&[both, log, log, log, log, log]), [[PathBuf::from("app.log")]]);
    }

    #[test]
    fn edits_that_come_later_or_elsewhere_are_edits() {
        let log: (&[&str], u64) = (&["app.log"], 1);
        assert!(told(&[log, log, (&["app.log"], 60), log, log]).is_empty());
        assert!(told(&[log, log, (&["a.py"], 1), log, log]).is_empty());
    }
}
