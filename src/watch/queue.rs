//! The kernel's queue of events, and the thread `events` that empties it. A look may take long, and
//! the kernel keeps 16,384 events; whatever was lost then would have everything looked at.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, Reader};
use rustix::io::{Errno, ioctl_fionread};

use super::bell::Bell;
use super::inbox::{Inbox, Names, Told};

/// Bytes for events: some hundred of them.
const BUFFER: usize = 16 * 1024;

/// Bytes of an event without a name (inotify(7)).
const SMALLEST: u64 = 16;

/// How long the thread rests after it has read. A program that writes without end is not to wake it
/// as often, and the queue is not full before that.
const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// An inotify instance, and what was read from it.
#[derive(Debug)]
pub(super) struct Queue {
    inotify: OwnedFd,
    /// Readable once nobody wants events any more (eventfd(2)).
    over: OwnedFd,
    /// Held while reading: what was taken from the kernel is in the inbox for all others.
    received: Mutex<Received>,
}

#[derive(Debug)]
struct Received {
    inbox: Inbox,
    /// Whether somebody waits for something to be in it.
    is_awaited: bool,
    buffer: Box<[MaybeUninit<u8>]>,
}

impl Queue {
    /// An empty one.
    ///
    /// # Errors
    /// `EMFILE` where this user has no instance left (fs.inotify.max_user_instances).
    pub(super) fn new() -> Result<Self, Errno> {
        let received = Received {
            inbox: Inbox::default(),
            is_awaited: false,
            buffer: vec![MaybeUninit::uninit(); BUFFER].into(),
        };
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            over: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            received: Mutex::new(received),
        })
    }

    /// Where watches are added.
    pub(super) fn inotify(&self) -> &OwnedFd {
        &self.inotify
    }

    /// Takes all that there are events of by now.
    pub(super) fn take(&self) -> Told {
        let mut received = self.read();
        received.is_awaited = false;
        received.inbox.take()
    }

    /// Has the bell rung as soon as there is something to take; `false` if there is already.
    pub(super) fn awaits(&self) -> bool {
        let mut received = self.lock();
        received.is_awaited = received.inbox.is_empty();
        received.is_awaited
    }

    /// See [`Inbox::pass_over`].
    pub(super) fn pass_over(&self, names: Names) {
        self.lock().inbox.pass_over(names);
    }

    /// See [`Inbox::reconsider`].
    pub(super) fn reconsider(&self) {
        self.lock().inbox.reconsider();
    }

    /// Says that nobody wants events any more. It ends the thread.
    pub(super) fn end(&self) {
        _ = rustix::io::write(&self.over, &1_u64.to_ne_bytes());
    }

    /// After a panic in one thread, which loses events, the other must not look healthy.
    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().expect("no panic while reading events")
    }

    /// Puts all events that there are by now into the inbox, and no more than those: others may
    /// come faster than they are read.
    fn read(&self) -> MutexGuard<'_, Received> {
        let mut received = self.lock();
        let Received { inbox, buffer, .. } = &mut *received;
        let mut left = ioctl_fionread(&self.inotify).unwrap_or_default() / SMALLEST;
        let mut reader = Reader::new(&self.inotify, buffer);
        while left > 0 || !reader.is_buffer_empty() {
            // EAGAIN ends it; nothing else can happen to it.
            let Ok(event) = reader.next() else { break };
            let name = event.file_name().map(CStr::to_bytes);
            inbox.add(event.wd(), event.events(), name);
            left = left.saturating_sub(1);
        }
        received
    }

    /// Waits for events; `false` once nobody wants any.
    fn wait(&self) -> bool {
        let mut sources = [&self.over, &self.inotify].map(|fd| PollFd::new(fd, PollFlags::IN));
        _ = poll(&mut sources, None);
        sources[0].revents().is_empty()
    }

    /// Lets some come together; `false` likewise.
    fn rest(&self) -> bool {
        poll(&mut [PollFd::new(&self.over, PollFlags::IN)], Some(&REST)) != Ok(1)
    }
}

