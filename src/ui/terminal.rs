//! The terminal, where several write: our own lines, those of programs that we pass on, and what is
//! drawn below them all. Whoever writes takes away what is drawn and puts it back, in one write.
//!
//! The cursor rests where what is drawn begins. So all of it can be taken away also when the
//! terminal was made narrower meanwhile and has broken the line in two.

use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::fstat;
use rustix::process::getpgrp;
use rustix::stdio::stderr;
use rustix::termios::{isatty, tcgetpgrp, tcgetwinsize};

use super::write_all;

/// From the beginning of the line to the end of the screen: nothing.
const ERASE: &str = "\r\x1b[J";

/// Standard error, where that is a terminal.
#[derive(Debug, Default)]
pub struct Terminal {
    /// What is drawn below all lines; empty where nothing is.
    drawn: Mutex<String>,
}

impl Terminal {
    /// Standard error, if it is one.
    pub(super) fn new() -> Option<Self> {
        isatty(stderr()).then(Self::default)
    }

    /// Whether this descriptor leads to the same terminal.
    pub(super) fn is_at(&self, output: impl AsFd) -> bool {
        let device = |status: rustix::fs::Stat| status.st_rdev;
        isatty(&output) && fstat(output).map(device) == fstat(stderr()).map(device)
    }

    /// Writes whole lines to one of our outputs that lead here. Nobody may read there any more, and
    /// all goes on all the same.
    pub(super) fn write(&self, output: impl AsFd, lines: &[u8]) {
        let drawn = self.drawn();
        _ = match drawn.is_empty() {
            true => write_all(output, lines),
            false => {
                write_all(output, &[ERASE.as_bytes(), lines, frame(&drawn).as_bytes()].concat())
            }
        };
    }

    /// Draws one line in the place of what was drawn before.
    pub(super) fn draw(&self, line: String) {
        let mut drawn = self.drawn();
        _ = write_all(stderr(), frame(&line).as_bytes());
        *drawn = line;
    }

    /// Takes away what is drawn.
    pub(super) fn erase(&self) {
        if !std::mem::take(&mut *self.drawn()).is_empty() {
            _ = write_all(stderr(), ERASE.as_bytes());
        }
    }

    /// Writes a sequence that touches neither the cursor nor the text.
    pub(super) fn tell(&self, sequence: &str) {
        let _between_lines = self.drawn();
        _ = write_all(stderr(), sequence.as_bytes());
    }

    fn drawn(&self) -> MutexGuard<'_, String> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How wide it is, now.
pub(super) fn columns() -> u16 {
    let columns = tcgetwinsize(stderr()).map_or(0, |size| size.ws_col);
    if columns == 0 { 80 } else { columns }
}

/// Whether a shell, or another of its jobs, has it now.
pub(super) fn is_anothers() -> bool {
    tcgetpgrp(stderr()).is_ok_and(|group| group != getpgrp())
}

/// A line drawn over another. Where the terminal has just become too narrow for it, it is cut and
/// not broken (DECAWM).
fn frame(line: &str) -> String {
    format!("\r\x1b[?7l{line}\x1b[J\x1b[?7h\r")
}
