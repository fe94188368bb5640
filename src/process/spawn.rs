//! Spawning: fork and exec, with nothing between the two that may wait for anything.
//!
//! `std::process::Command` does not fit PID 1: its spawn waits until the program is executed,
//! which on a dead mount is for ever, while signals have to be answered; and it waits for its
//! own failed children, which a reaper of all children would take from it. Here the parent gets
//! the child's pid at once, and whether the exec worked arrives through a pipe.

use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use super::program::Directory;
use super::{Program, User};
use crate::engine::NotStarted;

/// A child that was forked and is on its way to its program.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: Pid,
    pub(super) outcome: Outcome,
    /// Where it takes the terminal, the child goes on only when this is dropped.
    pub(super) gate: Option<OwnedFd>,
}

/// Tells once whether the program was executed.
#[derive(Debug)]
pub(super) struct Outcome(OwnedFd);

/// What the child writes into the pipe when it cannot execute its program: the errno, and what
/// failed.
const REPORT: usize = mem::size_of::<i32>() + 1;

/// What failed in the child.
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

/// Forks a child that is the leader of a process group of its own, has default signal
/// dispositions, an empty signal mask, no descriptors but 0 to 2, and dies with the calling
/// thread.
///
/// # Errors
/// When no pipe or process can be made.
pub(super) fn spawn(program: &Program, input: Input) -> io::Result<Spawned> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let null = match input {
        Input::Null => Some(File::open("/dev/null")?),
        Input::Inherit | Input::Terminal => None,
    };
    let gate = match input {
        Input::Terminal => Some(pipe_with(PipeFlags::CLOEXEC)?),
        Input::Inherit | Input::Null => None,
    };
    let child = Child {
        candidates: program.candidates.iter().map(|file| file.as_ptr()).collect(),
        arguments: null_terminated(&program.arguments),
        environment: null_terminated(&program.environment),
        directory: match &program.directory {
            Directory::Own(path) => path.as_ref().map(|path| path.as_ptr()),
            Directory::Chosen(path) => Some(path.as_ptr()),
        },
        needs_directory: matches!(program.directory, Directory::Chosen(_)),
        user: program.user.as_ref(),
        stdin: null.as_ref().map(AsRawFd::as_raw_fd),
        gate: gate.as_ref().map(|(reader, writer)| (reader.as_raw_fd(), writer.as_raw_fd())),
        writer: writer.as_raw_fd(),
        parent: rustix::process::getpid(),
    };
    // SAFETY: between fork and exec the child calls only `Child::run`, which neither allocates
    // nor takes locks: what it needs was prepared above.
    let pid = match unsafe { libc::fork() } {
        0 => child.run(),
        pid => pid,
    };
    let error = io::Error::last_os_error();
    let Some(pid) = Pid::from_raw(pid).filter(|_| pid > 0) else { return Err(error) };
    // The child does this, too; whoever comes first, the group exists before it is signalled.
    // EACCES says that the child has already executed its program, hence did it.
    _ = rustix::process::setpgid(Some(pid), Some(pid));
    let gate = gate.map(|(_, writer)| writer);
    Ok(Spawned { pid, outcome: Outcome(reader), gate })
}

impl Outcome {
    /// Waits until the program was executed, or could not be.
    pub(super) fn wait(self) -> Result<(), NotStarted> {
        let mut report = Vec::with_capacity(REPORT);
        // A failing read is as good as the end of the file: the child is past it.
        _ = File::from(self.0).read_to_end(&mut report);
        let Some((errno, what)) = report.split_first_chunk::<4>() else { return Ok(()) };
        let is = |failed: Failed| what.first() == Some(&(failed as u8));
        Err(match i32::from_ne_bytes(*errno) {
            errno if is(Failed::User) => NotStarted::NoUser(errno),
            errno if is(Failed::Directory) => NotStarted::NoDirectory(errno),
            libc::ENOENT | libc::ENOTDIR if is(Failed::Finding) => NotStarted::NotFound,
            errno => NotStarted::NotExecutable(errno),
        })
    }
}

fn null_terminated(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// What the child needs, all of it made before the fork.
struct Child<'a> {
    candidates: Vec<*const c_char>,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    directory: Option<*const c_char>,
    needs_directory: bool,
    user: Option<&'a User>,
    stdin: Option<i32>,
    /// Both ends of a pipe; there is one if the child takes the terminal.
    gate: Option<(i32, i32)>,
    writer: i32,
    parent: Pid,
}

impl Child<'_> {
    /// Runs in the child. Only async-signal-safe calls (signal-safety(7)), no allocation.
    fn run(&self) -> ! {
        // SAFETY: plain system calls on values that live until exec; the pointers come from
        // CStrings and null-terminated arrays that the parent's copy of the memory holds.
        unsafe {
            libc::setpgid(0, 0);
            // Before the program could miss it; SIGTTOU, which would stop us, is still blocked.
            if let Some((reader, writer)) = self.gate {
                libc::tcsetpgrp(0, libc::getpid());
                libc::close(writer);
                libc::read(reader, [0_u8].as_mut_ptr().cast(), 1);
            }
            if let Some(user) = self.user
                && !become_user(user)
            {
                self.fail(*libc::__errno_location(), Failed::User);
            }
            // After that, since it would be forgotten then.
            // prctl(2): the signal comes when the *thread* that forked ends, so only the main
            // thread forks. Should the parent have died before, nobody would send it.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != self.parent.as_raw_nonzero().get() {
                libc::_exit(libc::EXIT_FAILURE);
            }
            if let Some(directory) = self.directory
                && libc::chdir(directory) != 0
                && self.needs_directory
            {
                self.fail(*libc::__errno_location(), Failed::Directory);
            }
            if let Some(stdin) = self.stdin {
                libc::dup2(stdin, 0);
            }
            // Descriptors that we ourselves inherited may lack the flag. Linux before 5.11 does
            // not know the call; then they are passed on, as by any other parent.
            libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
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
            self.execute()
        }
    }

    /// Tries the candidates as execvp(3) does: a file that may not be executed is remembered,
    /// one that is not there is passed over.
    unsafe fn execute(&self) -> ! {
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
        unsafe { self.fail(failure, failed) }
    }

    /// Reports why the program is not executed, and ends.
    unsafe fn fail(&self, errno: i32, failed: Failed) -> ! {
        let mut report = [failed as u8; REPORT];
        report[..REPORT - 1].copy_from_slice(&errno.to_ne_bytes());
        // SAFETY: as in `run`. Five bytes into an empty pipe are written whole.
        unsafe {
            libc::write(self.writer, report.as_ptr().cast(), REPORT);
            libc::_exit(127)
        }
    }
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
