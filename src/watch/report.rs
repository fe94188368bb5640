//! What the watcher is told, and what it has to say.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Interval, Mode, TrustVerdict};
use crate::scan::Trouble;
use crate::tree::{Change, Snapshot};

/// How watching is timed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How changes are noticed.
    pub mode: Mode,
    /// How often to look.
    pub interval: Interval,
    /// How long nothing must change before what changed counts.
    pub debounce: Duration,
    /// How long to wait for that at the most.
    pub max_wait: Duration,
}

/// What the watcher has to say.
#[derive(Debug)]
pub enum Report {
    /// A root cannot be watched at all. Nothing follows.
    Unwatchable {
        /// As the user typed it.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The watcher failed, by a fault of ours. Nothing follows.
    Failed,
    /// The tree was seen for the first time.
    First {
        /// How many files and links there are.
        entries: usize,
        /// How long it took.
        took: Duration,
    },
    /// The time between looks, as it was chosen from what the second one cost.
    Pace(Duration),
    /// Reading the files in the background takes long.
    Reading {
        /// How many were read so far.
        read: usize,
    },
    /// The digests of all files are known: from now on a mere touch of one is no change.
    Baseline {
        /// How long it took in the background.
        took: Duration,
    },
    /// The tree settled on other content.
    Changed {
        /// What is different from the last time.
        changes: Vec<Change>,
        /// What was there the last time.
        before: Snapshot,
        /// From the first sight of a change until it was settled.
        settling: Duration,
        /// When the look at everything began after which something moved last: the last of the
        /// changes was made later than this.
        after: Instant,
    },
    /// Something cannot be read, as of now; what is known of it stands.
    Troubles(Vec<Trouble>),
    /// It can be read again, or is gone.
    Recovered(Vec<PathBuf>),
    /// How much the native events of a mount are trusted is another than before.
    Trust {
        /// The highest directory that is known on the mount.
        path: PathBuf,
        /// What was decided.
        verdict: TrustVerdict,
        /// The change that showed it, if one did.
        shown_by: Option<PathBuf>,
    },
    /// Native events cannot be had, or not for all directories, for the reason of this
    /// `errno(3)`.
    Unheard {
        /// `EMFILE` and `ENOSPC` are limits on instances and watches.
        errno: i32,
        /// Directories of which they can be had.
        watched: usize,
    },
    /// A root's file system has not answered for so long. Nothing is seen until it does.
    Silent {
        /// As the user typed it.
        path: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// It answers again.
    Answers {
        /// As the user typed it.
        path: PathBuf,
        /// For how long it did not.
        waited: Duration,
    },
}
