//! The runner: the state machine of a program's instances, when they are started, stopped and
//! killed.

mod ending;
mod handover;
mod outlook;

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::stop::{Due, Stop};
use super::up::{Ready, Up};
use super::{Action, Exit, Failure, Instance, NotStarted, Note, OnChange, Policy};

/// Decides for one program. It holds three things for certain: no instance is started while any
/// process of another is left, unless handovers are wanted; once all is quiet, what runs was
/// started after the last change; and once interrupted it ends.
#[derive(Debug)]
pub(super) struct Runner {
    policy: Policy,
    state: State,
    /// Those that are on their way out beside what is up.
    leaving: Vec<Leaving>,
    backoff: Backoff,
    /// Whether the program could ever be executed. Before that, failing to is final.
    has_started: bool,
    /// How many runs are left, if they are counted.
    left: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing runs, after an instance that ended like this; the next change starts one.
    Idle { exit: Option<Exit> },
    /// Nothing runs until this time or a change.
    Retrying { exit: Option<Exit>, at: Instant },
    /// An instance is there, and one beside it that shall take over.
    Up { up: Up, successor: Option<Up> },
    /// An instance is going.
    Stopping { instance: Instance, exit: Option<Exit>, stop: Stop, then: Then },
    /// It is over, with this status, as soon as those that are leaving are gone.
    Ending { status: i32 },
    /// It is over.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leaving {
    instance: Instance,
    stop: Stop,
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Start,
    Retry { at: Instant },
    End { signal: i32 },
}

