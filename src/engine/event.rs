//! The words in which the engine and the dispatcher talk.

use std::fmt;
use std::time::Duration;

use super::Exit;

/// Counts settled change sets; 0 is the tree as it was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// One run of the program, told apart from all others. It stands for the started process and
/// everything that descends from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u64);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The tree was seen for the first time.
    Watching,
    /// The tree settled on other content than that of the generation before.
    Changed,
    /// The instance's program was executed.
    Started(Instance),
    /// The instance could not be started; no process of it is left.
    NotStarted(Instance, NotStarted),
    /// The instance's first process ended. Others of it may still run.
    Exited(Instance, Exit),
    /// No process of the instance is left.
    Gone(Instance),
    /// Someone wants stakeout to end.
    Interrupted {
        /// The signal that said so.
        signal: i32,
        /// The signal that shall stop the program.
        stop: i32,
    },
    /// This signal was typed at the terminal (Ctrl-C, Ctrl-\), which sent it to the program.
    Typed(i32),
    /// This signal is to be passed on to the program.
    Signalled(i32),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the program for this generation.
    Start(Instance, Generation),
    /// Ask the instance's processes to stop, by this signal.
    Stop(Instance, i32),
    /// Pass this signal on to them.
    Signal(Instance, i32),
    /// Kill them.
    Kill(Instance),
    /// Say that they are still there although they were killed.
    ReportUnkillable(Instance),
    /// Exit with this status. Nothing follows it.
    End(i32),
}

/// What has to happen before the program is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// A change.
    Change,
    /// Nothing but this time to pass.
    Retry(Duration),
    /// It is not started again.
    End,
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// There is no such file.
    NotFound,
    /// The file cannot be executed, for the reason of this `errno(3)`.
    NotExecutable(i32),
    /// It could not become the chosen user, for the reason of this `errno(3)`.
    NoUser(i32),
    /// The chosen directory cannot be entered, for the reason of this `errno(3)`.
    NoDirectory(i32),
    /// No process could be made, for the reason of this `errno(3)`.
    NoProcess(i32),
}

impl NotStarted {
    /// The status to exit with, as shells (127 and 126) and docker (125) do.
    pub fn status(self) -> i32 {
        match self {
            NotStarted::NotFound => 127,
            NotStarted::NotExecutable(_) | NotStarted::NoUser(_) | NotStarted::NoDirectory(_) => {
                126
            }
            NotStarted::NoProcess(_) => Exit::OWN_FAILURE,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
