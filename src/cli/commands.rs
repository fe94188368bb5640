//! Commands that were typed, prepared to be run: the program, and what runs before it or beside it.

use std::collections::BTreeMap;
use std::ffi::OsString;

use anyhow::{anyhow, bail};
use rustix::{stdio, termios};

use super::args::{self, Cli};
use super::env_file;
use crate::dispatch::Step;
use crate::process::{Program, Stdin};
use crate::ready::Probe;

/// What is run as the program, if anything is.
pub fn command(cli: &Cli) -> anyhow::Result<Vec<OsString>> {
    let has_step = !cli.on_change.build.is_empty() || !cli.on_change.reload.is_empty();
    match (cli.command.is_empty(), cli.is_line) {
        // Otherwise it is for the steps of the build.
        (true, true) if !has_step => {
            bail!("--shell has nothing to run; put the command line after `--`")
        }
        (true, _) => Ok(Vec::new()),
        (false, false) => Ok(cli.command.clone()),
        (false, true) => Ok(vec![shell(cli), "-c".into(), cli.command.join(" ".as_ref())]),
    }
}

/// The shell for what is a line for one.
fn shell(cli: &Cli) -> OsString {
    cli.shell().unwrap_or_else(|| "sh".into())
}

/// A command with its environment, its place and its user.
pub fn program(cli: &Cli, command: &[OsString]) -> anyhow::Result<Program> {
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    if let Some(home) = cli.user.as_ref().and_then(|user| user.home.as_ref()) {
        environment.insert("HOME".into(), home.into());
    }
    for file in &cli.env_file {
        environment.extend(env_file::read(file)?);
    }
    let variables = cli.env.iter().filter_map(|variable| variable.split_once('='));
    environment.extend(variables.map(|(name, value)| (name.into(), value.into())));
    let stdin = match cli.stdin {
        args::Input::Inherit if cli.output.wants_keys() => Stdin::Null,
        args::Input::Inherit => Stdin::Inherit,
        args::Input::Null => Stdin::Null,
    };
    let has_nul = |_| anyhow!("the command contains a NUL byte, which no program takes");
    let mut program = Program::new(command, environment, stdin).map_err(has_nul)?;
    if let Some(directory) = &cli.workdir {
        // Once and for all: later on, our own working directory may be another one of its name.
        let directory = std::path::absolute(directory)?;
        program = program.in_directory(&directory)?;
    }
    Ok(match &cli.user {
        Some(user) => program.as_user(user.clone()),
        None => program,
    })
}

/// What a smoke test runs, by a shell.
pub fn checks(cli: &Cli, commands: &[String]) -> anyhow::Result<Vec<Step>> {
    commands.iter().map(|command| step(cli, "check", command)).collect()
}

/// The steps that a change leads to before anything else: what builds, then what reloads.
pub fn steps(cli: &Cli) -> anyhow::Result<Vec<Step>> {
    let build = cli.on_change.build.iter().map(|command| ("build", command));
    let reload = cli.on_change.reload.iter().map(|command| ("reload", command));
    build.chain(reload).map(|(prefix, command)| step(cli, prefix, command)).collect()
}

/// A line that a shell runs before the program or beside it.
pub fn step(cli: &Cli, prefix: &str, command: &str) -> anyhow::Result<Step> {
    let program = program(cli, &[shell(cli), "-c".into(), command.into()])?.reading(Stdin::Null);
    let program = program.with(&colours())?;
    Ok(Step { command: command.to_owned(), prefix: prefix.to_owned(), program })
}

/// The command that finds out whether the program is ready, if it is one.
pub fn probe(cli: &Cli) -> anyhow::Result<Option<Program>> {
    let Some(Probe::Exec(command)) = &cli.serving.ready else { return Ok(None) };
    let words = [shell(cli), "-c".into(), command.into()];
    Ok(Some(program(cli, &words)?.reading(Stdin::Null)))
}

/// A step writes into a pipe, so it does not see that there is a terminal behind. These are what
/// most tools go by; see bixense.com/clicolors and force-color.org.
pub fn colours() -> Vec<(&'static str, OsString)> {
    let is_set = |key: &str| std::env::var_os(key).is_some();
    if !termios::isatty(stdio::stderr()) || is_set("NO_COLOR") {
        return Vec::new();
    }
    let variables = [("CLICOLOR_FORCE", "1"), ("FORCE_COLOR", "1"), ("CARGO_TERM_COLOR", "always")];
    let variables = variables.into_iter().filter(|(key, _)| !is_set(key));
    variables.map(|(key, value)| (key, value.into())).collect()
}
