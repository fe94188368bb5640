//! A keeper: a small process of ours between stakeout and each instance of a program.
//!
//! It is a subreaper, so whatever descends from the program and loses its parent becomes its
//! child; when it has no children left, nothing of the instance is left, and that needs no /proc
//! and has no race. Several instances can be told apart, a build from the program that goes on
//! running beside it for example. And should stakeout be killed by SIGKILL, which nobody can
//! answer, the keeper sees it and kills what it keeps (`keep`).
//!
//! The two talk through a socket of packets: orders one way, what happened the other.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use rustix::process::{Pid, Signal, getpid, kill_process};

use super::Program;
use super::keep::keep;
use super::spawn::{Given, Input, Leader};
use crate::engine::{Exit, NotStarted};

/// The one who keeps an instance.
#[derive(Debug)]
pub(super) struct Keeper {
    pid: Pid,
    channel: OwnedFd,
}

/// An instance that was started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) keeper: Keeper,
    /// The program's first process, and the id of its process group.
    pub(super) leader: Pid,
    /// Where it takes the terminal, it goes on only when this is dropped.
    pub(super) gate: Option<OwnedFd>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Send this signal to the program's process group.
    Signal(i32),
    /// Kill everything, and what it starts meanwhile.
    Kill,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The first process is there, and has this id.
    Forked(i32),
    /// It could not be made, for the reason of this `errno(3)`.
    NoProcess(i32),
    /// It executed its program.
    Executed,
    /// It could not.
    NotExecuted(NotStarted),
    /// It ended.
    Exited(Exit),
    /// It was stopped, by this signal.
    Stopped(i32),
    /// So many others were reaped.
    Orphans(i32),
    /// Nothing is left. The keeper ends, too.
    Empty,
}

impl Keeper {
    /// Forks a keeper, and lets it start a program.
    ///
    /// # Errors
    /// When a process or a descriptor cannot be made.
    pub(super) fn start(program: &Program, input: Input, given: Given<'_>) -> io::Result<Started> {
        let (channel, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let mut leader = Leader::new(program, input, given)?;
        let kept = leader.descriptors_with(theirs.as_raw_fd());
        let parent = getpid();
        // SAFETY: the child calls only `keep`, which neither allocates nor takes locks: what it
        // needs was prepared above.
        let pid = match unsafe { libc::fork() } {
            0 => keep(&mut leader, &theirs, &kept, parent),
            pid => pid,
        };
        let error = io::Error::last_os_error();
        drop(theirs);
        let pid = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw).ok_or(error)?;
        let keeper = Self { pid, channel };
        // It forks once and tells; nothing there can wait for a file system.
        match keeper.hear(RecvFlags::empty()) {
            Some(Word::Forked(pid)) => {
                let leader_pid = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
                Ok(Started { keeper, leader: leader_pid, gate: leader.gate() })
            }
            Some(Word::NoProcess(errno)) => Err(io::Error::from_raw_os_error(errno)),
            _ => Err(Errno::CHILD.into()),
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it go on, if it was stopped. It must not have been reaped.
    pub(super) fn wake(&self) {
        _ = kill_process(self.pid, Signal::CONT);
    }

    /// The next thing that happened, without waiting for it.
    pub(super) fn next(&self) -> Option<Word> {
        self.hear(RecvFlags::DONTWAIT)
    }

    fn hear(&self, flags: RecvFlags) -> Option<Word> {
        let mut packet = Packet::default();
        loop {
            return match recv(&self.channel, &mut packet[..], flags) {
                Ok((_, 1..)) => Word::decode(packet),
                // It has ended before it took an order, which Linux says once, and before it hands
                // out what was said.
                Err(Errno::INTR | Errno::CONNRESET) => continue,
                // Nothing yet, or never again.
                _ => None,
            };
        }
    }

    /// Gives an order. If it is gone, so is what it would concern; if it does not listen (somebody
    /// has stopped it), what is too much is dropped.
    pub(super) fn order(&self, order: Order) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        _ = send(&self.channel, &order.encode(), flags);
    }
}

/// A kind, and a number.
pub(super) type Packet = [u8; 8];

fn packet(kind: u8, value: i32) -> Packet {
    let mut packet = Packet::default();
    packet[0] = kind;
    packet[4..].copy_from_slice(&value.to_ne_bytes());
    packet
}

fn parts(packet: Packet) -> (u8, i32) {
    let [kind, _, _, _, value @ ..] = packet;
    (kind, i32::from_ne_bytes(value))
}

impl Order {
    fn encode(self) -> Packet {
        match self {
            Order::Signal(signal) => packet(1, signal),
            Order::Kill => packet(2, 0),
        }
    }

