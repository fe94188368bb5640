//! The sentinel: a small process of ours in the program's process group, which tells us that
//! Ctrl-C or Ctrl-Z was typed.
//!
//! The terminal sends these to its foreground group, the program's, and not to us; and from a
//! server that then ends in order, with status 0, nobody could tell that Ctrl-C was typed. The
//! sentinel gets it, too, and passes it on. Nothing else: it has no descriptors, ignores every
//! other signal, and dies with us.

use std::io;
use std::mem;

use rustix::process::{Pid, getpid, setpgid};

/// By which it tells of Ctrl-Z. We block it always, and use it for nothing else.
pub const STOP_TYPED: i32 = libc::SIGTTOU;

/// A process that is forked early, while our memory is small, and moved from group to group.
#[derive(Debug)]
pub(super) struct Sentinel {
    pid: Pid,
}

impl Sentinel {
    /// Forks one, in a group of its own.
    pub(super) fn new() -> io::Result<Self> {
        let parent = getpid();
        // Without a signal for its end it is a "clone child" (wait(2), __WCLONE): waiting for all
        // children does not find it, and that there are no others is still known for certain.
        // SAFETY: as fork(2). The child calls only `watch`, which neither allocates nor locks.
        match unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) } {
            0 => watch(parent),
            pid => match i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw) {
                Some(pid) => {
                    let sentinel = Self { pid };
                    sentinel.leave();
                    Ok(sentinel)
                }
                None => Err(io::Error::last_os_error()),
            },
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it was not killed. The dead one is kept, so that its id stays its own.
    pub(super) fn is_alive(&self) -> bool {
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WCLONE;
        let pid = self.pid.as_raw_nonzero().get();
        // SAFETY: all zero is a valid siginfo_t, and stays so where nothing has happened.
        unsafe {
            let mut info: libc::siginfo_t = mem::zeroed();
            let result = libc::waitid(libc::P_PID, pid.unsigned_abs(), &mut info, flags);
            result == 0 && info.si_pid() == 0
        }
    }

    /// Moves it into a group of our session.
    ///
    /// # Errors
    /// When there is no such group.
    pub(super) fn join(&self, group: Pid) -> io::Result<()> {
        Ok(setpgid(Some(self.pid), Some(group))?)
    }

    /// Moves it back, so that what is sent to the program's group does not hit it. Not into our
    /// own group: what it gets late must still be what was sent to the program's.
    pub(super) fn leave(&self) {
        _ = setpgid(Some(self.pid), Some(self.pid));
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let pid = self.pid.as_raw_nonzero().get();
        // SAFETY: plain system calls. It was not waited for, so the pid is its own.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), libc::__WCLONE);
        }
    }
}

/// Runs in the sentinel. All signals that can be are blocked, as in us.
fn watch(parent: Pid) -> ! {
    let parent = parent.as_raw_nonzero().get();
    // SAFETY: plain, async-signal-safe system calls; all zero is a valid set and siginfo_t.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            libc::_exit(libc::EXIT_FAILURE);
        }
        libc::prctl(libc::PR_SET_NAME, c"stakeout-tty".as_ptr());
        for descriptor in 0..3 {
            libc::close(descriptor);
        }
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        let mut typed: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut typed);
        libc::sigaddset(&mut typed, libc::SIGINT);
        libc::sigaddset(&mut typed, libc::SIGQUIT);
        libc::sigaddset(&mut typed, libc::SIGTSTP);
        // Not typed, but from the terminal as well: it is gone.
        libc::sigaddset(&mut typed, libc::SIGHUP);
        loop {
            let mut info: libc::siginfo_t = mem::zeroed();
            let signal = libc::sigwaitinfo(&typed, &mut info);
            // What comes from a process was not typed.
            if signal > 0 && info.si_code == libc::SI_KERNEL {
                // SIGTSTP itself would stop a parent that is just going on after the last one.
                libc::kill(parent, if signal == libc::SIGTSTP { STOP_TYPED } else { signal });
            }
        }
    }
}
