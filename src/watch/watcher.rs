//! The watcher: the thread that looks, and reports what settled.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::{Ailments, Cadence, Interval, Said, Settle, Silence, Verdict};
use crate::scan::{Pulse, Scanner, Trouble};
use crate::tree::{Change, Place, Snapshot, apply, diff};

/// How watching is timed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often to look.
    pub interval: Interval,
    /// How long nothing must change before what changed counts.
    pub debounce: Duration,
    /// How long to wait for that at the most.
    pub max_wait: Duration,
}

/// What the watcher has to say.
#[derive(Debug)]
pub enum Report {
    /// A root cannot be watched at all. Nothing follows.
    Unwatchable {
        /// As the user typed it.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The watcher failed, by a fault of ours. Nothing follows.
    Failed,
    /// The tree was seen for the first time.
    First {
        /// How many files and links there are.
        entries: usize,
        /// How long it took.
        took: Duration,
    },
    /// The time between looks, as it was chosen from what the second one cost.
    Pace(Duration),
    /// The digests of all files are known: from now on a mere touch of one is no change.
    Baseline {
        /// How long it took in the background.
        took: Duration,
    },
    /// The tree settled on other content.
    Changed {
        /// What is different from the last time.
        changes: Vec<Change>,
        /// From the first sight of a change until it was settled.
        settling: Duration,
    },
    /// Something cannot be read, as of now; what is known of it stands.
    Troubles(Vec<Trouble>),
    /// It can be read again, or is gone.
    Recovered(Vec<PathBuf>),
    /// A root's file system has not answered for so long. Nothing is seen until it does.
    Silent {
        /// As the user typed it.
        path: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// It answers again.
    Answers {
        /// As the user typed it.
        path: PathBuf,
        /// For how long it did not.
        waited: Duration,
    },
}

/// While the baseline is read, it takes at most one part in so many of the time.
const BASELINE_SHARE: u32 = 10;

/// How often to see whether roots answer.
const PULSE: Duration = Duration::from_secs(1);

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
    let watcher = Watcher {
        base: Snapshot::default(),
        latest: Snapshot::default(),
        cadence: Cadence::new(timing.interval),
        settle: Settle::new(timing.debounce, timing.max_wait),
        ailments: Ailments::default(),
        scanner,
        send,
    };
    thread::Builder::new().name("watch".into()).spawn(move || watcher.run())?;
    Ok(())
}

/// Tells of roots that do not answer, from a thread that never asks them, for as long as the
/// scanner lives.
fn see_to_answers(
    scanner: &Scanner,
    send: Arc<impl Fn(Report) -> bool + Send + Sync + 'static>,
) -> io::Result<()> {
    let labels: Vec<PathBuf> = scanner.roots().iter().map(|root| root.label.clone()).collect();
    let pulse: Weak<Pulse> = Arc::downgrade(scanner.pulse());
    let see = move || {
        let mut silence = Silence::default();
        while let Some(pulse) = pulse.upgrade() {
            for said in silence.heard(Instant::now(), pulse.waiting()) {
                let report = match said {
                    Said::Silent(root, waited) => {
                        Report::Silent { path: labels[root].clone(), waited }
                    }
                    Said::Answers(root, waited) => {
                        Report::Answers { path: labels[root].clone(), waited }
                    }
                };
                if !send(report) {
                    return;
                }
            }
            drop(pulse);
            thread::sleep(PULSE);
        }
    };
    thread::Builder::new().name("pulse".into()).spawn(see)?;
    Ok(())
}

struct Watcher<F: Fn(Report) -> bool> {
    scanner: Scanner,
    /// What was reported last.
    base: Snapshot,
    /// What was seen last.
    latest: Snapshot,
    cadence: Cadence,
    settle: Settle,
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
        _ = self.check().and_then(|()| self.first()).and_then(|next| self.keep_looking(next));
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

    fn first(&mut self) -> Result<Instant, Over> {
        let began = Instant::now();
        let look = self.scanner.look();
        self.scanner.read_recent();
        self.latest = self.scanner.snapshot().clone();
        self.base = self.latest.clone();
        let ended = Instant::now();
        self.ail(look.troubles)?;
        self.send(Report::First { entries: self.base.len(), took: ended - began })?;
        Ok(self.cadence.next(began, ended))
    }

    fn keep_looking(&mut self, mut next: Instant) -> Result<(), Over> {
        let mut baseline_at = self.scanner.baseline_after().map(|wait| Instant::now() + wait);
        let baseline_began = Instant::now();
        loop {
            let now = Instant::now();
            if next <= now {
                next = self.look()?;
            } else if baseline_at.is_some_and(|at| at <= now) {
                let more = self.fill();
                let rest = now.elapsed() * (BASELINE_SHARE - 1);
                baseline_at = more.then(|| Instant::now() + rest);
                if !more {
                    self.send(Report::Baseline { took: baseline_began.elapsed() })?;
                }
            } else {
                let until = baseline_at.map_or(next, |at| at.min(next));
                thread::sleep(until - now);
            }
        }
    }

    fn look(&mut self) -> Result<Instant, Over> {
        let (began, costs_from) = (Instant::now(), cpu_time());
        let look = self.scanner.look();
        let moved = self.take(look.snapshot, look.hidden);
        let ended = Instant::now();
        if self.cadence.looked(cpu_time().saturating_sub(costs_from)) {
            self.send(Report::Pace(self.cadence.interval()))?;
        }
        self.ail(look.troubles)?;
        match self.settle.looked(began, ended, moved) {
            Verdict::Quiet => {}
            Verdict::LookAgain(next) => return Ok(next.min(self.cadence.next(began, ended))),
            Verdict::Settled { since } => {
                let changes = diff(&self.base, &self.latest);
                self.base = self.latest.clone();
                // What was changed and changed back is no change.
                if !changes.is_empty() {
                    self.send(Report::Changed { changes, settling: since.elapsed() })?;
                }
            }
        }
        Ok(self.cadence.next(began, ended))
    }

    /// Takes a new snapshot as the latest; says whether its content is another than before.
    fn take(&mut self, snapshot: Snapshot, hidden: Vec<Place>) -> bool {
        if !hidden.is_empty() {
            let gone: Vec<Change> =
                hidden.into_iter().map(|place| Change::Removed { place }).collect();
            self.base = apply(&gone, &self.base);
            self.latest = apply(&gone, &self.latest);
        }
        let moved = !diff(&self.latest, &snapshot).is_empty();
        self.latest = snapshot;
        // Fresher stamps and more digests for the same content.
        if diff(&self.base, &self.latest).is_empty() {
            self.base = self.latest.clone();
        }
        moved
    }

    /// Reads some more of the baseline; says whether there is more to read.
    fn fill(&mut self) -> bool {
        let filled = self.scanner.read_baseline();
        self.take(filled.snapshot, Vec::new());
        filled.is_more
    }

    fn ail(&mut self, troubles: Vec<Trouble>) -> Result<(), Over> {
        let (begun, ended) = self.ailments.looked(troubles);
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
