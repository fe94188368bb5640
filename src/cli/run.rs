//! `stakeout [-- COMMAND...]`: watch, and run the program.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::anyhow;

use super::args::Cli;
use super::effective::{Source, filter, is_essential, says_of};
use super::reload::Reload;
use super::setup::{Run, Sockets};
use super::typed::{self, Typed};
use super::{Failure, browsers, setup};
use crate::config::Service;
use crate::control::{Place, Server};
use crate::dispatch::{Dispatcher, Follow, Rule};
use crate::scan::{Filter, Plan, Scanner, reason};
use crate::ui::{Kind, Line, Log, text};

/// Watches until it is told to end; gives the status to exit with.
pub fn run(words: &[OsString], typed: Typed) -> Result<u8, Failure> {
    let source = Source::read(&typed.cli)?;
    let options = assemble(words, &typed, source.as_ref())?;
    let cli = &options.general;
    let plan = plan(&options, source.as_ref())?;
    let shown = setup::shown(cli, &options.runs);
    let mut log = Log::new(shown.level, shown.style)?;
    log.use_indicator();
    if let Some(source) = &source {
        let line = Line::event(Kind::Configured, source.sentence());
        log.write(line.with("file", text::path(&source.file)));
        if let Some(warning) = source.warning() {
            log.write(Line::problem(Kind::Configured, warning));
        }
    }
    plan.iter().for_each(|plan| warn_of_breadth(plan, &log));
    let control = listen(&cli.control.place(), &log).map_err(Failure::usage)?;
    let mut sockets = Sockets::default();
    let mut what =
        setup::setup(cli, &options.runs, &mut sockets, control).map_err(Failure::usage)?;
    what.web = setup::web(cli, &options.runs).map_err(Failure::usage)?;
    what.web.iter().flat_map(browsers::lines).for_each(|line| log.write(line));
    // A plain init watches nothing, and what came through a pipe does not come again.
    let is_followed = |source: &Source| plan.is_some() && source.file.is_file();
    if let Some(source) = &source {
        what.rules = rules(source, &options).map_err(Failure::usage)?;
    }
    if let Some(source) = source.filter(is_followed) {
        let mut reload = Reload::new(words.to_vec(), source, &options, sockets);
        what.follow = Some(Follow(Box::new(move || reload.next())));
    }
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
    /// What the commands of rules are run with: as the only service, if there is but one.
    pub of_rules: Cli,
}

/// What to scan, unless nothing is to be watched.
pub fn plan(options: &Options, source: Option<&Source>) -> Result<Option<Plan>, Failure> {
    let cli = &options.general;
    if cli.no_watch {
        return Ok(None);
    }
    let outputs = options.runs.iter().flat_map(|run| run.cli.on_change.build_outputs.clone());
    // The configuration is followed by itself, and a change of it concerns whom it concerns.
    let own = source.map(Source::globs).unwrap_or_default();
    let outputs: Vec<String> = own.into_iter().chain(outputs).collect();
    let mut plan =
        setup::plan(&setup::roots(cli), &cli.choice, &outputs).map_err(Failure::usage)?;
    plan.hash_limit = Some(cli.hash_limit);
    Ok(Some(plan))
}

/// Puts together what was typed and what a file says.
pub fn assemble(
    words: &[OsString],
    typed: &Typed,
    source: Option<&Source>,
) -> Result<Options, Failure> {
    let only = |cli: Cli, service: Option<&Service>| -> Result<Vec<Run>, Failure> {
        let filter = match service {
            Some(service) => filter(service),
            None => Filter::new(&[], &[], &[]),
        };
        Ok(vec![Run {
            cli,
            name: None,
            needs: Vec::new(),
            is_essential: service.is_some_and(is_essential),
            filter: filter.map_err(Failure::usage)?,
            key: service.map_or_else(String::new, |service| service.name.value.clone()),
            says: service.map_or_else(String::new, |service| says_of(service, false)),
        }])
    };
    let Some(source) = source else {
        let read = || typed::parse(words, &[]).map(|typed| typed.cli).map_err(Failure::usage);
        return Ok(Options { general: read()?, runs: only(read()?, None)?, of_rules: read()? });
    };
    let complete = |service| source.complete(words, typed, service).map(|typed| typed.cli);
    let services = &source.config.services;
    let runs = match services.as_slice() {
        [] => only(complete(None)?, None)?,
        [service] => only(complete(Some(service))?, Some(service))?,
        _ if !typed.cli.command.is_empty() => {
            return Err(Failure::usage(anyhow!(
                "{} has several services, and it cannot be told which of them the command is \
                 instead of; give another file by -c",
                text::path(&source.file)
            )));
        }
        several => source.runs(words, typed, several)?,
    };
    let only = services.first().filter(|_| services.len() == 1);
    Ok(Options { general: complete(services.first())?, runs, of_rules: complete(only)? })
}

/// What a file's rules mean. Their commands are run as the only service's are, where there is
/// one.
pub fn rules(source: &Source, options: &Options) -> anyhow::Result<Vec<Rule>> {
    super::rules::rules(&source.config.rules, &options.runs, &options.of_rules)
}

/// Says which roots hold far more than a project, before the first look, which may take long there.
fn warn_of_breadth(plan: &Plan, log: &Log) {
    for root in &plan.roots {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        if let Some(breadth) = root.breadth(home) {
            let path = text::path(&root.label);
            let line = format!("{path} {}", breadth.warning());
            log.write(Line::problem(Kind::TooBroad, line).with("path", path));
        }
    }
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
                "cannot take requests at {path}: another stakeout does, or another program; give \
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
