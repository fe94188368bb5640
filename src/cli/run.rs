//! `stakeout [-- COMMAND...]`: watch, and run the program.

use std::ffi::OsString;
use std::io::ErrorKind;

use anyhow::anyhow;

use super::args::{self, Cli, Typed};
use super::effective::{Source, filter};
use super::setup::Run;
use super::{Failure, setup};
use crate::control::{Place, Server};
use crate::dispatch::Dispatcher;
use crate::scan::{Filter, Scanner, reason};
use crate::ui::{Kind, Line, Log, text};

/// Watches until it is told to end; gives the status to exit with.
pub fn run(words: &[OsString], typed: Typed) -> Result<u8, Failure> {
    let Options { general, runs, source } = options(words, typed)?;
    let cli = &general;
    let plan = match cli.no_watch {
        true => None,
        false => {
            let outputs = runs.iter().flat_map(|run| run.cli.on_change.build_outputs.clone());
            let outputs: Vec<String> = outputs.collect();
            let plan = setup::plan(&setup::roots(cli), &cli.choice, &outputs);
            let mut plan = plan.map_err(Failure::usage)?;
            plan.hash_limit = Some(cli.hash_limit);
            Some(plan)
        }
    };
    let log = Log::new(cli.output.level(), cli.output.style())?;
    if let Some(source) = source {
        let line = Line::event(Kind::Configured, source.sentence());
        log.write(line.with("file", text::path(&source.file)));
        if let Some(warning) = source.warning() {
            log.write(Line::problem(Kind::Configured, warning));
        }
    }
    let control = listen(&cli.control.place(), &log).map_err(Failure::usage)?;
    let what = setup::setup(cli, &runs, control).map_err(Failure::usage)?;
    let dispatcher = Dispatcher::new(what, log)?;
    let (status, _) = dispatcher.run(plan.map(Scanner::new).transpose()?)?;
    Ok(status)
}

/// What is in effect: what was typed, and what a configuration file says, if there is one.
#[derive(Debug)]
pub struct Options {
    /// What does not depend on a service.
    pub general: Cli,
    /// What runs; one at least, which may be nothing but watching.
    pub runs: Vec<Run>,
    pub source: Option<Source>,
}

/// Puts together what was typed and what a file says.
pub fn options(words: &[OsString], typed: Typed) -> Result<Options, Failure> {
    let everything = || Filter::new(&[], &[], &[]).map_err(Failure::usage);
    let only = |cli: Cli| -> Result<Vec<Run>, Failure> {
        let filter = everything()?;
        Ok(vec![Run { cli, name: None, needs: Vec::new(), is_essential: false, filter }])
    };
    let Some(source) = Source::read(&typed.cli)? else {
        let general = args::parse(words, &[]).map_err(Failure::usage)?.cli;
        return Ok(Options { general, runs: only(typed.cli)?, source: None });
    };
    source.check()?;
    let services = &source.config.services;
    let general = source.complete(words, &typed, services.first())?.cli;
    let runs = match services.as_slice() {
        [] => only(source.complete(words, &typed, None)?.cli)?,
        [service] => {
            let mut runs = only(source.complete(words, &typed, Some(service))?.cli)?;
            runs[0].filter = filter(service).map_err(Failure::usage)?;
            runs
        }
        _ if !typed.cli.command.is_empty() => {
            return Err(Failure::usage(anyhow!(
                "{} has several services, and it cannot be told which of them the command is \
                 instead of; give another file by -c",
                text::path(&source.file)
            )));
        }
        several => source.runs(words, &typed, several)?,
    };
    Ok(Options { general, runs, source: Some(source) })
}

/// Opens the control socket. Nothing begins without one that was asked for by path; without the
/// default one, all but requests work.
pub fn listen(place: &Place, log: &Log) -> anyhow::Result<Option<Server>> {
    let error = match Server::open(place) {
        Ok(server) => {
            if let Some(server) = &server {
                let path = text::path(server.path());
                let line = Line::detail(Kind::Control, format!("taking requests at {path}"));
                log.write(line.with("path", path));
            }
            return Ok(server);
        }
        Err(error) => error,
    };
    let is_taken = error.kind() == ErrorKind::AddrInUse;
    if let Place::At(path) = place {
        let path = text::path(path);
        return Err(match is_taken {
            true => anyhow!(
                "cannot take requests at {path}: another stakeout does, or it is a file; give \
                 another --control"
            ),
            false => anyhow!(
                "cannot take requests at {path}: {}; give another --control, or off",
                reason(&error)
            ),
        });
    }
    let line = match is_taken {
        true => "another stakeout with this working directory takes requests; give this one a \
                 --control of its own"
            .to_owned(),
        false => format!("no requests are taken: {}; give a --control", reason(&error)),
    };
    log.write(Line::detail(Kind::Control, line));
    Ok(None)
}
