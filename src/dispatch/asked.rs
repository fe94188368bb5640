//! What is asked from outside, answered and carried out.

use std::time::Instant;

use super::board::millis;
use super::service::Service;
use super::{Board, Dispatcher};
use crate::control::{Answer, Call, Program, Request as Asked, SCHEMA, State, Status};
use crate::engine::{Event, Phase, Request};
use crate::ui::{Kind, Line, text};

impl Dispatcher {
    /// Answers a request.
    pub(super) fn take_call(&mut self, call: Call) {
        let answer = self.answer(call.request);
        // Nobody may wait for it any more.
        _ = call.answer.try_send(answer);
    }

    fn answer(&mut self, asked: Asked) -> Answer {
        let request = match asked {
            Asked::Status => {
                return Answer::Status(Box::new(self.service.status(&self.board)));
            }
            Asked::BuildOutput if self.service.spec.steps.is_empty() => {
                return Answer::Refused("nothing is built here (--build)".into());
            }
            Asked::BuildOutput => return Answer::BuildOutput(self.service.output.clone()),
            Asked::Restart if self.service.spec.program.is_none() => {
                return Answer::Refused("there is no program here to restart".into());
            }
            Asked::Stop => Request::Stop,
            Asked::Restart => Request::Restart,
            Asked::Build => Request::Build,
            Asked::Pause => Request::Pause,
            Asked::Resume => Request::Resume,
        };
        self.request(request);
        Answer::Done
    }

    /// Does what someone asks for.
    pub(super) fn request(&mut self, request: Request) {
        let (name, line) = match request {
            Request::Restart => ("restart", "asked to restart the program"),
            Request::Build => ("build", "asked for what a change leads to"),
            Request::Pause => ("pause", "paused: changes wait until it is resumed"),
            Request::Resume => ("resume", "resumed"),
            Request::Stop => ("stop", "asked to stop"),
        };
        self.shared.log.write(Line::event(Kind::Asked, line).with("request", name));
        self.tell(Event::Requested(request));
    }
}

impl Service {
    /// How it is.
    fn status(&self, board: &Board) -> Status {
        let (has_program, phase) = (self.spec.program.is_some(), self.engine.phase());
        Status {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            up_ms: millis(self.created.elapsed()),
            state: if has_program { state(phase) } else { State::Watching },
            ready: match has_program {
                true => matches!(phase, Phase::Ready | Phase::Handover),
                false => board.is_watching(),
            },
            building: self.engine.is_building(),
            paused: self.engine.is_paused(),
            generation: self.engine.generation().0,
            program: has_program.then(|| self.program_status()),
            build: self.record.build.clone(),
            watching: board.watching(),
            changes: board.changes.clone(),
        }
    }

    fn program_status(&self) -> Program {
        Program {
            command: text::command(&self.spec.command),
            pid: self.record.pid,
            started_ms_ago: self.started.map(|started: Instant| millis(started.elapsed())),
            restarts: self.record.restarts,
            last_exit: self.record.last_exit.clone(),
            says: self.status.clone(),
        }
    }
}

pub(super) fn state(phase: Phase) -> State {
    match phase {
        Phase::Waiting => State::Waiting,
        Phase::Starting => State::Starting,
        Phase::Ready => State::Ready,
        Phase::Handover => State::Handover,
        Phase::Stopping => State::Stopping,
        Phase::Retrying => State::Retrying,
        Phase::Failed => State::Failed,
        Phase::Done => State::Done,
    }
}
