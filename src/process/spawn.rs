//! Spawning: fork and exec, with nothing between the two that may wait for anything.
//!
//! `std::process::Command` does not fit: its spawn waits until the program is executed, which on
//! a dead mount is for ever, and it allocates. Here whether the exec worked arrives through a pipe.

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use super::program::Directory;
use super::{Program, User};
use crate::engine::NotStarted;

/// What the leader writes into the pipe when it cannot execute its program: the errno, and what
/// failed.
pub(super) const REPORT: usize = mem::size_of::<i32>() + 1;

/// What failed in the leader.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Failed {
    /// To find the file.
    Finding,
    /// To execute it.
    Executing,
    /// To become the user.
    User,
    /// To enter the directory.
    Directory,
}

/// What a program gets as its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Ours.
    Inherit,
    /// Ours, which is a terminal; it puts itself into its foreground.
    Terminal,
    /// /dev/null.
    Null,
}

/// What a program is given besides.
#[derive(Debug, Default)]
pub struct Given<'a> {
    /// Where what it writes to its standard output goes, if not where ours does.
    pub stdout: Option<OwnedFd>,
    /// The same for its standard error.
    pub stderr: Option<OwnedFd>,
    /// Descriptors that it shall find from 3 on, by name.
    pub descriptors: Vec<(&'a str, BorrowedFd<'a>)>,
}

/// The first process of an instance, with all that it needs prepared before the fork.
#[derive(Debug)]
pub(super) struct Leader<'a> {
    candidates: Vec<*const c_char>,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    directory: Option<*const c_char>,
    needs_directory: bool,
    user: Option<&'a User>,
    stdin: Option<File>,
    /// Where what it writes goes, if not where ours does.
    outputs: [Option<OwnedFd>; 2],
    /// Both ends of a pipe; there is one if it takes the terminal.
    gate: Option<(OwnedFd, OwnedFd)>,
    passed: Passed<'a>,
}

/// Descriptors for the program, from 3 on, and what tells of them (sd_listen_fds(3)).
#[derive(Debug, Default)]
struct Passed<'a> {
    descriptors: Vec<BorrowedFd<'a>>,
    /// LISTEN_FDS and LISTEN_FDNAMES, which the environment points to.
    variables: Vec<CString>,
    /// `LISTEN_PID=`, and room for the number that only the leader itself knows.
    pid: Box<[u8]>,
}

impl<'a> Leader<'a> {
    /// Prepares everything.
    ///
    /// # Errors
    /// When a descriptor cannot be made.
    pub(super) fn new(program: &'a Program, input: Input, given: Given<'a>) -> io::Result<Self> {
        let Given { stdout, stderr, descriptors } = given;
        let mut environment: Vec<&CStr> =
            program.environment.iter().map(CString::as_c_str).collect();
        // Those that are ours are for us.
        environment.retain(|variable| !variable.to_bytes().starts_with(b"LISTEN_"));
        let passed = Passed::new(descriptors);
        environment.extend(passed.variables.iter().map(CString::as_c_str));
        let mut environment = null_terminated(&environment);
        if !passed.descriptors.is_empty() {
            environment.insert(0, passed.pid.as_ptr().cast());
        }
        let arguments: Vec<&CStr> = program.arguments.iter().map(CString::as_c_str).collect();
        Ok(Self {
            candidates: program.candidates.iter().map(|file| file.as_ptr()).collect(),
            arguments: null_terminated(&arguments),
            environment,
            passed,
            directory: match &program.directory {
                Directory::Own(path) => path.as_ref().map(|path| path.as_ptr()),
                Directory::Chosen(path) => Some(path.as_ptr()),
            },
            needs_directory: matches!(program.directory, Directory::Chosen(_)),
            user: program.user.as_ref(),
            stdin: match input {
                Input::Null => Some(File::open("/dev/null")?),
                Input::Inherit | Input::Terminal => None,
            },
            outputs: [stdout, stderr],
            gate: match input {
                Input::Terminal => Some(pipe_with(PipeFlags::CLOEXEC)?),
                Input::Inherit | Input::Null => None,
            },
        })
    }

    /// The descriptors that it needs, and this one, in order.
    pub(super) fn descriptors_with(&self, other: RawFd) -> Vec<RawFd> {
        let gate = self.gate.iter().flat_map(|(reader, writer)| [reader, writer]);
        let mut descriptors: Vec<RawFd> = gate.map(AsRawFd::as_raw_fd).collect();
        descriptors.extend(self.stdin.as_ref().map(AsRawFd::as_raw_fd));
        descriptors.extend(self.outputs.iter().flatten().map(AsRawFd::as_raw_fd));
        descriptors.extend(self.passed.descriptors.iter().map(AsRawFd::as_raw_fd));
        descriptors.push(other);
        descriptors.sort_unstable();
        descriptors
    }

