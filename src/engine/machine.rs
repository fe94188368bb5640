//! The machine: told what happened, it answers what to do. It lets the builder build what
//! changed, and the runner run what was built.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::builder::{Builder, Outcome};
use super::runner::Runner;
use super::{Action, Event, Generation, Instance, OnChange, Outlook, Phase, Policy, Request};

/// Decides for one program.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    generation: Generation,
    next_instance: u64,
    builder: Builder,
    runner: Runner,
    /// What the changes lead to that nothing has come of yet.
    wanted: Option<OnChange>,
    /// Whether changes wait, and whether there was one.
    paused: Option<bool>,
    /// Signals that wait with them, by rules.
    waiting: BTreeSet<i32>,
    /// The status to end with, as soon as nothing is built any more.
    ending: Option<i32>,
    /// When somebody wanted it to end last.
    interrupted: Option<Instant>,
}

/// What asks to end so soon after another is the same wish: timeout(1), for example, sends its
/// signal to its child and then to its whole group.
const SAME: Duration = Duration::from_millis(100);

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(policy: Policy) -> Self {
        Self::numbering(policy, Instance(1))
    }

    /// The same, of which the instances are numbered from `first` on: those of several engines
    /// can be told apart.
    pub fn numbering(policy: Policy, first: Instance) -> Self {
        let Policy { steps, on_busy, stop_signal, stop_timeout, .. } = policy;
        Self {
            policy,
            generation: Generation(0),
            next_instance: first.0,
            builder: Builder::new(steps, on_busy, stop_signal, stop_timeout),
            runner: Runner::new(policy),
            wanted: None,
            paused: None,
            waiting: BTreeSet::new(),
            ending: None,
            interrupted: None,
        }
    }

    /// Goes on counting where another engine has ended.
    pub fn begin_after(&mut self, generation: Generation) {
        self.generation = generation;
    }

    /// How many change sets there were.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What the program is doing.
    pub fn phase(&self) -> Phase {
        self.runner.phase()
    }

    /// Whether something is being built.
    pub fn is_building(&self) -> bool {
        !self.builder.is_idle()
    }

    /// Whether changes wait.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether there was a change that waits.
    pub fn has_waiting(&self) -> bool {
        self.paused == Some(true)
    }

    /// Whether there was one, or signals wait.
    pub fn is_anything_waiting(&self) -> bool {
        self.has_waiting() || !self.waiting.is_empty()
    }

    /// All that waits was undone.
    pub fn undone(&mut self) {
        if let Some(has_changed) = &mut self.paused {
            *has_changed = false;
            self.waiting.clear();
        }
    }

    /// The instance that is up, or going.
    pub fn current(&self) -> Option<Instance> {
        self.runner.current()
    }

    /// Whether somebody has wanted it to end so shortly before `now` that another
    /// [`Event::Interrupted`] says nothing new.
    pub fn was_just_interrupted(&self, now: Instant) -> bool {
        self.interrupted.is_some_and(|before| now.saturating_duration_since(before) < SAME)
    }

    /// Whether what runs is the last that may.
    pub fn is_last_run(&self) -> bool {
        self.runner.is_spent()
    }

    /// When [`Engine::tick`] has something to do, unless an event comes first.
    pub fn deadline(&self) -> Option<Instant> {
        self.builder.deadline().into_iter().chain(self.runner.deadline()).min()
    }

    /// What has to happen before the program is started again.
    pub fn outlook(&self, now: Instant) -> Outlook {
        self.runner.outlook(now)
    }

    /// Takes note of an event that happened at `now`.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let actions = match event {
            Event::Watching if self.policy.postpone => Vec::new(),
            Event::Watching => self.trigger(now),
            Event::Changed => self.changed(self.policy.on_change, now),
            Event::Ruled(OnChange::Signal(signal)) => self.ruled(signal, now),
            Event::Ruled(how) => self.changed(how, now),
            Event::Requested(request) => self.requested(request, now),
            Event::Interrupted { signal, stop } => self.interrupt(signal, stop, now),
            Event::Typed(signal) => self.runner.typed(signal, now),
            Event::Signalled(signal) => self.runner.signalled(signal),
            event if event.instance().is_some_and(|instance| self.builder.has(instance)) => {
                self.about_build(event, now)
            }
            event => self.about_program(event, now),
        };
        self.note_begun(&actions);
        self.hold_end(actions, now)
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = self.builder.tick(now);
        let Self { runner, next_instance, .. } = self;
        actions.extend(runner.tick(now, &mut || fresh(next_instance)));
        self.note_begun(&actions);
        self.hold_end(actions, now)
    }

    /// The tree is another, which leads to this.
    fn changed(&mut self, how: OnChange, now: Instant) -> Vec<Action> {
        self.generation.0 += 1;
        self.wanted = self.wanted.max(Some(how));
        match &mut self.paused {
            Some(has_changed) => {
                *has_changed = true;
                Vec::new()
            }
            None => self.trigger(now),
        }
    }

    /// The tree is another, and the program is to be sent a signal for it.
    fn ruled(&mut self, signal: i32, now: Instant) -> Vec<Action> {
        match self.runner.up() {
            _ if self.paused.is_some() => {
                self.waiting.insert(signal);
                Vec::new()
            }
            Some(instance) => vec![Action::Signal(instance, signal)],
            // It may be just what it failed for.
            None => self.changed(self.policy.on_change, now),
        }
    }

    /// The tree is another, or is looked at for the first time.
    fn trigger(&mut self, now: Instant) -> Vec<Action> {
        let Self { builder, runner, next_instance, generation, .. } = self;
        if runner.is_spent() && self.wanted.unwrap_or(self.policy.on_change) >= OnChange::Handover {
            return Vec::new();
        }
        match builder.has_steps() && self.ending.is_none() && runner.outlook(now) != Outlook::End {
            true => builder.build(*generation, now, || fresh(next_instance)),
            false => self.act(now),
        }
    }

    /// What changed is built, if it had to be.
    fn act(&mut self, now: Instant) -> Vec<Action> {
        let how = self.wanted.take().unwrap_or(self.policy.on_change);
        let Self { runner, next_instance, .. } = self;
        runner.changed(how, now, &mut || fresh(next_instance))
    }

    /// Does what has waited.
    fn resume(&mut self, now: Instant) -> Vec<Action> {
        let has_changed = self.paused.take() == Some(true);
        let waiting = std::mem::take(&mut self.waiting);
        let is_replaced = has_changed && self.wanted >= Some(OnChange::Handover);
        let mut actions = if has_changed { self.trigger(now) } else { Vec::new() };
        for signal in waiting.into_iter().filter(|_| !is_replaced) {
            actions.extend(self.ruled(signal, now));
        }
        actions
    }

    /// What begins while changes wait, as someone asked or after a failure, is of the newest content:
    /// nothing is left for them to lead to.
    fn note_begun(&mut self, actions: &[Action]) {
        let Some(has_changed) = &mut self.paused else { return };
        let is_built = self.builder.has_steps();
        for action in actions {
            match action {
                Action::Build { step: 0, .. } => *has_changed = false,
                Action::Start(_) => {
                    self.waiting.clear();
                    if !is_built {
                        (*has_changed, self.wanted) = (false, None);
                    }
                }
                _ => {}
            }
        }
    }

    fn interrupt(&mut self, signal: i32, stop: i32, now: Instant) -> Vec<Action> {
        if self.was_just_interrupted(now) {
            return Vec::new();
        }
        self.interrupted = Some(now);
        let mut actions = self.builder.abort(now);
        actions.extend(self.runner.interrupt(signal, stop, now));
        actions
    }

    fn requested(&mut self, request: Request, now: Instant) -> Vec<Action> {
        match request {
            Request::Restart => {
                let Self { runner, next_instance, .. } = self;
                runner.restart(now, &mut || fresh(next_instance))
            }
            Request::Build => {
                self.wanted = self.wanted.max(Some(self.policy.on_change));
                if let (Some(has_changed), false) = (&mut self.paused, self.builder.has_steps()) {
                    *has_changed = false;
                }
                self.trigger(now)
            }
            Request::Pause => {
                self.paused.get_or_insert(false);
                Vec::new()
            }
            Request::Resume => self.resume(now),
            Request::Stop => {
                let signal = self.policy.stop_signal;
                self.interrupt(signal, signal, now)
            }
        }
    }

    fn about_build(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let Self { builder, next_instance, generation, .. } = self;
        let next = || fresh(next_instance);
        let Outcome { mut actions, built, failed } = match event {
            Event::Exited(_, exit) => builder.ended(Ok(exit), *generation, now, next),
            Event::NotStarted(_, why) => builder.ended(Err(why), *generation, now, next),
            Event::Gone(_) => builder.gone(*generation, now, next).into(),
            _ => Outcome::default(),
        };
        if built.is_some() {
            actions.extend(self.act(now));
            if !self.policy.has_program {
                actions.extend(self.runner.ran_in_vain(0));
            }
        }
        // Nothing will mend it.
        if let Some(failure) = failed {
            let is_final = self.policy.exit_with_child && self.runner.phase() == Phase::Waiting;
            actions.extend(match is_final {
                true => self.runner.end(failure.status()),
                false => self.runner.ran_in_vain(failure.status()),
            });
        }
        actions
    }

    fn about_program(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let Self { runner, next_instance, .. } = self;
        let mut next = || fresh(next_instance);
        match event {
            Event::Started(instance) => runner.started(instance, now),
            Event::Ready(instance) => runner.is_ready(instance, now),
            Event::Hung(instance) => runner.hung(instance, now),
            Event::Extended(instance, by) => {
                runner.extend(instance, now + by);
                Vec::new()
            }
            Event::NotStarted(instance, why) if runner.has(instance) => {
                runner.not_started(instance, why, now, &mut next)
            }
            Event::Exited(instance, exit) => runner.exited(instance, exit, now),
            Event::Gone(instance) => runner.gone(instance, now, &mut next),
            _ => Vec::new(),
        }
    }

    /// Keeps the end back until nothing is built any more.
    fn hold_end(&mut self, mut actions: Vec<Action>, now: Instant) -> Vec<Action> {
        let end = actions.iter().position(|action| matches!(action, Action::End(_)));
        if let Some(Action::End(status)) = end.map(|at| actions.remove(at)) {
            self.ending = Some(status);
        }
        let is_over = self.runner.outlook(now) == Outlook::End;
        if is_over && !self.builder.is_idle() && !self.builder.is_ending() {
            actions.extend(self.builder.abort(now));
        }
        if let Some(status) = self.ending
            && (self.builder.is_idle() || self.builder.is_stuck())
        {
            self.ending = None;
            actions.push(Action::End(status));
        }
        actions
    }
}

fn fresh(next_instance: &mut u64) -> Instance {
    let instance = Instance(*next_instance);
    *next_instance += 1;
    instance
}

#[cfg(test)]
mod tests;
