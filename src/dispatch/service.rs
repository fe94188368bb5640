//! A service: one program, its builds and its engine. It carries out what the engine answers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::Shared;
use super::changes::Changes;
use super::held::Held;
use super::probing::Probing;
use super::record::Record;
use super::rules::is_of;
use super::smoke::Smoke;
use super::spec::Spec;
use super::steps::RunningStep;
use super::supply::Supply;
use crate::control::BuildResult;
use crate::engine::{
    Action, Echo, Engine, Event, Instance, NotStarted, Note, OnChange, Outputs, Phase, Request,
};
use crate::process::{Given, Stdin};
use crate::ready::Tail;
use crate::tree::Change;
use crate::ui::{Kind, Line, text};

/// An instance that is being stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    pub(super) since: Instant,
    pub(super) signal: i32,
}

/// A service, and what is known of its instances.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) spec: Spec,
    pub(super) engine: Engine,
    pub(super) echo: Echo,
    /// When the program was last started.
    pub(super) started: Option<Instant>,
    pub(super) record: Record,
    pub(super) build_echo: Echo,
    pub(super) outputs: Outputs,
    /// What is told when it has been quiet after a build.
    pub(super) waiting: Vec<Event>,
    /// When the last build began.
    pub(super) build_began: Option<Instant>,
    /// What is being stopped.
    pub(super) stopping: BTreeMap<Instance, Stopping>,
    /// Steps of which the output is still read.
    pub(super) steps: BTreeMap<Instance, RunningStep>,
    /// The last lines of each step of the last build, as far as that has come.
    pub(super) output: Vec<Vec<String>>,
    pub(super) changes: Changes,
    pub(super) held: Held,
    pub(super) supply: Supply,
    pub(super) probing: Option<Probing>,
    pub(super) smoke: Option<Smoke>,
    /// The last lines that the program wrote, if they are kept.
    pub(super) tail: Option<Tail>,
    /// The number of the next command of a probe; they count down.
    pub(super) last_probe: u64,
    /// What the program said of itself last.
    pub(super) status: Option<String>,
    pub(super) has_heard_nonsense: bool,
    /// What was last said of the engine: its phase, whether it builds, whether it is paused.
    pub(super) state_said: Option<(Phase, bool, bool)>,
    /// The status to end with, once it is over.
    pub(super) ended: Option<i32>,
}

impl Service {
    /// A service of which the instances have numbers in this range.
    pub(super) fn new(mut spec: Spec, numbers: Range<u64>) -> Self {
        Self {
            supply: Supply::new(spec.sockets.clone(), spec.watchdog),
            probing: None,
            tail: spec.keeps_output.then(Tail::default),
            smoke: spec.checks.take().map(Smoke::new),
            last_probe: numbers.end - 1,
            status: None,
            has_heard_nonsense: false,
            state_said: None,
            engine: Engine::numbering(spec.policy, Instance(numbers.start + 1)),
            spec,
            echo: Echo::default(),
            started: None,
            record: Record::default(),
            build_echo: Echo::default(),
            outputs: Outputs::default(),
            waiting: Vec::new(),
            build_began: None,
            stopping: BTreeMap::new(),
            steps: BTreeMap::new(),
            output: Vec::new(),
            changes: Changes::default(),
            held: Held::default(),
            ended: None,
        }
    }

    /// What it is called, where there are several.
    pub(super) fn name(&self) -> Option<&str> {
        self.spec.name.as_deref()
    }

    /// Whether its program is the one at the terminal, if there is one.
    pub(super) fn reads_what_is_typed(&self) -> bool {
        self.spec.program.as_ref().is_some_and(|program| program.stdin() == Stdin::Inherit)
    }

    /// Whether what depends on it can begin: it is ready, has done what it is there for, or has
    /// built what there is to build.
    pub(super) fn is_ready(&self) -> bool {
        match (self.spec.program.is_some(), self.engine.phase()) {
            (true, Phase::Ready | Phase::Handover | Phase::Done) => true,
            (true, _) => self.ended == Some(0),
            (false, _) => {
                let result = self.record.build.as_ref().map(|build| build.result);
                self.spec.steps.is_empty() || result == Some(BuildResult::Done)
            }
        }
    }

    /// Which of these changes are its own.
    pub(super) fn own(&self, changes: &[Change]) -> Vec<Change> {
        changes.iter().filter(|change| is_of(&self.spec.filter, change)).cloned().collect()
    }

    /// Tells the engine what happened, and does what it answers.
    pub(super) fn tell(&mut self, event: Event, shared: &mut Shared) {
        if self.take_probe(event, shared) {
            return;
        }
        let step = event.instance().and_then(|instance| self.steps.get_mut(&instance));
        if step.is_none_or(|step| !step.hold(event)) {
            self.tell_now(event, shared);
        }
    }

