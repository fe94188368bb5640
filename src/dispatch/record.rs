//! What a service has been through, for whoever asks.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use super::board::{epoch, millis};
use crate::control::{Build, BuildResult, Builds, Cause, Histogram, Restarts, Start};
use crate::engine::{Event, Exit, Generation, Instance, Note, OnChange, Request};
use crate::ui::{program, text};

/// Builds, starts and ends so far.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The last build that came to an end.
    pub(super) build: Option<Build>,
    pub(super) builds: Builds,
    /// The last starts, the newest last.
    pub(super) recent: VecDeque<Start>,
    pub(super) detection: Histogram,
    pub(super) restarting: Histogram,
    /// Why the program is not up, in words, if it is not; or why another could not take over.
    pub(super) trouble: Option<String>,
    pub(super) restarts: Restarts,
    pub(super) last_exit: Option<String>,
    /// Whether what was started last has ended, and in order.
    pub(super) ended_well: bool,
    /// The process that was started last, while it is there.
    pub(super) pid: Option<i32>,
    instance: Option<Instance>,
    /// What was not ready in time.
    pub(super) late: Option<Instance>,
    /// What led to the next start.
    cause: Cause,
    timeline: Timeline,
    /// When the change was made, or noticed, that what runs was started for, if it was for one.
    pub(super) started_for: Option<Instant>,
}

/// How long a change took to be noticed, if that is known, and to settle, and a time after which
/// it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noticed {
    pub(super) detect: Option<Duration>,
    pub(super) settle: Duration,
    pub(super) after: Instant,
}

impl Noticed {
    /// When the first of the changes was made, or noticed.
    pub(super) fn made(self) -> Instant {
        let now = Instant::now();
        now.checked_sub(self.settle + self.detect.unwrap_or_default()).unwrap_or(now)
    }
}

/// A step of a build that failed.
#[derive(Debug)]
pub(super) struct FailedStep {
    /// As it was typed.
    pub(super) command: String,
    pub(super) how: String,
    /// The last lines that it wrote.
    pub(super) output: Vec<String>,
}

/// What took how long from a change to the start that it led to, as far as it was needed.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// When the first change was made, or noticed, that was not followed by a start yet.
    changed: Option<Instant>,
    detect: Option<Duration>,
    settle: Option<Duration>,
    build: Option<Duration>,
    stop: Option<Duration>,
}

/// So many starts are kept.
const RECENT: usize = 20;

impl Record {
    /// The record of a service that takes this one's place.
    pub(super) fn successor(&self) -> Self {
        Self {
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
            builds: self.builds,
            recent: self.recent.clone(),
            detection: self.detection,
            restarting: self.restarting,
            cause: Cause::Request,
            ..Self::default()
        }
    }

