//! Waiting for children: the one place that does.
//!
//! It looks before it takes (WNOWAIT): between the two, a child's pid is still its own.

use std::io;
use std::mem;

use rustix::process::Pid;

use crate::engine::Exit;

/// What there is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This child ended, stopped or went on.
    Child(Pid),
    /// There are children, and nothing happened to them.
    Nothing,
    /// There are no children. Nothing that descends from us is left then, since whoever loses
    /// its parent becomes our child.
    NoChildren,
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Ended(Exit),
    /// By this signal.
    Stopped(i32),
    Continued,
}

/// Looks whether something happened to a child, without waiting.
pub(super) fn next() -> Next {
    match wait(libc::P_ALL, 0, libc::WNOWAIT) {
        Ok(Some((pid, _))) => Next::Child(pid),
        Ok(None) => Next::Nothing,
        // ECHILD; nothing else can come of these arguments.
        Err(_) => Next::NoChildren,
    }
}

/// Takes what happened to this child; none if there is nothing to take.
pub(super) fn take(pid: Pid) -> Option<Change> {
    let id = pid.as_raw_nonzero().get().unsigned_abs();
    wait(libc::P_PID, id, 0).ok().flatten().map(|(_, change)| change)
}

/// Whether a child of ours that was not reaped is in this process group.
pub(super) fn has_child_in(group: Pid) -> bool {
    let id = group.as_raw_nonzero().get().unsigned_abs();
    wait(libc::P_PGID, id, libc::WNOWAIT).is_ok()
}

fn wait(kind: libc::idtype_t, id: libc::id_t, flags: i32) -> io::Result<Option<(Pid, Change)>> {
    let flags = flags | libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG;
    loop {
        // SAFETY: all zero is a valid siginfo_t; waitid(2) leaves the pid zero where nothing
        // happened, and fills in pid and status otherwise.
        let (result, pid, code, status) = unsafe {
            let mut info: libc::siginfo_t = mem::zeroed();
            let result = libc::waitid(kind, id, &mut info, flags);
            (result, info.si_pid(), info.si_code, info.si_status())
        };
        if result == 0 {
            let change = match code {
                libc::CLD_EXITED => Change::Ended(Exit::Code(status)),
                libc::CLD_KILLED | libc::CLD_DUMPED => Change::Ended(Exit::Signal(status)),
                libc::CLD_CONTINUED => Change::Continued,
                _ => Change::Stopped(status),
            };
            return Ok(Pid::from_raw(pid).map(|pid| (pid, change)));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
