//! The watcher's part that has to do with native events: which directories it has watched, where
//! events have it look, and what it learns of how good they are.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::native::Hints;
use super::super::{Interval, Report};
use super::{Over, Watcher};
use crate::scan::{MountId, RULE_FILES};
use crate::tree::{Change, Dir};

/// How late an event may come.
const LATE: Duration = Duration::from_millis(200);

/// What proved nothing at first is looked at again after so long, at the soonest.
const PROOF: Duration = Duration::from_millis(100);

/// How long events that tell nothing are not followed.
const REST: Duration = Duration::from_millis(5);

impl<F: Fn(Report) -> bool> Watcher<F> {
    /// Waits so long, or until an event tells where to look before that.
    pub(super) fn wait(&mut self, most: Duration) {
        let rest = self.hints_rest.saturating_duration_since(Instant::now());
        match &self.native {
            Some(native) if rest.is_zero() && !native.awaits() => {}
            Some(_) if rest.is_zero() => self.bell.wait(most),
            Some(_) => return self.bell.wait(most.min(rest)),
            None => return self.bell.wait(most),
        }
        if !self.take_hints() {
            // A program that writes without end to what is left out is not to wake us as often.
            self.hints_rest = Instant::now() + REST;
        }
    }

    /// Takes the events that there are, and puts a look at what they tell of on the agenda. Says
    /// whether they tell of anything.
    pub(super) fn take_hints(&mut self) -> bool {
        let Some(native) = &mut self.native else { return false };
        let latest = &self.latest;
        let hints = native.take(|dir, name| {
            let is_rule_file = RULE_FILES.iter().any(|file| file.as_bytes() == name);
            // A root that is a single file is an entry without a name.
            let is_entry = |dir: &Arc<Dir>| {
                dir.get(OsStr::from_bytes(name)).or_else(|| dir.get(OsStr::new(""))).is_some()
            };
            is_rule_file || latest.dir(dir).is_some_and(is_entry)
        });
        let is_told = hints.everywhere || !hints.dirs.is_empty();
        if hints.everywhere {
            self.agenda.everything = Instant::now();
        } else if is_told {
            self.agenda.hints = Some(self.hints_rest.max(Instant::now()));
        }
        self.hints.dirs.extend(hints.dirs);
        self.hints.everywhere |= hints.everywhere;
        is_told
    }

    /// Has the directories looked at once more of which an event told, or in which something was
    /// found, as long as that proves nothing: a change of the same instant has made its event by
    /// then, but may have left the stamp as it is, and what was being written was not read.
    pub(super) fn prove(&mut self, told: Hints, changes: &[Change], now: Instant) {
        let Some(native) = &self.native else { return };
        let found = changes.iter().map(|change| Arc::clone(&change.place().dir));
        let hinted = told.dirs.into_iter().chain(told.untold);
        let dirs = hinted.chain(found).filter(|dir| native.watches(dir));
        let mut unproven = dirs.filter_map(|dir| Some((self.scanner.proof_of(&dir)?, dir)));
        if let Some((first, dir)) = unproven.next() {
            let mut at = first.max(now + PROOF);
            self.hints.untold.insert(dir);
            for (proof, dir) in unproven {
                at = at.max(proof);
                self.hints.untold.insert(dir);
            }
            self.agenda.hints = Some(self.agenda.hints.map_or(at, |hints| hints.min(at)));
        }
    }

    /// Watches for events what is known now.
    pub(super) fn listen(&mut self) -> Result<(), Over> {
        let tidied = Some(self.scanner.tidied());
        if self.synced != tidied {
            let mut verdicts = Vec::new();
            for dir in self.scanner.directories() {
                if let Some(verdict) = self.trusts.met(dir.mount, dir.is_local) {
                    verdicts.push((dir.path.to_path_buf(), verdict));
                }
            }
            for (path, verdict) in verdicts {
                self.send(Report::Trust { path, verdict, shown_by: None })?;
            }
        }
        let Some(native) = &mut self.native else {
            self.synced = tidied;
            return Ok(());
        };
        if self.synced == tidied && !native.is_stale() {
            return Ok(());
        }
        self.synced = tidied;
        let trusts = &self.trusts;
        let synced =
            native.sync(self.scanner.directories().filter(|dir| trusts.wants_events(dir.is_local)));
        let watched = native.len();
        self.hints.untold.extend(synced.new);
        if let Some(errno) = synced.refused {
            let mounts: BTreeSet<MountId> =
                self.scanner.directories().map(|dir| dir.mount).collect();
            // Not said again for as long as nothing is trusted anyway.
            let is_news =
                mounts.into_iter().filter_map(|mount| self.trusts.unwatched(mount)).count() > 0;
            if is_news {
                self.send(Report::Unheard { errno: errno.raw_os_error(), watched })?;
            }
        }
        Ok(())
    }

    /// Waits a moment for events of what a look found. The kernel makes them after the write
    /// (fsnotify), and who writes may be held up in between; trust that is lost is lost for good.
    pub(super) fn await_events(&mut self, changes: &[Change], told: &Hints) {
        let until = Instant::now() + LATE;
        while changes.iter().any(|change| self.is_missed(change, told)) && Instant::now() < until {
            thread::sleep(REST);
            self.take_hints();
        }
    }

    /// Whether a change would end the trust in its mount.
    fn is_missed(&self, change: &Change, told: &Hints) -> bool {
        let dir = &change.place().dir;
        self.native.as_ref().is_some_and(|native| native.watches(dir))
            && self.scanner.mount_of(dir).is_some_and(|mount| !self.trusts.is_deaf(mount))
            && self.was_told(dir, told) == Some(false)
    }

    /// Whether an event told of something in this directory; `None` where one need not have: too
    /// many were replaced by a single one, or there was no watch yet.
    fn was_told(&self, dir: &Arc<Path>, told: &Hints) -> Option<bool> {
        let hints = [told, &self.hints];
        if hints.iter().any(|hints| hints.dirs.contains(dir)) {
            return Some(true);
        }
        let need_not = |hints: &&Hints| hints.everywhere || hints.untold.contains(dir);
        (!hints.iter().any(need_not)).then_some(false)
    }

    /// Learns from a change that a look found.
    pub(super) fn judge(
        &mut self,
        change: &Change,
        told: &Hints,
        now: Instant,
    ) -> Result<(), Over> {
        let place = change.place();
        let dir = &place.dir;
        self.moving.insert(Arc::clone(dir));
        // A directory that came or went shows in the one above it, which events told of.
        let Some(mount) = self.scanner.mount_of(dir) else { return Ok(()) };
        // What is not watched yet could not tell.
        if self.native.as_ref().is_some_and(|native| native.watches(dir))
            && let Some(was_told) = self.was_told(dir, told)
            && let Some(verdict) = self.trusts.changed(mount, was_told)
        {
            // Sorted as they are, the first directory on the mount is the highest.
            let top = self.scanner.directories().find(|dir| dir.mount == mount);
            let path = top.map_or(PathBuf::new(), |dir| dir.path.to_path_buf());
            self.send(Report::Trust { path, verdict, shown_by: Some(place.path()) })?;
        }
        let has_budget = matches!(self.interval, Interval::Budget(_));
        if has_budget && (self.native.is_none() || self.trusts.is_deaf(mount)) {
            self.hot.changed(dir, now);
        }
        Ok(())
    }
}
