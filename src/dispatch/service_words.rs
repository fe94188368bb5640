//! What is said of a service, one line for each thing that happened.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Shared;
use super::asked::state;
use super::record::{FailedStep, Noticed};
use super::service::{Service, Stopping};
use super::steps::{Step, output};
use crate::control::State;
use crate::engine::{Action, Event, Exit, Failure, Instance, Note, Outlook, Phase};
use crate::process::{Program, signals};
use crate::tree::Change;
use crate::ui::{Kind, Level, Line, program, text};
use serde_json::{Value, json};

/// So many of the last lines of a step that failed are repeated in the status.
const REPEATED: usize = 10;

/// The time that the kernel gives to a file is that of its last tick, and a start is noted when it
/// has been made.
const TICK: Duration = Duration::from_millis(50);

impl Service {
    /// The line for an event, if it deserves one.
    pub(super) fn say(&mut self, event: Event, shared: &Shared) {
        let line = match event {
            Event::Started(instance) if !self.is_step(instance) => {
                let took = self.started.map_or(Duration::ZERO, |started| started.elapsed());
                let line = format!("executed after {}", text::duration(took));
                Line::detail(Kind::Started, line).with_ms("took_ms", took)
            }
            Event::NotStarted(instance, why) if !self.is_step(instance) => {
                let name = self.spec.program.as_ref().map_or("".as_ref(), Program::name);
                let line = program::not_started(Path::new(name), why);
                self.record.trouble = Some(line.clone());
                Line::problem(Kind::NotStarted, line)
            }
            Event::Typed(signal) => {
                let name = signals::name(signal);
                let line = format!("{name} was typed; ending if the program does");
                Line::detail(Kind::Signal, line).with("signal", signals::name(signal))
            }
            Event::Signalled(signal) => {
                let line = format!("passing {} on", signals::name(signal));
                Line::detail(Kind::Signal, line).with("signal", signals::name(signal))
            }
            _ => return,
        };
        self.log(line, shared);
    }

    /// Says which signals the program is sent for a change. What is passed on was said before.
    pub(super) fn say_sent(&self, event: Event, actions: &[Action], shared: &Shared) {
        let is_passed_on = matches!(event, Event::Signalled(_));
        for action in actions.iter().filter(|_| !is_passed_on) {
            if let Action::Signal(_, signal) = action {
                let name = signals::name(*signal);
                let line = Line::event(Kind::Signal, format!("sending {name} to the program"));
                self.log(line.with("signal", name), shared);
            }
        }
    }

    /// Says how the program ended, once the engine has decided what that leads to. It did so at
    /// `now`: a wait is told as it was chosen, and not what is left of it.
    pub(super) fn say_exit(
        &mut self,
        instance: Instance,
        exit: Exit,
        now: Instant,
        shared: &Shared,
    ) {
        if let Some(Stopping { since, .. }) = self.stopping.get(&instance) {
            let took = since.elapsed();
            let exit = program::exit(exit);
            let line = format!("stopped after {} ({exit})", text::duration(took));
            let line = Line::event(Kind::Stopped, line).with("exit", exit).with_ms("took_ms", took);
            return self.log(line, shared);
        }
        let outlook = self.engine.outlook(now);
        let level = match exit.is_success() || outlook == Outlook::End {
            true => Level::Event,
            false => Level::Problem,
        };
        let left = shared.children.alive(instance).map_or(0, |alive| alive.len());
        let command = text::command(&self.spec.command);
        let words = program::ended(&command, exit, left, outlook);
        self.record.trouble = Some(words.clone());
        let words = match (level, exit) {
            (Level::Problem, Exit::Signal(_)) => format!("CRASHED: {words}"),
            (Level::Problem, Exit::Code(_)) => format!("FAILED: {words}"),
            _ => words,
        };
        let line = Line::new(level, Kind::Exited, words);
        self.log(line.with("exit", program::exit(exit)), shared);
    }

    pub(super) fn say_retry(&self, now: Instant, shared: &Shared) {
        if let Outlook::Retry(wait) = self.engine.outlook(now) {
            let line = format!("trying again in {}", text::duration(wait));
            self.log(Line::problem(Kind::Retrying, line).with_ms("wait_ms", wait), shared);
        }
    }

