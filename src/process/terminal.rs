//! The terminal: who is in its foreground, and its modes.
//!
//! While stakeout is in the foreground, so is the program: it reads what is typed, and the kernel
//! sends it Ctrl-C, Ctrl-Z and changes of the size. Between two instances stakeout takes the
//! terminal back. It never takes it from others, a shell that has put us into the background
//! for example.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process_group};
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};

/// Our controlling terminal, if it is our standard input.
#[derive(Debug)]
pub(super) struct Terminal {
    /// As they were when we started.
    modes: Termios,
    /// The group that we have put into the foreground.
    given: Option<Pid>,
}

impl Terminal {
    pub(super) fn new() -> Option<Self> {
        let modes = tcgetattr(stdin()).ok()?;
        is_controlling().then_some(Self { modes, given: None })
    }

    /// Whether our own process group is in the foreground.
    pub(super) fn is_ours(&self) -> bool {
        own_group().is_some_and(|own| tcgetpgrp(stdin()) == Ok(own))
    }

    /// Takes note of a group that has put itself into the foreground.
    pub(super) fn gave(&mut self, group: Pid) {
        self.given = Some(group);
    }

    /// Puts a group into the foreground, if that is ours to give; says whether it was.
    pub(super) fn give(&mut self, group: Pid) -> bool {
        let is_given = self.is_ours() && tcsetpgrp(stdin(), group).is_ok();
        if is_given {
            self.given = Some(group);
        }
        is_given
    }

    /// Whether this group was put into the foreground.
    pub(super) fn was_given_to(&self, group: Pid) -> bool {
        self.given == Some(group)
    }

    /// Takes it back from a group that was stopped.
    pub(super) fn take_back(&mut self) {
        let Some(given) = self.given.take() else { return };
        let is_free = match tcgetpgrp(stdin()) {
            // A shell that is our program has groups of its own, which ended with it.
            Ok(group) => group == given || test_kill_process_group(group) == Err(Errno::SRCH),
            Err(Errno::OPNOTSUPP) => true,
            Err(_) => false,
        };
        if let (true, Some(own)) = (is_free, own_group()) {
            // SIGTTOU, by which the kernel would stop others for that, is blocked.
            _ = tcsetpgrp(stdin(), own);
        }
    }

    /// Takes it back from a group that is gone, in the modes in which it was.
    pub(super) fn restore(&mut self) {
        if self.given.is_some() {
            self.take_back();
            if self.is_ours() {
                _ = tcsetattr(stdin(), OptionalActions::Now, &self.modes);
            }
        }
    }
}

/// Whether our standard input is our controlling terminal. Its session may have no id in our PID
/// namespace, where rustix would make a Pid of 0.
pub(super) fn is_controlling() -> bool {
    // SAFETY: a plain system call; errno is this thread's own.
    unsafe { libc::tcgetsid(libc::STDIN_FILENO) != -1 || *libc::__errno_location() != libc::ENOTTY }
}

/// Our process group, unless it has no id in our PID namespace, as after `unshare --pid --fork`.
pub(super) fn own_group() -> Option<Pid> {
    // SAFETY: a plain system call.
    Pid::from_raw(unsafe { libc::getpgrp() })
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}
