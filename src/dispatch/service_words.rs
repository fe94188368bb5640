//! What is said of a service, one line for each thing that happened.

use std::path::Path;
use std::time::Instant;

use super::Shared;
use super::service::{Service, Stopping};
use crate::engine::{Event, Exit, Failure, Instance, Note, Outlook, Phase};
use crate::process::{Program, signals};
use crate::ui::{Level, program, text};

impl Service {
    /// The line for an event, if it deserves one.
    pub(super) fn say(&self, event: Event, shared: &Shared) {
        let (level, line) = match event {
            Event::NotStarted(instance, why) if !self.is_step(instance) => {
                let name = self.spec.program.as_ref().map_or("".as_ref(), Program::name);
                (Level::Problem, program::not_started(Path::new(name), why))
            }
            Event::Interrupted { .. } if self.engine.was_just_interrupted(Instant::now()) => return,
            Event::Interrupted { signal, .. } => {
                (Level::Event, format!("got {}, stopping", signals::name(signal)))
            }
            Event::Typed(signal) => {
                let name = signals::name(signal);
                (Level::Detail, format!("{name} was typed; ending if the program does"))
            }
            Event::Signalled(signal) => {
                (Level::Detail, format!("passing {} on", signals::name(signal)))
            }
            _ => return,
        };
        shared.log.write(level, line);
    }

    /// Says how the program ended, once the engine has decided what that leads to.
    pub(super) fn say_exit(&self, instance: Instance, exit: Exit, shared: &Shared) {
        if let Some(Stopping { since, .. }) = self.stopping.get(&instance) {
            let took = text::duration(since.elapsed());
            let line = format!("stopped after {took} ({})", program::exit(exit));
            return shared.log.write(Level::Event, line);
        }
        let outlook = self.engine.outlook(Instant::now());
        let level = match exit.is_success() || outlook == Outlook::End {
            true => Level::Event,
            false => Level::Problem,
        };
        let left = shared.children.alive(instance).map_or(0, |alive| alive.len());
        let command = text::command(&self.spec.command);
        shared.log.write(level, program::ended(&command, exit, left, outlook));
    }

    pub(super) fn say_retry(&self, shared: &Shared) {
        if let Outlook::Retry(wait) = self.engine.outlook(Instant::now()) {
            let line = format!("trying again in {}", text::duration(wait));
            shared.log.write(Level::Problem, line);
        }
    }

    pub(super) fn say_kill(&self, instance: Instance, shared: &Shared) {
        let what = if self.is_step(instance) { "the build" } else { "the program" };
        let line = match self.stopping.get(&instance) {
            Some(Stopping { since, signal }) => {
                let (since, signal) = (text::duration(since.elapsed()), signals::name(*signal));
                format!("{what} is still there {since} after {signal}: killing it")
            }
            None => format!("killing {what}"),
        };
        shared.log.write(Level::Problem, line);
    }

    pub(super) fn say_unkillable(&self, instance: Instance, shared: &Shared) {
        let alive = shared.children.alive(instance).unwrap_or_default();
        shared.log.write(Level::Problem, program::unkillable(&alive));
    }

    /// What the engine notes.
    pub(super) fn note(&mut self, note: Note, shared: &Shared) {
        let failure = match note {
            Note::BuildFailed { step, failure, .. } => {
                let step = &self.spec.steps[step];
                Some(failure_of(&step.command, &step.program, failure))
            }
            _ => None,
        };
        self.record.note(note, failure);
        let runs = matches!(self.engine.phase(), Phase::Starting | Phase::Ready | Phase::Handover);
        let (level, line) = match note {
            Note::Built { took, .. } => {
                (Level::Event, format!("built in {}", text::duration(took)))
            }
            Note::BuildFailed { step, failure, took } => {
                let step = &self.spec.steps[step];
                if !shared.log.shows(Level::Event) {
                    let quote =
                        |line: &String| shared.log.quote(Level::Problem, &step.prefix, line);
                    self.output.iter().for_each(quote);
                }
                let after = text::duration(took);
                let next = match runs {
                    true => "what runs goes on",
                    false => "waiting for a change",
                };
                let how = failure_of(&step.command, &step.program, failure);
                (Level::Problem, format!("BUILD FAILED after {after}: {how}; {next}"))
            }
            Note::BuildCancelled { took } => {
                let after = text::duration(took);
                (Level::Event, format!("the build is stopped after {after}"))
            }
            Note::Ready { took, .. } => {
                (Level::Event, format!("ready after {}", text::duration(took)))
            }
            Note::NotReady { .. } if self.smoke.is_some() => {
                (Level::Problem, "NOT READY in time (--timeout)".to_owned())
            }
            Note::NotReady { .. } => (
                Level::Problem,
                "the program is not ready in time (--ready-timeout); it goes on".to_owned(),
            ),
            Note::Hung { .. } => (
                Level::Problem,
                "the program's watchdog was not heard in time: stopping it".to_owned(),
            ),
            Note::HandedOver { took, .. } => {
                let after = text::duration(took);
                (Level::Event, format!("ready after {after}; stopping the one before"))
            }
            Note::HandoverFailed { failure, .. } => {
                let how = match &self.spec.program {
                    Some(program) => {
                        failure_of(&text::command(&self.spec.command), program, failure)
                    }
                    None => return,
                };
                (Level::Problem, format!("HANDOVER FAILED: {how}; the one before goes on"))
            }
        };
        shared.log.write(level, line);
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