    /// Something happened that may lead to a start.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            // Of a signal to what runs, nothing starts anew.
            Event::Ruled(OnChange::Signal(_)) if self.pid.is_some() => {}
            Event::Changed | Event::Ruled(_) if self.instance.is_some() => {
                self.cause = Cause::Change;
            }
            Event::Requested(Request::Restart | Request::Build) if self.instance.is_some() => {
                self.cause = Cause::Request;
            }
            Event::Hung(_) | Event::NotStarted(..) => self.cause = Cause::Failure,
            _ => {}
        }
    }

    /// Changes that have waited lead to what they had led to before.
    pub(super) fn resumed(&mut self) {
        if self.instance.is_some() {
            self.cause = Cause::Change;
        }
    }

    /// The program was started; gives what took how long since the change that led to it.
    pub(super) fn started(
        &mut self,
        instance: Instance,
        pid: i32,
        generation: Generation,
    ) -> Timeline {
        self.ended_well = false;
        self.instance = Some(instance);
        self.pid = Some(pid);
        let timeline = std::mem::take(&mut self.timeline);
        let cause = std::mem::replace(&mut self.cause, Cause::Failure);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(timeline.start(generation, cause));
        self.started_for = None;
        match cause {
            Cause::Begin => {}
            Cause::Change => {
                self.started_for = timeline.changed;
                self.restarts.by_change += 1;
                return timeline;
            }
            Cause::Failure => self.restarts.by_failure += 1,
            Cause::Request => self.restarts.by_request += 1,
        }
        Timeline::default()
    }

    /// The program became ready so long after it was started.
    pub(super) fn ready(&mut self, took: Duration) {
        self.trouble = None;
        let Some(start) = self.recent.back_mut() else { return };
        start.ready_ms = Some(millis(took));
        let Start { cause, detect_ms, settle_ms, build_ms, stop_ms, ready_ms, .. } = *start;
        if cause == Cause::Change {
            let parts = [detect_ms, settle_ms, build_ms, stop_ms, ready_ms];
            self.restarting.add(parts.into_iter().flatten().sum());
        }
    }

    /// A change has just settled.
    pub(super) fn settled(&mut self, noticed: Noticed) {
        let Noticed { detect, settle, .. } = noticed;
        if let Some(detect) = detect {
            self.detection.add(millis(detect));
        }
        if self.timeline.changed.is_none() {
            self.timeline.changed = Some(noticed.made());
            self.timeline.detect = detect;
        }
        self.timeline.settle = Some(settle);
    }

    /// Changes that have waited were undone.
    pub(super) fn undone(&mut self) {
        self.timeline = Timeline::default();
    }

    /// The program was stopped within this time.
    pub(super) fn stopped(&mut self, took: Duration) {
        self.timeline.stop = Some(took);
    }

    /// An instance of the program ended.
    pub(super) fn exited(&mut self, instance: Instance, exit: Exit) {
        if self.instance == Some(instance) {
            self.pid = None;
        }
        self.last_exit = Some(program::exit(exit));
        self.ended_well = exit.is_success();
    }

    /// The engine noted something; `failed` is the step of a build that did.
    pub(super) fn note(&mut self, note: Note, failed: Option<FailedStep>) {
        if let Note::NotReady { instance } = note {
            self.late = Some(instance);
        }
        let (result, count, took): (_, _, Duration) = match note {
            Note::Built { took, .. } => (BuildResult::Done, &mut self.builds.done, took),
            Note::BuildFailed { took, .. } => (BuildResult::Failed, &mut self.builds.failed, took),
            Note::BuildCancelled { took } => {
                (BuildResult::Cancelled, &mut self.builds.cancelled, took)
            }
            Note::Ready { took, .. } | Note::HandedOver { took, .. } => return self.ready(took),
            _ => return,
        };
        *count += 1;
        match result {
            // The next change begins anew.
            BuildResult::Failed => self.timeline = Timeline::default(),
            BuildResult::Done | BuildResult::Cancelled => self.timeline.build = Some(took),
        }
        let (mut failure, mut step, mut output) = (None, None, Vec::new());
        if let Some(failed) = failed {
            (failure, step, output) = (Some(failed.how), Some(failed.command), failed.output);
        }
        self.build = Some(Build { result, took_ms: millis(took), failure, step, output });
    }
}

impl Timeline {
    fn start(&self, generation: Generation, cause: Cause) -> Start {
        let at = epoch(SystemTime::now());
        let part = |took: Option<Duration>| took.filter(|_| cause == Cause::Change).map(millis);
        let [detect_ms, settle_ms] = [part(self.detect), part(self.settle)];
        let [build_ms, stop_ms] = [part(self.build), part(self.stop)];
        let generation = generation.0;
        Start { generation, at, cause, detect_ms, settle_ms, build_ms, stop_ms, ready_ms: None }
    }

    /// `, 614ms after the change (settling 101ms, building 500ms, stopping 12ms)`.
    pub(super) fn words(&self) -> String {
        let Some(changed) = self.changed else { return String::new() };
        let parts = [
            ("noticing", self.detect),
            ("settling", self.settle),
            ("building", self.build),
            ("stopping", self.stop),
        ];
        let parts = parts.into_iter().filter_map(|(part, took)| Some((part, took?)));
        // Below a millisecond, digits tell nothing.
        let shown = |took: Duration| match took.as_millis() {
            0 => "<1ms".to_owned(),
            _ => text::duration(took),
        };
        let parts = parts.map(|(part, took)| format!("{part} {}", shown(took)));
        let parts = parts.collect::<Vec<_>>().join(", ");
        format!(", {} after the change ({parts})", text::duration(changed.elapsed()))
    }

    /// The same for programs.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let fields = [
            ("since_change_ms", self.changed.map(|changed| changed.elapsed())),
            ("detect_ms", self.detect),
            ("settle_ms", self.settle),
            ("build_ms", self.build),
            ("stop_ms", self.stop),
        ];
        // Of a start that was not due to a change, none is told.
        let is_told = self.changed.is_some();
        fields.into_iter().filter(move |_| is_told).filter_map(|(name, took)| Some((name, took?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_no_time_is_told_without_digits() {
        let timeline = Timeline {
            changed: Some(Instant::now()),
            detect: Some(Duration::from_micros(917)),
            settle: Some(Duration::from_micros(100_400)),
            ..Timeline::default()
        };
        let words = timeline.words();
        assert!(words.ends_with(" after the change (noticing <1ms, settling 100ms)"), "{words}");
    }
}
