//! How a running stakeout is: the one model of it that everything shows.
//!
//! It is documented in docs/control.md. Fields may be added; the schema's number changes when one
//! is removed or means something else.

use serde::{Deserialize, Serialize};

/// The version of what follows.
pub const SCHEMA: u32 = 1;

/// How a running stakeout is. Times are in milliseconds, and in seconds since 1970 for a point
/// in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Of stakeout.
    pub version: String,
    /// Of stakeout, as its own PID namespace has it.
    pub pid: u32,
    /// Since it was started.
    pub up_ms: u64,
    /// What it runs; of several services, what is true of all of them.
    #[serde(flatten)]
    pub all: Service,
    /// Each service, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// What it watches, once that was seen.
    pub watching: Option<Watching>,
    /// What changed last, if anything did.
    pub changes: Option<Changes>,
}

/// How a service is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// What it is called, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is doing.
    pub state: State,
    /// Whether the program does what it is there for; without a program, whether the tree is seen.
    pub ready: bool,
    /// Whether a build runs.
    pub building: bool,
    /// Whether changes wait.
    pub paused: bool,
    /// How many change sets there were.
    pub generation: u64,
    /// What it runs, if anything.
    pub program: Option<Program>,
    /// The last build that came to an end, if any.
    pub build: Option<Build>,
    /// How many builds came to an end.
    #[serde(default)]
    pub builds: Builds,
    /// The last starts, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Start>,
    /// How long changes took to be noticed, where that is known.
    #[serde(default)]
    pub detection: Histogram,
    /// How long it took from a change until the program was ready again.
    #[serde(default)]
    pub restarting: Histogram,
}

/// What the program is doing. Of several services, the one that is further down counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is no program: changes are only shown, or built.
    Watching,
    /// It ended in order; a change starts it.
    Done,
    /// It runs, and is ready.
    Ready,
    /// It runs, and so does another that shall take over.
    Handover,
    /// It was not started yet.
    Waiting,
    /// It runs, and is not ready yet.
    Starting,
    /// It is being stopped.
    Stopping,
    /// It failed, and is started again after a while.
    Retrying,
    /// It ended with a failure; a change starts it.
    Failed,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// As it was typed.
    pub command: String,
    /// Of the process that was started, while there is one.
    pub pid: Option<i32>,
    /// Since its last start, if it was started.
    pub started_ms_ago: Option<u64>,
    /// After which ends it is started again without a change, as --restart has it.
    pub restart: String,
    /// In how long that happens, if it is about to.
    pub retry_in_ms: Option<u64>,
    /// Why it was started again, how often.
    pub restarts: Restarts,
    /// How it ended last, when it did: `status 1`, `SIGTERM`.
    pub last_exit: Option<String>,
    /// What it says of itself (STATUS= of sd_notify(3)).
    pub says: Option<String>,
    /// While it is not ready: why, as the probe saw it last.
    #[serde(default)]
    pub lacks: Option<String>,
}

/// Starts but the first, by what led to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarts {
    /// A change of the tree.
    pub by_change: u64,
    /// It ended, or did not answer.
    pub by_failure: u64,
    /// Someone asked for it.
    pub by_request: u64,
}

/// A build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// What came of it.
    pub result: BuildResult,
    /// All steps together.
    pub took_ms: u64,
    /// How the step that failed did, if one did.
    pub failure: Option<String>,
    /// That step, as it was typed.
    pub step: Option<String>,
    /// The last lines that it wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
}

/// How many builds came to an end, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builds {
    /// All steps were done.
    pub done: u64,
    /// A step failed.
    pub failed: u64,
    /// It was stopped, for a newer one or for the end.
    pub cancelled: u64,
}

/// One start of the program, and what took how long before it, as far as it was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Of this generation.
    pub generation: u64,
    /// When, in seconds since 1970.
    pub at: u64,
    /// What led to it.
    pub cause: Cause,
    /// Until the change was noticed.
    pub detect_ms: Option<u64>,
    /// Until nothing changed any more.
    pub settle_ms: Option<u64>,
    /// To build.
    pub build_ms: Option<u64>,
    /// To stop what ran before.
    pub stop_ms: Option<u64>,
    /// Until the program was ready, if it was.
    pub ready_ms: Option<u64>,
}

/// What leads to a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// That stakeout was started.
    #[default]
    Begin,
    /// A change of the tree.
    Change,
    /// That the program ended, or did not answer.
    Failure,
    /// Someone asked for it.
    Request,
}

/// How often something took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How often it took at most so long as [`Histogram::BOUNDS_MS`] says, but longer than the
    /// bound before; the last counts what took longer than all.
    pub counts: [u64; Histogram::BOUNDS_MS.len() + 1],
    /// All together.
    pub sum_ms: u64,
}

impl Histogram {
    /// Milliseconds.
    pub const BOUNDS_MS: [u64; 11] = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

    /// It took so long once more.
    pub fn add(&mut self, ms: u64) {
        let bounds = Self::BOUNDS_MS.iter();
        let place = bounds.take_while(|bound| ms > **bound).count();
        self.counts[place] += 1;
        self.sum_ms += ms;
    }
}

/// What came of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildResult {
    /// All steps were done.
    Done,
    /// A step failed.
    Failed,
    /// It was stopped, for a newer one or for the end.
    Cancelled,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watching {
    /// The roots, as they were typed.
    pub roots: Vec<String>,
    /// Files and links when the tree was first seen.
    pub files: usize,
    /// How many of them were read so far, as a change is told from a touch by what a file held;
    /// none once that is done.
    #[serde(default)]
    pub read: Option<usize>,
    /// The time between looks, once it was chosen.
    pub interval_ms: Option<u64>,
    /// Roots that do not answer.
    pub silent: Vec<Silence>,
    /// What cannot be read, by path.
    pub unreadable: Vec<String>,
    /// What was found out of native events, by mount.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// How often was looked.
    #[serde(default)]
    pub looks: u64,
    /// What that has cost, all together, in milliseconds of one core.
    #[serde(default)]
    pub looks_cpu_ms: u64,
}

/// What was found out of the native events of a mount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// What showed it.
    pub path: String,
    /// What was found out.
    pub trust: Trust,
}

/// How far native events are relied upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Not at all: it is a share.
    Share,
    /// They say when to look.
    Trusted,
    /// Not any more: a change came without one.
    Missed,
}

/// A root that does not answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// As it was typed.
    pub root: String,
    /// When it was asked and did not answer, in seconds since 1970.
    pub since: u64,
}

/// A change set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// What kinds of change to which paths, in words.
    pub summary: String,
    /// How many.
    pub count: usize,
    /// When it was settled, in seconds since 1970.
    pub at: u64,
}

impl Service {
    /// What is true of all of several services.
    pub fn all(services: &[Self]) -> Self {
        let any = |is: fn(&Self) -> bool| services.iter().any(is);
        Self {
            name: None,
            state: services.iter().map(|it| it.state).max().unwrap_or(State::Watching),
            ready: services.iter().all(|it| it.ready),
            building: any(|it| it.building),
            paused: any(|it| it.paused),
            generation: services.iter().map(|it| it.generation).max().unwrap_or_default(),
            program: None,
            build: None,
            builds: Builds::default(),
            recent: Vec::new(),
            detection: Histogram::default(),
            restarting: Histogram::default(),
        }
    }
}
