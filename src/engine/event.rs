//! The words in which the engine and the dispatcher talk.

use std::fmt;
use std::time::Duration;

use super::{Exit, OnChange};

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
    /// The same, and a rule says what it leads to. For a signal nothing is built, and it is no
    /// generation of its own.
    Ruled(OnChange),
    /// The instance's program was executed.
    Started(Instance),
    /// The instance could not be started; no process of it is left.
    NotStarted(Instance, NotStarted),
    /// The instance does what it is there for, as it or a probe says.
    Ready(Instance),
    /// The instance's watchdog was not heard in time.
    Hung(Instance),
    /// The instance needs so much more time to become ready or to stop.
    Extended(Instance, Duration),
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
    /// Someone asks for something.
    Requested(Request),
}

impl Event {
    /// Which instance it is about.
    pub fn instance(self) -> Option<Instance> {
        match self {
            Event::Started(instance)
            | Event::NotStarted(instance, _)
            | Event::Ready(instance)
            | Event::Hung(instance)
            | Event::Extended(instance, _)
            | Event::Exited(instance, _)
            | Event::Gone(instance) => Some(instance),
            Event::Watching
            | Event::Changed
            | Event::Ruled(_)
            | Event::Interrupted { .. }
            | Event::Typed(_)
            | Event::Signalled(_)
            | Event::Requested(_) => None,
        }
    }
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// To restart the program, whatever a change would lead to.
    Restart,
    /// To do what a change leads to.
    Build,
    /// To let changes wait.
    Pause,
    /// To go on, with those that waited.
    Resume,
    /// To stop the program, and to end then.
    Stop,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run a step of a build.
    Build {
        /// As this instance.
        instance: Instance,
        /// Which, from 0.
        step: usize,
        /// Of what.
        generation: Generation,
    },
    /// Start the program.
    Start(Instance),
    /// Ask the instance's processes to stop, by this signal.
    Stop(Instance, i32),
    /// Pass this signal on to them.
    Signal(Instance, i32),
    /// Kill them.
    Kill(Instance),
    /// Say that they are still there although they were killed.
    ReportUnkillable(Instance),
    /// Say this.
    Note(Note),
    /// Exit with this status. Nothing follows it.
    End(i32),
}

/// What is worth to be said, besides what the events and actions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// All steps of a build were done.
    Built {
        /// Of this.
        generation: Generation,
        /// All together.
        took: Duration,
    },
    /// A step failed. What runs goes on.
    BuildFailed {
        /// Which, from 0.
        step: usize,
        /// How.
        failure: Failure,
        /// Up to then.
        took: Duration,
    },
    /// A build is stopped, since something changed or it is over.
    BuildCancelled {
        /// Up to then.
        took: Duration,
    },
    /// The program is ready.
    Ready {
        /// Which.
        instance: Instance,
        /// Since its start.
        took: Duration,
    },
    /// The program is not ready in time. It goes on.
    NotReady {
        /// Which.
        instance: Instance,
    },
    /// The program's watchdog was not heard in time; it is stopped and started again.
    Hung {
        /// Which.
        instance: Instance,
    },
    /// This instance is ready and takes over; the one before is stopped.
    HandedOver {
        /// Which.
        instance: Instance,
        /// Since its start.
        took: Duration,
    },
    /// This instance cannot take over and is stopped; the one before goes on.
    HandoverFailed {
        /// Which.
        instance: Instance,
        /// Why.
        failure: Failure,
    },
}

/// Why something did not come to what it was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ended like this.
    Exit(Exit),
    /// It could not be started.
    NotStarted(NotStarted),
    /// It was not ready in time.
    NotReady,
    /// It did not answer any more.
    Hung,
}

impl Failure {
    /// The status to exit with; 124 where time has passed, as timeout(1) does.
    pub fn status(self) -> i32 {
        match self {
            Failure::Exit(exit) => exit.status(),
            Failure::NotStarted(why) => why.status(),
            Failure::NotReady | Failure::Hung => 124,
        }
    }
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

/// What a program is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It was not started yet.
    Waiting,
    /// It runs, and is not ready yet.
    Starting,
    /// It runs, and is ready.
    Ready,
    /// It runs, and so does another that shall take over.
    Handover,
    /// It is being stopped.
    Stopping,
    /// It failed, and is started again after a while.
    Retrying,
    /// It ended with a failure; a change starts it.
    Failed,
    /// It ended in order; a change starts it.
    Done,
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
