//! What can be wrong with a share.

use std::path::PathBuf;
use std::time::Duration;

/// What is wrong with the share. All is well by default.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// These operations fail with this errno.
    pub errors: Option<(Vec<Op>, i32)>,
    /// Only where the path, relative to the share's top, is this one.
    pub only: Option<PathBuf>,
    /// Listings fail after their first entries.
    pub half_listings: bool,
    /// Each request takes so much longer.
    pub latency: Duration,
    /// Times are rounded down to multiples of this.
    pub granule: Duration,
    /// Times are so many seconds ahead, or behind.
    pub skew: i64,
    /// Every time shown is the epoch: a clock that never ticks.
    pub stopped_clock: bool,
    /// Inode numbers are others whenever they are asked for.
    pub unstable_inodes: bool,
    /// Directories' times and sizes never change.
    pub frozen_directories: bool,
    /// The kernel may remember names and attributes for so long.
    pub remembered: Duration,
    /// Listings show what they showed when this was set.
    pub stale_listings: bool,
    /// No request is answered.
    pub hangs: bool,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Lookup,
    Getattr,
    Open,
    Read,
    Readlink,
    Opendir,
    Readdir,
}

impl Op {
    pub const ALL: [Op; 7] =
        [Op::Lookup, Op::Getattr, Op::Open, Op::Read, Op::Readlink, Op::Opendir, Op::Readdir];
}
