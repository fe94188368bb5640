//! A service: one program, its builds and its engine. It carries out what the engine answers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use super::changes::Changes;
use super::steps::{Printer, Step};
use super::{Message, Shared};
use crate::engine::{
    Action, Echo, Engine, Event, Generation, Instance, NotStarted, Note, OnChange, Policy,
};
use crate::process::{Output, Program};
use crate::tree::Change;
use crate::ui::{Level, text};

/// What to run, and how.
#[derive(Debug)]
pub struct Spec {
    /// The program; without one, changes are only shown, or built.
    pub program: Option<Program>,
    /// The program as it was typed, to be shown.
    pub command: Vec<OsString>,
    /// What is done on a change before the program is started anew.
    pub steps: Vec<Step>,
    /// When to start and to kill.
    pub policy: Policy,
}

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
    echo: Echo,
    /// When the program was last started.
    started: Option<Instant>,
    /// What is being stopped.
    pub(super) stopping: BTreeMap<Instance, Stopping>,
    /// Steps of which the output is still read.
    steps: BTreeMap<Instance, RunningStep>,
    /// The last lines of the step that ended last.
    pub(super) output: Vec<String>,
    changes: Changes,
    /// The status to end with, once it is over.
    pub(super) ended: Option<i32>,
}

/// A step that runs, or has left something behind that does.
#[derive(Debug)]
struct RunningStep {
    output: Output,
    printer: Printer,
    /// What is not told before all output was shown.
    held: Option<Vec<Event>>,
    is_drained: bool,
}

impl Service {
    pub(super) fn new(spec: Spec) -> Self {
        Self {
            engine: Engine::new(spec.policy),
            spec,
            echo: Echo::default(),
            started: None,
            stopping: BTreeMap::new(),
            steps: BTreeMap::new(),
            output: Vec::new(),
            changes: Changes::default(),
            ended: None,
        }
    }

    /// The tree settled on other content.
    pub(super) fn changed(&mut self, changes: &[Change], shared: &mut Shared) {
        self.say_echo(changes, shared);
        self.changes.add(changes);
        self.tell(Event::Changed, shared);
    }

    /// Takes what a step writes.
    pub(super) fn wrote(&mut self, instance: Instance, bytes: &[u8], shared: &mut Shared) {
        if let Some(step) = self.steps.get_mut(&instance) {
            step.printer.print(bytes, &shared.log);
        }
    }

    /// All was read that a step wrote before its end.
    pub(super) fn drained(&mut self, instance: Instance, shared: &mut Shared) {
        let Some(step) = self.steps.get_mut(&instance) else { return };
        step.printer.finish(&shared.log);
        step.is_drained = true;
        self.output = step.printer.last().map(str::to_owned).collect();
        let held = step.held.take().unwrap_or_default();
        for event in held {
            self.tell_now(event, shared);
        }
    }

    /// Tells the engine what happened, and does what it answers.
    pub(super) fn tell(&mut self, event: Event, shared: &mut Shared) {
        let step = event.instance().and_then(|instance| self.steps.get_mut(&instance));
        match (step, event) {
            // What came of a step is told after all that it wrote.
            (Some(step), Event::Exited(..) | Event::NotStarted(..)) if !step.is_drained => {
                step.output.drain();
                step.held.get_or_insert_default().push(event);
            }
            (Some(RunningStep { held: Some(held), .. }), _) => held.push(event),
            _ => self.tell_now(event, shared),
        }
    }

