//! Signals: their names, and a thread that turns those sent to us into messages.
//!
//! Nothing is handled, all is waited for: [`block`] comes first in main, so that every thread is
//! born with the signals blocked, and one thread takes them from the kernel's queue one by one.
//! So none is lost or deadly before we are ready, none interrupts a system call, each comes with
//! its sender, and PID 1, which the kernel keeps from signals that have their default
//! disposition, hears them as any process does (a blocked signal is always queued).

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, getpid};
use signal_hook::low_level::signal_name;

/// Reads a signal as people write it: `TERM`, `SIGTERM`, `term` or `15`; `RTMIN+3` or `RTMAX-1`.
///
/// # Errors
/// A sentence that names what is accepted.
pub fn parse(text: &str) -> Result<i32, String> {
    let wanted = text.to_ascii_uppercase();
    let wanted = wanted.strip_prefix("SIG").unwrap_or(&wanted);
    let is_wanted = |signal: &i32| {
        let names = [name(*signal), format!("SIG{signal}")];
        let is_real_time = *signal >= libc::SIGRTMIN();
        let from_last = is_real_time.then(|| format!("SIGRTMAX-{}", libc::SIGRTMAX() - signal));
        names.iter().chain(&from_last).any(|name| name.strip_prefix("SIG") == Some(wanted))
    };
    let aliases =
        [("RTMIN", libc::SIGRTMIN()), ("RTMAX", libc::SIGRTMAX()), ("CLD", libc::SIGCHLD)];
    let alias = aliases.iter().find(|(alias, _)| *alias == wanted).map(|(_, signal)| *signal);
    alias.or_else(|| (1..=libc::SIGRTMAX()).find(is_wanted)).ok_or_else(|| {
        format!("`{text}` is no signal; use a name such as SIGTERM, INT or HUP, or a number")
    })
}

/// The name of a signal, `SIGTERM` or `SIGRTMIN+3`; `signal 33` where it has none.
pub fn name(signal: i32) -> String {
    let first = libc::SIGRTMIN();
    match signal_name(signal) {
        Some(name) => name.to_owned(),
        None if (first..=libc::SIGRTMAX()).contains(&signal) => {
            format!("SIGRTMIN+{}", signal - first)
        }
        None => format!("signal {signal}"),
    }
}

/// A signal that was sent to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: i32,
    /// Who sent it.
    pub sender: Sender,
}

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// This process.
    Process(Pid),
    /// One that our PID namespace does not know, as behind `docker stop`.
    Outside,
    /// The kernel; for SIGINT, SIGQUIT, SIGTSTP and SIGWINCH that is the terminal.
    Kernel,
}

/// What the mask was before [`block`].
#[must_use]
pub struct Blocked(libc::sigset_t);

/// Blocks every signal that can wait, in this thread and those that it will start. What is sent
/// from here on is kept until somebody waits for it.
pub fn block() -> Blocked {
    let set = waited_for();
    // SAFETY: plain system calls; all zero is a valid (empty) set, and the sets live.
    unsafe {
        let mut before: libc::sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before);
        // Whoever started us may have ignored it; then the kernel would reap in our place.
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::signal(libc::SIGTSTP, libc::SIG_DFL);
        Blocked(before)
    }
}

