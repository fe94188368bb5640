//! One line of the log: what happened, how much it matters, the words for people and the fields
//! for programs.

use std::time::Duration;

use serde_json::{Map, Value};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is wrong.
    Problem,
    /// What happens.
    Event,
    /// Why it happens, in detail.
    Detail,
}

impl Level {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Event => "event",
            Self::Detail => "detail",
        }
    }
}

/// Declares the kinds with their names, so that none can be left out of the list.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What happened. The names and fields are documented in docs/events.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// As it is written in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A configuration file is in effect.
    Configured = "configured",
    /// Where requests are taken, or why none are.
    Control = "control",
    /// What browsers see, and where.
    Browsers = "browsers",
    /// The tree was seen for the first time.
    Watching = "watching",
    /// How often is looked.
    Interval = "interval",
    /// How many files the first look has found so far.
    Looking = "looking",
    /// How many files were read so far.
    Reading = "reading",
    /// All files were read once.
    Baseline = "baseline",
    /// A root holds far more than a project.
    TooBroad = "too_broad",
    /// A root cannot be watched.
    CannotWatch = "cannot_watch",
    /// The watcher failed.
    WatchingFailed = "watching_failed",
    /// The tree settled on other content.
    Changed = "changed",
    /// A rule decides what some changes lead to.
    Rule = "rule",
    /// A path changes again and again because of what is started.
    Echo = "echo",
    /// Paths are what builds write, and lead to none.
    Outputs = "outputs",
    /// Paths cannot be read.
    Unreadable = "unreadable",
    /// They can be again, or are gone.
    Readable = "readable",
    /// Whether events are relied upon.
    Trust = "trust",
    /// There are no events, or not for all directories.
    EventsLimited = "events_limited",
    /// A root does not answer.
    Silent = "silent",
    /// It answers again.
    Answers = "answers",
    /// The engine is in another state.
    State = "state",
    /// A step of a build begins.
    Build = "build",
    /// A step or a check wrote a line.
    Output = "output",
    /// All steps were done.
    Built = "built",
    /// A step failed.
    BuildFailed = "build_failed",
    /// A build was stopped.
    BuildCancelled = "build_cancelled",
    /// The program is started.
    Starting = "starting",
    /// It was executed.
    Started = "started",
    /// It waits for what it depends on.
    Waiting = "waiting",
    /// It could not be.
    NotStarted = "not_started",
    /// It is ready.
    Ready = "ready",
    /// It is not, in time.
    NotReady = "not_ready",
    /// It cannot be found out whether it is.
    ProbeFailed = "probe_failed",
    /// The new instance has taken over.
    HandedOver = "handed_over",
    /// It could not.
    HandoverFailed = "handover_failed",
    /// The program's watchdog was not heard.
    Hung = "hung",
    /// The program ended as it was told to.
    Stopped = "stopped",
    /// The program ended by itself.
    Exited = "exited",
    /// It is started again later.
    Retrying = "retrying",
    /// It is killed.
    Killing = "killing",
    /// It was, and is still there.
    Unkillable = "unkillable",
    /// It was stopped by a signal for the terminal's sake.
    Suspended = "suspended",
    /// What the program says of itself.
    Says = "says",
    /// What was said in vain.
    BadNotice = "bad_notice",
    /// Commands are not told what changed.
    NoChangesFile = "no_changes_file",
    /// A signal was taken.
    Signal = "signal",
    /// Orphans were reaped.
    Reaped = "reaped",
    /// Someone asked for something.
    Asked = "asked",
    /// Which keys there are.
    Keys = "keys",
    /// How it is, as a key asked.
    Status = "status",
    /// A check begins.
    Check = "check",
    /// It passed.
    CheckPassed = "check_passed",
    /// It did not.
    CheckFailed = "check_failed",
    /// Lines could not be written in time.
    Lost = "lost",
}

/// One line.
#[derive(Debug)]
pub struct Line {
    pub(super) level: Level,
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) service: Option<String>,
    pub(super) fields: Map<String, Value>,
}

impl Line {
    /// A line of this level, with these words for people.
    pub fn new(level: Level, kind: Kind, text: impl Into<String>) -> Self {
        Self { level, kind, text: text.into(), service: None, fields: Map::new() }
    }

    /// That something is wrong.
    pub fn problem(kind: Kind, text: impl Into<String>) -> Self {
        Self::new(Level::Problem, kind, text)
    }

    /// What happens.
    pub fn event(kind: Kind, text: impl Into<String>) -> Self {
        Self::new(Level::Event, kind, text)
    }

    /// Why it happens, in detail.
    pub fn detail(kind: Kind, text: impl Into<String>) -> Self {
        Self::new(Level::Detail, kind, text)
    }

    /// With a field for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// With a duration, in whole milliseconds.
    #[must_use]
    pub fn with_ms(self, name: &str, duration: Duration) -> Self {
        self.with(name, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// About this service, if it has a name.
    #[must_use]
    pub fn of(mut self, service: Option<&str>) -> Self {
        self.service = service.map(str::to_owned);
        self
    }
}