    pub(super) fn decode(packet: Packet) -> Option<Self> {
        match parts(packet) {
            (1, signal) => Some(Order::Signal(signal)),
            (2, _) => Some(Order::Kill),
            _ => None,
        }
    }
}

impl Word {
    pub(super) fn encode(self) -> Packet {
        match self {
            Word::Forked(pid) => packet(1, pid),
            Word::NoProcess(errno) => packet(2, errno),
            Word::Executed => packet(3, 0),
            Word::NotExecuted(NotStarted::NotFound) => packet(4, 0),
            Word::NotExecuted(NotStarted::NotExecutable(errno)) => packet(5, errno),
            Word::NotExecuted(NotStarted::NoUser(errno)) => packet(6, errno),
            Word::NotExecuted(NotStarted::NoDirectory(errno)) => packet(7, errno),
            Word::NotExecuted(NotStarted::NoProcess(errno)) => packet(8, errno),
            Word::Exited(Exit::Code(code)) => packet(9, code),
            Word::Exited(Exit::Signal(signal)) => packet(10, signal),
            Word::Stopped(signal) => packet(11, signal),
            Word::Orphans(count) => packet(12, count),
            Word::Empty => packet(13, 0),
        }
    }

    fn decode(packet: Packet) -> Option<Self> {
        Some(match parts(packet) {
            (1, pid) => Word::Forked(pid),
            (2, errno) => Word::NoProcess(errno),
            (3, _) => Word::Executed,
            (4, _) => Word::NotExecuted(NotStarted::NotFound),
            (5, errno) => Word::NotExecuted(NotStarted::NotExecutable(errno)),
            (6, errno) => Word::NotExecuted(NotStarted::NoUser(errno)),
            (7, errno) => Word::NotExecuted(NotStarted::NoDirectory(errno)),
            (8, errno) => Word::NotExecuted(NotStarted::NoProcess(errno)),
            (9, code) => Word::Exited(Exit::Code(code)),
            (10, signal) => Word::Exited(Exit::Signal(signal)),
            (11, signal) => Word::Stopped(signal),
            (12, count) => Word::Orphans(count),
            (13, _) => Word::Empty,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_heard() {
        let words = [
            Word::Forked(4711),
            Word::NoProcess(libc::EAGAIN),
            Word::Executed,
            Word::NotExecuted(NotStarted::NotFound),
            Word::NotExecuted(NotStarted::NotExecutable(libc::EACCES)),
            Word::NotExecuted(NotStarted::NoUser(libc::EPERM)),
            Word::NotExecuted(NotStarted::NoDirectory(libc::ENOENT)),
            Word::NotExecuted(NotStarted::NoProcess(libc::ENOMEM)),
            Word::Exited(Exit::Code(0)),
            Word::Exited(Exit::Code(255)),
            Word::Exited(Exit::Signal(libc::SIGKILL)),
            Word::Stopped(libc::SIGTSTP),
            Word::Orphans(1000),
            Word::Empty,
        ];
        for word in words {
            assert_eq!(Word::decode(word.encode()), Some(word));
        }
        for order in [Order::Signal(libc::SIGTERM), Order::Kill] {
            assert_eq!(Order::decode(order.encode()), Some(order));
        }
        assert_eq!((Word::decode([0; 8]), Order::decode([99; 8])), (None, None));
    }

    #[test]
    fn what_was_said_is_heard_even_if_an_order_came_too_late() {
        let flags = SocketFlags::CLOEXEC;
        let (channel, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let keeper = Keeper { pid: getpid(), channel };
        keeper.order(Order::Signal(libc::SIGCONT));
        for word in [Word::Exited(Exit::Code(3)), Word::Empty] {
            send(&theirs, &word.encode(), SendFlags::NOSIGNAL).unwrap();
        }
        drop(theirs);
        assert_eq!(keeper.next(), Some(Word::Exited(Exit::Code(3))));
        assert_eq!(keeper.next(), Some(Word::Empty));
        assert_eq!(keeper.next(), None);
    }
}
