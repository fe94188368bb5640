//! A bell: by which the watcher is told to look at once, or that nobody listens any more.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Rung from one thread, heard by another.
#[derive(Debug)]
pub(super) struct Bell {
    /// Counts how often it was rung since it was heard (eventfd(2)).
    rung: OwnedFd,
    is_over: AtomicBool,
}

impl Bell {
    /// One that was not rung yet.
    pub(super) fn new() -> io::Result<Self> {
        let rung = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { rung, is_over: AtomicBool::new(false) })
    }

    /// Rings it. That it was not heard so often that no more can be counted does no harm.
    pub(super) fn ring(&self) {
        _ = rustix::io::write(&self.rung, &1_u64.to_ne_bytes());
    }

    /// Says that nobody listens any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.ring();
    }

    /// Whether nobody listens any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Whether it was rung since it was last heard.
    pub(super) fn was_rung(&self) -> bool {
        rustix::io::read(&self.rung, &mut [0; 8]).is_ok()
    }

    /// Waits until it is rung or something can be read from `other`, at most this long. Whatever
    /// comes of it, the caller looks at the time.
    pub(super) fn wait(&self, other: Option<&OwnedFd>, most: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: most.subsec_nanos().into(),
        };
        let other = other.unwrap_or(&self.rung);
        let mut sources =
            [PollFd::new(&self.rung, PollFlags::IN), PollFd::new(other, PollFlags::IN)];
        _ = poll(&mut sources, Some(&timeout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_heard_once_however_often_it_was_rung() {
        let bell = Bell::new().unwrap();
        assert!(!bell.was_rung() && !bell.is_over());
        bell.ring();
        bell.ring();
        // Returns at once.
        bell.wait(None, Duration::from_secs(3600));
        assert!(bell.was_rung() && !bell.was_rung());
        bell.end();
        bell.wait(None, Duration::from_secs(3600));
        assert!(bell.is_over());
    }
}
