//! The runner's part that is asked: how things are, and what is due. It changes nothing.

use std::time::{Duration, Instant};

use super::{Runner, State, Then};
use crate::engine::up::{Ready, Up};
use crate::engine::{Exit, Instance, Outlook, Phase};

impl Runner {
    /// When something is due.
    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        let leaving = self.leaving.iter().filter_map(|leaving| leaving.stop.deadline());
        let own = match self.state {
            State::Stopping { stop, .. } => stop.deadline(),
            State::Retrying { at, .. } => Some(at),
            State::Up { up, successor } => {
                let deadlines = [Some(up), successor].into_iter().flatten();
                deadlines.filter_map(|up| up.ready.deadline()).min()
            }
            State::Idle { .. } | State::Ending { .. } | State::Ended => None,
        };
        leaving.chain(own).min()
    }

    /// What it waits for.
    pub(in crate::engine) fn outlook(&self, now: Instant) -> Outlook {
        match self.state {
            State::Idle { .. } | State::Up { .. } => Outlook::Change,
            State::Retrying { at, .. } | State::Stopping { then: Then::Retry { at }, .. } => {
                Outlook::Retry(at.saturating_duration_since(now))
            }
            State::Stopping { then: Then::Start, .. } => Outlook::Retry(Duration::ZERO),
            State::Stopping { then: Then::End { .. }, .. }
            | State::Ending { .. }
            | State::Ended => Outlook::End,
        }
    }

    /// How far it has come.
    pub(in crate::engine) fn phase(&self) -> Phase {
        let ended = |exit: Option<Exit>| match exit {
            None => Phase::Waiting,
            Some(exit) if exit.is_success() => Phase::Done,
            Some(_) => Phase::Failed,
        };
        match self.state {
            State::Idle { exit } => ended(exit),
            State::Retrying { .. } => Phase::Retrying,
            State::Up { successor: Some(_), .. } => Phase::Handover,
            State::Up { up: Up { exit: exit @ Some(_), .. }, .. } => ended(exit),
            State::Up { up: Up { ready: Ready::Yes, .. }, .. } => Phase::Ready,
            State::Up { .. } => Phase::Starting,
            State::Stopping { .. } | State::Ending { .. } | State::Ended => Phase::Stopping,
        }
    }

    /// The instance that is up, or was last asked to stop.
    pub(in crate::engine) fn current(&self) -> Option<Instance> {
        match self.state {
            State::Up { up, .. } => Some(up.instance),
            State::Stopping { instance, .. } => Some(instance),
            _ => None,
        }
    }

    /// The instance of which the first process runs, if there is one.
    pub(in crate::engine) fn up(&self) -> Option<Instance> {
        match self.state {
            State::Up { up: Up { exit: None, instance, .. }, .. } => Some(instance),
            _ => None,
        }
    }

    /// Whether an event about this instance is for it.
    pub(in crate::engine) fn has(&self, other: Instance) -> bool {
        let is_leaving = self.leaving.iter().any(|leaving| leaving.instance == other);
        let is_up = match self.state {
            State::Up { up, successor } => {
                up.instance == other || successor.is_some_and(|next| next.instance == other)
            }
            State::Stopping { instance, .. } => instance == other,
            _ => false,
        };
        is_leaving || is_up
    }
}