    pub(super) fn say_kill(&self, instance: Instance, shared: &Shared) {
        let what = match self.is_step(instance) {
            _ if self.spec.is_rule => "the command",
            true => "the build",
            false => "the program",
        };
        let line = match self.stopping.get(&instance) {
            Some(Stopping { since, signal }) => {
                let (since, signal) = (text::duration(since.elapsed()), signals::name(*signal));
                format!("{what} is still there {since} after {signal}: killing it")
            }
            None => format!("killing {what}"),
        };
        self.log(Line::problem(Kind::Killing, line), shared);
    }

    pub(super) fn say_unkillable(&self, instance: Instance, shared: &Shared) {
        let alive = shared.children.alive(instance).unwrap_or_default();
        let pids: Vec<i32> = alive.iter().map(|process| process.pid).collect();
        let line = Line::problem(Kind::Unkillable, program::unkillable(&alive));
        self.log(line.with("pids", pids), shared);
    }

    /// What the engine notes.
    pub(super) fn note(&mut self, note: Note, shared: &Shared) {
        let failed = match note {
            Note::BuildFailed { step, failure, .. } => {
                let Step { command, program, .. } = &self.spec.steps[step];
                let how = failure_of(command, program, failure);
                let output = self.step_output();
                let output = output[output.len().saturating_sub(REPEATED)..].to_vec();
                Some(FailedStep { command: command.clone(), how, output })
            }
            _ => None,
        };
        self.record.note(note, failed);
        let line = match note {
            Note::Built { took, .. } => {
                let done = if self.spec.is_rule { "done" } else { "built" };
                let line = format!("{done} in {}", text::duration(took));
                Line::event(Kind::Built, line).with_ms("took_ms", took)
            }
            Note::BuildFailed { step, failure, took } => {
                let step = &self.spec.steps[step];
                if !shared.log.shows(Level::Event) {
                    let quote = |line: &String| {
                        self.log(output(Level::Problem, &step.prefix, line), shared);
                    };
                    self.step_output().iter().for_each(quote);
                }
                let after = text::duration(took);
                let how = failure_of(&step.command, &step.program, failure);
                let line = match self.spec.is_rule {
                    true => format!("COMMAND FAILED after {after}: {how}"),
                    false => {
                        format!("BUILD FAILED after {after}: {how}; {}", self.goes_on(failure))
                    }
                };
                Line::problem(Kind::BuildFailed, line)
                    .with("command", &*step.command)
                    .with("reason", how)
                    .with_ms("took_ms", took)
            }
            Note::BuildCancelled { took } => {
                let what = if self.spec.is_rule { "the command" } else { "the build" };
                let line = format!("{what} is stopped after {}", text::duration(took));
                Line::event(Kind::BuildCancelled, line).with_ms("took_ms", took)
            }
            Note::Ready { took, .. } => self
                .since_change(Kind::Ready, format!("ready after {}", text::duration(took)))
                .with_ms("took_ms", took),
            Note::NotReady { .. } => {
                let lacks = self.lacks().unwrap_or_default();
                let line = match self.smoke {
                    Some(_) => format!("NOT READY in time (--timeout): {lacks}"),
                    None => format!(
                        "the program is not ready in time (--ready-timeout), and goes on: {lacks}"
                    ),
                };
                Line::problem(Kind::NotReady, line).with("reason", lacks)
            }
            Note::Hung { .. } => Line::problem(
                Kind::Hung,
                "the program's watchdog was not heard in time: stopping it",
            ),
            Note::HandedOver { took, .. } => {
                let after = text::duration(took);
                let line = format!("ready after {after}; stopping the one before");
                self.since_change(Kind::HandedOver, line).with_ms("took_ms", took)
            }
            Note::HandoverFailed { failure, .. } => {
                let Some(program) = &self.spec.program else { return };
                let mut how = failure_of(&text::command(&self.spec.command), program, failure);
                if let (Failure::NotReady, Some(lacks)) = (failure, self.lacks()) {
                    how = format!("{how}: {lacks}");
                }
                let line = format!("HANDOVER FAILED: {how}; the one before goes on");
                self.record.trouble = Some(line.clone());
                Line::problem(Kind::HandoverFailed, line).with("reason", how)
            }
        };
        self.log(line, shared);
    }