    fn tell_now(&mut self, event: Event, shared: &mut Shared) {
        self.say(event, shared);
        if let Event::Gone(instance) | Event::NotStarted(instance, _) = event {
            self.stopping.remove(&instance);
        }
        let is_step = event.instance().is_some_and(|instance| self.is_step(instance));
        if let Event::Gone(instance) | Event::NotStarted(instance, _) = event {
            self.steps.remove(&instance);
        }
        let actions = self.engine.handle(event, Instant::now());
        if let Event::Exited(instance, exit) = event
            && !is_step
        {
            self.say_exit(instance, exit, shared);
        }
        self.act_all(actions, shared);
        if let (Event::NotStarted(..), None) = (event, self.ended) {
            self.say_retry(shared);
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, shared: &mut Shared) {
        let actions = self.engine.tick(Instant::now());
        self.act_all(actions, shared);
    }

    fn act_all(&mut self, actions: Vec<Action>, shared: &mut Shared) {
        for action in actions {
            self.act(action, shared);
        }
    }

    fn act(&mut self, action: Action, shared: &mut Shared) {
        match action {
            Action::Build { instance, step, generation } => {
                self.build(instance, step, generation, shared);
            }
            Action::Start(instance) => self.start(instance, shared),
            Action::Stop(instance, signal) => {
                self.stopping.insert(instance, Stopping { since: Instant::now(), signal });
                shared.children.stop(instance, signal);
            }
            Action::Signal(instance, signal) => shared.children.signal(instance, signal),
            Action::Kill(instance) => {
                self.say_kill(instance, shared);
                shared.children.kill(instance);
            }
            Action::ReportUnkillable(instance) => self.say_unkillable(instance, shared),
            Action::Note(note) => {
                let delivers = self.spec.policy.on_change != OnChange::Restart;
                if delivers && matches!(note, Note::Built { .. }) {
                    self.changes.delivered();
                }
                self.note(note, shared);
            }
            Action::End(status) => self.ended = Some(status),
        }
    }

    fn start(&mut self, instance: Instance, shared: &mut Shared) {
        let Some(program) = &self.spec.program else { return };
        let generation = self.engine.generation();
        let told = self.changes.variables(generation, program.user(), &shared.log);
        self.changes.delivered();
        // NUL bytes are in none of them.
        let program = program.with(&told).unwrap_or_else(|_| program.clone());
        match shared.children.start(instance, &program, None) {
            Ok(pid) => {
                self.started = Some(Instant::now());
                // Said before it is known whether that works, so that it comes before what the
                // program says.
                let command = text::command(&self.spec.command);
                let line = format!("starting {command} (pid {})", pid.as_raw_nonzero());
                shared.log.write(Level::Event, line);
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                self.tell(Event::NotStarted(instance, NotStarted::NoProcess(errno)), shared);
            }
        }
    }

    fn build(
        &mut self,
        instance: Instance,
        step: usize,
        generation: Generation,
        shared: &mut Shared,
    ) {
        let sender = shared.sender.clone();
        let send = move |chunk| sender.send(Message::Output(instance, chunk)).is_ok();
        let user = self.spec.steps[step].program.user();
        let told = self.changes.variables(generation, user, &shared.log);
        let step = &self.spec.steps[step];
        shared.log.write(Level::Event, format!("building: {}", step.command));
        let program = step.program.with(&told).unwrap_or_else(|_| step.program.clone());
        let begun = Output::new(send).and_then(|(output, writer)| {
            shared.children.start(instance, &program, Some(writer))?;
            Ok(output)
        });
        match begun {
            Ok(output) => {
                let printer = Printer::new(&step.prefix);
                let running = RunningStep { output, printer, held: None, is_drained: false };
                self.steps.insert(instance, running);
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                self.tell_now(Event::NotStarted(instance, NotStarted::NoProcess(errno)), shared);
            }
        }
    }

    pub(super) fn is_step(&self, instance: Instance) -> bool {
        self.steps.contains_key(&instance)
    }

    fn say_echo(&mut self, changes: &[Change], shared: &Shared) {
        let paths = changes.iter().map(|change| change.place().path());
        let paths: Vec<PathBuf> = paths.collect();
        let since_start = self.started.map(|started| started.elapsed());
        for path in self.echo.changed(paths.into_iter(), since_start) {
            let path = text::path(&path);
            let line = format!(
                "{path} changes after every start; if the program writes it, leave it out: -i {path}"
            );
            shared.log.write(Level::Problem, line);
        }
    }
}
