//! The runner's part that hands over: another instance is started beside what is up, and takes its
//! place when it is ready.

use std::time::Instant;

use super::{Leaving, Runner, State};
use crate::engine::stop::Stop;
use crate::engine::up::{Ready, Up};
use crate::engine::{Action, Failure, Instance, Note};

impl Runner {
    /// Starts one beside what is up, in the place of another that was to take over.
    pub(super) fn succeed(&mut self, now: Instant, instance: Instance) -> Vec<Action> {
        let mut actions = self.dismiss_successor(self.policy.stop_signal, now);
        let next = Up::new(instance, now, self.policy.ready_timeout);
        self.spend();
        if let State::Up { successor, .. } = &mut self.state {
            *successor = Some(next);
            actions.push(Action::Start(instance));
        }
        actions
    }

    /// Stops the one that was to take over, if there is one.
    pub(super) fn dismiss_successor(&mut self, signal: i32, now: Instant) -> Vec<Action> {
        let State::Up { successor, .. } = &mut self.state else { return Vec::new() };
        let successor = successor.take();
        successor.map_or_else(Vec::new, |up| self.leave(up.instance, signal, now))
    }

    /// Has an instance leave beside what is up.
    pub(super) fn leave(&mut self, instance: Instance, signal: i32, now: Instant) -> Vec<Action> {
        let stop = Stop::asked(now, self.policy.stop_timeout);
        self.leaving.push(Leaving { instance, stop });
        vec![Action::Stop(instance, signal)]
    }

    /// It cannot take over, and is stopped; the one before goes on.
    pub(super) fn fail_successor(&mut self, failure: Failure, now: Instant) -> Vec<Action> {
        let State::Up { successor: Some(next), .. } = self.state else { return Vec::new() };
        let note = Note::HandoverFailed { instance: next.instance, failure };
        let mut actions = vec![Action::Note(note)];
        actions.extend(self.dismiss_successor(self.policy.stop_signal, now));
        actions
    }

    /// The one that was to take over is ready.
    pub(super) fn take_over(&mut self, now: Instant) -> Vec<Action> {
        let State::Up { up, successor: Some(next) } = self.state else { return Vec::new() };
        let took = now.saturating_duration_since(next.since);
        self.state = State::Up { up: Up { ready: Ready::Yes, ..next }, successor: None };
        let note = Note::HandedOver { instance: next.instance, took };
        let mut actions = vec![Action::Note(note)];
        actions.extend(self.leave(up.instance, self.policy.stop_signal, now));
        actions
    }
}
