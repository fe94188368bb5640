//! The runner's part that ends things: wishes to end, at once or in order, and the last word.

use std::time::Instant;

use super::{Runner, State, Then};
use crate::engine::stop::Stop;
use crate::engine::up::Up;
use crate::engine::{Action, Exit};

impl Runner {
    /// Someone wants it to end.
    pub(in crate::engine) fn interrupt(
        &mut self,
        signal: i32,
        stop: i32,
        now: Instant,
    ) -> Vec<Action> {
        match &mut self.state {
            State::Ended => Vec::new(),
            State::Idle { exit } | State::Retrying { exit, .. } => {
                let exit = exit.unwrap_or(Exit::Signal(signal));
                self.end(exit.status())
            }
            State::Up { .. } => self.stop(stop, Then::End { signal }, now),
            // The second time is meant at once.
            State::Ending { .. } | State::Stopping { then: Then::End { .. }, .. } => self.kill(now),
            State::Stopping { then, stop, .. } => {
                *then = Then::End { signal };
                match stop {
                    Stop::Unkillable => self.end(Exit::OWN_FAILURE),
                    _ => Vec::new(),
                }
            }
        }
    }

    /// A signal was typed at the terminal, which sent it to the program.
    pub(in crate::engine) fn typed(&mut self, signal: i32, now: Instant) -> Vec<Action> {
        let State::Up { up: up @ Up { exit: None, .. }, .. } = &mut self.state else {
            return self.interrupt(signal, signal, now);
        };
        if !up.told.typed(now) {
            return Vec::new();
        }
        let mut actions = self.stop(signal, Then::End { signal }, now);
        // It has got the signal twice already.
        actions.retain(|action| !matches!(action, Action::Stop(..)));
        actions.extend(self.kill(now));
        actions
    }

    /// Something was run, and so many times less it will be.
    pub(in crate::engine) fn spend(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    /// Whether nothing may be run any more.
    pub(in crate::engine) fn is_spent(&self) -> bool {
        self.left == Some(0)
    }

    /// A build was all that this run came to. It is over if that was the last, and nothing runs.
    pub(in crate::engine) fn ran_in_vain(&mut self, status: i32) -> Vec<Action> {
        self.spend();
        match self.state {
            State::Idle { .. } | State::Retrying { .. } if self.is_spent() => self.end(status),
            _ => Vec::new(),
        }
    }

    fn kill(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        for leaving in &mut self.leaving {
            leaving.stop = Stop::killed(now);
            actions.push(Action::Kill(leaving.instance));
        }
        if let State::Stopping { instance, stop, .. } = &mut self.state {
            *stop = Stop::killed(now);
            actions.push(Action::Kill(*instance));
        }
        actions
    }

    /// Ends without having been told to.
    pub(in crate::engine) fn end(&mut self, status: i32) -> Vec<Action> {
        match self.leaving.is_empty() {
            true => {
                self.state = State::Ended;
                vec![Action::End(status)]
            }
            false => {
                self.state = State::Ending { status };
                Vec::new()
            }
        }
    }
}
