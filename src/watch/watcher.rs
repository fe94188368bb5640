//! The watcher: the thread that looks, and reports what settled.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::agenda::rest_after_hints;
use super::answers::see_to_answers;
use super::native::{Hints, Native};
use super::{
    Agenda, Ailments, Cadence, Due, HotSet, Interval, Mode, Report, Settle, Timing, TrustVerdict,
    Trusts, Verdict,
};
use crate::scan::{MountId, RULE_FILES, Scanner, Scope, Trouble};
use crate::tree::{Change, Dir, Place, Snapshot, apply, diff};

/// While the baseline is read, it takes at most one part in so many of the time.
const BASELINE_SHARE: u32 = 10;

/// What proved nothing at first is looked at again after so long, at the soonest.
const PROOF: Duration = Duration::from_millis(100);

/// How long events that tell nothing are not followed.
const REST: Duration = Duration::from_millis(5);

/// How often to look at everything where events are trusted.
pub const SAFETY_NET: Duration = Duration::from_secs(10);

/// Watches from threads of its own, until `send` says that nobody listens any more.
///
/// # Errors
/// When a thread cannot be made.
pub fn watch(
    scanner: Scanner,
    timing: Timing,
    send: impl Fn(Report) -> bool + Send + Sync + 'static,
) -> io::Result<()> {
    let send = Arc::new(send);
    see_to_answers(&scanner, Arc::clone(&send))?;
    let send = Sender(send);
    let native = match timing.mode {
        Mode::Poll => None,
        Mode::Auto | Mode::Native => match Native::new() {
            Ok(native) => Some(native),
            Err(errno) => {
                (send.0)(Report::Unheard { errno: errno.raw_os_error(), watched: 0 });
                None
            }
        },
    };
    let mode = if native.is_some() { timing.mode } else { Mode::Poll };
    let now = Instant::now();
    let watcher = Watcher {
        base: Snapshot::default(),
        latest: Snapshot::default(),
        interval: timing.interval,
        cadence: Cadence::new(timing.interval),
        agenda: Agenda::new(now),
        settle: Settle::new(timing.debounce, timing.max_wait),
        moving: BTreeSet::new(),
        hot: HotSet::default(),
        hot_cost: Duration::ZERO,
        trusts: Trusts::new(mode),
        native,
        hints: Hints::default(),
        hints_rest: now,
        synced: None,
        ailments: Ailments::default(),
        scanner,
        send,
    };
    thread::Builder::new().name("watch".into()).spawn(move || watcher.run())?;
    Ok(())
}

struct Watcher<F: Fn(Report) -> bool> {
    scanner: Scanner,
    /// What was reported last.
    base: Snapshot,
    /// What was seen last.
    latest: Snapshot,
    interval: Interval,
    cadence: Cadence,
    agenda: Agenda,
    settle: Settle,
    /// Where something changed that is not settled yet.
    moving: BTreeSet<Arc<Path>>,
    hot: HotSet,
    /// What the last look at nothing but the hot set cost.
    hot_cost: Duration,
    trusts: Trusts,
    /// None where events are not wanted, or cannot be had.
    native: Option<Native>,
    /// What events told since the last look.
    hints: Hints,
    /// Until then no events are followed, see [`rest_after_hints`].
    hints_rest: Instant,
    /// For which [`Scanner::tidied`] directories are watched.
    synced: Option<u64>,
    ailments: Ailments,
    send: Sender<F>,
}

/// Nobody listens any more, or there is nothing to say any more.
struct Over;

/// Says so when the thread ends by a panic: a watcher that is dead must not look healthy.
struct Sender<F: Fn(Report) -> bool>(Arc<F>);

impl<F: Fn(Report) -> bool> Drop for Sender<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)(Report::Failed);
        }
    }
}

impl<F: Fn(Report) -> bool> Watcher<F> {
    fn run(mut self) {
        // `Over` is the only way out, and no error.
        _ = self.check().and_then(|()| self.first()).and_then(|()| self.keep_looking());
    }

    /// What is not there when watching begins was mistyped; what vanishes later is trouble. Asked
    /// for here and not when options are read, because on a dead mount the answer never comes.
    fn check(&self) -> Result<(), Over> {
        for (index, root) in self.scanner.roots().iter().enumerate() {
            let asked = self.scanner.pulse().while_asking(index, || root.path.metadata());
            let reason = match asked {
                Ok(metadata) if metadata.is_dir() || metadata.is_file() => continue,
                Ok(_) => "it is neither a directory nor a file".to_owned(),
                Err(error) => crate::scan::reason(&error),
            };
            self.send(Report::Unwatchable { path: root.label.clone(), reason })?;
            return Err(Over);
        }
        Ok(())
    }

    fn send(&self, report: Report) -> Result<(), Over> {
        if (self.send.0)(report) { Ok(()) } else { Err(Over) }
    }

