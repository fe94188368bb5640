//! Descendants: which processes descend from one of ours, as /proc shows it.
//!
//! What calls setsid(2) or forks twice leaves its process group and its parent, but not this
//! tree: a keeper is a subreaper, so whoever loses its parent becomes its child.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

/// A process as /proc/PID/stat describes it (proc_pid_stat(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id, which another process may get when this one was reaped.
    pub pid: i32,
    /// When it started, in clock ticks; with the id, that is this process and no other.
    pub started: u64,
    /// What it runs, cut to 15 bytes by the kernel.
    pub name: String,
    /// `R` running, `S` sleeping, `D` waiting for a disk or share, `T` stopped, `Z` zombie, ….
    pub state: char,
    /// Its process group.
    pub group: i32,
    pub(super) parent: i32,
}

impl Process {
    fn parse(stat: &[u8]) -> Option<Self> {
        // The name may contain anything, parentheses and newlines too; the last one ends it.
        let open = stat.iter().position(|byte| *byte == b'(')?;
        let close = stat.iter().rposition(|byte| *byte == b')')?;
        let pid = str::from_utf8(stat.get(..open)?).ok()?.trim().parse().ok()?;
        let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
        let rest = str::from_utf8(stat.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            started: fields.get(19)?.parse().ok()?,
            name,
            state: fields.first()?.chars().next()?,
            group: fields.get(2)?.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
        })
    }

    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it has ended, and only waits to be reaped.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Sends it a signal, and not to another that got its id meanwhile.
    pub(super) fn signal(&self, signal: i32) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let descriptor = pidfd_open(pid, PidfdFlags::empty());
        // The descriptor stands for one process; if that is the one meant, it stays so.
        if Self::read(self.pid).is_none_or(|now| now.started != self.started) {
            return;
        }
        // SAFETY: plain system calls. rustix' own wants a signal that it has a name for.
        unsafe {
            match descriptor {
                Ok(descriptor) => {
                    use std::os::fd::AsRawFd;
                    let none = std::ptr::null::<libc::siginfo_t>();
                    let descriptor = descriptor.as_raw_fd();
                    libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, none, 0);
                }
                Err(Errno::SRCH) => {}
                // Linux before 5.3, or a container's filter from that time.
                Err(_) => _ = libc::kill(self.pid, signal),
            }
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, state {})", self.pid, self.name.escape_debug(), self.state)
    }
}

/// All that descends from `root`, the dead included; none where /proc cannot be asked: it is not
/// mounted, or that of another PID namespace, in which our ids mean other processes.
pub(super) fn descendants(root: Pid) -> Option<Vec<Process>> {
    let own = getpid().as_raw_nonzero().get();
    let shown = fs::read_link("/proc/self").ok()?;
    if shown != Path::new(&own.to_string()) {
        return None;
    }
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Those that are gone by now are no longer of interest.
    let processes = pids.filter_map(Process::read).collect();
    Some(below(root.as_raw_nonzero().get(), processes))
}

/// Those of `processes` that descend from `root`.
fn below(root: i32, processes: Vec<Process>) -> Vec<Process> {
    let mut known = BTreeSet::from([root]);
    // A child may have a lower id than its parent, so one pass does not do.
    loop {
        let before = known.len();
        let children = processes.iter().filter(|process| known.contains(&process.parent));
        let children: Vec<i32> = children.map(|process| process.pid).collect();
        known.extend(children);
        if known.len() == before {
            break;
        }
    }
    known.remove(&root);
    processes.into_iter().filter(|process| known.contains(&process.pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, parent, started: 0, name: "x".into(), state: 'S', group: 1 }
    }

    #[test]
    fn a_line_of_proc_is_read_whatever_the_name() {
        let rest = "S 7 42 40 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 1 0 123456 99 0";
        for name in ["sh", "a b", "x) S 1 (", "new\nline", ""] {
            let process = Process::parse(format!("43 ({name}) {rest}").as_bytes()).unwrap();
            assert_eq!((process.pid, process.parent, process.group), (43, 7, 42));
            assert_eq!((process.started, process.state), (123_456, 'S'));
            assert_eq!(process.name, name);
        }
        for line in ["", "43", "43 (sh", "43 (sh)", "43 (sh) S 7", ") 43 ("] {
            assert_eq!(Process::parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn what_descends_is_found_in_any_order() {
        let processes = [(9, 12), (12, 5), (3, 9), (5, 1), (7, 1), (4, 7), (6, 99), (99, 6)];
        let processes = processes.map(|(pid, parent)| process(pid, parent)).to_vec();
        let found: Vec<i32> = below(5, processes).iter().map(|process| process.pid).collect();
        assert_eq!(found, [9, 12, 3]);
    }

    #[test]
    fn we_ourselves_descend_from_our_parent() {
        let own = std::process::id().cast_signed();
        let process = Process::read(own).unwrap();
        assert_eq!(process.pid, own);
        assert!(!process.is_dead());
    }
}
