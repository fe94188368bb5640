//! What a keeper does (see `keeper`): start the program, reap, pass signals on, kill.
//!
//! It is a fork of a process with threads, hence nothing here allocates or takes a lock
//! (signal-safety(7)); rustix makes plain system calls. It blocks all signals, as we do, and
//! waits for them by a descriptor.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, getpid, getppid, set_child_subreaper};

use super::keeper::{Order, Packet, Word};
use super::reaper::{self, Change};
use super::signals;
use super::spawn::{Leader, REPORT};

struct Keep<'a> {
    /// stakeout itself.
    parent: Pid,
    /// Closed when stakeout is gone.
    channel: &'a OwnedFd,
    signals: OwnedFd,
    leader: Pid,
    has_leader: bool,
    /// Tells whether the program was executed, until it did.
    outcome: Option<OwnedFd>,
    is_killing: bool,
}

/// How often to look for what else has to be killed: what was born while the others died.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Ends the keeper should it panic: on the way up it would do what is stakeout's to do.
struct Fuse;

impl Drop for Fuse {
    fn drop(&mut self) {
        // SAFETY: ends, without what main has prepared for its own end.
        unsafe { libc::_exit(libc::EXIT_FAILURE) }
    }
}

/// Runs in the keeper, to its end. `kept` are the descriptors that are needed, in order.
pub(super) fn keep(leader: &mut Leader<'_>, channel: &OwnedFd, kept: &[RawFd], parent: Pid) -> ! {
    let _fuse = Fuse;
    // SAFETY: plain system calls. The descriptors that are closed are never used here.
    unsafe {
        libc::setpgid(0, 0);
        libc::prctl(libc::PR_SET_NAME, c"stakeout-keep".as_ptr());
        // Wakes us when stakeout's main thread is gone; nothing else has to be said by it.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGCHLD);
        // Directories on shares, for example, which could not be unmounted. Linux before 5.9
        // does not know the call.
        let mut from = 3;
        for &descriptor in kept {
            let descriptor = descriptor.unsigned_abs();
            if from < descriptor {
                libc::syscall(libc::SYS_close_range, from, descriptor - 1, 0);
            }
            from = from.max(descriptor + 1);
        }
        libc::syscall(libc::SYS_close_range, from, u32::MAX, 0);
    }
    _ = set_child_subreaper(Some(getpid()));
    let say = |word: Word| _ = send(channel, &word.encode(), SendFlags::NOSIGNAL);
    let started = signals::descriptor().and_then(|signals| {
        let (outcome, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let pid = leader.fork(&writer, getpid())?;
        Ok((signals, outcome, pid))
    });
    let (signals, outcome, leader) = match started {
        Ok(started) => started,
        Err(errno) => {
            say(Word::NoProcess(errno.raw_os_error()));
            // SAFETY: ends, without what main has prepared for its own end.
            unsafe { libc::_exit(0) }
        }
    };
    say(Word::Forked(leader.as_raw_nonzero().get()));
    for descriptor in (0..3).chain(kept.iter().copied()) {
        if descriptor != channel.as_raw_fd() {
            // SAFETY: from here on only `Keep`'s descriptors are used, which are not among them.
            unsafe { libc::close(descriptor) };
        }
    }
    let outcome = Some(outcome);
    Keep { parent, channel, signals, leader, has_leader: true, outcome, is_killing: false }.run()
}

impl Keep<'_> {
    fn run(mut self) -> ! {
        loop {
            // Also when it died before the death signal was set.
            self.is_killing |= getppid() != Some(self.parent);
            if self.is_killing {
                self.kill();
            }
            if self.reap() {
                self.say(Word::Empty);
                // SAFETY: as above.
                unsafe { libc::_exit(0) }
            }
            self.wait();
            while let Some(order) = self.order() {
                match order {
                    Order::Signal(signal) => self.signal(signal),
                    Order::Kill => self.is_killing = true,
                }
            }
            self.hear_outcome();
        }
    }

    fn wait(&self) {
        let outcome = self.outcome.as_ref().map_or(self.signals.as_fd(), AsFd::as_fd);
        let mut sources = [
            PollFd::new(self.channel, PollFlags::IN),
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::from_borrowed_fd(outcome, PollFlags::IN),
        ];
        // Without its other end, the channel is always ready.
        let is_orphaned = getppid() != Some(self.parent);
        let sources = if is_orphaned { &mut sources[1..] } else { &mut sources[..] };
        _ = poll(sources, self.is_killing.then_some(&AGAIN));
        self.hear_signals();
    }

    /// Takes the signals that came. One from the program was meant for whoever started it, a
    /// script's `kill -TERM $PPID` for example.
    fn hear_signals(&self) {
        while let Some((signal, sender)) = signals::take(&self.signals) {
            if signal != libc::SIGCHLD && sender == self.leader.as_raw_nonzero().get() {
                self.nudge(signal);
            }
        }
    }

    fn hear_outcome(&mut self) {
        let Some(outcome) = &self.outcome else { return };
        let mut ready = [PollFd::new(outcome, PollFlags::IN)];
        if poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(1) {
            return;
        }
        let mut report = [0_u8; REPORT];
        let read = rustix::io::read(outcome, &mut report).unwrap_or(0);
        self.outcome = None;
        let failure = Leader::failure(&report[..read]);
        // If it failed, its end is none of the program.
        self.has_leader = failure.is_none();
        self.say(failure.map_or(Word::Executed, Word::NotExecuted));
    }

    fn order(&self) -> Option<Order> {
        let mut packet = Packet::default();
        match recv(self.channel, &mut packet, RecvFlags::DONTWAIT) {
            Ok((_, 1..)) => Order::decode(packet),
            _ => None,
        }
    }

    fn say(&self, word: Word) {
        _ = send(self.channel, &word.encode(), SendFlags::NOSIGNAL);
        self.nudge(libc::SIGCHLD);
    }

    /// Sends a signal to stakeout, if that is still there.
    fn nudge(&self, signal: i32) {
        if getppid() == Some(self.parent) {
            // SAFETY: a plain system call.
            unsafe { libc::kill(self.parent.as_raw_nonzero().get(), signal) };
        }
    }

    /// Reaps what has ended; says whether nothing is left.
    fn reap(&mut self) -> bool {
        let mut orphans = 0;
        let next = loop {
            let pid = match reaper::next() {
                reaper::Next::Child(pid) => pid,
                next => break next,
            };
            let is_leader = self.has_leader && pid == self.leader;
            if is_leader {
                // What came of its start is told first.
                self.hear_outcome();
            }
            match reaper::take(pid) {
                Some(Change::Ended(exit)) if is_leader && self.has_leader => {
                    self.has_leader = false;
                    self.say(Word::Exited(exit));
                }
                Some(Change::Ended(_)) if pid != self.leader => orphans += 1,
                Some(Change::Stopped(signal)) if is_leader => self.say(Word::Stopped(signal)),
                _ => {}
            }
        };
        if orphans > 0 {
            self.say(Word::Orphans(orphans));
        }
        next == reaper::Next::NoChildren
    }

    /// Sends a signal to the program's process group, if the id is certainly still its own: the
    /// leader was not reaped, or one of its group is our child.
    fn signal(&self, signal: i32) {
        if self.has_leader || reaper::has_child_in(self.leader) {
            // SAFETY: a plain system call. EPERM, for a changed user, shows as unkillable when
            // time is up.
            unsafe { libc::kill(-self.leader.as_raw_nonzero().get(), signal) };
        }
    }

    /// Kills all children. What they leave behind becomes our child, and is killed next.
    fn kill(&self) {
        self.signal(libc::SIGKILL);
        let own = getpid();
        each_process(|pid, parent| {
            if parent == own.as_raw_nonzero().get() {
                // SAFETY: a plain system call; nobody but us reaps it, so the id is its own.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
        });
    }
}

/// Calls `each` with the id and the parent's id of all processes that /proc shows; of none where
/// it is not mounted, or that of another PID namespace, in which ids mean other processes.
fn each_process(mut each: impl FnMut(i32, i32)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::open(c"/proc", flags, Mode::empty()) else { return };
    let mut own = [MaybeUninit::uninit(); 16];
    let own = rustix::fs::readlinkat_raw(&proc, c"self", &mut own[..]);
    if own.ok().and_then(|(own, _)| number(own)) != Some(getpid().as_raw_nonzero().get()) {
        return;
    }
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(&proc, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name().to_bytes();
        if let Some(pid) = number(name)
            && let Some(parent) = parent(proc.as_fd(), name)
        {
            each(pid, parent);
        }
    }
}

/// The parent of a process, by its name in /proc.
fn parent(proc: BorrowedFd<'_>, pid: &[u8]) -> Option<i32> {
    let mut path = [0_u8; 24];
    path.get_mut(..pid.len())?.copy_from_slice(pid);
    path.get_mut(pid.len()..)?.get_mut(..6)?.copy_from_slice(b"/stat\0");
    let path = std::ffi::CStr::from_bytes_until_nul(&path).ok()?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let stat = rustix::fs::openat(proc, path, flags, Mode::empty()).ok()?;
    let mut text = [0_u8; 512];
    let read = rustix::io::read(&stat, &mut text).ok()?;
    // proc_pid_stat(5): `pid (name) state ppid`; a name may contain anything, parentheses too.
    let close = text[..read].iter().rposition(|byte| *byte == b')')?;
    number(text[close..read].split(|byte| *byte == b' ').nth(2)?)
}

fn number(text: &[u8]) -> Option<i32> {
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_among_the_processes_with_our_parent() {
        let own = getpid().as_raw_nonzero().get();
        let mut found = None;
        each_process(|pid, parent| {
            if pid == own {
                found = Some(parent);
            }
        });
        assert_eq!(found, getppid().map(|parent| parent.as_raw_nonzero().get()));
    }
}
