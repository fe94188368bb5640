//! Signals: their names, and a thread that turns those sent to us into messages.

use std::io;
use std::thread;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;

/// Reads a signal as people write it: `TERM`, `SIGTERM`, `term` or `15`.
///
/// # Errors
/// A sentence that names what is accepted.
pub fn parse(text: &str) -> Result<i32, String> {
    let wanted = text.to_ascii_uppercase();
    let wanted = wanted.strip_prefix("SIG").unwrap_or(&wanted);
    let is_wanted = |signal: &i32| {
        let name = signal_name(*signal).and_then(|name| name.strip_prefix("SIG"));
        name == Some(wanted) || signal.to_string() == wanted
    };
    let known = (1..=libc::SIGRTMAX()).find(is_wanted);
    known.ok_or_else(|| {
        format!("`{text}` is no signal; use a name such as SIGTERM, INT or HUP, or a number")
    })
}

/// The name of a signal, `SIGTERM`, or `signal 40` where it has none.
pub fn name(signal: i32) -> String {
    signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// The signals that ask stakeout to end. A second one means at once.
pub const INTERRUPTS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Sends every signal that concerns us, [`INTERRUPTS`] and SIGCHLD, to `send` from a thread of
/// its own, for as long as the process lives. SIGHUP stays ignored under nohup(1).
///
/// # Errors
/// When handlers or the thread cannot be made.
pub fn listen(send: impl Fn(i32) + Send + 'static) -> io::Result<()> {
    let heard = INTERRUPTS.iter().filter(|signal| **signal != SIGHUP || !is_ignored(SIGHUP));
    let mut signals = Signals::new(heard.chain(&[SIGCHLD]))?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            send(signal);
        }
    })?;
    Ok(())
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: asks for the disposition without setting one; all zero is a valid sigaction.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_by_any_of_their_names() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(parse(text), Ok(SIGTERM), "{text}");
        }
        assert_eq!(parse("kill"), Ok(libc::SIGKILL));
        for text in ["", "SIG", "TERMINATE", "0", "99", "-1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
