//! The state machine of one program: when it is started, stopped and killed.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::{Action, Event, Exit, Generation, Instance, NotStarted, Outlook};

/// How long killed processes may take to vanish before it is said that they do not.
const KILL_TAKES: Duration = Duration::from_secs(1);

/// Two Ctrl-C so soon after each other are meant at once. A single one is the program's to
/// answer: an interpreter's prompt goes on after it.
const IMPATIENT: Duration = Duration::from_secs(1);

/// What a user can choose about it.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Do not start before the first change.
    pub postpone: bool,
    /// The signal that stops the program for a restart.
    pub stop_signal: i32,
    /// How long the program may take to stop before it is killed.
    pub stop_timeout: Duration,
    /// When to start it again without a change.
    pub restart: Restart,
    /// Whether it is over when the program ended and is not started again without a change.
    pub exit_with_child: bool,
}

/// After which ends the program is started again without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// None.
    Never,
    /// By a signal that was not ours: a crash, or the kernel's need for memory.
    OnCrash,
    /// By such a signal, or with a status other than 0.
    OnFailure,
    /// Any.
    Always,
}

impl Restart {
    fn follows(self, exit: Exit) -> bool {
        match self {
            Restart::Never => false,
            Restart::OnCrash => matches!(exit, Exit::Signal(_)),
            Restart::OnFailure => !exit.is_success(),
            Restart::Always => true,
        }
    }
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
    backoff: Backoff,
    /// Whether the program could ever be executed. Before that, failing to is final.
    has_started: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing runs, after an instance that ended like this; the next change starts one.
    Idle { exit: Option<Exit> },
    /// Nothing runs until this time or a change.
    Retrying { exit: Option<Exit>, at: Instant },
    /// An instance is there. Its first process may have ended before the rest of it.
    Up { instance: Instance, exit: Option<Exit>, since: Instant, told: Told },
    /// An instance is going.
    Stopping { instance: Instance, exit: Option<Exit>, phase: Phase, then: Then },
    /// It is over.
    Ended,
}

