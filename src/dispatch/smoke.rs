//! A smoke test: once the program is ready, checks are run beside it, one after the other; then it
//! is stopped.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Shared;
use super::board::millis;
use super::service::Service;
use super::service_words::failure_of;
use super::steps::{Step, output};
use crate::engine::{Event, Exit, Failure, Instance, Note, Request};
use crate::ready::KEPT;
use crate::ui::{Kind, Level, Line, program, text};

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Checks {
    /// Commands that have to succeed.
    pub steps: Vec<Step>,
    /// How long each of them may take.
    pub timeout: Duration,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The version of what follows.
    pub schema: u32,
    /// Whether all went well.
    pub passed: bool,
    /// The status to exit with.
    pub status: i32,
    /// What went wrong first, in words.
    pub failure: Option<String>,
    /// From the start until the program was ready, in milliseconds.
    pub ready_ms: Option<u64>,
    /// The checks that came to an end, in their order.
    pub checks: Vec<Check>,
    /// The last lines that the program wrote, or the step of the build that failed.
    pub output: Vec<String>,
    /// Whether they are of the build.
    #[serde(skip)]
    pub is_of_build: bool,
    /// From the start until the first thing went wrong, or until the end, in milliseconds.
    #[serde(skip)]
    pub gave_up_ms: u64,
    /// The checks that did not come to an end.
    #[serde(skip)]
    pub skipped: Vec<String>,
}

/// A check that came to an end.
#[derive(Debug, Serialize)]
pub struct Check {
    /// As it was typed.
    pub command: String,
    /// Its exit status; 128+n when a signal n ended it, 124 when it took too long.
    pub status: i32,
    /// What went wrong, in words.
    pub failure: Option<String>,
    /// In milliseconds.
    pub took_ms: u64,
    /// The last lines that it wrote.
    pub output: Vec<String>,
}

/// The version of a [`Report`].
const SCHEMA: u32 = 1;

/// A smoke test that is under way.
#[derive(Debug)]
pub(super) struct Smoke {
    checks: Checks,
    report: Report,
    /// The check that runs, and since when.
    current: Option<(Instance, Instant)>,
    /// What came of it, as soon as that is known; it is over when nothing of it is left.
    verdict: Option<Failure>,
    /// Whether no further check is begun.
    is_over: bool,
    /// When the first thing went wrong.
    failed: Option<Instant>,
    /// The signal that was typed, and when the program is stopped if it did not end by it.
    typed: Option<(i32, Instant)>,
}

impl Smoke {
    pub(super) fn new(checks: Checks) -> Self {
        Self {
            checks,
            report: Report { schema: SCHEMA, ..Report::default() },
            current: None,
            verdict: None,
            is_over: false,
            failed: None,
            typed: None,
        }
    }

    /// What came of it, when stakeout ends with this status; `begun` is when the build or the program
    /// was started, and `output` what it wrote last.
    pub(super) fn report(self, status: i32, begun: Option<Instant>, output: Vec<String>) -> Report {
        let mut report = self.report;
        let done = report.checks.len();
        report.skipped =
            self.checks.steps.into_iter().skip(done).map(|step| step.command).collect();
        let is_complete = report.skipped.is_empty();
        report.passed = is_complete && report.failure.is_none();
        report.status = match (report.passed, report.status, status) {
            (true, ..) => 0,
            // It was ended from outside, or the program ended by itself: in order, but too soon.
            (false, 0, 0) => 1,
            (false, 0, status) => status,
            (false, failed, _) => failed,
        };
        if !report.passed && report.failure.is_none() {
            report.failure = Some(match report.ready_ms {
                None => "the program ended before it was ready".into(),
                Some(_) => "the program ended before all checks were done".into(),
            });
        }
        let end = self.failed.unwrap_or_else(Instant::now);
        report.gave_up_ms = begun.map(|begun| millis(end - begun)).unwrap_or_default();
        if !report.is_of_build {
            report.output = output;
        }
        report
    }