impl Runner {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Idle { exit: None },
            leaving: Vec::new(),
            backoff: Backoff::default(),
            has_started: false,
            left: policy.runs,
        }
    }

    /// Something else shall run, or the same once more.
    pub(super) fn changed(
        &mut self,
        how: OnChange,
        now: Instant,
        next: &mut impl FnMut() -> Instance,
    ) -> Vec<Action> {
        self.backoff.reset();
        if !self.policy.has_program {
            return Vec::new();
        }
        match (how, &self.state) {
            (OnChange::Signal(signal), State::Up { up: Up { exit: None, instance, .. }, .. }) => {
                vec![Action::Signal(*instance, signal)]
            }
            (OnChange::Build, State::Up { up: Up { exit: None, .. }, .. }) => Vec::new(),
            (
                OnChange::Handover,
                State::Up { up: Up { exit: None, ready: Ready::Yes, .. }, .. },
            ) if !self.is_spent() => self.succeed(now, next()),
            _ => self.restart(now, next),
        }
    }

    /// Stops what runs, and starts it.
    pub(super) fn restart(
        &mut self,
        now: Instant,
        next: &mut impl FnMut() -> Instance,
    ) -> Vec<Action> {
        if self.is_spent() {
            return Vec::new();
        }
        match &mut self.state {
            State::Idle { .. } if !self.policy.has_program => Vec::new(),
            State::Idle { .. } | State::Retrying { .. } => self.start(next(), now),
            State::Up { .. } => self.stop(self.policy.stop_signal, Then::Start, now),
            State::Stopping { then: then @ Then::Retry { .. }, .. } => {
                *then = Then::Start;
                Vec::new()
            }
            // The start that follows the stop will be of the newest generation anyway.
            State::Stopping { .. } | State::Ending { .. } | State::Ended => Vec::new(),
        }
    }

    fn start(&mut self, instance: Instance, now: Instant) -> Vec<Action> {
        self.spend();
        self.state =
            State::Up { up: Up::new(instance, now, self.policy.ready_timeout), successor: None };
        vec![Action::Start(instance)]
    }

    /// Stops what is up, if only to clear away what its first process has left behind.
    fn stop(&mut self, signal: i32, then: Then, now: Instant) -> Vec<Action> {
        let mut actions = self.dismiss_successor(signal, now);
        let State::Up { up, .. } = self.state else { return actions };
        let stop = Stop::asked(now, self.policy.stop_timeout);
        self.state = State::Stopping { instance: up.instance, exit: up.exit, stop, then };
        actions.push(Action::Stop(up.instance, signal));
        actions
    }

    /// The instance's program was executed.
    pub(super) fn started(&mut self, instance: Instance, now: Instant) -> Vec<Action> {
        self.has_started = true;
        match self.policy.ready_timeout {
            None => self.is_ready(instance, now),
            Some(_) => Vec::new(),
        }
    }

    /// The instance does what it is there for.
    pub(super) fn is_ready(&mut self, instance: Instance, now: Instant) -> Vec<Action> {
        let State::Up { up, successor } = &mut self.state else { return Vec::new() };
        let is_told = self.policy.ready_timeout.is_some();
        match successor {
            Some(next) if next.instance == instance => self.take_over(now),
            _ if up.instance == instance && up.exit.is_none() && up.ready != Ready::Yes => {
                up.ready = Ready::Yes;
                let took = now.saturating_duration_since(up.since);
                let note = Action::Note(Note::Ready { instance, took });
                is_told.then_some(note).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The instance needs more time for what it is doing.
    pub(super) fn extend(&mut self, other: Instance, until: Instant) {
        for leaving in self.leaving.iter_mut().filter(|leaving| leaving.instance == other) {
            leaving.stop.extend(until);
        }
        match &mut self.state {
            State::Stopping { instance, stop, .. } if *instance == other => stop.extend(until),
            State::Up { up, successor } => {
                for up in successor.iter_mut().chain([up]).filter(|up| up.instance == other) {
                    up.ready.extend(until);
                }
            }
            _ => {}
        }
    }

    /// The instance does not answer any more, by its own watchdog.
    pub(super) fn hung(&mut self, instance: Instance, now: Instant) -> Vec<Action> {
        match self.state {
            State::Up { successor: Some(next), .. } if next.instance == instance => {
                self.fail_successor(Failure::Hung, now)
            }
            State::Up { up, .. } if up.instance == instance && up.exit.is_none() => {
                let at = now + self.backoff.next(now.saturating_duration_since(up.since));
                let mut actions = vec![Action::Note(Note::Hung { instance })];
                let then = match self.is_spent() {
                    true => Then::End { signal: libc::SIGABRT },
                    false => Then::Retry { at },
                };
                // So that it leaves a core, as systemd does it.
                actions.extend(self.stop(libc::SIGABRT, then, now));
                actions
            }
            _ => Vec::new(),
        }
    }

    /// The instance's first process ended.
    pub(super) fn exited(&mut self, instance: Instance, how: Exit, now: Instant) -> Vec<Action> {
        let up = match &mut self.state {
            State::Up { successor: Some(next), .. } if next.instance == instance => {
                return self.fail_successor(Failure::Exit(how), now);
            }
            State::Up { up, successor: Some(next) } if up.instance == instance => {
                // It has nothing to hand over any more.
                self.state = State::Up { up: *next, successor: None };
                return self.leave(instance, self.policy.stop_signal, now);
            }
            State::Up { up, .. } if up.instance == instance => {
                up.exit = Some(how);
                *up
            }
            State::Stopping { instance: current, exit, .. } if *current == instance => {
                *exit = Some(how);
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        let stop_signal = self.policy.stop_signal;
        if up.told.may_have_caused(how, now, self.policy.stop_timeout) {
            self.stop(stop_signal, Then::End { signal: stop_signal }, now)
        } else if !self.is_spent() && self.policy.restart.follows(how) {
            let at = now + self.backoff.next(now.saturating_duration_since(up.since));
            self.stop(stop_signal, Then::Retry { at }, now)
        } else if self.is_spent() || self.policy.exit_with_child {
            self.stop(stop_signal, Then::End { signal: stop_signal }, now)
        } else {
            Vec::new()
        }
    }

    /// The instance could not be started, and nothing of it is left.
    pub(super) fn not_started(
        &mut self,
        instance: Instance,
        why: NotStarted,
        now: Instant,
        next: &mut impl FnMut() -> Instance,
    ) -> Vec<Action> {
        match &mut self.state {
            State::Up { successor, .. } if successor.is_some_and(|it| it.instance == instance) => {
                *successor = None;
                let failure = Failure::NotStarted(why);
                vec![Action::Note(Note::HandoverFailed { instance, failure })]
            }
            State::Up { up, .. } if up.instance == instance => {
                // What was built next may be there; and without watching, no change mends it.
                let is_final = !self.has_started && self.policy.steps == 0;
                if is_final
                    || self.is_spent()
                    || self.policy.exit_with_child && !matches!(why, NotStarted::NoProcess(_))
                {
                    return self.end(why.status());
                }
                if let NotStarted::NoProcess(_) = why {
                    let at = now + self.backoff.next(Duration::ZERO);
                    self.state = State::Retrying { exit: None, at };
                    return Vec::new();
                }
                self.gone(instance, now, next)
            }
            _ => self.gone(instance, now, next),
        }
    }

    /// Passes a signal on.
    pub(super) fn signalled(&mut self, signal: i32) -> Vec<Action> {
        match &mut self.state {
            State::Up { up, .. } => {
                up.told.signalled(signal);
                vec![Action::Signal(up.instance, signal)]
            }
            State::Stopping { instance, .. } => vec![Action::Signal(*instance, signal)],
            _ => Vec::new(),
        }
    }

    /// Nothing is left of the instance.
    pub(super) fn gone(
        &mut self,
        instance: Instance,
        now: Instant,
        next: &mut impl FnMut() -> Instance,
    ) -> Vec<Action> {
        let before = self.leaving.len();
        self.leaving.retain(|leaving| leaving.instance != instance);
        if self.leaving.len() < before {
            return match self.state {
                State::Ending { status } => self.end(status),
                _ => Vec::new(),
            };
        }
        match self.state {
            State::Stopping { instance: current, exit, then, .. } if current == instance => {
                match then {
                    Then::Start | Then::Retry { .. } if self.is_spent() => {
                        self.end(exit.map_or(Exit::OWN_FAILURE, Exit::status))
                    }
                    Then::Start => self.start(next(), now),
                    Then::Retry { at } => {
                        self.state = State::Retrying { exit, at };
                        Vec::new()
                    }
                    Then::End { signal } => self.end(exit.unwrap_or(Exit::Signal(signal)).status()),
                }
            }
            State::Up { up, .. } if up.instance == instance => {
                self.state = State::Idle { exit: up.exit };
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Does what is due at `now`.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        next: &mut impl FnMut() -> Instance,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut is_stuck = false;
        for Leaving { instance, stop } in &mut self.leaving {
            match stop.tick(now) {
                Some(Due::Kill) => actions.push(Action::Kill(*instance)),
                Some(Due::Report) => actions.push(Action::ReportUnkillable(*instance)),
                None => {}
            }
            is_stuck |= *stop == Stop::Unkillable;
        }
        match &mut self.state {
            State::Retrying { at, .. } if *at <= now => actions.extend(self.start(next(), now)),
            State::Stopping { instance, stop, then, .. } => match stop.tick(now) {
                Some(Due::Kill) => actions.push(Action::Kill(*instance)),
                Some(Due::Report) => {
                    actions.push(Action::ReportUnkillable(*instance));
                    if let Then::End { .. } = then {
                        self.leaving.clear();
                        actions.extend(self.end(Exit::OWN_FAILURE));
                    }
                }
                None => {}
            },
            State::Ending { .. } if is_stuck => {
                self.leaving.clear();
                actions.extend(self.end(Exit::OWN_FAILURE));
            }
            State::Up { up, successor } => {
                if up.ready.becomes_late(now) {
                    actions.push(Action::Note(Note::NotReady { instance: up.instance }));
                }
                if successor.as_mut().is_some_and(|next| next.ready.becomes_late(now)) {
                    actions.extend(self.fail_successor(Failure::NotReady, now));
                }
            }
            _ => {}
        }
        actions
    }
}
