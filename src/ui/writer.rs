//! The log's thread, that alone writes our lines and draws below them. It may be held up by a
//! terminal that is held, or a pipe that nobody reads; nobody else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Instant;

use rustix::stdio::stderr;

use super::indicator::Indication;
use super::progress::Drawing;
use super::terminal::{Terminal, columns, is_anothers};
use super::write_all;

/// What it is to do.
pub(super) enum Job {
    /// Write this.
    Write(String),
    /// Show this until it is over.
    Show(Drawing),
    /// See what is over by now, or wrong, and then say so.
    Nod(Option<SyncSender<()>>),
    /// Leave nothing but lines on the terminal, which is about to be another's, and then say so.
    Leave(SyncSender<()>),
    /// End.
    End,
}

/// What it knows.
pub(super) struct Writer {
    terminal: Option<Arc<Terminal>>,
    /// Whether the terminal is to indicate that something is wrong.
    is_wrong: Arc<AtomicBool>,
    drawing: Option<Drawing>,
    /// How far the drawing has come, if it indicates that.
    working: Option<Indication>,
    /// What the terminal indicates.
    indicated: Indication,
}

impl Writer {
    pub(super) fn new(terminal: Option<Arc<Terminal>>, is_wrong: Arc<AtomicBool>) -> Self {
        Self { terminal, is_wrong, drawing: None, working: None, indicated: Indication::Nothing }
    }

    /// Runs until there is no log any more.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let next = match &self.drawing {
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(drawing) => {
                    queue.recv_timeout(drawing.due.saturating_duration_since(Instant::now()))
                }
            };
            match next {
                Ok(Job::Write(text)) => {
                    self.write(&text);
                    // A nod may have found no place.
                    self.indicate(self.indication());
                    // Where there is always a next line, no time is left.
                    if self.drawing.as_ref().is_some_and(|it| it.due <= Instant::now()) {
                        self.draw();
                    }
                }
                Ok(Job::Show(new)) => {
                    self.hide();
                    self.drawing = Some(new);
                }
                Ok(Job::Nod(told)) => {
                    if self.drawing.as_ref().is_some_and(Drawing::is_over) {
                        self.hide();
                    }
                    self.indicate(self.indication());
                    told.iter().for_each(|told| _ = told.try_send(()));
                }
                Ok(Job::Leave(told)) => {
                    self.terminal.iter().for_each(|terminal| terminal.erase());
                    self.indicate(Indication::Nothing);
                    _ = told.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => self.draw(),
                Ok(Job::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.hide();
                    return self.indicate(Indication::Nothing);
                }
            }
        }
    }

    fn write(&self, text: &str) {
        match &self.terminal {
            Some(terminal) => terminal.write(stderr(), text.as_bytes()),
            // Nobody may be there to read it; the program goes on all the same.
            None => _ = write_all(stderr(), text.as_bytes()),
        }
    }

    fn draw(&mut self) {
        let Some(drawing) = &mut self.drawing else { return };
        let Some(reached) = drawing.reached(Instant::now()).filter(|_| !drawing.is_over()) else {
            self.hide();
            return self.indicate(self.indication());
        };
        self.working = drawing.is_indicated.then_some(Indication::Working(reached.percent()));
        if let (Some(bar), Some(terminal)) = (&drawing.bar, &self.terminal) {
            match is_anothers() {
                true => terminal.erase(),
                false => terminal.draw(bar.line(&reached, columns())),
            }
        }
        self.indicate(self.indication());
    }

    fn hide(&mut self) {
        self.drawing = None;
        self.working = None;
        self.terminal.iter().for_each(|terminal| terminal.erase());
    }

    /// What is to be indicated. That something is wrong is more than how far something has come.
    fn indication(&self) -> Indication {
        match self.is_wrong.load(Ordering::Relaxed) {
            true => Indication::Wrong,
            false => self.working.unwrap_or_default(),
        }
    }

    fn indicate(&mut self, indication: Indication) {
        if indication != self.indicated {
            self.indicated = indication;
            self.terminal.iter().for_each(|it| it.tell(&indication.sequence()));
        }
    }
}
