//! Finding out whether an instance is ready, by the probe that was chosen.

use std::fs::File;
use std::io::Error;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::service::Service;
use super::service_words::failure_of;
use super::spec::Spec;
use super::{Message, Shared};
use crate::engine::{Event, Exit, Failure, Instance};
use crate::process::Given;
use crate::ready::{self, Probe, Seen, Watch};
use crate::ui::{Kind, Line, Lines, Prefix, Screen};

/// How long to wait between two attempts of a command, at first.
const PAUSE: Duration = Duration::from_millis(200);

/// The probe of the instance that was started last.
#[derive(Debug)]
pub(super) struct Probing {
    /// Which instance.
    of: Instance,
    /// Asks an address, for as long as this is kept.
    _watch: Option<Watch>,
    /// The command that runs now, as an instance of its own, and when the next one does.
    command: Option<Instance>,
    next: Option<Instant>,
    began: Instant,
    /// Why it is not ready.
    seen: Seen,
}

impl Probing {
    /// The command has failed.
    fn saw(&self, spec: &Spec, failure: Failure) {
        if let (Some(Probe::Exec(command)), Some(program)) = (&spec.ready, &spec.probe) {
            self.seen.put(failure_of(command, program, failure));
        }
    }

    /// Tries the command again after a while.
    fn retry(&mut self) {
        let now = Instant::now();
        self.command = None;
        self.next = Some(now + ready::pause(now - self.began).max(PAUSE));
    }
}

impl Service {
    /// Gives the pipes for an instance's output, if its lines are looked at, kept or marked.
    pub(super) fn tee(
        &self,
        instance: Instance,
        shared: &Shared,
    ) -> std::io::Result<[Option<OwnedFd>; 2]> {
        let regex = match &self.spec.ready {
            // It was compiled for text; what a program writes may be anything.
            Some(Probe::Log(regex)) => Some(Regex::new(regex.as_str()).map_err(Error::other)?),
            _ => None,
        };
        let tail = &self.tail;
        if regex.is_none() && tail.is_none() && self.name().is_none() {
            return Ok([None, None]);
        }
        let look = || {
            let (mut regex, tail) = (regex.clone(), tail.clone());
            let sender = shared.sender.clone();
            move |line: &[u8]| {
                if let Some(tail) = &tail {
                    tail.push(line);
                }
                if regex.take_if(|regex| regex.is_match(line)).is_some() {
                    _ = sender.send(Message::Ready(instance));
                }
                regex.is_some() || tail.is_some()
            }
        };
        let stdout = match self.spec.spares_stdout {
            true => ready::tee(self.screen(std::io::stderr(), "stdout", shared), look())?,
            false => ready::tee(self.screen(std::io::stdout(), "stdout", shared), look())?,
        };
        let stderr = ready::tee(self.screen(std::io::stderr(), "stderr", shared), look())?;
        Ok([Some(stdout), Some(stderr)])
    }

    fn screen<F: AsFd>(&self, output: F, source: &'static str, shared: &Shared) -> Screen<F> {
        let Some(name) = self.name() else { return Screen::new(output) };
        let (service, style) = (name.to_owned(), shared.log.style());
        let prefix = Prefix { style, service, source, lines: Lines::default() };
        Screen::marked(output, prefix, shared.log.terminal())
    }

    /// An instance was executed.
    pub(super) fn begin_probe(&mut self, instance: Instance, shared: &mut Shared) {
        if let Some(Probing { of, .. }) = self.probing {
            self.end_probe(of, shared);
        }
        let Some(probe) = &self.spec.ready else { return };
        let seen = Seen::default();
        let watch = probe.asks_an_address().then(|| {
            let sender = shared.sender.clone();
            let report = move || _ = sender.send(Message::Ready(instance));
            ready::watch(probe.clone(), seen.clone(), report)
        });
        let _watch = match watch.transpose() {
            Ok(watch) => watch,
            Err(error) => {
                let reason = crate::scan::reason(&error);
                let line = format!("cannot look whether the program is ready: {reason}");
                return self.log(Line::problem(Kind::ProbeFailed, line), shared);
            }
        };
        let next = matches!(probe, Probe::Exec(_)).then(Instant::now);
        let began = Instant::now();
        self.probing = Some(Probing { of: instance, _watch, command: None, next, began, seen });
    }

    /// Why what was started last is not ready, as far as that is known.
    pub(super) fn lacks(&self) -> Option<String> {
        let (probing, probe) = (self.probing.as_ref()?, self.spec.ready.as_ref()?);
        Some(probing.seen.last().unwrap_or_else(|| probe.lacks()))
    }

    /// Nothing is to be found out of this instance any more.
    pub(super) fn end_probe(&mut self, instance: Instance, shared: &mut Shared) {
        let probing = self.probing.take_if(|probing| probing.of == instance);
        if let Some(command) = probing.and_then(|probing| probing.command) {
            shared.children.kill(command);
        }
    }

    /// When the next command of a probe is due.
    pub(super) fn probe_deadline(&self) -> Option<Instant> {
        self.probing.as_ref().and_then(|probing| probing.next)
    }

    /// Runs the command of a probe, if it is due.
    pub(super) fn tick_probe(&mut self, shared: &mut Shared) {
        let Some(probing) = &mut self.probing else { return };
        if probing.next.take_if(|next| *next <= Instant::now()).is_none() {
            return;
        }
        let command = self.next_probe();
        let Some(program) = &self.spec.probe else { return };
        let Some(probing) = &mut self.probing else { return };
        match silent().and_then(|given| shared.children.start(command, program, given)) {
            Ok(_) => probing.command = Some(command),
            Err(_) => probing.retry(),
        }
    }

    /// The number of a command that the engine knows nothing of: counted from the other end.
    pub(super) fn next_probe(&mut self) -> Instance {
        let instance = Instance(self.last_probe);
        self.last_probe -= 1;
        instance
    }

    /// Takes an event, if it is about the command of a probe.
    pub(super) fn take_probe(&mut self, event: Event, shared: &mut Shared) -> bool {
        let Some(instance) = event
            .instance()
            .filter(|instance| instance.0 > self.last_probe && !self.is_step(*instance))
        else {
            return false;
        };
        let Some(probing) = self.probing.as_mut().filter(|it| it.command == Some(instance)) else {
            return true;
        };
        match event {
            Event::Exited(_, Exit::Code(0)) => {
                let of = probing.of;
                shared.children.kill(instance);
                self.probing = None;
                self.tell(Event::Ready(of), shared);
            }
            Event::Exited(_, exit) => {
                // What it has left behind.
                shared.children.kill(instance);
                probing.saw(&self.spec, Failure::Exit(exit));
                probing.retry();
            }
            Event::NotStarted(_, why) => {
                probing.saw(&self.spec, Failure::NotStarted(why));
                probing.retry();
            }
            _ => {}
        }
        true
    }
}

/// What a command that is tried again and again writes is nothing to be shown.
fn silent() -> std::io::Result<Given<'static>> {
    let null: OwnedFd = File::options().write(true).open("/dev/null")?.into();
    Ok(Given { stdout: Some(null.try_clone()?), stderr: Some(null), ..Given::default() })
}
