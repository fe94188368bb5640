//! `stakeout doctor`: finds out whether changes would be seen here, how soon, and at what cost.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args};

use super::args::{self, Cli};
use super::effective::Source;
use super::{Failure, print_out, run, scan, typed};
use crate::doctor::{
    Chosen, Course, Examined, Level, Seconds, answer, assess, examine, machine, sheet,
};
use crate::ui::text;

/// Changes would be missed.
const UNWELL: u8 = 1;

/// Find out whether changes would be seen here, how soon, and at what cost.
///
/// Takes all options of stakeout, and a command after `--`, and answers for what would be done with
/// them. Nothing is run, and nothing is written but with --scratch. Exits with 1 if changes would
/// be missed, or found very late.
#[derive(Debug, Args)]
pub struct Doctor {
    /// A directory or file to watch, instead of what -w or the configuration says
    #[arg(value_name = "PATH", conflicts_with = "watch")]
    pub path: Option<PathBuf>,

    /// Print JSON (docs/doctor.md)
    #[arg(long)]
    pub json: bool,

    /// Also write a scratch file on each mount, to try its times, and remove it
    #[arg(long)]
    pub scratch: bool,

    /// Be the process that measures, and leave out the roots with these numbers
    #[arg(long, hide = true, value_name = "NUMBERS")]
    pub measure: Option<String>,
}

/// Gives the subcommand the options of stakeout itself. Shown are those that make a difference.
pub fn define(doctor: clap::Command, options: &clap::Command) -> clap::Command {
    let is_shown = |option: &Arg| {
        let headings = ["Watching", "Choosing files", "Configuration"];
        option.get_help_heading().is_some_and(|heading| headings.contains(&heading))
            || option.get_id() == "color"
    };
    // Of JSON it has an option of its own.
    let options = options.get_arguments().filter(|option| !option.is_global_set());
    let options = options.filter(|option| option.get_id() != "json");
    let options = options.map(|option| option.clone().hide(!is_shown(option)));
    doctor.args(options).args_override_self(true)
}

/// Examines and prints; gives the status to exit with.
pub fn doctor(doctor: &Doctor, typed: &ArgMatches) -> Result<u8, Failure> {
    let options = typed.subcommand_matches("doctor").map(words).unwrap_or_default();
    let mut words = vec![OsString::from("stakeout")];
    words.extend(options.iter().cloned());
    if let Some(path) = &doctor.path {
        // Before the command, if there is one.
        words.insert(1, joined("--watch=", path.as_os_str()));
    }
    if let Some(numbers) = &doctor.measure {
        return measure(&words, numbers, doctor.scratch);
    }
    let cli = typed::parse(&words, &[]).map_err(Failure::usage)?.cli;
    let us = std::env::current_exe().context("cannot find stakeout's own file")?;
    let course = Arc::new(Course::default());
    let of_it = Arc::clone(&course);
    let progress = scan::shown(move |since| of_it.reached(since))?;
    let examined = examine(&course, |silent| {
        let silent: Vec<String> = silent.iter().map(usize::to_string).collect();
        let mut command = Command::new(&us);
        command.arg("doctor").arg(format!("--measure={}", silent.join(",")));
        command.args(doctor.scratch.then_some("--scratch")).args(&words[1..]);
        command
    });
    progress.end();
    let facts = match examined.context("cannot measure in a process of its own")? {
        Examined::Facts(facts) => *facts,
        Examined::Failed(status) => return Ok(status),
        Examined::Silent => {
            let cause = anyhow!(
                "the working directory, or the configuration file, does not answer; is its server \
                 gone, or the network?"
            );
            return Err(Failure { cause, status: UNWELL });
        }
    };
    let report = assess(facts, machine());
    let text = match doctor.json {
        true => serde_json::to_string(&report)? + "\n",
        false => sheet(&report, cli.output.colour(&std::io::stdout())),
    };
    print_out(&text)?;
    Ok(if report.status == Level::Fail { UNWELL } else { 0 })
}

/// The options that were typed, each as one word, and the command.
fn words(typed: &ArgMatches) -> Vec<OsString> {
    let definitions = typed::definitions();
    let mut words = Vec::new();
    let is_typed = |option: &&Arg| {
        let id = option.get_id().as_str();
        // Those that every command has are none of these, nor is the one for our own JSON.
        id != "json"
            && typed.try_contains_id(id).is_ok()
            && typed.value_source(id) == Some(ValueSource::CommandLine)
    };
    for option in definitions.get_arguments().filter(is_typed) {
        let values = typed.get_raw(option.get_id().as_str()).into_iter().flatten();
        match option.get_long() {
            Some(long) if option.get_action().takes_values() => {
                words.extend(values.map(|value| joined(&format!("--{long}="), value)));
            }
            Some(long) => words.push(format!("--{long}").into()),
            None => {}
        }
    }
    if let Some(command) = typed.get_raw("command") {
        words.push("--".into());
        words.extend(command.map(OsStr::to_owned));
    }
    words
}

fn joined(option: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(option);
    word.push(value);
    word
}

/// What the process does that measures. It may hang in whatever it asks.
fn measure(words: &[OsString], silent: &str, trials: bool) -> Result<u8, Failure> {
    let silent: BTreeSet<usize> = silent.split(',').filter_map(|it| it.parse().ok()).collect();
    let typed = typed::parse(words, &[]).map_err(Failure::usage)?;
    let source = Source::read(&typed.cli)?;
    let options = run::assemble(words, &typed, source.as_ref())?;
    let Some(plan) = run::plan(&options, source.as_ref())? else {
        return Err(Failure::usage(anyhow!("nothing is watched with --no-watch")));
    };
    let configuration = source.map(|source| text::path(&source.file));
    answer(plan, chosen(&options.general, configuration), &silent, trials)?;
    Ok(0)
}

fn chosen(cli: &Cli, configuration: Option<String>) -> Chosen {
    Chosen {
        configuration,
        mode: match cli.mode {
            args::Mode::Auto => "auto",
            args::Mode::Poll => "poll",
            args::Mode::Native => "native",
        }
        .to_owned(),
        interval: cli.interval.map(Seconds),
        cpu_budget_thousandths: cli.interval.is_none().then_some(cli.cpu_budget),
        debounce: Seconds(cli.debounce),
    }
}
