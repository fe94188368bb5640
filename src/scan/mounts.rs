//! The mount table: whether anything was mounted or unmounted, for one system call a look.

use std::fs::File;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Sees changes of the mount table of this mount namespace.
#[derive(Debug)]
pub(super) struct Mounts(Option<File>);

impl Mounts {
    pub(super) fn watch() -> Self {
        Self(File::open("/proc/self/mountinfo").ok())
    }

    /// Whether the table changed since this was asked last; where there is no `/proc`, it may
    /// have. A change is an error and a priority event on the file (proc_pid_mounts(5)).
    pub(super) fn may_have_changed(&self) -> bool {
        let Some(table) = &self.0 else { return true };
        let mut asked = [PollFd::new(table, PollFlags::PRI)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        !matches!(poll(&mut asked, Some(&now)), Ok(0))
    }
}