    fn first(&mut self) -> Result<(), Over> {
        let began = Instant::now();
        let look = self.scanner.look();
        self.scanner.read_recent();
        self.latest = self.scanner.snapshot().clone();
        self.base = self.latest.clone();
        let ended = Instant::now();
        self.ail(&Scope::Everything, look.troubles)?;
        self.send(Report::First { entries: self.base.len(), took: ended - began })?;
        self.agenda = Agenda::new(self.cadence.next(began, ended));
        self.listen()?;
        // What changed before there were watches made no event; the next look finds it.
        self.hints.everywhere = true;
        Ok(())
    }

    fn keep_looking(&mut self) -> Result<(), Over> {
        let mut baseline_at = self.scanner.baseline_after().map(|wait| Instant::now() + wait);
        let baseline_began = Instant::now();
        loop {
            let now = Instant::now();
            if let Some(due) = self.agenda.take(now) {
                self.look(due)?;
            } else if baseline_at.is_some_and(|at| at <= now) {
                let more = self.fill();
                let rest = now.elapsed() * (BASELINE_SHARE - 1);
                baseline_at = more.then(|| Instant::now() + rest);
                if !more {
                    self.send(Report::Baseline { took: baseline_began.elapsed() })?;
                }
            } else {
                let next = self.agenda.next();
                self.wait(baseline_at.map_or(next, |at| at.min(next)) - now);
            }
        }
    }

    /// Waits so long, or until an event tells where to look before that.
    fn wait(&mut self, most: Duration) {
        let rest = self.hints_rest.saturating_duration_since(Instant::now());
        match &self.native {
            Some(native) if rest.is_zero() => native.wait(most),
            Some(_) => return thread::sleep(most.min(rest)),
            None => return thread::sleep(most),
        }
        if !self.take_hints() {
            // A program that writes without end to what is left out is not to wake us as often.
            self.hints_rest = Instant::now() + REST;
        }
    }

