//! The state machine of one program: when it is started, stopped and killed.

use std::time::{Duration, Instant};

use super::{Action, Event, Exit, Generation, Instance};

/// How long killed processes may take to vanish before it is said that they do not.
const KILL_TAKES: Duration = Duration::from_secs(1);

/// What a user can choose about it.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Do not start before the first change.
    pub postpone: bool,
    /// How long the program may take to stop before it is killed.
    pub stop_timeout: Duration,
}

/// Decides for one program. It holds three things for certain: no instance is started while any
/// process of another is left; once all is quiet, what runs is of the newest generation; and
/// once interrupted it ends.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    state: State,
    generation: Generation,
    next_instance: u64,
    /// Whether the program could ever be executed. Before that, failing to is final.
    has_started: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing runs, after an instance that ended like this; the next change starts one.
    Idle { exit: Option<Exit> },
    /// An instance is there. Its first process may have ended before the rest of it.
    Up { instance: Instance, exit: Option<Exit> },
    /// An instance is going.
    Stopping { instance: Instance, exit: Option<Exit>, phase: Phase, then: Then },
    /// It is over.
    Ended,
}

/// How far stopping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Asked { kill_at: Instant },
    Killed { report_at: Instant },
    Unkillable,
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Start,
    End { signal: i32 },
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Idle { exit: None },
            generation: Generation(0),
            next_instance: 1,
            has_started: false,
        }
    }

    /// How many change sets there were.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// When [`Engine::tick`] has something to do, unless an event comes first.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Stopping { phase: Phase::Asked { kill_at }, .. } => Some(kill_at),
            State::Stopping { phase: Phase::Killed { report_at }, .. } => Some(report_at),
            _ => None,
        }
    }

    /// Takes note of an event that happened at `now`.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Watching if self.policy.postpone => Vec::new(),
            Event::Watching => self.restart(now),
            Event::Changed => {
                self.generation.0 += 1;
                self.restart(now)
            }
            Event::Started(_) => {
                self.has_started = true;
                Vec::new()
            }
            Event::NotStarted(instance, why) if self.is_current(instance) => {
                if self.has_started || matches!(self.state, State::Stopping { .. }) {
                    self.gone()
                } else {
                    self.end(why.status())
                }
            }
            Event::Exited(instance, how) if self.is_current(instance) => {
                if let State::Up { exit, .. } | State::Stopping { exit, .. } = &mut self.state {
                    *exit = Some(how);
                }
                Vec::new()
            }
            Event::Gone(instance) if self.is_current(instance) => self.gone(),
            Event::Interrupted(signal) => self.interrupt(signal, now),
            Event::NotStarted(..) | Event::Exited(..) | Event::Gone(_) => Vec::new(),
        }
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) -> Vec<Action> {
        let State::Stopping { instance, phase, then, .. } = &mut self.state else {
            return Vec::new();
        };
        match *phase {
            Phase::Asked { kill_at } if kill_at <= now => {
                *phase = Phase::Killed { report_at: now + KILL_TAKES };
                vec![Action::Kill(*instance)]
            }
            Phase::Killed { report_at } if report_at <= now => {
                *phase = Phase::Unkillable;
                let mut actions = vec![Action::ReportUnkillable(*instance)];
                if let Then::End { .. } = then {
                    actions.extend(self.end(Exit::OWN_FAILURE));
                }
                actions
            }
            _ => Vec::new(),
        }
    }

    fn restart(&mut self, now: Instant) -> Vec<Action> {
        match self.state {
            State::Idle { .. } => self.start(),
            State::Up { instance, exit } => self.stop(instance, exit, Then::Start, now),
            // The start that follows the stop will be of the newest generation anyway.
            State::Stopping { .. } | State::Ended => Vec::new(),
        }
    }

    fn start(&mut self) -> Vec<Action> {
        let instance = Instance(self.next_instance);
        self.next_instance += 1;
        self.state = State::Up { instance, exit: None };
        vec![Action::Start(instance, self.generation)]
    }

    fn stop(
        &mut self,
        instance: Instance,
        exit: Option<Exit>,
        then: Then,
        now: Instant,
    ) -> Vec<Action> {
        let phase = Phase::Asked { kill_at: now + self.policy.stop_timeout };
        self.state = State::Stopping { instance, exit, phase, then };
        vec![Action::Stop(instance)]
    }

    fn interrupt(&mut self, signal: i32, now: Instant) -> Vec<Action> {
        match &mut self.state {
            State::Ended => Vec::new(),
            State::Idle { exit } => {
                let exit = exit.unwrap_or(Exit::Signal(signal));
                self.end(exit.status())
            }
            State::Up { instance, exit } => {
                let (instance, exit) = (*instance, *exit);
                self.stop(instance, exit, Then::End { signal }, now)
            }
            State::Stopping { then: then @ Then::Start, phase, .. } => {
                *then = Then::End { signal };
                match phase {
                    Phase::Unkillable => self.end(Exit::OWN_FAILURE),
                    _ => Vec::new(),
                }
            }
            // The second time is meant at once.
            State::Stopping { instance, phase, then: Then::End { .. }, .. } => {
                *phase = Phase::Killed { report_at: now + KILL_TAKES };
                vec![Action::Kill(*instance)]
            }
        }
    }

    fn gone(&mut self) -> Vec<Action> {
        match self.state {
            State::Stopping { then: Then::Start, .. } => self.start(),
            State::Stopping { then: Then::End { signal }, exit, .. } => {
                self.end(exit.unwrap_or(Exit::Signal(signal)).status())
            }
            State::Up { exit, .. } => {
                self.state = State::Idle { exit };
                Vec::new()
            }
            State::Idle { .. } | State::Ended => Vec::new(),
        }
    }

    fn end(&mut self, status: i32) -> Vec<Action> {
        self.state = State::Ended;
        vec![Action::End(status)]
    }

    fn is_current(&self, other: Instance) -> bool {
        match self.state {
            State::Up { instance, .. } | State::Stopping { instance, .. } => instance == other,
            State::Idle { .. } | State::Ended => false,
        }
    }
}

#[cfg(test)]
mod tests;
