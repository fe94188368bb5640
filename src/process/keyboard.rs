//! The keyboard: what is typed at the terminal where no program reads it, key by key and without
//! an echo.
//!
//! ISIG stays, so Ctrl-C and Ctrl-Z are signals as ever. Nothing is read, and no mode is set, while
//! another process group is in the foreground: a shell, that has put us into the background. The
//! kernel sees to the first (read(2) gives EIO, as SIGTTIN is blocked), we to the second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

use super::terminal::{is_controlling, own_group};

/// The terminal, and its modes while they are ours.
#[derive(Debug)]
pub struct Keyboard {
    /// The modes before, while they are ours.
    before: Option<Termios>,
    /// Whether what is typed is for us.
    reads: Arc<AtomicBool>,
}

/// What came from the terminal.
#[derive(Debug)]
pub enum Typed {
    /// This was read at once.
    Bytes(Vec<u8>),
    /// We are in the foreground, and have not [taken](Keyboard::take) it.
    Foreground,
}

/// How often to see whether we are in the foreground again. A shell's `fg` says nothing to a job
/// that runs already.
const LOOK: Duration = Duration::from_millis(250);

/// How long to wait for a key before that is seen to. Being put into the background wakes nobody.
const MOST_PATIENT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// So many at once were not typed but pasted, and so was what follows closely, up to its last few.
const PASTED: usize = 4;
const CLOSELY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

impl Keyboard {
    /// The keyboard of our controlling terminal, if that is our standard input.
    pub fn new() -> Option<Self> {
        tcgetattr(stdin()).ok()?;
        is_controlling().then(|| Self { before: None, reads: Arc::default() })
    }

    /// Sends what is typed, from a thread of its own, until nobody listens or the terminal is gone.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn listen(&self, send: impl Fn(Typed) -> bool + Send + 'static) -> io::Result<()> {
        let reads = Arc::clone(&self.reads);
        thread::Builder::new().name("keys".into()).spawn(move || listen(&reads, send))?;
        Ok(())
    }

    /// Reads from now on, if we are in the foreground, and sets the modes for that. A shell may have
    /// set its own meanwhile.
    pub fn take(&mut self) {
        if !is_in_foreground() {
            return;
        }
        self.reads.store(true, Ordering::Release);
        let Ok(modes) = tcgetattr(stdin()) else { return };
        if !modes.local_modes.intersects(OFF) {
            return;
        }
        let mut ours = modes.clone();
        ours.local_modes.remove(OFF);
        ours.special_codes[SpecialCodeIndex::VMIN] = 1;
        ours.special_codes[SpecialCodeIndex::VTIME] = 0;
        if tcsetattr(stdin(), OptionalActions::Now, &ours).is_ok() {
            self.before = Some(modes);
        }
    }

    /// Reads no more, and sets the modes back, unless the terminal is another's by now.
    pub fn leave(&mut self) {
        self.reads.store(false, Ordering::Release);
        if let Some(before) = self.before.take()
            && is_in_foreground()
        {
            _ = tcsetattr(stdin(), OptionalActions::Now, &before);
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Waiting for a whole line, and showing what is typed.
const OFF: LocalModes = LocalModes::ICANON.union(LocalModes::ECHO);

fn is_in_foreground() -> bool {
    own_group().is_some_and(|own| tcgetpgrp(stdin()) == Ok(own))
}

fn listen(reads: &AtomicBool, send: impl Fn(Typed) -> bool) {
    let mut buffer = [0; 256];
    let waits = |most| {
        let mut asked = [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)];
        poll(&mut asked, Some(most)) == Ok(1) && reads.load(Ordering::Acquire)
    };
    loop {
        let is_in_foreground = match tcgetpgrp(stdin()) {
            Ok(group) => own_group() == Some(group),
            // Of a process outside of our PID namespace.
            Err(Errno::OPNOTSUPP) => false,
            Err(_) => return,
        };
        if !is_in_foreground || !reads.load(Ordering::Acquire) {
            if is_in_foreground && !send(Typed::Foreground) {
                return;
            }
            thread::sleep(LOOK);
            continue;
        }
        // Not by reading: what is typed after we have left is for others.
        if !waits(&MOST_PATIENT) {
            continue;
        }
        match rustix::io::read(stdin(), &mut buffer) {
            Ok(read @ 1..) if !send(Typed::Bytes(buffer[..read].to_vec())) => return,
            Ok(PASTED..) => {
                while waits(&CLOSELY)
                    && matches!(rustix::io::read(stdin(), &mut buffer), Ok(PASTED..))
                {
                }
            }
            Ok(1..) | Err(Errno::INTR | Errno::AGAIN) => {}
            // In the background by now, or an end of file that was typed in others' modes.
            Ok(0) | Err(Errno::IO) => thread::sleep(LOOK),
            Err(_) => return,
        }
    }
}
