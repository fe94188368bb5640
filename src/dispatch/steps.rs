//! Steps: commands that run before the program or beside it, of which what they write is shown line
//! by line, and told before what came of them.

use std::collections::VecDeque;
use std::time::Instant;

use super::service::Service;
use super::{Message, Shared};
use crate::engine::{Event, Generation, Instance, NotStarted};
use crate::process::{Given, Output, Program};
use crate::ui::{Kind, Level, Line, Lines, Log};

/// A command that is run before the program is started anew.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it was typed.
    pub command: String,
    /// What its lines are shown with in front.
    pub prefix: String,
    /// What is run.
    pub program: Program,
}

/// A step that runs, or has left something behind that does.
#[derive(Debug)]
pub(super) struct RunningStep {
    /// Which of the build's it is, from 0.
    number: usize,
    output: Output,
    pub(super) printer: Printer,
    /// What is not told before all output was shown.
    held: Option<Vec<Event>>,
    is_drained: bool,
}

impl RunningStep {
    /// Holds an event back, if it is not to be told yet: what came of a step is told after all that
    /// it wrote. Says whether it does.
    pub(super) fn hold(&mut self, event: Event) -> bool {
        let is_outcome = matches!(event, Event::Exited(..) | Event::NotStarted(..));
        if is_outcome && !self.is_drained {
            self.output.drain();
            self.held.get_or_insert_default().push(event);
            return true;
        }
        self.held.as_mut().is_some_and(|held| {
            held.push(event);
            true
        })
    }
}

impl Service {
    /// Runs a step of the build.
    pub(super) fn build(
        &mut self,
        instance: Instance,
        step: usize,
        generation: Generation,
        shared: &mut Shared,
    ) {
        if step == 0 {
            let now = Instant::now();
            self.build_began = Some(now);
            self.outputs.began(now);
            self.waiting.clear();
        }
        let user = self.spec.steps[step].program.user();
        let told = self.changes.variables(generation, user, &shared.log);
        let number = step;
        let step = &self.spec.steps[number];
        let doing = if self.spec.is_rule { "running" } else { "building" };
        let line = Line::event(Kind::Build, format!("{doing}: {}", step.command))
            .with("command", &*step.command)
            .with("generation", generation.0);
        self.log(line, shared);
        let program = step.program.with(&told).unwrap_or_else(|_| step.program.clone());
        let prefix = step.prefix.clone();
        self.run_step((instance, number), &prefix, &program, shared);
    }

    /// Starts a command of which what it writes is shown line by line.
    pub(super) fn run_step(
        &mut self,
        (instance, number): (Instance, usize),
        prefix: &str,
        program: &Program,
        shared: &mut Shared,
    ) {
        let sender = shared.sender.clone();
        let send = move |chunk| sender.send(Message::Output(instance, chunk)).is_ok();
        let begun = Output::new(send).and_then(|(output, writer)| {
            let stderr = Some(writer.try_clone()?);
            let given = Given { stdout: Some(writer), stderr, descriptors: Vec::new() };
            shared.children.start(instance, program, given)?;
            Ok(output)
        });
        match begun {
            Ok(output) => {
                let printer = Printer::new(self.name(), prefix);
                let running =
                    RunningStep { number, output, printer, held: None, is_drained: false };
                self.steps.insert(instance, running);
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                self.tell_now(Event::NotStarted(instance, NotStarted::NoProcess(errno)), shared);
            }
        }
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
        if self.smoke.as_ref().is_none_or(|smoke| !smoke.is_check(instance)) {
            // That of the build before goes with the first.
            self.output.truncate(step.number);
            self.output.push(step.printer.lines());
        }
        let held = step.held.take().unwrap_or_default();
        for event in held {
            self.tell_now(event, shared);
        }
    }

    /// The last lines of what the step that ended last wrote.
    pub(super) fn step_output(&self) -> &[String] {
        self.output.last().map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_step(&self, instance: Instance) -> bool {
        self.steps.contains_key(&instance)
    }
}

/// Shows what a step writes, line by line.
#[derive(Debug)]
pub(super) struct Printer {
    service: Option<String>,
    prefix: String,
    lines: Lines,
    last: VecDeque<String>,
}

/// So many of the last lines are kept.
const KEPT: usize = 200;

impl Printer {
    fn new(service: Option<&str>, prefix: &str) -> Self {
        let service = service.map(str::to_owned);
        Self { service, prefix: prefix.to_owned(), lines: Lines::default(), last: VecDeque::new() }
    }

    /// Shows the lines that these bytes end.
    fn print(&mut self, bytes: &[u8], log: &Log) {
        let Self { service, prefix, lines, last } = self;
        lines.take(bytes, |line| show(line, service.as_deref(), prefix, last, log));
    }

    /// Shows what was begun.
    fn finish(&mut self, log: &Log) {
        let Self { service, prefix, lines, last } = self;
        lines.finish(|line| show(line, service.as_deref(), prefix, last, log));
    }

    /// The last lines.
    pub(super) fn lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}

/// Shows a line, and keeps it among the last ones.
fn show(line: &str, service: Option<&str>, prefix: &str, last: &mut VecDeque<String>, log: &Log) {
    log.write(output(Level::Event, prefix, line).of(service));
    if last.len() == KEPT {
        last.pop_front();
    }
    last.push_back(line.to_owned());
}

/// A line that a step wrote.
pub(super) fn output(level: Level, prefix: &str, line: &str) -> Line {
    Line::new(level, Kind::Output, line).with("source", prefix)
}