    /// What it waits for at the gate: that this is dropped, everywhere.
    pub(super) fn gate(self) -> Option<OwnedFd> {
        self.gate.map(|(_, writer)| writer)
    }

    /// Forks it: the leader of a process group of its own, with default signal dispositions, an
    /// empty signal mask and no descriptors but 0 to 2, which dies with the calling thread,
    /// whose process is `parent`. Nothing comes out of the pipe `writer` if it executes its
    /// program, and otherwise what [`Leader::failure`] reads.
    ///
    /// # Errors
    /// When no process can be made.
    pub(super) fn fork(&mut self, writer: &OwnedFd, parent: Pid) -> Result<Pid, Errno> {
        // SAFETY: between fork and exec the child calls only `run`, which neither allocates nor
        // takes locks.
        let pid = match unsafe { libc::fork() } {
            0 => self.run(writer.as_raw_fd(), parent),
            pid => pid,
        };
        let Some(pid) = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
            // SAFETY: errno is this thread's own.
            return Err(Errno::from_raw_os_error(unsafe { *libc::__errno_location() }));
        };
        // The child does this, too; whoever comes first, the group exists before it is signalled.
        // EACCES says that the child has already executed its program, hence did it.
        _ = rustix::process::setpgid(Some(pid), Some(pid));
        Ok(pid)
    }

    /// Reads what came out of the pipe: why the program was not executed, if it was not.
    pub(super) fn failure(report: &[u8]) -> Option<NotStarted> {
        let (errno, what) = report.split_first_chunk::<4>()?;
        let is = |failed: Failed| what.first() == Some(&(failed as u8));
        Some(match i32::from_ne_bytes(*errno) {
            errno if is(Failed::User) => NotStarted::NoUser(errno),
            errno if is(Failed::Directory) => NotStarted::NoDirectory(errno),
            libc::ENOENT | libc::ENOTDIR if is(Failed::Finding) => NotStarted::NotFound,
            errno => NotStarted::NotExecutable(errno),
        })
    }

    /// Runs in the child. Only async-signal-safe calls (signal-safety(7)), no allocation.
    fn run(&mut self, writer: RawFd, parent: Pid) -> ! {
        // SAFETY: plain system calls on values that live until exec; the pointers come from
        // CStrings and null-terminated arrays that the parent's copy of the memory holds.
        unsafe {
            libc::setpgid(0, 0);
            // Before the program could miss it; SIGTTOU, which would stop us, is still blocked.
            if let Some((reader, writer)) = &self.gate {
                libc::tcsetpgrp(0, libc::getpid());
                libc::close(writer.as_raw_fd());
                libc::read(reader.as_raw_fd(), [0_u8].as_mut_ptr().cast(), 1);
            }
            if let Some(user) = self.user
                && !become_user(user)
            {
                fail(writer, *libc::__errno_location(), Failed::User);
            }
            // After that, since it would be forgotten then.
            // prctl(2): the signal comes when the *thread* that forked ends, and
            // our parent has one thread. Should the parent have died before, nobody would send it.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent.as_raw_nonzero().get() {
                libc::_exit(libc::EXIT_FAILURE);
            }
            if let Some(directory) = self.directory
                && libc::chdir(directory) != 0
                && self.needs_directory
            {
                fail(writer, *libc::__errno_location(), Failed::Directory);
            }
            if let Some(stdin) = &self.stdin {
                libc::dup2(stdin.as_raw_fd(), 0);
            }
            for (number, output) in (1..).zip(&self.outputs) {
                if let Some(output) = output {
                    libc::dup2(output.as_raw_fd(), number);
                }
            }
            let count = i32::try_from(self.passed.descriptors.len()).unwrap_or(0);
            let writer = libc::fcntl(writer, libc::F_DUPFD_CLOEXEC, FIRST + count);
            self.passed.put();
            let first = 3 + u32::try_from(self.passed.descriptors.len()).unwrap_or_default();
            // Descriptors that we ourselves inherited may lack the flag. Linux before 5.11 does
            // not know the call; then they are passed on, as by any other parent.
            libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            // Ignored signals would stay ignored through the exec. The C library's signal() does
            // not let go of its own two (32 and 33), hence the plain system call. SIGKILL and
            // SIGSTOP refuse, which does no harm.
            let default = KernelSigaction::default();
            for signal in 1..=LAST_SIGNAL {
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    &raw const default,
                    ptr::null_mut::<KernelSigaction>(),
                    mem::size_of_val(&default.mask),
                );
            }
            let mut none: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
            self.execute(writer)
        }
    }

    /// Tries the candidates as execvp(3) does: a file that may not be executed is remembered,
    /// one that is not there is passed over.
    unsafe fn execute(&self, writer: RawFd) -> ! {
        let mut patience = BUSY_TRIES;
        let mut failure = libc::ENOENT;
        let mut is_there = false;
        for &file in &self.candidates {
            // SAFETY: as in `run`.
            let errno = unsafe {
                let mut errno;
                loop {
                    libc::execve(file, self.arguments.as_ptr(), self.environment.as_ptr());
                    errno = *libc::__errno_location();
                    if errno != libc::ETXTBSY || patience == 0 {
                        break;
                    }
                    patience -= 1;
                    libc::nanosleep(&BUSY_PAUSE, ptr::null_mut());
                }
                // A script whose interpreter is missing fails with ENOENT, too.
                is_there |= libc::access(file, libc::F_OK) == 0;
                errno
            };
            match errno {
                libc::ENOENT | libc::ENOTDIR if !is_there => {}
                libc::EACCES => failure = errno,
                _ => {
                    failure = errno;
                    break;
                }
            }
        }
        let failed = if is_there { Failed::Executing } else { Failed::Finding };
        // SAFETY: as in `run`.
        unsafe { fail(writer, failure, failed) }
    }
}