/// What an instance that is up was told by others, and may end for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    /// When something was typed at its terminal last.
    typed: Option<Instant>,
    /// The signals that were passed on, as bits.
    signals: u128,
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
    Retry { at: Instant },
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
            backoff: Backoff::default(),
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
            State::Retrying { at, .. } => Some(at),
            _ => None,
        }
    }

    /// What has to happen before the program is started again.
    pub fn outlook(&self, now: Instant) -> Outlook {
        match self.state {
            State::Idle { .. } | State::Up { .. } => Outlook::Change,
            State::Retrying { at, .. } | State::Stopping { then: Then::Retry { at }, .. } => {
                Outlook::Retry(at.saturating_duration_since(now))
            }
            State::Stopping { then: Then::Start, .. } => Outlook::Retry(Duration::ZERO),
            State::Stopping { then: Then::End { .. }, .. } | State::Ended => Outlook::End,
        }
    }

    /// Takes note of an event that happened at `now`.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Watching if self.policy.postpone => Vec::new(),
            Event::Watching => self.restart(now),
            Event::Changed => {
                self.generation.0 += 1;
                self.backoff.reset();
                self.restart(now)
            }
            Event::Started(_) => {
                self.has_started = true;
                Vec::new()
            }
            Event::NotStarted(instance, why) if self.is_current(instance) => {
                self.not_started(why, now)
            }
            Event::Exited(instance, how) if self.is_current(instance) => self.exited(how, now),
            Event::Gone(instance) if self.is_current(instance) => self.gone(now),
            Event::Interrupted { signal, stop } => self.interrupt(signal, stop, now),
            Event::Typed(signal) => self.typed(signal, now),
            Event::Signalled(signal) => self.signalled(signal),
            Event::NotStarted(..) | Event::Exited(..) | Event::Gone(_) => Vec::new(),
        }
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) -> Vec<Action> {
        let (instance, phase, then) = match &mut self.state {
            State::Retrying { at, .. } if *at <= now => return self.start(now),
            State::Stopping { instance, phase, then, .. } => (*instance, phase, *then),
            _ => return Vec::new(),
        };
        match *phase {
            Phase::Asked { kill_at } if kill_at <= now => {
                *phase = Phase::Killed { report_at: now + KILL_TAKES };
                vec![Action::Kill(instance)]
            }
            Phase::Killed { report_at } if report_at <= now => {
                *phase = Phase::Unkillable;
                let mut actions = vec![Action::ReportUnkillable(instance)];
                if let Then::End { .. } = then {
                    actions.extend(self.end(Exit::OWN_FAILURE));
                }
                actions
            }
            _ => Vec::new(),
        }
    }

    fn restart(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.state {
            State::Idle { .. } | State::Retrying { .. } => self.start(now),
            State::Up { .. } => self.stop(self.policy.stop_signal, Then::Start, now),
            State::Stopping { then: then @ Then::Retry { .. }, .. } => {
                *then = Then::Start;
                Vec::new()
            }
            // The start that follows the stop will be of the newest generation anyway.
            State::Stopping { .. } | State::Ended => Vec::new(),
        }
    }

    fn start(&mut self, now: Instant) -> Vec<Action> {
        let instance = Instance(self.next_instance);
        self.next_instance += 1;
        self.state = State::Up { instance, exit: None, since: now, told: Told::default() };
        vec![Action::Start(instance, self.generation)]
    }

    /// Stops what is up, if only to clear away what its first process has left behind.
    fn stop(&mut self, signal: i32, then: Then, now: Instant) -> Vec<Action> {
        let State::Up { instance, exit, .. } = self.state else { return Vec::new() };
        let phase = Phase::Asked { kill_at: now + self.policy.stop_timeout };
        self.state = State::Stopping { instance, exit, phase, then };
        vec![Action::Stop(instance, signal)]
    }

    fn exited(&mut self, how: Exit, now: Instant) -> Vec<Action> {
        let (since, told) = match &mut self.state {
            State::Up { exit, since, told, .. } => {
                *exit = Some(how);
                (*since, *told)
            }
            State::Stopping { exit, .. } => {
                *exit = Some(how);
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        let stop_signal = self.policy.stop_signal;
        if told.may_have_caused(how, now, self.policy.stop_timeout) {
            self.stop(stop_signal, Then::End { signal: stop_signal }, now)
        } else if self.policy.restart.follows(how) {
            let at = now + self.backoff.next(now.saturating_duration_since(since));
            self.stop(stop_signal, Then::Retry { at }, now)
        } else if self.policy.exit_with_child {
            self.stop(stop_signal, Then::End { signal: stop_signal }, now)
        } else {
            Vec::new()
        }
    }

    fn not_started(&mut self, why: NotStarted, now: Instant) -> Vec<Action> {
        match self.state {
            State::Stopping { .. } => self.gone(now),
            _ if !self.has_started => self.end(why.status()),
            _ if matches!(why, NotStarted::NoProcess(_)) => {
                let at = now + self.backoff.next(Duration::ZERO);
                self.state = State::Retrying { exit: None, at };
                Vec::new()
            }
            // Without watching, no change can mend it.
            _ if self.policy.exit_with_child => self.end(why.status()),
            _ => self.gone(now),
        }
    }

    fn interrupt(&mut self, signal: i32, stop: i32, now: Instant) -> Vec<Action> {
        match &mut self.state {
            State::Ended => Vec::new(),
            State::Idle { exit } | State::Retrying { exit, .. } => {
                let exit = exit.unwrap_or(Exit::Signal(signal));
                self.end(exit.status())
            }
            State::Up { .. } => self.stop(stop, Then::End { signal }, now),
            // The second time is meant at once.
            State::Stopping { then: Then::End { .. }, .. } => self.kill(now),
            State::Stopping { then, phase, .. } => {
                *then = Then::End { signal };
                match phase {
                    Phase::Unkillable => self.end(Exit::OWN_FAILURE),
                    _ => Vec::new(),
                }
            }
        }
    }

    fn typed(&mut self, signal: i32, now: Instant) -> Vec<Action> {
        let State::Up { instance, exit: None, told, .. } = &mut self.state else {
            return self.interrupt(signal, signal, now);
        };
        let before = told.typed.replace(now);
        if before.is_none_or(|before| now.saturating_duration_since(before) > IMPATIENT) {
            return Vec::new();
        }
        let phase = Phase::Asked { kill_at: now };
        let (instance, then) = (*instance, Then::End { signal });
        self.state = State::Stopping { instance, exit: None, phase, then };
        self.kill(now)
    }

    fn signalled(&mut self, signal: i32) -> Vec<Action> {
        match &mut self.state {
            State::Up { instance, told, .. } => {
                told.signals |= bit(signal);
                vec![Action::Signal(*instance, signal)]
            }
            State::Stopping { instance, .. } => vec![Action::Signal(*instance, signal)],
            State::Idle { .. } | State::Retrying { .. } | State::Ended => Vec::new(),
        }
    }

    fn kill(&mut self, now: Instant) -> Vec<Action> {
        let State::Stopping { instance, phase, .. } = &mut self.state else { return Vec::new() };
        *phase = Phase::Killed { report_at: now + KILL_TAKES };
        vec![Action::Kill(*instance)]
    }

    fn gone(&mut self, now: Instant) -> Vec<Action> {
        match self.state {
            State::Stopping { then: Then::Start, .. } => self.start(now),
            State::Stopping { then: Then::Retry { at }, exit, .. } => {
                self.state = State::Retrying { exit, at };
                Vec::new()
            }
            State::Stopping { then: Then::End { signal }, exit, .. } => {
                self.end(exit.unwrap_or(Exit::Signal(signal)).status())
            }
            State::Up { exit, .. } => {
                self.state = State::Idle { exit };
                Vec::new()
            }
            State::Idle { .. } | State::Retrying { .. } | State::Ended => Vec::new(),
        }
    }

    fn end(&mut self, status: i32) -> Vec<Action> {
        self.state = State::Ended;
        vec![Action::End(status)]
    }

    fn is_current(&self, other: Instance) -> bool {
        match self.state {
            State::Up { instance, .. } | State::Stopping { instance, .. } => instance == other,
            State::Idle { .. } | State::Retrying { .. } | State::Ended => false,
        }
    }
}

impl Told {
    /// Whether an instance that ended like this did so because it was told to. Then the one who
    /// told it meant us both: without us in between, nothing would be left.
    fn may_have_caused(self, exit: Exit, now: Instant, patience: Duration) -> bool {
        let is_by_typing =
            self.typed.is_some_and(|typed| now.saturating_duration_since(typed) <= patience);
        let is_by_signal = matches!(exit, Exit::Signal(signal) if self.signals & bit(signal) != 0);
        is_by_typing || is_by_signal
    }
}

fn bit(signal: i32) -> u128 {
    u32::try_from(signal).ok().and_then(|signal| 1_u128.checked_shl(signal)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
