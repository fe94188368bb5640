//! What was typed: the words of the command line and the environment, read by the definitions.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::args::Cli;
use super::{doctor, generate, help};

/// What was typed, and how it came about.
#[derive(Debug)]
pub struct Typed {
    pub cli: Cli,
    pub matches: ArgMatches,
}

/// The verbs that have no use for a control socket.
const ASKS_NOBODY: [&str; 8] =
    ["scan", "diff", "wait", "init", "smoke", "install", "completions", "man"];

/// What can be typed, without the environment: the definitions of all options.
pub fn definitions() -> clap::Command {
    let options = Cli::command();
    // It is hidden where nobody is asked; for all that, it may be there.
    let control = options.get_arguments().find(|option| option.get_id() == "control");
    let control = control.map(|control| control.clone().hide(true).global(false));
    let definitions = options.clone().mut_subcommands(|verb| {
        let verb = match verb.get_name() {
            "doctor" => doctor::define(verb, &options),
            "man" => generate::define(verb, &options),
            _ => verb,
        };
        match ASKS_NOBODY.contains(&verb.get_name()) {
            true => verb.args(&control),
            false => verb,
        }
    });
    help::with_usage(definitions)
}

/// Reads what was typed, and the environment; options that are in neither have these defaults.
///
/// # Errors
/// Also for `--help` and `--version`, which clap treats as such.
pub fn parse(words: &[OsString], defaults: &[(&str, &[String])]) -> Result<Typed, clap::Error> {
    // Compose files pass unset variables on as empty ones.
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let ignore_empty = |arg: clap::Arg| match arg.get_env() {
        Some(name) if is_empty(name) => arg.env(None::<&'static str>),
        _ => arg.hide_env_values(true),
    };
    let mut command = help::shown(definitions(), words)
        .mut_args(ignore_empty)
        // A digest must not depend on what a container's environment says about watching, and a
        // doctor reads that as if it were not there.
        .mut_subcommands(|subcommand| match subcommand.get_name() {
            "scan" | "wait" | "doctor" => subcommand.mut_args(|arg| arg.env(None::<&'static str>)),
            _ => subcommand,
        });
    for (option, values) in defaults {
        command = command.mut_arg(option, |arg| arg.default_values(values.to_vec()));
    }
    let matches = command
        .clone()
        .try_get_matches_from(words)
        .map_err(|e| help::explain(e, command, words))?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if matches.value_source("watch") == Some(ValueSource::EnvVariable) {
        cli.watch = cli.watch.iter().flat_map(|path| split_paths(path.as_os_str())).collect();
    }
    if matches.value_source("env_file") == Some(ValueSource::EnvVariable) {
        cli.env_file = cli.env_file.iter().flat_map(|path| split_paths(path.as_os_str())).collect();
    }
    cli.is_line =
        cli.shell().is_some() && matches.value_source("shell") != Some(ValueSource::DefaultValue);
    Ok(Typed { cli, matches })
}

fn split_paths(list: &OsStr) -> Vec<PathBuf> {
    let paths = list.as_bytes().split(|&byte| byte == b':').filter(|path| !path.is_empty());
    paths.map(|path| OsString::from_vec(path.to_vec()).into()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        definitions().debug_assert();
    }

    #[test]
    fn every_option_has_a_variable() {
        let command = Cli::command();
        let without = command.get_arguments().filter(|arg| {
            // The last is short for one that has.
            let is_ours = !matches!(arg.get_id().as_str(), "help" | "version" | "command" | "json");
            is_ours && arg.get_env().is_none_or(|name| !name.as_bytes().starts_with(b"STAKEOUT_"))
        });
        assert_eq!(without.map(|arg| arg.get_id().as_str()).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn the_command_is_everything_after_two_dashes() {
        let words = ["stakeout", "-e", "rs", "--", "scan", "--list"].map(OsString::from);
        let cli = parse(&words, &[]).unwrap().cli;
        assert_eq!(cli.command, ["scan", "--list"]);
        assert!(cli.subcommand.is_none());
    }

    #[test]
    fn what_follows_an_entry_points_options_is_stronger() {
        let words = ["stakeout", "--interval", "1s", "-w", "a", "--interval", "2s", "-w", "b"];
        let cli = parse(&words.map(OsString::from), &[]).unwrap().cli;
        assert_eq!(cli.interval, Some(Duration::from_secs(2)));
        assert_eq!(cli.watch, [PathBuf::from("a"), PathBuf::from("b")]);
    }

    #[test]
    fn of_two_formats_the_last_counts() {
        let is_json = |words: &[&str]| {
            let words: Vec<OsString> =
                ["stakeout"].iter().chain(words).map(OsString::from).collect();
            parse(&words, &[]).unwrap().cli.output.is_json()
        };
        assert!(is_json(&["--json", "--", "true"]));
        assert!(is_json(&["--log-format", "human", "--json"]));
        assert!(!is_json(&["--json", "--log-format=human"]));
        assert!(!is_json(&["--", "true", "--json"]));
    }

    #[test]
    fn a_command_without_dashes_is_explained() {
        let error = parse(&["stakeout", "python3", "app.py"].map(OsString::from), &[]).unwrap_err();
        assert!(error.to_string().contains("goes after `--`"), "{error}");
        let error = parse(&["stakeout", "--intervall", "1s"].map(OsString::from), &[]).unwrap_err();
        assert!(error.to_string().contains("--interval"), "{error}");
        let error = parse(&["stakeout", "-x", "--", "true"].map(OsString::from), &[]).unwrap_err();
        assert!(!error.to_string().contains("tip:"), "{error}");
        let error = parse(&["stakeout", "--nocolour"].map(OsString::from), &[]).unwrap_err();
        assert!(error.to_string().contains("--color never"), "{error}");
    }
}
