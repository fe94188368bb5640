//! What a program was told by others, and may end for.

use std::time::{Duration, Instant};

use super::Exit;

/// Two Ctrl-C so soon after each other are meant at once. A single one is the program's to
/// answer: an interpreter's prompt goes on after it.
const IMPATIENT: Duration = Duration::from_secs(1);

/// What an instance that is up was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// When something was typed at its terminal last.
    typed: Option<Instant>,
    /// The signals that were passed on, as bits.
    signals: u128,
}

impl Told {
    /// Something was typed that ends programs. Says whether that was meant at once.
    pub(super) fn typed(&mut self, now: Instant) -> bool {
        let before = self.typed.replace(now);
        before.is_some_and(|before| now.saturating_duration_since(before) <= IMPATIENT)
    }

    /// A signal was passed on.
    pub(super) fn signalled(&mut self, signal: i32) {
        self.signals |= bit(signal);
    }

    /// Whether an instance that ended like this did so because it was told to. Then the one who
    /// told it meant us both: without us in between, nothing would be left.
    pub(super) fn may_have_caused(self, exit: Exit, now: Instant, patience: Duration) -> bool {
        let is_by_typing =
            self.typed.is_some_and(|typed| now.saturating_duration_since(typed) <= patience);
        let is_by_signal = matches!(exit, Exit::Signal(signal) if self.signals & bit(signal) != 0);
        is_by_typing || is_by_signal
    }
}

fn bit(signal: i32) -> u128 {
    u32::try_from(signal).ok().and_then(|signal| 1_u128.checked_shl(signal)).unwrap_or_default()
}
