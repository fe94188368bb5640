//! What is asked from outside, answered and carried out.

use std::time::Instant;

use super::board::millis;
use super::service::Service;
use super::{Board, Dispatcher};
use crate::control::{self, Answer, Ask, Call, Program, Request as Asked, SCHEMA, State, Status};
use crate::engine::{Outlook, Phase, Request};
use crate::ui::{Kind, Line, text};

impl Dispatcher {
    /// Answers a request.
    pub(super) fn take_call(&mut self, call: Call) {
        let answer = self.answer(&call.request);
        // Nobody may wait for it any more.
        _ = call.answer.try_send(answer);
    }

    /// Does what is asked, if it can be done.
    pub(super) fn answer(&mut self, asked: &Asked) -> Answer {
        let which = match self.which(asked.service.as_deref()) {
            Ok(which) => which,
            Err(refusal) => return Answer::Refused(refusal),
        };
        let chosen = self.services.iter().enumerate();
        let chosen = chosen.filter(|(number, _)| which.is_none_or(|which| which == *number));
        let chosen: Vec<&Service> = chosen.map(|(_, service)| service).collect();
        let has_program = chosen.iter().any(|service| service.spec.program.is_some());
        let has_steps = chosen.iter().any(|service| !service.spec.steps.is_empty());
        let request = match asked.ask {
            Ask::Status => return Answer::Status(Box::new(self.status())),
            Ask::BuildOutput if !has_steps => {
                return Answer::Refused("nothing is built here (--build)".into());
            }
            Ask::BuildOutput => {
                let lines = chosen.iter().flat_map(|service| service.output.concat());
                return Answer::BuildOutput(lines.collect());
            }
            Ask::Restart if !has_program => {
                return Answer::Refused("there is no program here to restart".into());
            }
            Ask::Build if !has_program && !has_steps => {
                return Answer::Refused("there is nothing here to build or to run".into());
            }
            Ask::Stop => Request::Stop,
            Ask::Restart => Request::Restart,
            Ask::Build => Request::Build,
            Ask::Pause => Request::Pause,
            Ask::Resume => Request::Resume,
        };
        if let Some(refusal) = which.and_then(|which| self.services.refusal(request, which)) {
            return Answer::Refused(refusal);
        }
        self.request(request, which);
        Answer::Done
    }

    /// The service of this name.
    fn which(&self, name: Option<&str>) -> Result<Option<usize>, String> {
        let Some(name) = name else { return Ok(None) };
        if let Some(which) = self.services.iter().position(|it| it.name() == Some(name)) {
            return Ok(Some(which));
        }
        let names: Vec<_> = self.services.iter().filter_map(Service::name).collect();
        Err(match names.as_slice() {
            [] => "there is only one service here; leave its name out".into(),
            names => format!("there is no service {name:?} here, but {}", names.join(", ")),
        })
    }

    /// Does what someone asks for, of one service or all.
    pub(super) fn request(&mut self, request: Request, which: Option<usize>) {
        let (name, line) = match request {
            Request::Restart => ("restart", "asked to restart the program"),
            Request::Build => ("build", "asked for what a change leads to"),
            Request::Pause => ("pause", "paused: changes wait until it is resumed"),
            Request::Resume => ("resume", "resumed"),
            Request::Stop => ("stop", "asked to stop"),
        };
        let line = Line::event(Kind::Asked, line).with("request", name);
        let service = which.and_then(|which| self.services.iter().nth(which));
        self.shared.log.write(line.of(service.and_then(Service::name)));
        self.services.request(request, which, &mut self.shared);
    }

    /// How all is.
    pub(super) fn status(&self) -> Status {
        let mut services: Vec<_> =
            self.services.iter().map(|service| service.status(&self.board)).collect();
        let all = match services.len() {
            1 => services.remove(0),
            _ => control::Service::all(&services),
        };
        Status {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            up_ms: millis(self.created.elapsed()),
            all,
            services,
            watching: self.board.watching(),
            changes: self.board.changes.clone(),
        }
    }
}

impl Service {
    /// How it is.
    fn status(&self, board: &Board) -> control::Service {
        let (has_program, phase) = (self.spec.program.is_some(), self.engine.phase());
        control::Service {
            name: self.spec.name.clone(),
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
            builds: self.record.builds,
            recent: self.record.recent.iter().copied().collect(),
            detection: self.record.detection,
            restarting: self.record.restarting,
        }
    }

    fn program_status(&self) -> Program {
        let retry = match self.engine.outlook(Instant::now()) {
            Outlook::Retry(wait) if self.engine.phase() == Phase::Retrying => Some(millis(wait)),
            _ => None,
        };
        Program {
            command: text::command(&self.spec.command),
            pid: self.record.pid,
            started_ms_ago: self.started.map(|started: Instant| millis(started.elapsed())),
            restart: self.spec.policy.restart.name().into(),
            retry_in_ms: retry,
            restarts: self.record.restarts,
            last_exit: self.record.last_exit.clone(),
            says: self.status.clone(),
            lacks: self.lacks().filter(|_| self.engine.phase() == Phase::Starting),
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