    /// Whether this instance is the check that runs.
    pub(super) fn is_check(&self, instance: Instance) -> bool {
        self.current.is_some_and(|(current, _)| current == instance)
    }

    fn fail(&mut self, status: i32, failure: &str) {
        if self.report.failure.is_none() {
            self.failed = Some(Instant::now());
            self.report.status = status;
            self.report.failure = Some(failure.to_owned());
        }
    }
}

impl Service {
    /// Takes note of what matters for a smoke test.
    pub(super) fn note_for_smoke(&mut self, note: Note, shared: &mut Shared) {
        let lacks = self.lacks();
        let Some(smoke) = &mut self.smoke else { return };
        match note {
            Note::Ready { took, .. } => {
                smoke.report.ready_ms = Some(millis(took));
                self.next_check(shared);
            }
            Note::NotReady { .. } => {
                let failure = match lacks {
                    Some(lacks) => format!("the program was not ready in time: {lacks}"),
                    None => "the program was not ready in time".into(),
                };
                smoke.fail(Failure::NotReady.status(), &failure);
                self.end_smoke(shared);
            }
            Note::BuildFailed { step, failure, .. } => {
                let Step { command, program, .. } = &self.spec.steps[step];
                let how = failure_of(command, program, failure);
                smoke.fail(failure.status(), &format!("the build failed: {how}"));
                let output = self.output.last().map_or(&[][..], Vec::as_slice);
                let last = output.len().saturating_sub(KEPT);
                smoke.report.output = output[last..].to_vec();
                smoke.report.is_of_build = true;
                self.end_smoke(shared);
            }
            _ => {}
        }
    }

    /// Begins the next check, or ends when there is none.
    fn next_check(&mut self, shared: &mut Shared) {
        let instance = self.next_probe();
        let Some(smoke) = &mut self.smoke else { return };
        if smoke.is_over || smoke.current.is_some() {
            return;
        }
        let done = smoke.report.checks.len();
        let Some(step) = smoke.checks.steps.get(done) else { return self.end_smoke(shared) };
        let line = format!("check {} of {}: {}", done + 1, smoke.checks.steps.len(), step.command);
        shared.log.write(
            Line::event(Kind::Check, line).with("number", done + 1).with("command", &*step.command),
        );
        smoke.current = Some((instance, Instant::now()));
        let (prefix, program) = (step.prefix.clone(), step.program.clone());
        self.run_step((instance, done), &prefix, &program, shared);
    }

    /// Takes an event, if it is about a check.
    pub(super) fn take_check(&mut self, event: Event, shared: &mut Shared) -> bool {
        let Some(smoke) = &mut self.smoke else { return false };
        let Some((current, _)) = smoke.current else { return false };
        if event.instance() != Some(current) {
            return false;
        }
        match event {
            Event::Exited(_, exit) => {
                if !exit.is_success() {
                    smoke.verdict.get_or_insert(Failure::Exit(exit));
                }
                // What it has left behind.
                shared.children.kill(current);
            }
            Event::NotStarted(_, why) => {
                smoke.verdict = Some(Failure::NotStarted(why));
                self.check_ended(shared);
            }
            Event::Gone(_) => self.check_ended(shared),
            _ => {}
        }
        true
    }

