//! A stop: how far it has come, from a signal that asks to the word that killing does not help.

use std::time::{Duration, Instant};

/// How long killed processes may take to vanish before it is said that they do not.
const KILL_TAKES: Duration = Duration::from_secs(1);

/// An instance's way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was asked to stop, and is killed at this time.
    Asked { kill_at: Instant },
    /// It was killed.
    Killed { report_at: Instant },
    /// It does not vanish, and that was said.
    Unkillable,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Kill,
    Report,
}

impl Stop {
    pub(super) fn asked(now: Instant, patience: Duration) -> Self {
        Stop::Asked { kill_at: now + patience }
    }

    pub(super) fn killed(now: Instant) -> Self {
        Stop::Killed { report_at: now + KILL_TAKES }
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Stop::Asked { kill_at: at } | Stop::Killed { report_at: at } => Some(at),
            Stop::Unkillable => None,
        }
    }

    /// It takes longer than expected, and said so.
    pub(super) fn extend(&mut self, until: Instant) {
        if let Stop::Asked { kill_at } = self {
            *kill_at = until.max(*kill_at);
        }
    }

    /// Goes on to what is due at `now`.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Due> {
        match *self {
            Stop::Asked { kill_at } if kill_at <= now => {
                *self = Stop::killed(now);
                Some(Due::Kill)
            }
            Stop::Killed { report_at } if report_at <= now => {
                *self = Stop::Unkillable;
                Some(Due::Report)
            }
            _ => None,
        }
    }
}
