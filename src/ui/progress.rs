//! Something that takes long, from when it begins until it is over: how far it has come is drawn on
//! the terminal meanwhile, or shown by the terminal's own indicator.
//!
//! What programs write does not all come by us, so what is drawn has to be gone before one is started
//! that has the terminal. Where all comes by us, nobody need wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::bar::{Bar, Reached};
use super::writer::Job;

/// What takes less time is not worth a line.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(200);

/// How long to wait until it is gone. The terminal may be held.
const FAREWELL: Duration = Duration::from_secs(1);

/// How far it has come by now; none once it is over.
pub(super) type Reach = Box<dyn Fn() -> Option<Reached> + Send>;

/// Something that takes long, until it is ended.
#[derive(Debug)]
#[must_use = "it is shown until it is ended"]
pub struct Progress {
    /// None where nothing is shown, or no longer.
    log: Mutex<Option<SyncSender<Job>>>,
    is_over: Arc<AtomicBool>,
    is_drawn: bool,
    is_awaited: bool,
}

impl Progress {
    pub(super) fn new(log: Option<SyncSender<Job>>, drawing: &Drawing, is_awaited: bool) -> Self {
        let (is_over, is_drawn) = (Arc::clone(&drawing.is_over), drawing.bar.is_some());
        Self { log: Mutex::new(log), is_over, is_drawn, is_awaited }
    }

    /// Whether it is drawn, where it takes long.
    pub fn is_drawn(&self) -> bool {
        self.is_drawn && self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes it from the screen, and waits until it is gone, if it has to be. A second time does
    /// nothing.
    pub fn end(&self) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(log) = log else { return };
        self.is_over.store(true, Ordering::Relaxed);
        let (gone, is_gone) = sync_channel(1);
        if log.try_send(Job::Nod(Some(gone))).is_ok() && self.is_awaited {
            _ = is_gone.recv_timeout(FAREWELL);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the log's thread knows of it.
pub(super) struct Drawing {
    reach: Reach,
    /// What is drawn, if anything is to be.
    pub(super) bar: Option<Bar>,
    /// Whether the terminal's own indicator shows it.
    pub(super) is_indicated: bool,
    is_over: Arc<AtomicBool>,
    /// When it is shown next.
    pub(super) due: Instant,
}

impl Drawing {
    pub(super) fn new(bar: Option<Bar>, is_indicated: bool, reach: Reach) -> Self {
        let due = Instant::now() + PATIENCE;
        Self { reach, bar, is_indicated, is_over: Arc::default(), due }
    }

    /// How far it has come, if it is not over.
    pub(super) fn reached(&mut self, now: Instant) -> Option<Reached> {
        self.due = now + EVERY;
        (self.reach)()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_ends_at_once() {
        let drawing = Drawing::new(None, false, Box::new(|| None));
        let progress = Progress::new(None, &drawing, true);
        progress.end();
        progress.end();
        assert!(!progress.is_drawn());
    }
}
