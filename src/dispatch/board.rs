//! What is known of watching, for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::control::{Changes, Mount, Silence, Trust, Watching};
use crate::tree::{Change, Entry};
use crate::ui::{describe, text};
use crate::watch::{Mode, Report, SAFETY_NET, Tally, Timing, TrustVerdict};

/// What the watcher has said, as far as it still holds.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// What is watched, as it was typed.
    pub(super) roots: Vec<String>,
    /// Files when the tree was first seen.
    pub(super) files: Option<usize>,
    interval: Option<Duration>,
    /// Roots that do not answer, and since when.
    silent: BTreeMap<PathBuf, SystemTime>,
    unreadable: BTreeSet<PathBuf>,
    /// What was found out of native events, by what showed it.
    mounts: BTreeMap<PathBuf, Trust>,
    /// What counts looks.
    pub(super) tally: Arc<Tally>,
    /// Whether there are no events, or they are not wanted; then it is not known what is a share.
    pub(super) is_polling: bool,
    /// Whether a root is on a share, the clock of which is another one's.
    has_share: bool,
    /// What changed last.
    pub(super) changes: Option<Changes>,
}

impl Board {
    pub(super) fn new(timing: Timing) -> Self {
        Self { is_polling: matches!(timing.mode, Mode::Poll), ..Self::default() }
    }

    /// Takes note of what the watcher says.
    pub(super) fn take(&mut self, report: &Report) {
        match report {
            Report::First { entries, .. } => self.files = Some(*entries),
            Report::Pace(interval) => self.interval = Some(*interval),
            Report::Changed { changes, .. } => {
                let (summary, count) = (describe(changes), changes.len());
                self.changes = Some(Changes { summary, count, at: epoch(SystemTime::now()) });
            }
            Report::Troubles(troubles) => {
                self.unreadable.extend(troubles.iter().map(|trouble| trouble.path.clone()));
            }
            Report::Recovered(paths) => paths.iter().for_each(|path| {
                self.unreadable.remove(path);
            }),
            Report::Silent { path, waited } => {
                let since = SystemTime::now().checked_sub(*waited);
                self.silent.insert(path.clone(), since.unwrap_or(SystemTime::UNIX_EPOCH));
            }
            Report::Answers { path, .. } => _ = self.silent.remove(path),
            Report::Trust { path, verdict, .. } => {
                self.has_share |= matches!(verdict, TrustVerdict::Share | TrustVerdict::Missed);
                let trust = match verdict {
                    TrustVerdict::Share => Trust::Share,
                    TrustVerdict::Trusted => Trust::Trusted,
                    TrustVerdict::Missed => Trust::Missed,
                    TrustVerdict::Unwatched => return,
                };
                self.mounts.insert(path.clone(), trust);
            }
            Report::Unheard { watched: 0, .. } => self.is_polling = true,
            Report::Unwatchable { .. }
            | Report::Failed
            | Report::Reading { .. }
            | Report::Baseline { .. }
            | Report::Unheard { .. } => {}
        }
    }

    /// How long after the first of these changes it was noticed, if that can be told: by the time
    /// that this kernel has given to a file, which means nothing on a share.
    pub(super) fn detection(
        &self,
        changes: &[Change],
        settling: Duration,
        now: SystemTime,
    ) -> Option<Duration> {
        let noticed = now.checked_sub(settling)?;
        let changed = |change: &Change| {
            let (Change::Created { entry, .. } | Change::Modified { entry, .. }) = change else {
                return None;
            };
            let Entry::File(file) = entry else { return None };
            let since = Duration::from_nanos(u64::try_from(file.stamp.ctime).ok()?);
            noticed.duration_since(SystemTime::UNIX_EPOCH + since).ok()
        };
        let is_known = !self.is_polling && !self.has_share;
        let took = changes.iter().filter(|_| is_known).filter_map(changed);
        took.filter(|took| *took <= SAFETY_NET).max()
    }

    /// Whether the tree was seen.
    pub(super) fn is_watching(&self) -> bool {
        self.files.is_some()
    }

    /// What is watched, once it was seen.
    pub(super) fn watching(&self) -> Option<Watching> {
        let files = self.files?;
        let silent = self.silent.iter();
        Some(Watching {
            roots: self.roots.clone(),
            files,
            read: self.tally.reading().map(|read| read.min(files)),
            interval_ms: self.interval.map(millis),
            silent: silent
                .map(|(root, since)| Silence { root: text::path(root), since: epoch(*since) })
                .collect(),
            unreadable: self.unreadable.iter().map(|path| text::path(path)).collect(),
            mounts: self.mounts.iter().map(|(path, trust)| mount(path, *trust)).collect(),
            looks: self.tally.looks(),
            looks_cpu_ms: millis(self.tally.cost()),
        })
    }
}

fn mount(path: &Path, trust: Trust) -> Mount {
    let path = if path.as_os_str().is_empty() { ".".as_ref() } else { path };
    Mount { path: text::path(path), trust }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whole seconds since 1970.
pub(super) fn epoch(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