    /// Nothing is left of the check that ran.
    fn check_ended(&mut self, shared: &mut Shared) {
        let Some(smoke) = &mut self.smoke else { return };
        let Some((instance, begun)) = smoke.current.take() else { return };
        if smoke.is_over {
            self.steps.remove(&instance);
            return;
        }
        let took = begun.elapsed();
        let step = &smoke.checks.steps[smoke.report.checks.len()];
        let failure = smoke.verdict.take();
        let words = failure.map(|failure| match failure {
            Failure::Hung => {
                let timeout = text::duration(smoke.checks.timeout);
                format!("{} took longer than {timeout} (--check-timeout)", step.command)
            }
            failure => failure_of(&step.command, &step.program, failure),
        });
        let written = self.steps.remove(&instance).map(|step| step.printer.lines());
        let written = written.unwrap_or_default();
        let after = text::duration(took);
        match &words {
            None => {
                let line = Line::event(Kind::CheckPassed, format!("passed after {after}"));
                shared.log.write(line.with_ms("took_ms", took));
            }
            Some(words) => {
                if !shared.log.shows(Level::Event) {
                    let quote = |line: &String| {
                        shared.log.write(output(Level::Problem, &step.prefix, line));
                    };
                    written.iter().for_each(quote);
                }
                let line = format!("CHECK FAILED after {after}: {words}");
                shared.log.write(Line::problem(Kind::CheckFailed, line).with_ms("took_ms", took));
            }
        }
        let status = failure.map_or(0, Failure::status);
        let command = step.command.clone();
        if let Some(words) = &words {
            smoke.fail(status, words);
        }
        smoke.report.checks.push(Check {
            command,
            status,
            failure: words,
            took_ms: millis(took),
            output: written,
        });
        self.next_check(shared);
    }

    /// When the check that runs has taken too long, or a program has that was to end by Ctrl-C.
    pub(super) fn smoke_deadline(&self) -> Option<Instant> {
        let smoke = self.smoke.as_ref()?;
        let begun = smoke.current.filter(|_| smoke.verdict.is_none()).map(|(_, begun)| begun);
        let late = begun.map(|begun| begun + smoke.checks.timeout);
        late.into_iter().chain(smoke.typed.map(|(_, until)| until)).min()
    }

    /// Ends what has taken too long.
    pub(super) fn tick_smoke(&mut self, shared: &mut Shared) {
        let now = Instant::now();
        let Some(smoke) = &mut self.smoke else { return };
        if let Some((instance, begun)) = smoke.current
            && smoke.verdict.is_none()
            && begun + smoke.checks.timeout <= now
        {
            smoke.verdict = Some(Failure::Hung);
            shared.children.kill(instance);
        }
        if let Some((signal, _)) = smoke.typed.take_if(|(_, until)| *until <= now) {
            let stop = self.spec.policy.stop_signal;
            self.tell(Event::Interrupted { signal, stop }, shared);
        }
    }

    /// Whether the program has ended before a smoke test was over, and nothing says why.
    pub(super) fn is_smoke_cut(&self) -> bool {
        self.smoke.as_ref().is_some_and(|smoke| !smoke.is_over)
    }

    /// Takes note of what ends a smoke test before its time.
    pub(super) fn abort_smoke(&mut self, event: Event, shared: &mut Shared) {
        let Some(smoke) = &mut self.smoke else { return };
        let (status, failure) = match event {
            Event::Interrupted { signal, .. } | Event::Typed(signal) => {
                let signal = Exit::Signal(signal);
                (signal.status(), format!("it was ended by {}", program::exit(signal)))
            }
            // With the status that the program ends with then.
            Event::Requested(Request::Stop) => (0, "it was ended from outside".into()),
            _ => return,
        };
        if !std::mem::replace(&mut smoke.is_over, true) {
            smoke.fail(status, &failure);
            // The program has got it as well, and may end by it in its own way.
            if let Event::Typed(signal) = event {
                smoke.typed = Some((signal, Instant::now() + self.spec.policy.stop_timeout));
            }
        }
        if let Some((instance, _)) = smoke.current {
            shared.children.kill(instance);
        }
    }

    /// Stops the program, and with it everything.
    fn end_smoke(&mut self, shared: &mut Shared) {
        let Some(smoke) = &mut self.smoke else { return };
        if !std::mem::replace(&mut smoke.is_over, true) {
            self.tell(Event::Requested(Request::Stop), shared);
        }
    }
}
