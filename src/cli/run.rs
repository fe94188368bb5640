//! `stakeout [-- COMMAND...]`: watch, and run the program.

use std::ffi::OsString;
use std::io::ErrorKind;

use anyhow::anyhow;

use super::args::{Cli, Typed};
use super::effective::Source;
use super::{Failure, setup};
use crate::control::{Place, Server};
use crate::dispatch::Dispatcher;
use crate::scan::{Scanner, reason};
use crate::ui::{Kind, Line, Log, text};

/// Watches until it is told to end; gives the status to exit with.
pub fn run(words: &[OsString], typed: Typed) -> Result<u8, Failure> {
    let (cli, source) = options(words, typed)?;
    let cli = &cli;
    let plan = match cli.no_watch {
        true => None,
        false => {
            let outputs = &cli.on_change.build_outputs;
            let plan = setup::plan(&setup::roots(cli), &cli.choice, outputs);
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
    let what = setup::setup(cli, control).map_err(Failure::usage)?;
    let dispatcher = Dispatcher::new(what, log)?;
    let (status, _) = dispatcher.run(plan.map(Scanner::new).transpose()?)?;
    Ok(status)
}

/// What is in effect: what was typed, and what a configuration file says, if there is one.
pub fn options(words: &[OsString], typed: Typed) -> Result<(Cli, Option<Source>), Failure> {
    let Some(source) = Source::read(&typed.cli)? else { return Ok((typed.cli, None)) };
    source.check()?;
    let cli = source.complete(words, &typed, source.config.services.first())?.cli;
    Ok((cli, Some(source)))
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