/// Empties the queue from a thread of its own until it is [ended](Queue::end), and rings the bell
/// where somebody waits for that.
///
/// # Errors
/// When the thread cannot be made.
pub(super) fn keep_empty(queue: Arc<Queue>, bell: Arc<Bell>) -> io::Result<()> {
    let keep = move || {
        while queue.wait() {
            let mut received = queue.read();
            if received.is_awaited && !received.inbox.is_empty() {
                received.is_awaited = false;
                bell.wake();
            }
            drop(received);
            if !queue.rest() {
                break;
            }
        }
    };
    thread::Builder::new().name("events".into()).spawn(keep)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use rustix::fs::inotify::WatchFlags;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn watched(dir: &Path) -> (Arc<Queue>, Arc<Bell>) {
        let (queue, bell) = (Arc::new(Queue::new().unwrap()), Arc::new(Bell::new().unwrap()));
        inotify::add_watch(queue.inotify(), dir, WatchFlags::MODIFY).unwrap();
        keep_empty(Arc::clone(&queue), Arc::clone(&bell)).unwrap();
        (queue, bell)
    }

    fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
        let until = Instant::now() + MINUTE;
        while !is_so() {
            assert!(Instant::now() < until, "{what}: not in time");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn names(told: &Told) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = told.written.values().flatten().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn more_events_than_the_kernel_keeps_come_while_nobody_takes_them() {
        let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let most: usize = most.trim().parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let [mut a, mut b] = ["a", "b"].map(|name| File::create(dir.path().join(name)).unwrap());
        let (queue, _bell) = watched(dir.path());
        let mut written = 0;
        while written <= 2 * most {
            // In turns, since the kernel takes equal events for one.
            for _ in 0..most / 8 {
                a.write_all(b"x").unwrap();
                b.write_all(b"x").unwrap();
                written += 2;
            }
            eventually("they are read", || ioctl_fionread(&queue.inotify).unwrap() == 0);
        }
        let told = queue.take();
        queue.end();
        assert!(!told.everywhere);
        assert_eq!(names(&told), [b"a", b"b"]);
    }

    #[test]
    fn the_bell_is_rung_where_something_is_awaited_that_may_tell_something() {
        let dir = tempfile::tempdir().unwrap();
        let (queue, bell) = watched(dir.path());
        fs::write(dir.path().join("log"), "x").unwrap();
        assert_eq!(names(&queue.take()), [b"log"]);
        // Nothing waits, so nobody hears of this.
        fs::write(dir.path().join("log"), "y").unwrap();
        eventually("it is read", || !queue.lock().inbox.is_empty());
        assert!(!queue.awaits() && !bell.is_rung());
        queue.pass_over(queue.take().written);
        assert!(queue.awaits());
        // Nor of this, as it told nothing; but of what comes after it.
        fs::write(dir.path().join("log"), "z").unwrap();
        eventually("it is read", || ioctl_fionread(&queue.inotify).unwrap() == 0);
        drop(queue.lock());
        assert!(!bell.is_rung());
        fs::write(dir.path().join("a"), "x").unwrap();
        bell.wait(MINUTE);
        assert!(bell.is_rung());
        assert_eq!(names(&queue.take()), [b"a"]);
        queue.end();
    }

    #[test]
    fn what_is_written_by_now_is_taken_without_waiting_for_the_thread() {
        let dir = tempfile::tempdir().unwrap();
        let (queue, _bell) = watched(dir.path());
        for round in 0..1000 {
            let name = round.to_string();
            fs::write(dir.path().join(&name), "x").unwrap();
            assert_eq!(names(&queue.take()), [name.as_bytes()]);
        }
        queue.end();
    }

    #[test]
    fn the_thread_ends_when_nobody_wants_events_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let (queue, _bell) = watched(dir.path());
        assert_eq!(Arc::strong_count(&queue), 2);
        queue.end();
        eventually("it ends", || Arc::strong_count(&queue) == 1);
    }
}