    /// How it goes on after a build that failed.
    fn goes_on(&self, failure: Failure) -> String {
        let outlook = self.engine.outlook(Instant::now());
        let runs = matches!(self.engine.phase(), Phase::Starting | Phase::Ready | Phase::Handover);
        match outlook {
            _ if self.smoke.is_some() => format!("ending with status {}", failure.status()),
            Outlook::End => format!("ending with status {}", failure.status()),
            _ if runs => "what runs goes on".into(),
            _ if self.engine.is_building() => "building once more".into(),
            Outlook::Retry(_) => "what was built before is started again".into(),
            Outlook::Change => "waiting for a change".into(),
        }
    }

    /// A line that also says how long it took since the change that led to it, if one did.
    fn since_change(&self, kind: Kind, words: String) -> Line {
        match self.record.started_for {
            None => Line::event(kind, words),
            Some(changed) => {
                let took = changed.elapsed();
                let line = format!("{words}, {} after the change", text::duration(took));
                Line::event(kind, line).with_ms("since_change_ms", took)
            }
        }
    }

    /// Says which paths change after every start, or every build: these lead to the next for ever.
    pub(super) fn say_echo(&mut self, changes: &[Change], noticed: Noticed, shared: &Shared) {
        let began = match self.spec.steps.is_empty() {
            true => self.started,
            false => self.build_began,
        };
        let made = noticed.made();
        // Of what waits, or was begun before, what runs is not the cause.
        if self.engine.is_paused() || began.is_some_and(|began| made + TICK < began) {
            return;
        }
        let paths: Vec<PathBuf> = changes.iter().map(|change| change.place().path()).collect();
        let since = began.map(|began| made.saturating_duration_since(began));
        if self.spec.steps.is_empty() {
            for path in self.echo.changed(paths.into_iter(), since) {
                let path = text::path(&path);
                let line = format!(
                    "{path} changes after every start; if the program writes it, leave it out: \
                     -i {path}"
                );
                self.log(Line::problem(Kind::Echo, line).with("path", path), shared);
            }
        } else {
            for path in self.build_echo.changed(paths.into_iter(), since) {
                let path = text::path(&path);
                let line = match self.spec.is_rule {
                    true => format!(
                        "{path} changes after every run of this rule; if its command writes it, \
                         leave it out of `match`: !/{path}"
                    ),
                    false => format!(
                        "{path} changes after every build has begun; if the build writes it, say \
                         so: --build-outputs {path}"
                    ),
                };
                self.log(Line::problem(Kind::Echo, line).with("path", path), shared);
            }
        }
    }

    /// Writes a line about this service.
    pub(super) fn log(&self, line: Line, shared: &Shared) {
        shared.log.write(line.of(self.name()));
    }

    /// Says that the engine is in another state than it was, for programs.
    pub(super) fn say_state(&mut self, shared: &Shared) {
        let now = (self.engine.phase(), self.engine.is_building(), self.engine.is_paused());
        let (phase, building, paused) = now;
        let before = self.state_said.replace(now);
        if before == Some(now) {
            return;
        }
        let has_program = self.spec.program.is_some();
        let name = |phase| json!(if has_program { state(phase) } else { State::Watching });
        let to = name(phase);
        let line = format!("the state is {}", to.as_str().unwrap_or_default());
        let line = Line::event(Kind::State, line)
            .with("from", before.map_or(Value::Null, |(phase, ..)| name(phase)))
            .with("to", to)
            .with("building", building)
            .with("paused", paused)
            .with("generation", self.engine.generation().0);
        shared.log.note(line.of(self.name()));
    }
}

pub(super) fn failure_of(command: &str, program: &Program, failure: Failure) -> String {
    match failure {
        Failure::Exit(Exit::Code(code)) => format!("{command} ended with status {code}"),
        Failure::Exit(Exit::Signal(signal)) => {
            format!("{command} was killed by {}", signals::name(signal))
        }
        Failure::NotStarted(why) => program::not_started(Path::new(program.name()), why),
        Failure::NotReady => format!("{command} was not ready in time (--ready-timeout)"),
        Failure::Hung => format!("{command} did not answer its watchdog"),
    }
}