impl Blocked {
    /// Makes signals do again what they did before.
    pub fn undo(self) {
        // SAFETY: the set is the one that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}

/// Sends every signal that is sent to us to `send`, from a thread of its own, for as long as the
/// process lives. [`block`] comes before. SIGHUP stays ignored under nohup(1).
///
/// # Errors
/// When the thread cannot be made.
pub fn listen(send: impl Fn(Received) + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("signals".into()).spawn(move || {
        loop {
            let received = next();
            if received.sender != Sender::Process(getpid()) {
                send(received);
            }
        }
    })?;
    Ok(())
}

/// Waits for the next signal that is sent to us.
pub(super) fn next() -> Received {
    let set = waited_for();
    loop {
        // SAFETY: all zero is a valid siginfo_t, and the set is initialised. The sender's pid is
        // there for these codes (sigaction(2)).
        unsafe {
            let mut info: libc::siginfo_t = mem::zeroed();
            let signal = libc::sigwaitinfo(&set, &mut info);
            if signal > 0 {
                let is_sent = [libc::SI_USER, libc::SI_QUEUE, libc::SI_TKILL];
                let sender = match is_sent.contains(&info.si_code) {
                    true => Pid::from_raw(info.si_pid()).map_or(Sender::Outside, Sender::Process),
                    false => Sender::Kernel,
                };
                return Received { signal, sender };
            }
        }
    }
}

/// A descriptor to take signals from (signalfd(2)); [`block`] comes before. Allocates nothing.
pub(super) fn descriptor() -> Result<OwnedFd, Errno> {
    let set = waited_for();
    // SAFETY: the set is initialised; a descriptor that is not negative is new, and ours.
    unsafe {
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(Errno::from_raw_os_error(*libc::__errno_location())),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// Takes a signal from such a descriptor, if there is one: its number, and its sender's id or 0.
pub(super) fn take(descriptor: &OwnedFd) -> Option<(i32, i32)> {
    // SAFETY: all zero is valid, and the kernel writes whole structures.
    unsafe {
        let mut info: libc::signalfd_siginfo = mem::zeroed();
        let size = mem::size_of_val(&info);
        let read = libc::read(descriptor.as_raw_fd(), (&raw mut info).cast(), size);
        let pid = if info.ssi_code == libc::SI_USER { info.ssi_pid.cast_signed() } else { 0 };
        (usize::try_from(read) == Ok(size)).then_some((info.ssi_signo.cast_signed(), pid))
    }
}

/// What a fault of ours raises, and cannot wait.
const FAULTS: [i32; 7] = [
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGTRAP,
];

/// Stops us, with all threads, as Ctrl-Z stops other programs, until SIGCONT comes. Where
/// nobody could send that the kernel does not stop us: as PID 1, or without a parent that controls
/// our job (setpgid(2) on orphaned process groups). [`block`] comes before.
pub fn suspend() {
    post_stop();
    take_stop();
}

/// Sends us what stops us as soon as it is let through, unless SIGCONT comes before.
fn post_stop() {
    // SAFETY: a plain system call. The signal is for this thread, so the one that waits for
    // signals does not take it.
    unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGTSTP) };
}

/// Lets through what was posted.
fn take_stop() {
    // SAFETY: plain system calls. The signal's disposition is the default one.
    unsafe {
        let mut stop: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut stop);
        libc::sigaddset(&mut stop, libc::SIGTSTP);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &stop, ptr::null_mut());
        libc::pthread_sigmask(libc::SIG_BLOCK, &stop, ptr::null_mut());
    }
}

/// The same for our whole job, as the terminal does it: what has started us, make(1) for example,
/// is stopped as well.
pub(super) fn suspend_job() {
    // Before the others are stopped: a shell that finds them so may continue our job at once, and
    // what was sent to us only after that would stop us for good.
    post_stop();
    // SAFETY: a plain system call. What we ourselves get of it is passed over by `listen`.
    unsafe { libc::kill(0, libc::SIGTSTP) };
    take_stop();
}

/// Every signal but those that cannot be blocked, those that a fault of ours raises, and those
/// that the C library keeps for itself.
fn waited_for() -> libc::sigset_t {
    let can_wait = |signal: &i32| {
        let is_hangup_unwanted = *signal == libc::SIGHUP && is_ignored(libc::SIGHUP);
        !FAULTS.contains(signal) && !is_hangup_unwanted
    };
    // SAFETY: sigemptyset initialises the set; the numbers are those of signals.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut set);
        let all = (1..=libc::SIGSYS).chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
        for signal in all.filter(can_wait) {
            libc::sigaddset(&mut set, signal);
        }
        set
    }
}

/// Whether a signal that is sent to us can be heard and is free to mean something.
pub(super) fn is_heard(signal: i32) -> bool {
    let needed = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD];
    !needed.contains(&signal) && !FAULTS.contains(&signal)
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: asks for the disposition without setting one; all zero is a valid sigaction.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_by_any_of_their_names() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(parse(text), Ok(libc::SIGTERM), "{text}");
        }
        assert_eq!(parse("kill"), Ok(libc::SIGKILL));
        assert_eq!(parse("RTMIN+3"), Ok(libc::SIGRTMIN() + 3));
        assert_eq!(parse("SIGRTMAX-1"), Ok(libc::SIGRTMAX() - 1));
        assert_eq!(parse("rtmin"), Ok(libc::SIGRTMIN()));
        for text in ["", "SIG", "TERMINATE", "0", "99", "-1", "RTMIN+99"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_name_names_is_read_back() {
        let all = (1..=libc::SIGSYS).chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
        let named: Vec<i32> = all.filter(|signal| name(*signal).starts_with("SIG")).collect();
        assert!(named.len() > 50, "{named:?}");
        for signal in named {
            assert_eq!(parse(&name(signal)), Ok(signal));
        }
    }
}
