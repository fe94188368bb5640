//! The policy: what a user can choose about a program.

use std::time::Duration;

use super::{Exit, OnBusy};

/// What a user can choose about it.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whether there is a program; without one, changes are only built.
    pub has_program: bool,
    /// Do not start before the first change.
    pub postpone: bool,
    /// How many steps a build has; none means that there is nothing to build.
    pub steps: usize,
    /// What a change during a build leads to.
    pub on_busy: OnBusy,
    /// What a change leads to, once it is built.
    pub on_change: OnChange,
    /// How long the program may take to become ready, if it says when it is; otherwise it is as
    /// soon as it is executed.
    pub ready_timeout: Option<Duration>,
    /// The signal that stops the program for a restart.
    pub stop_signal: i32,
    /// How long the program may take to stop before it is killed.
    pub stop_timeout: Duration,
    /// When to start it again without a change.
    pub restart: Restart,
    /// Whether it is over when the program ended and is not started again without a change.
    pub exit_with_child: bool,
    /// How often something is run at most: the program, or a build that fails or has no program after
    /// it. When the last of these has ended, it is over.
    pub runs: Option<u32>,
}

/// What a change leads to while the program is up. When it is not, it is started. Of two that are
/// wanted at once, the greater is done, which does what the other would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnChange {
    /// Nothing but the build.
    Build,
    /// It gets this signal.
    Signal(i32),
    /// Another is started beside it, and it is stopped when that is ready.
    Handover,
    /// It is stopped, and started when nothing of it is left.
    Restart,
}

/// After which ends the program is started again without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// None.
    Never,
    /// By a signal that was not ours: a crash, or the kernel's need for memory.
    OnCrash,
    /// By such a signal, or with a status other than 0.
    OnFailure,
    /// Any.
    Always,
}

impl Restart {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Restart::Never => "never",
            Restart::OnCrash => "on-crash",
            Restart::OnFailure => "on-failure",
            Restart::Always => "always",
        }
    }

    pub(super) fn follows(self, exit: Exit) -> bool {
        match self {
            Restart::Never => false,
            Restart::OnCrash => matches!(exit, Exit::Signal(_)),
            Restart::OnFailure => !exit.is_success(),
            Restart::Always => true,
        }
    }
}
