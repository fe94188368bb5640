//! The watcher: the thread that looks, and reports what settled.

mod events;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::agenda::rest_after_hints;
use super::answers::see_to_answers;
use super::bell::Bell;
use super::native::{Hints, Native};
use super::queue::Queue;
use super::reading::Reading;
use super::{
    Agenda, Ailments, Cadence, Due, HotSet, Interval, Mode, Report, Settle, Tally, Timing, Trusts,
    Verdict,
};
use crate::scan::{Scanner, Scope, Trouble};
use crate::tree::{Change, Place, Snapshot, apply, diff};

/// How often to look at everything where events are trusted.
pub const SAFETY_NET: Duration = Duration::from_secs(10);

/// What is being watched. It ends when this is dropped.
#[derive(Debug)]
#[must_use = "it ends when this is dropped"]
pub struct Watching {
    bell: Arc<Bell>,
    /// Ended from here, since the thread that looks may hang.
    queue: Option<Arc<Queue>>,
    tally: Arc<Tally>,
}

impl Watching {
    /// How often was looked so far.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Has everything looked at as soon as the look that is under way, if one is, has ended.
    pub fn look(&self) {
        self.bell.ring();
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.bell.end();
        self.queue.iter().for_each(|queue| queue.end());
    }
}

/// Watches from threads of its own, until `send` says that nobody listens any more.
///
/// # Errors
/// When a thread or a descriptor cannot be made.
pub fn watch(
    scanner: Scanner,
    timing: Timing,
    send: impl Fn(Report) -> bool + Send + Sync + 'static,
) -> io::Result<Watching> {
    let bell = Arc::new(Bell::new()?);
    let heard = Arc::clone(&bell);
    let send = Arc::new(move |report| !heard.is_over() && send(report));
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
    let queue = native.as_ref().map(|native| native.receive(&bell)).transpose()?;
    let mode = if native.is_some() { timing.mode } else { Mode::Poll };
    let now = Instant::now();
    let tally = Arc::<Tally>::default();
    let watcher = Watcher {
        base: Snapshot::default(),
        latest: Snapshot::default(),
        interval: timing.interval,
        cadence: Cadence::new(timing.interval),
        agenda: Agenda::new(now),
        settle: Settle::new(timing.debounce, timing.max_wait),
        moving: BTreeSet::new(),
        hot: HotSet::default(),
        trusts: Trusts::new(mode),
        native,
        hints: Hints::default(),
        hints_rest: now,
        synced: None,
        ailments: Ailments::default(),
        scanner,
        looked: now,
        moved_after: now,
        bell: Arc::clone(&bell),
        tally: Arc::clone(&tally),
        send,
    };
    thread::Builder::new().name("watch".into()).spawn(move || watcher.run())?;
    Ok(Watching { bell, queue, tally })
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
    /// When the last look at everything began.
    looked: Instant,
    /// When the one began before what changed last, and is not settled yet, was seen.
    moved_after: Instant,
    bell: Arc<Bell>,
    tally: Arc<Tally>,
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
            let ask = || root.path.metadata().map(|metadata| (metadata, root.is_made_up()));
            let reason = match self.scanner.pulse().while_asking(index, ask) {
                Ok((_, true)) => "the kernel makes it up, so it is never entered".to_owned(),
                Ok((metadata, _)) if metadata.is_dir() || metadata.is_file() => continue,
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
        self.looked = began;
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
        let wait = self.scanner.baseline_after();
        let mut reading = wait.map(|wait| Reading::new(Instant::now(), wait));
        if reading.is_none() {
            self.tally.has_read_all();
        }
        while !self.bell.is_over() {
            let now = Instant::now();
            if self.bell.was_rung() {
                self.agenda.everything = now;
            }
            if let Some(due) = self.agenda.take(now) {
                self.look(due)?;
            } else if let Some(step) = reading.as_mut().filter(|reading| reading.due <= now) {
                if !self.read_some(step, now)? {
                    reading = None;
                }
            } else {
                let next = self.agenda.next();
                self.wait(reading.as_ref().map_or(next, |reading| reading.due.min(next)) - now);
            }
        }
        Err(Over)
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
        dirs.extend(self.hints.dirs.iter().chain(&self.hints.untold).chain(&self.moving).cloned());
        let mounts = self.trusts.untrusted().filter(|_| looks_at_untrusted).collect();
        Scope::Part { mounts, dirs }
    }

    fn look(&mut self, due: Due) -> Result<(), Over> {
        let (began, costs_from) = (Instant::now(), self.scanner.cpu_time());
        let scope = self.scope(due, began);
        let told = std::mem::take(&mut self.hints);
        self.native.iter().for_each(Native::reconsider);
        self.take_filled();
        let look = self.scanner.look_at(&scope);
        let changes = self.take(look.snapshot, look.hidden);
        let ended = Instant::now();
        let cost = self.scanner.cpu_time().saturating_sub(costs_from);
        self.tally.looked(cost);
        let is_all = matches!(scope, Scope::Everything);
        if !changes.is_empty() {
            self.moved_after = self.looked;
        }
        if is_all {
            self.looked = began;
        }
        if is_all && self.cadence.looked(cost) {
            self.send(Report::Pace(self.cadence.interval()))?;
        }
        if due == (Due { hot: true, ..Due::default() }) {
            self.hot.looked(cost);
        }
        self.ail(&scope, look.troubles)?;
        if due.hints {
            self.hints_rest = ended + rest_after_hints(ended - began);
        }
        // Whatever was seen has made its event by now, or does so as soon as its writer goes on.
        self.take_hints();
        self.await_events(&changes, &told);
        for change in &changes {
            self.judge(change, &told, ended)?;
        }
        self.listen()?;
        let is_anywhere = !(self.hints.dirs.is_empty() && self.hints.untold.is_empty());
        if is_anywhere && self.agenda.hints.is_none() {
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
                let before = std::mem::replace(&mut self.base, self.latest.clone());
                let changes = diff(&before, &self.latest);
                // What was changed and changed back is no change.
                if !changes.is_empty() {
                    let after = self.moved_after;
                    let settling = since.elapsed();
                    self.send(Report::Changed { changes, before, settling, after })?;
                }
            }
        }
        Ok(())
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
            is_hot.then(|| self.agenda.hot.unwrap_or_else(|| ended + self.hot.rest()));
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
    fn read_some(&mut self, reading: &mut Reading, began: Instant) -> Result<bool, Over> {
        let is_more = self.scanner.read_baseline();
        let read = self.scanner.pulse().counts().1;
        self.tally.has_read(read);
        self.take(self.scanner.snapshot().clone(), Vec::new());
        let now = Instant::now();
        if !is_more {
            self.tally.has_read_all();
            self.send(Report::Baseline { took: reading.took(now) })?;
        } else if reading.stepped(began, now) {
            self.send(Report::Reading { read })?;
        }
        Ok(is_more)
    }

    /// Takes the digests that were read since: by them the next look tells what was touched from
    /// what was changed.
    fn take_filled(&mut self) {
        if let Some(filled) = self.scanner.filled().cloned() {
            self.take(filled, Vec::new());
        }
    }

    fn ail(&mut self, scope: &Scope, troubles: Vec<Trouble>) -> Result<(), Over> {
        let now = Instant::now();
        let (begun, ended) = match scope {
            Scope::Everything => self.ailments.looked(troubles, now),
            Scope::Part { .. } => (self.ailments.looked_at_part(troubles, now), Vec::new()),
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
