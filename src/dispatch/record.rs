//! What a service has been through, for whoever asks.

use std::time::Duration;

use super::board::millis;
use crate::control::{Build, BuildResult, Restarts};
use crate::engine::{Event, Exit, Instance, Note, Request};
use crate::ui::program;

/// Builds, starts and ends so far.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The last build that came to an end.
    pub(super) build: Option<Build>,
    pub(super) restarts: Restarts,
    pub(super) last_exit: Option<String>,
    /// The process that was started last, while it is there.
    pub(super) pid: Option<i32>,
    instance: Option<Instance>,
    /// What led to the next start.
    cause: Cause,
}

/// What leads to a start.
#[derive(Clone, Copy, Debug, Default)]
enum Cause {
    /// That stakeout was started.
    #[default]
    Begin,
    Change,
    Failure,
    Request,
}

impl Record {
    /// Something happened that may lead to a start.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Changed if self.instance.is_some() => self.cause = Cause::Change,
            Event::Requested(Request::Restart | Request::Build) if self.instance.is_some() => {
                self.cause = Cause::Request;
            }
            Event::Hung(_) | Event::NotStarted(..) => self.cause = Cause::Failure,
            _ => {}
        }
    }

    /// The program was started.
    pub(super) fn started(&mut self, instance: Instance, pid: i32) {
        self.instance = Some(instance);
        self.pid = Some(pid);
        match std::mem::replace(&mut self.cause, Cause::Failure) {
            Cause::Begin => {}
            Cause::Change => self.restarts.by_change += 1,
            Cause::Failure => self.restarts.by_failure += 1,
            Cause::Request => self.restarts.by_request += 1,
        }
    }

    /// An instance of the program ended.
    pub(super) fn exited(&mut self, instance: Instance, exit: Exit) {
        if self.instance == Some(instance) {
            self.pid = None;
        }
        self.last_exit = Some(program::exit(exit));
    }

    /// The engine noted something; `failure` is how the step that failed did.
    pub(super) fn note(&mut self, note: Note, failure: Option<String>) {
        let (result, took): (_, Duration) = match note {
            Note::Built { took, .. } => (BuildResult::Done, took),
            Note::BuildFailed { took, .. } => (BuildResult::Failed, took),
            Note::BuildCancelled { took } => (BuildResult::Cancelled, took),
            _ => return,
        };
        self.build = Some(Build { result, took_ms: millis(took), failure });
    }
}
