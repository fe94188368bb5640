//! A bell: by which the watcher is told to look at once, that there are events, or that nobody
//! listens any more.

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
    /// Whether a look is asked for.
    wants_look: AtomicBool,
    is_over: AtomicBool,
}

impl Bell {
    /// One that was not rung yet.
    pub(super) fn new() -> io::Result<Self> {
        let rung = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { rung, wants_look: AtomicBool::default(), is_over: AtomicBool::default() })
    }

    /// Asks for a look.
    pub(super) fn ring(&self) {
        self.wants_look.store(true, Ordering::Release);
        self.wake();
    }

    /// Wakes who waits, for whatever reason. That it was not heard so often that no more can be
    /// counted does no harm.
    pub(super) fn wake(&self) {
        _ = rustix::io::write(&self.rung, &1_u64.to_ne_bytes());
    }

    /// Says that nobody listens any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether nobody listens any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Whether a look was asked for since it was last heard. Nothing wakes who waits then that came
    /// before this.
    pub(super) fn was_rung(&self) -> bool {
        // First: who asks meanwhile wakes once for nothing, and not never.
        _ = rustix::io::read(&self.rung, &mut [0; 8]);
        self.wants_look.swap(false, Ordering::Acquire)
    }

    /// Waits until it is rung, at most this long. Whatever comes of it, the caller looks at the time.
    pub(super) fn wait(&self, most: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: most.subsec_nanos().into(),
        };
        _ = poll(&mut [PollFd::new(&self.rung, PollFlags::IN)], Some(&timeout));
    }
}

#[cfg(test)]
impl Bell {
    /// Whether it was rung or woken since it was last heard.
    pub(super) fn is_rung(&self) -> bool {
        let mut source = [PollFd::new(&self.rung, PollFlags::IN)];
        poll(&mut source, Some(&Timespec::default())) == Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn it_is_heard_once_however_often_it_was_rung() {
        let bell = Bell::new().unwrap();
        assert!(!bell.was_rung() && !bell.is_over());
        bell.ring();
        bell.ring();
        // Returns at once.
        bell.wait(HOUR);
        assert!(bell.was_rung() && !bell.was_rung());
        bell.end();
        bell.wait(HOUR);
        assert!(bell.is_over());
    }

    #[test]
    fn waking_asks_for_no_look() {
        let bell = Bell::new().unwrap();
        bell.wake();
        bell.wait(HOUR);
        assert!(bell.is_rung() && !bell.was_rung() && !bell.is_rung());
        bell.wake();
        bell.ring();
        assert!(bell.was_rung() && !bell.was_rung());
    }
}
