//! PID 1 of a container: a process that does nothing but what only PID 1 can do.
//!
//! Where stakeout is PID 1 it parts in two before it does anything else. The child does all the
//! work and is an ordinary process; the parent passes signals to it, reaps, and ends with its
//! status. Then what is orphaned tells where it came from: what our program leaves behind becomes
//! the working process's child, since that is a subreaper, and is stopped before a restart. What
//! somebody started with `docker exec` (an editor's server, say) becomes PID 1's, and is left in
//! peace. And should the working process crash or be killed, PID 1 ends, and with it everything.

use std::io;

use rustix::process::{Pid, getpid};

use super::reaper::{self, Change};
use super::signals::{self, Sender};

/// What the kernel sends to all of a terminal's foreground group.
const TYPED: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGWINCH];

/// Parts in two where we are PID 1; only the child returns. To be called before there are
/// threads, and after [`signals::block`].
///
/// # Errors
/// When no process can be made.
pub fn part() -> io::Result<()> {
    if !getpid().is_init() {
        return Ok(());
    }
    // SAFETY: there is one thread, so the child may do whatever it likes.
    match unsafe { libc::fork() } {
        0 => Ok(()),
        pid => match Pid::from_raw(pid).filter(|_| pid > 0) {
            Some(worker) => serve(worker),
            None => Err(io::Error::last_os_error()),
        },
    }
}

/// Passes signals on to the working process until it ends.
fn serve(worker: Pid) -> ! {
    loop {
        let received = signals::next();
        while let reaper::Next::Child(pid) = reaper::next() {
            match reaper::take(pid) {
                Some(Change::Ended(exit)) if pid == worker => std::process::exit(exit.status()),
                _ => {}
            }
        }
        // What is typed goes to the whole process group, the worker included.
        let is_typed = received.sender == Sender::Kernel && TYPED.contains(&received.signal);
        // By which it tries to stop our whole job.
        let is_workers = received.sender == Sender::Process(worker);
        if received.signal != libc::SIGCHLD && !is_typed && !is_workers {
            // SAFETY: a plain system call. The worker was not reaped, so the pid is its own.
            unsafe { libc::kill(worker.as_raw_nonzero().get(), received.signal) };
        }
    }
}