/// Reports why the program is not executed, and ends.
unsafe fn fail(writer: RawFd, errno: i32, failed: Failed) -> ! {
    let mut report = [failed as u8; REPORT];
    report[..REPORT - 1].copy_from_slice(&errno.to_ne_bytes());
    // SAFETY: plain system calls. Five bytes into an empty pipe are written whole.
    unsafe {
        libc::write(writer, report.as_ptr().cast(), REPORT);
        libc::_exit(127)
    }
}

impl<'a> Passed<'a> {
    fn new(given: Vec<(&str, BorrowedFd<'a>)>) -> Self {
        if given.is_empty() {
            return Self::default();
        }
        let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
        let variables =
            [format!("LISTEN_FDS={}", given.len()), format!("LISTEN_FDNAMES={}", names.join(":"))];
        let mut pid = LISTEN_PID.to_vec();
        pid.resize(pid.len() + DIGITS + 1, 0);
        Self {
            descriptors: given.into_iter().map(|(_, descriptor)| descriptor).collect(),
            // Names have no NUL in them.
            variables: variables.into_iter().filter_map(|it| CString::new(it).ok()).collect(),
            pid: pid.into(),
        }
    }

    /// Puts the descriptors where the program looks for them, and its pid into the variable. Runs
    /// in the leader.
    unsafe fn put(&mut self) {
        let count = i32::try_from(self.descriptors.len()).unwrap_or(0);
        // First out of the way, so that none overwrites another.
        for descriptor in &mut self.descriptors {
            // SAFETY: plain system calls on descriptors that are open; the new one lives until
            // exec, as nothing is dropped here.
            unsafe {
                let moved =
                    libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST + count);
                *descriptor = BorrowedFd::borrow_raw(moved.max(0));
            }
        }
        for (number, descriptor) in (FIRST..).zip(&self.descriptors) {
            // SAFETY: as above. It has no CLOEXEC flag then (dup(2)).
            unsafe { libc::dup2(descriptor.as_raw_fd(), number) };
        }
        let Some(digits) = self.pid.get_mut(LISTEN_PID.len()..) else { return };
        // SAFETY: a plain system call.
        let mut pid = unsafe { libc::getpid() };
        let mut length = 0;
        while pid > 0 && length < DIGITS {
            digits.copy_within(..length, 1);
            digits[0] = b'0' + u8::try_from(pid % 10).unwrap_or_default();
            (pid, length) = (pid / 10, length + 1);
        }
    }
}

/// The first descriptor that is passed (sd_listen_fds(3)).
const FIRST: i32 = 3;

const LISTEN_PID: &[u8] = b"LISTEN_PID=";

/// So many a pid has at the most.
const DIGITS: usize = 10;

fn null_terminated(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Becomes this user for good; groups first, since afterwards that is not allowed any more.
unsafe fn become_user(user: &User) -> bool {
    // SAFETY: plain system calls; the list lives.
    unsafe {
        let can_set_groups = libc::geteuid() == 0;
        let groups = (user.groups.len(), user.groups.as_ptr());
        (!can_set_groups || libc::setgroups(groups.0, groups.1) == 0)
            && libc::setgid(user.gid) == 0
            && libc::setuid(user.uid) == 0
    }
}

/// A file that a linker still has open for writing cannot be executed (ETXTBSY), and closing it
/// is no change that would be seen: it is tried for ten seconds. Signals end the child meanwhile.
const BUSY_TRIES: u32 = 200;
const BUSY_PAUSE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The last real-time signal of Linux.
const LAST_SIGNAL: i32 = 64;

/// What rt_sigaction(2) takes, which is not the C library's `struct sigaction`; all zero is
/// SIG_DFL without flags.
#[repr(C)]
#[derive(Default)]
struct KernelSigaction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}
