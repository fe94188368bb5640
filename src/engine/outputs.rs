//! Outputs: what builds write into the tree, learnt, so that it does not lead to the next build.
//!
//! Nobody but the kernel knows who has written a file. What a build does to the tree shows only in
//! what happens without anybody's help: a build whose one cause was what changed while the build
//! before it ran changes the same again, and nothing moves between the two. Somebody who saves a
//! file while it is being built makes the first two look like that, and hardly the wait after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// After so many builds in a row that the same paths followed, the next one waits for quiet.
const PATIENT: u32 = 3;

/// After so many, and quiet, they are outputs.
const ENOUGH: u32 = 4;

/// How long it has to be quiet after a build: as long as that took, within these bounds.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);

/// Learns what builds write. No change is lost on it that was made outside of a build's time, which
/// goes from its begin to the look that follows its end at once.
#[derive(Debug, Default)]
pub struct Outputs {
    learnt: BTreeSet<PathBuf>,
    /// What followed builds in a row, each with no cause but the one before.
    suspects: BTreeMap<PathBuf, Suspect>,
    build: Option<Build>,
    /// How many builds there were.
    builds: u64,
    /// Whether the next build has no cause but the last one, as far as is known.
    is_echo: bool,
    /// Whether a build waits for quiet.
    is_waiting: bool,
}

#[derive(Debug, Default)]
struct Suspect {
    /// How many of these builds it followed.
    times: u32,
    /// The last one.
    last: u64,
}

#[derive(Debug)]
struct Build {
    began: Instant,
    ended: Option<Instant>,
    /// What changed in its time, and was not learnt yet.
    changed: BTreeSet<PathBuf>,
    /// Whether another follows for that, quiet or not.
    is_followed: bool,
}

/// What a change set leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heed {
    /// What it always does.
    Act,
    /// The same, unless [`Outputs::tick`] says otherwise when it has been quiet after the build.
    Wait,
    /// Nothing: it is what builds write.
    Pass,
}

/// What follows when it has been quiet after a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// These are outputs from now on.
    pub learnt: Vec<PathBuf>,
    /// Whether what has waited is to be done: something else changed as well.
    pub acts: bool,
}

impl Outputs {
    /// A build begins.
    pub fn began(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_echo) {
            self.suspects.clear();
        }
        self.builds += 1;
        // Names that do not come again, of temporary files for example, would be too many.
        let oldest = self.builds.saturating_sub(ENOUGH.into());
        self.suspects.retain(|_, suspect| suspect.last >= oldest);
        self.is_waiting = false;
        self.build =
            Some(Build { began: now, ended: None, changed: BTreeSet::new(), is_followed: false });
    }

    /// It came to its end, and none follows at once. Says whether the tree has to be looked at now,
    /// since what the build has changed must be told from what is changed after it.
    pub fn ended(&mut self, now: Instant) -> bool {
        if let Some(build) = &mut self.build {
            build.ended.get_or_insert(now);
        }
        !self.learnt.is_empty() || !self.suspects.is_empty()
    }

    /// What this change set leads to. The last of its changes was made later than `after`.
    pub fn changed(&mut self, paths: &BTreeSet<PathBuf>, after: Instant) -> Heed {
        let is_before = |ended| after < ended;
        let build = self.build.as_mut().filter(|build| build.ended.is_none_or(is_before));
        let Some(build) = build else {
            self.is_echo = false;
            self.is_waiting = false;
            self.suspects.clear();
            self.build = None;
            // Somebody else writes them as well.
            if paths.is_subset(&self.learnt) {
                self.learnt.retain(|path| !paths.contains(path));
            }
            return Heed::Act;
        };
        let new: Vec<&PathBuf> = paths.difference(&self.learnt).collect();
        if new.is_empty() {
            return Heed::Pass;
        }
        for path in &new {
            if build.changed.insert((*path).clone()) {
                let suspect = self.suspects.entry((*path).clone()).or_default();
                suspect.times += 1;
                suspect.last = self.builds;
            }
        }
        build.is_followed |= new.iter().any(|path| self.suspects[*path].times < PATIENT);
        self.is_echo = build.is_followed;
        self.is_waiting = !build.is_followed;
        if self.is_waiting { Heed::Wait } else { Heed::Act }
    }

    /// When it will have been quiet.
    pub fn deadline(&self) -> Option<Instant> {
        let Build { began, ended, .. } = self.build.as_ref().filter(|_| self.is_waiting)?;
        let ended = (*ended)?;
        let took = ended.saturating_duration_since(*began);
        Some(ended + took.clamp(SHORTEST, LONGEST))
    }

    /// What follows, once it has been quiet until `now`.
    pub fn tick(&mut self, now: Instant) -> Option<Quiet> {
        self.deadline().filter(|at| *at <= now)?;
        self.is_waiting = false;
        let changed = self.build.as_ref().map(|build| &build.changed).into_iter().flatten();
        let (learnt, rest): (Vec<_>, Vec<_>) = changed
            .cloned()
            .partition(|path| self.suspects.get(path).is_some_and(|it| it.times >= ENOUGH));
        for path in &learnt {
            self.suspects.remove(path);
            self.learnt.insert(path.clone());
        }
        self.is_echo = !rest.is_empty();
        Some(Quiet { learnt, acts: self.is_echo })
    }
}

#[cfg(test)]
mod tests;