    /// The same, of what is not held by a step.
    pub(super) fn tell_now(&mut self, event: Event, shared: &mut Shared) {
        if self.take_check(event, shared) {
            return;
        }
        self.abort_smoke(event, shared);
        self.say(event, shared);
        self.take_note(event);
        if let Event::Gone(instance) | Event::NotStarted(instance, _) = event {
            self.stopping.remove(&instance);
        }
        let is_step = event.instance().is_some_and(|instance| self.is_step(instance));
        if let Event::Gone(instance) | Event::NotStarted(instance, _) = event {
            self.steps.remove(&instance);
        }
        match event {
            Event::Started(instance) if !is_step => {
                self.supply.feed(instance);
                if self.spec.ready.is_none() {
                    self.record.ready(Duration::ZERO);
                }
                self.begin_probe(instance, shared);
            }
            Event::Exited(instance, _) | Event::NotStarted(instance, _) if !is_step => {
                self.is_no_more(instance, shared);
            }
            _ => {}
        }
        let now = Instant::now();
        let actions = self.engine.handle(event, now);
        self.note_done(Some(event), &actions);
        self.note_told(event, &actions);
        self.say_sent(event, &actions, shared);
        if let Event::Exited(instance, exit) = event
            && !is_step
        {
            if let Some(Stopping { since, .. }) = self.stopping.get(&instance) {
                self.record.stopped(since.elapsed());
            }
            self.record.exited(instance, exit);
            self.say_exit(instance, exit, now, shared);
        }
        self.act_all(actions, shared);
        if let (Event::NotStarted(..), None) = (event, self.ended) {
            self.say_retry(now, shared);
        }
    }

    /// Records what may lead to a start. Of changes that wait, none comes before they are resumed.
    fn take_note(&mut self, event: Event) {
        match event {
            Event::Changed | Event::Ruled(_) if self.engine.is_paused() => {}
            Event::Requested(Request::Pause) => self.hold(),
            Event::Requested(Request::Resume) if self.engine.has_waiting() => self.record.resumed(),
            event => self.record.take(event),
        }
    }

    /// A program that gets a signal for a change is told by it.
    fn note_told(&mut self, event: Event, actions: &[Action]) {
        let is_change =
            matches!(event, Event::Changed | Event::Ruled(_) | Event::Requested(Request::Resume));
        if is_change && actions.iter().any(|action| matches!(action, Action::Signal(..))) {
            self.changes.delivered();
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.engine.deadline(),
            self.supply.deadline(),
            self.probe_deadline(),
            self.smoke_deadline(),
            self.outputs.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, shared: &mut Shared) {
        if let Some(instance) = self.supply.hung(Instant::now()) {
            self.tell(Event::Hung(instance), shared);
        }
        self.tick_probe(shared);
        self.tick_smoke(shared);
        self.tick_outputs(shared);
        let actions = self.engine.tick(Instant::now());
        self.note_done(None, &actions);
        self.act_all(actions, shared);
    }

    fn act_all(&mut self, actions: Vec<Action>, shared: &mut Shared) {
        for action in actions {
            self.act(action, shared);
        }
        self.say_state(shared);
    }

    fn act(&mut self, action: Action, shared: &mut Shared) {
        match action {
            Action::Build { instance, step, generation } => {
                self.build(instance, step, generation, shared);
            }
            Action::Start(instance) => self.start(instance, shared),
            Action::Stop(instance, signal) => {
                self.is_no_more(instance, shared);
                self.stopping.insert(instance, Stopping { since: Instant::now(), signal });
                shared.children.stop(instance, signal);
            }
            Action::Signal(instance, signal) => shared.children.signal(instance, signal),
            Action::Kill(instance) => {
                self.say_kill(instance, shared);
                let killed = Stopping { since: Instant::now(), signal: libc::SIGKILL };
                self.stopping.entry(instance).or_insert(killed);
                shared.children.kill(instance);
            }
            Action::ReportUnkillable(instance) => self.say_unkillable(instance, shared),
            Action::Note(note) => {
                let delivers = self.spec.policy.on_change != OnChange::Restart;
                if delivers && matches!(note, Note::Built { .. }) {
                    self.changes.delivered();
                }
                self.note(note, shared);
                self.note_for_smoke(note, shared);
                self.note_for_outputs(note, shared);
            }
            Action::End(status) => self.ended = Some(status),
        }
    }

    fn start(&mut self, instance: Instance, shared: &mut Shared) {
        let Some(program) = &self.spec.program else { return };
        let generation = self.engine.generation();
        let mut told = self.changes.variables(generation, program.user(), &shared.log);
        told.extend(self.supply.variables());
        self.changes.delivered();
        // NUL bytes are in none of them.
        let program = program.with(&told).unwrap_or_else(|_| program.clone());
        self.tail.iter().for_each(Tail::clear);
        let started = self.tee(instance, shared).and_then(|[stdout, stderr]| {
            let given = Given { stdout, stderr, descriptors: self.supply.descriptors() };
            shared.children.start(instance, &program, given)
        });
        match started {
            Ok(pid) => {
                self.started = Some(Instant::now());
                self.supply.began(instance);
                // Said before it is known whether that works, so that it comes before what the
                // program says.
                let command = text::command(&self.spec.command);
                let pid = pid.as_raw_nonzero().get();
                let timeline = self.record.started(instance, pid, generation);
                let last = if self.engine.is_last_run() { ", the last run" } else { "" };
                let mut line = Line::event(
                    Kind::Starting,
                    format!("starting {command} (pid {pid}){last}{}", timeline.words()),
                );
                for (name, duration) in timeline.fields() {
                    line = line.with_ms(name, duration);
                }
                let line = line.with("command", command).with("pid", pid);
                self.log(line.with("generation", generation.0), shared);
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                self.tell(Event::NotStarted(instance, NotStarted::NoProcess(errno)), shared);
            }
        }
    }

    /// An instance has ended, or is about to: it need not say that it lives, nor become ready.
    fn is_no_more(&mut self, instance: Instance, shared: &mut Shared) {
        self.supply.gone(instance);
        self.end_probe(instance, shared);
    }
}
