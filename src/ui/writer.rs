//! The log's thread, that alone writes our lines and draws below them. It may be held up by a
//! terminal that is held, or a pipe that nobody reads; nobody else is.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Instant;

use rustix::stdio::stderr;

use super::progress::Drawing;
use super::terminal::{Terminal, columns, is_anothers};
use super::write_all;

/// What it is to do.
pub(super) enum Job {
    /// Write this.
    Write(String),
    /// Show this until it is over.
    Show(Drawing),
    /// See what is over by now, and then say so.
    Nod(Option<SyncSender<()>>),
    /// Leave nothing but lines on the terminal, which is about to be another's, and then say so.
    Leave(SyncSender<()>),
    /// End.
    End,
}

/// What it knows.
pub(super) struct Writer {
    pub(super) terminal: Option<Arc<Terminal>>,
    drawing: Option<Drawing>,
}

impl Writer {
    pub(super) fn new(terminal: Option<Arc<Terminal>>) -> Self {
        Self { terminal, drawing: None }
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
                    told.iter().for_each(|told| _ = told.try_send(()));
                }
                Ok(Job::Leave(told)) => {
                    self.terminal.iter().for_each(|terminal| terminal.erase());
                    _ = told.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => self.draw(),
                Ok(Job::End) | Err(RecvTimeoutError::Disconnected) => {
                    return self.hide();
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
            return self.hide();
        };
        if let Some(terminal) = &self.terminal {
            match is_anothers() {
                true => terminal.erase(),
                false => terminal.draw(drawing.bar.line(&reached, columns())),
            }
        }
    }

    fn hide(&mut self) {
        self.drawing = None;
        self.terminal.iter().for_each(|terminal| terminal.erase());
    }
}
