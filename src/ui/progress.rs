//! How far something has come that takes long: a line on a terminal that is drawn over again and
//! again, and is gone before anything else is written there.
//!
//! The log's thread draws it, as it alone writes our lines. What programs write does not come by
//! that thread, so none may run meanwhile: whoever shows it ends it before one is started.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::stdio::stderr;
use rustix::termios::tcgetwinsize;

use super::log::Job;
use super::text;
use super::write_all;

/// What takes less time is not worth a line.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(200);

/// How long to wait until it is gone. The terminal may be held.
const FAREWELL: Duration = Duration::from_secs(1);

/// The words of now.
pub(super) type Words = Box<dyn Fn() -> String + Send>;

/// Something that takes long, until it is ended.
#[derive(Debug)]
#[must_use = "it is shown until it is ended"]
pub struct Progress {
    /// None where nothing is shown, or no longer.
    log: Mutex<Option<SyncSender<Job>>>,
}

impl Progress {
    pub(super) fn new(log: Option<SyncSender<Job>>) -> Self {
        Self { log: Mutex::new(log) }
    }

    /// Whether it is shown, where it takes long.
    pub fn is_shown(&self) -> bool {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes it from the screen, and waits until it is gone. A second time does nothing.
    pub fn end(&self) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(log) = log else { return };
        let (gone, is_gone) = sync_channel(1);
        if log.try_send(Job::Hide(gone)).is_ok() {
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
    prefix: String,
    words: Words,
    is_drawn: bool,
    /// When it is drawn next.
    pub(super) due: Instant,
}

impl Drawing {
    pub(super) fn new(prefix: String, words: Words) -> Self {
        Self { prefix, words, is_drawn: false, due: Instant::now() + PATIENCE }
    }

    pub(super) fn draw(&mut self) {
        let columns = tcgetwinsize(stderr()).map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { 80 } else { columns };
        // A line that wraps could not be drawn over. `stakeout: ` and the cursor need a place, too.
        let words: String = (self.words)().chars().take(columns.saturating_sub(11)).collect();
        _ = write_all(stderr(), format!("\r{} {words}\x1b[K", self.prefix).as_bytes());
        self.is_drawn = true;
        self.due = Instant::now() + EVERY;
    }

    pub(super) fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            _ = write_all(stderr(), b"\r\x1b[K");
        }
    }
}

/// How far looking at a tree has come, in so much time: files that were found, and of these read.
pub fn looking(found: usize, read: usize, since: Instant) -> String {
    let (files, seconds) = (text::count(found, "file"), since.elapsed().as_secs());
    match read {
        0 => format!("looking at the tree: {files} so far ({seconds}s)"),
        read => format!("reading: {} of {files} ({seconds}s)", text::grouped(read as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_is_counted_and_then_reading() {
        let since = Instant::now();
        assert_eq!(looking(1234, 0, since), "looking at the tree: 1,234 files so far (0s)");
        assert_eq!(looking(1234, 1000, since), "reading: 1,000 of 1,234 files (0s)");
    }

    #[test]
    fn what_is_not_shown_ends_at_once() {
        let progress = Progress::new(None);
        progress.end();
        progress.end();
    }
}
