//! The builder: the steps that come before the program is started anew. What runs goes on
//! meanwhile, and stays when a step fails.

use std::time::{Duration, Instant};

use super::stop::{Due, Stop};
use super::{Action, Exit, Failure, Generation, Instance, NotStarted, Note};

/// What a change during a build leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBusy {
    /// The build is stopped, and another begins.
    Cancel,
    /// The build goes on, and another follows.
    Queue,
    /// Nothing, until the next change.
    Ignore,
}

/// Builds one program, one step after the other, one build at a time.
#[derive(Debug)]
pub(super) struct Builder {
    steps: usize,
    on_busy: OnBusy,
    stop_signal: i32,
    patience: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// A step's first process runs. What the steps before have left behind, a compiler's server
    /// for example, may go on.
    Running {
        instance: Instance,
        step: usize,
        generation: Generation,
        since: Instant,
        /// Whether another follows.
        is_stale: bool,
    },
    /// A step is stopped, with all that it has started.
    Cancelling {
        instance: Instance,
        stop: Stop,
        is_followed: bool,
    },
}

/// What came of an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) actions: Vec<Action>,
    /// The generation that was built, if it was.
    pub(super) built: Option<Generation>,
    /// How the step ended that failed, if one did.
    pub(super) failed: Option<Failure>,
}

impl From<Vec<Action>> for Outcome {
    fn from(actions: Vec<Action>) -> Self {
        Self { actions, ..Self::default() }
    }
}

impl Builder {
    pub(super) fn new(steps: usize, on_busy: OnBusy, stop_signal: i32, patience: Duration) -> Self {
        Self { steps, on_busy, stop_signal, patience, state: State::Idle }
    }

    pub(super) fn has_steps(&self) -> bool {
        self.steps > 0
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether an event about this instance is for it.
    pub(super) fn has(&self, other: Instance) -> bool {
        match self.state {
            State::Idle => false,
            State::Running { instance, .. } | State::Cancelling { instance, .. } => {
                instance == other
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Cancelling { stop, .. } => stop.deadline(),
            State::Idle | State::Running { .. } => None,
        }
    }

    /// Builds this generation, now or as soon as what is under way has come to an end. `instance`
    /// gives a new one.
    pub(super) fn build(
        &mut self,
        generation: Generation,
        now: Instant,
        instance: impl FnOnce() -> Instance,
    ) -> Vec<Action> {
        match &mut self.state {
            State::Idle => self.begin(generation, now, instance()),
            State::Cancelling { is_followed, .. } => {
                *is_followed = true;
                Vec::new()
            }
            State::Running { is_stale, .. } => match self.on_busy {
                OnBusy::Cancel => self.cancel(now, true),
                OnBusy::Queue => {
                    *is_stale = true;
                    Vec::new()
                }
                OnBusy::Ignore => Vec::new(),
            },
        }
    }

    fn begin(&mut self, generation: Generation, now: Instant, instance: Instance) -> Vec<Action> {
        let (step, is_stale) = (0, false);
        self.state = State::Running { instance, step, generation, since: now, is_stale };
        vec![Action::Build { instance, step, generation }]
    }

    fn cancel(&mut self, now: Instant, is_followed: bool) -> Vec<Action> {
        let State::Running { instance, since, .. } = self.state else { return Vec::new() };
        let stop = Stop::asked(now, self.patience);
        self.state = State::Cancelling { instance, stop, is_followed };
        let took = now.saturating_duration_since(since);
        vec![Action::Note(Note::BuildCancelled { took }), Action::Stop(instance, self.stop_signal)]
    }

    /// Stops for good; at once, if asked to for the second time.
    pub(super) fn abort(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.state {
            State::Idle => Vec::new(),
            State::Running { .. } => self.cancel(now, false),
            State::Cancelling { is_followed: is_followed @ true, .. } => {
                *is_followed = false;
                Vec::new()
            }
            State::Cancelling { instance, stop, .. } => {
                *stop = Stop::killed(now);
                vec![Action::Kill(*instance)]
            }
        }
    }

    /// A step's first process ended, or could not be started. `newest` is the generation that a
    /// build which follows is for.
    pub(super) fn ended(
        &mut self,
        how: Result<Exit, NotStarted>,
        newest: Generation,
        now: Instant,
        instance: impl FnOnce() -> Instance,
    ) -> Outcome {
        let State::Running { step, generation, since, is_stale, .. } = self.state else {
            // That it could not be started says that nothing is left.
            return match how {
                Ok(_) => Outcome::default(),
                Err(_) => self.gone(newest, now, instance).into(),
            };
        };
        if how == Ok(Exit::Code(0)) && step + 1 < self.steps {
            let (instance, step) = (instance(), step + 1);
            self.state = State::Running { instance, step, generation, since, is_stale };
            return vec![Action::Build { instance, step, generation }].into();
        }
        self.state = State::Idle;
        let took = now.saturating_duration_since(since);
        let mut outcome = Outcome::default();
        match how {
            Ok(Exit::Code(0)) => {
                outcome.actions.push(Action::Note(Note::Built { generation, took }));
                outcome.built = Some(generation);
            }
            how => {
                let failure = how.map_or_else(Failure::NotStarted, Failure::Exit);
                outcome.actions.push(Action::Note(Note::BuildFailed { step, failure, took }));
                outcome.failed = Some(failure);
            }
        }
        if is_stale {
            outcome.actions.extend(self.begin(newest, now, instance()));
        }
        outcome
    }

    /// Nothing is left of a step.
    pub(super) fn gone(
        &mut self,
        newest: Generation,
        now: Instant,
        instance: impl FnOnce() -> Instance,
    ) -> Vec<Action> {
        match self.state {
            State::Cancelling { is_followed: true, .. } => self.begin(newest, now, instance()),
            State::Cancelling { .. } => {
                self.state = State::Idle;
                Vec::new()
            }
            // It ended, and that was the end of the step.
            State::Idle | State::Running { .. } => Vec::new(),
        }
    }

    pub(super) fn tick(&mut self, now: Instant) -> Vec<Action> {
        let State::Cancelling { instance, stop, .. } = &mut self.state else { return Vec::new() };
        match stop.tick(now) {
            Some(Due::Kill) => vec![Action::Kill(*instance)],
            Some(Due::Report) => vec![Action::ReportUnkillable(*instance)],
            None => Vec::new(),
        }
    }

    /// Whether it is being stopped for good.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.state, State::Cancelling { is_followed: false, .. })
    }

    /// Whether it waits for what cannot be killed.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self.state, State::Cancelling { stop: Stop::Unkillable, .. })
    }
}