    /// Takes the events that there are, and puts a look at what they tell of on the agenda. Says
    /// whether they tell of anything.
    fn take_hints(&mut self) -> bool {
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
    fn prove(&mut self, told: Hints, changes: &[Change], now: Instant) {
        let Some(native) = &self.native else { return };
        let found = changes.iter().map(|change| Arc::clone(&change.place().dir));
        let dirs = told.dirs.into_iter().chain(found).filter(|dir| native.watches(dir));
        let mut unproven = dirs.filter_map(|dir| Some((self.scanner.proof_of(&dir)?, dir)));
        if let Some((first, dir)) = unproven.next() {
            let mut at = first.max(now + PROOF);
            self.hints.dirs.insert(dir);
            for (proof, dir) in unproven {
                at = at.max(proof);
                self.hints.dirs.insert(dir);
            }
            self.agenda.hints = Some(self.agenda.hints.map_or(at, |hints| hints.min(at)));
        }
    }

    /// Watches for events what is known now.
    fn listen(&mut self) -> Result<(), Over> {
        let tidied = Some(self.scanner.tidied());
        if self.synced != tidied {
            let mut verdicts = Vec::new();
            for dir in self.scanner.directories() {
                if let Some(verdict) = self.trusts.met(dir.mount, dir.is_local) {
                    verdicts.push((dir.path.to_path_buf(), verdict));
                }
            }
            for (path, verdict) in verdicts {
                self.report_trust(path, verdict)?;
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
        self.hints.dirs.extend(synced.new);
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

    /// Which part of the tree is due.
    fn scope(&mut self, due: Due, now: Instant) -> Scope {
        let looks_at_untrusted = due.untrusted || due.settling;
        let is_all = due.everything || self.hints.everywhere;
        if is_all || looks_at_untrusted && !self.trusts.is_any_full() {
            return Scope::Everything;
        }
        let mut dirs = match due.hot {
            true => self.hot.dirs(now),
            false => BTreeSet::new(),
        };
        dirs.extend(self.hints.dirs.iter().chain(&self.moving).cloned());
        let mounts = self.trusts.untrusted().filter(|_| looks_at_untrusted).collect();
        Scope::Part { mounts, dirs }
    }

    fn look(&mut self, due: Due) -> Result<(), Over> {
        let (began, costs_from) = (Instant::now(), cpu_time());
        let scope = self.scope(due, began);
        let told = std::mem::take(&mut self.hints);
        let look = self.scanner.look_at(&scope);
        let changes = self.take(look.snapshot, look.hidden);
        let ended = Instant::now();
        let cost = cpu_time().saturating_sub(costs_from);
        let is_all = matches!(scope, Scope::Everything);
        if is_all && self.cadence.looked(cost) {
            self.send(Report::Pace(self.cadence.interval()))?;
        }
        if due == (Due { hot: true, ..Due::default() }) {
            self.hot_cost = cost;
        }
        self.ail(&scope, look.troubles)?;
        if due.hints {
            self.hints_rest = ended + rest_after_hints(ended - began);
        }
        // Whatever was seen has made its event by now.
        self.take_hints();
        for change in &changes {
            self.judge(change, &told, ended)?;
        }
        self.listen()?;
        if !self.hints.dirs.is_empty() && self.agenda.hints.is_none() {
            self.agenda.hints = Some(self.hints_rest.max(ended));
        }
        self.prove(told, &changes, ended);
        self.plan(due, is_all, (began, ended));
        if changes.is_empty() && !is_all && !due.proves_rest() {
            return Ok(());
        }
        match self.settle.looked(began, ended, !changes.is_empty()) {
            Verdict::Quiet => {}
            Verdict::LookAgain(next) => self.agenda.settling = Some(next),
            Verdict::Settled { since } => {
                self.agenda.settling = None;
                self.moving.clear();
                let changes = diff(&self.base, &self.latest);
                self.base = self.latest.clone();
                // What was changed and changed back is no change.
                if !changes.is_empty() {
                    self.send(Report::Changed { changes, settling: since.elapsed() })?;
                }
            }
        }
        Ok(())
    }

    /// Learns from a change that a look found.
    fn judge(&mut self, change: &Change, told: &Hints, now: Instant) -> Result<(), Over> {
        let place = change.place();
        let dir = &place.dir;
        self.moving.insert(Arc::clone(dir));
        // A directory that came or went shows in the one above it, which events told of.
        let Some(mount) = self.scanner.mount_of(dir) else { return Ok(()) };
        let hints = [told, &self.hints];
        let was_told = hints.iter().any(|hints| hints.everywhere || hints.dirs.contains(dir));
        // What is not watched yet could not tell.
        if self.native.as_ref().is_some_and(|native| native.watches(dir))
            && let Some(verdict) = self.trusts.changed(mount, was_told)
        {
            self.report_trust(place.path(), verdict)?;
        }
        let has_budget = matches!(self.interval, Interval::Budget(_));
        if has_budget && (self.native.is_none() || self.trusts.is_deaf(mount)) {
            self.hot.changed(dir, now);
        }
        Ok(())
    }

    fn report_trust(&self, path: PathBuf, verdict: TrustVerdict) -> Result<(), Over> {
        self.send(Report::Trust { path, verdict })
    }

    /// Puts the next looks on the agenda, after one that went from `began` to `ended`.
    fn plan(&mut self, due: Due, is_all: bool, (began, ended): (Instant, Instant)) {
        let pace = self.cadence.next(began, ended);
        let is_fixed = matches!(self.interval, Interval::Fixed(_));
        if is_fixed || !self.trusts.is_any_full() {
            if is_all || due.everything {
                self.agenda.everything = pace;
            }
            self.agenda.everything = self.agenda.everything.min(pace);
            self.agenda.untrusted = None;
        } else {
            if is_all || due.everything {
                self.agenda.everything = began + SAFETY_NET;
            }
            let is_any = self.trusts.untrusted().next().is_some();
            self.agenda.untrusted = is_any.then(|| self.agenda.untrusted.unwrap_or(pace).min(pace));
        }
        let is_hot = !self.hot.dirs(ended).is_empty();
        self.agenda.hot =
            is_hot.then(|| self.agenda.hot.unwrap_or_else(|| ended + HotSet::rest(self.hot_cost)));
    }

    /// Takes a new snapshot as the latest; gives how its content differs from the one before.
    fn take(&mut self, snapshot: Snapshot, hidden: Vec<Place>) -> Vec<Change> {
        if !hidden.is_empty() {
            let gone: Vec<Change> =
                hidden.into_iter().map(|place| Change::Removed { place }).collect();
            self.base = apply(&gone, &self.base);
            self.latest = apply(&gone, &self.latest);
        }
        let changes = diff(&self.latest, &snapshot);
        self.latest = snapshot;
        // Fresher stamps and more digests for the same content.
        if diff(&self.base, &self.latest).is_empty() {
            self.base = self.latest.clone();
        }
        changes
    }

    /// Reads some more of the baseline; says whether there is more to read.
    fn fill(&mut self) -> bool {
        let filled = self.scanner.read_baseline();
        self.take(filled.snapshot, Vec::new());
        filled.is_more
    }

    fn ail(&mut self, scope: &Scope, troubles: Vec<Trouble>) -> Result<(), Over> {
        let (begun, ended) = match scope {
            Scope::Everything => self.ailments.looked(troubles),
            Scope::Part { .. } => (self.ailments.looked_at_part(troubles), Vec::new()),
        };
        if !begun.is_empty() {
            self.send(Report::Troubles(begun))?;
        }
        if !ended.is_empty() {
            self.send(Report::Recovered(ended))?;
        }
        Ok(())
    }
}

/// What this process has used of the CPU so far, all threads together.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
