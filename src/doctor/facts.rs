//! Facts: what was measured, before anybody says what it means. docs/doctor.md has the names.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::watch::{Interval, Mode};

/// A duration, in JSON as seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(serde::de::Error::custom)
    }
}

/// All that was found out about a tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// How it would be watched.
    pub chosen: Chosen,
    /// What would be.
    pub roots: Vec<Root>,
    /// What that lies on.
    pub mounts: Vec<Mount>,
    /// What looking at it costs.
    pub looking: Looking,
    /// What cannot be read.
    pub unreadable: Vec<Unread>,
    /// Directories that are not entered, since the kernel makes up what is in them.
    pub not_entered: Vec<String>,
    /// What came of asking for native events.
    pub events: Events,
}

/// How a tree would be watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chosen {
    /// The configuration file that says so, if there is one.
    pub configuration: Option<String>,
    /// `auto`, `poll` or `native`.
    pub mode: String,
    /// The time between looks, where it is fixed.
    #[serde(rename = "interval_seconds")]
    pub interval: Option<Seconds>,
    /// How much of one core looking may take otherwise, in thousandths.
    pub cpu_budget_thousandths: Option<u32>,
    /// How long nothing must change before what changed counts.
    #[serde(rename = "debounce_seconds")]
    pub debounce: Seconds,
}

impl Chosen {
    /// What the watcher is told.
    pub(super) fn interval(&self) -> Interval {
        match (self.interval, self.cpu_budget_thousandths) {
            (Some(Seconds(interval)), _) => Interval::Fixed(interval),
            (None, budget) => Interval::Budget(budget.unwrap_or_default()),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self.mode.as_str() {
            "poll" => Mode::Poll,
            "native" => Mode::Native,
            _ => Mode::Auto,
        }
    }
}

/// A root.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Root {
    /// As it is shown.
    pub path: String,
    /// Whether it can be watched.
    #[serde(flatten)]
    pub state: RootState,
    /// Why it holds more than anybody means to watch, if it does.
    pub too_broad: Option<String>,
}

/// Whether a root can be watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum RootState {
    /// It can.
    Answers,
    /// It cannot, for this reason.
    Unwatchable(String),
    /// It has not answered in time.
    Silent,
}

/// A mount, and the part of the tree that lies on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// The topmost directory of the tree on it, as it is shown.
    pub path: String,
    /// Where it is mounted, if that is known.
    pub mount_point: Option<String>,
    /// The type of the file system, as mount(8) has it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether all changes of it pass through this kernel.
    pub local: bool,
    /// Files and links.
    pub files: usize,
    /// Directories.
    pub directories: usize,
    /// How long a look takes at what lies on it.
    #[serde(rename = "look_seconds")]
    pub look: Seconds,
    /// How long the answer about one file takes.
    #[serde(rename = "stat_seconds")]
    pub stat: Option<Seconds>,
    /// The same, where nothing that is cached may be answered.
    #[serde(rename = "stat_uncached_seconds")]
    pub stat_uncached: Option<Seconds>,
    /// The steps in which times are kept, if there are enough of them to tell.
    #[serde(rename = "time_steps_seconds")]
    pub time_steps: Option<Seconds>,
    /// Whether a file has the same inode number whenever it is asked for.
    pub inodes_last: bool,
    /// Whether a directory's own times tell of new names in it.
    pub directory_times: NameTimes,
    /// What came of writing there, where that was asked for.
    pub tried: Option<Tried>,
}

/// Whether a directory's own times tell of new names in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameTimes {
    /// They do, and are gone by.
    ReliedUpon,
    /// It is not known, so names are read at each look.
    NotReliedUpon,
}

/// What came of writing a scratch file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// It worked.
    Written {
        /// The shortest time between two writes that have different times.
        #[serde(rename = "time_step_seconds")]
        time_step: Seconds,
        /// Whether a new name changed the directory's times.
        directory_times_change: bool,
    },
    /// It did not, for this reason.
    Failed(String),
}

/// What looking costs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Looking {
    /// How long the first look took.
    #[serde(rename = "first_look_seconds")]
    pub first: Seconds,
    /// How long a further one takes.
    #[serde(rename = "look_seconds")]
    pub look: Seconds,
    /// How much CPU time that costs.
    #[serde(rename = "cpu_seconds")]
    pub cpu: Seconds,
}

/// Something that cannot be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unread {
    /// Its path, as it is shown.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// What came of asking for native events, and the limits on them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Events {
    /// Directories of which they are wanted.
    pub wanted: usize,
    /// Directories of which they can be had.
    pub watched: usize,
    /// Why not of the others, as errno(3).
    pub errno: Option<i32>,
    /// How many directories a user may watch.
    pub max_user_watches: Option<u64>,
    /// How many programs of a user may watch.
    pub max_user_instances: Option<u64>,
    /// How many directories a stakeout watches that runs here already.
    pub watches_here: u64,
    /// How many directories this user's other programs watch, as far as they can be seen.
    pub watches_in_use: u64,
    /// How many instances they have.
    pub instances_in_use: u64,
}

/// What is around stakeout.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Whether it would be PID 1.
    pub pid_1: bool,
    /// What PID 1 is, where that can be seen.
    pub pid_1_name: Option<String>,
    /// Whether there is a /proc.
    pub proc: bool,
    /// Whether standard input is a terminal.
    pub terminal: bool,
    /// How many files may be open.
    pub open_files: Option<u64>,
    /// How many directories can be held open from look to look all the same.
    pub held_directories: usize,
}
