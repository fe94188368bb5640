//! An instance that is up: since when, whether it is ready, what it was told.

use std::time::{Duration, Instant};

use super::told::Told;
use super::{Exit, Instance};

/// An instance that nobody has asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Up {
    pub(super) instance: Instance,
    /// How its first process ended, which the rest of it may outlive.
    pub(super) exit: Option<Exit>,
    pub(super) since: Instant,
    pub(super) told: Told,
    pub(super) ready: Ready,
}

/// Whether it does what it is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Not yet, and not by this time said that it takes too long.
    Awaited {
        by: Option<Instant>,
    },
    /// Not in time.
    Late,
    Yes,
}

impl Up {
    /// One that is being started, and may take so long to become ready.
    pub(super) fn new(instance: Instance, now: Instant, ready_timeout: Option<Duration>) -> Self {
        let ready = Ready::Awaited { by: ready_timeout.map(|timeout| now + timeout) };
        Self { instance, exit: None, since: now, told: Told::default(), ready }
    }
}

impl Ready {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Ready::Awaited { by } => by,
            Ready::Late | Ready::Yes => None,
        }
    }

    pub(super) fn extend(&mut self, until: Instant) {
        if let Ready::Awaited { by: Some(by) } = self {
            *by = until.max(*by);
        }
    }

    /// Whether its time is up now. Says so once.
    pub(super) fn becomes_late(&mut self, now: Instant) -> bool {
        let is_late = self.deadline().is_some_and(|by| by <= now);
        if is_late {
            *self = Ready::Late;
        }
        is_late
    }
}
