//! What `-h`, `--help` and a mistake in the words show: by topic, the short one without what is
//! seldom needed.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Command;
use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The verbs by topic. What is in none of them is shown with the last.
const TOPICS: [(&str, &[&str]); 4] = [
    ("Looking at a tree", &["scan", "diff", "wait", "doctor"]),
    ("Setting up a project, and trying it in CI", &["init", "config", "smoke"]),
    (
        "Asking the stakeout that watches here",
        &["status", "restart", "build", "pause", "resume", "stop", "logs"],
    ),
    ("Installing", &["install", "completions", "man"]),
];

/// Options that few need: the short help goes without them.
const SELDOM: [&str; 28] = [
    "mode",
    "cpu_budget",
    "max_wait",
    "hash_limit",
    "filter",
    "no_ignore",
    "reload",
    "on_busy",
    "build_outputs",
    "stop_signal",
    "map_signal",
    "exit_with_child",
    "runs",
    "exit_on_change",
    "workdir",
    "env",
    "user",
    "ready_timeout",
    "watchdog",
    "proxy_wait",
    "proxy_service",
    "allow_host",
    "control",
    "log_time",
    "color",
    "keys",
    "no_keys",
    "shell",
];

const TEMPLATE: [&str; 2] =
    ["{about-with-newline}\n{usage-heading} {usage}\n", "{all-args}{after-help}"];

/// What people do with it most.
const EXAMPLES: [(&str, &str); 7] = [
    ("-- python3 app.py", "restart app.py when anything here changes"),
    ("-e go,mod -- go run .", "… when a .go or .mod file does"),
    ("--build make -- ./server", "build first; what runs stays if that fails"),
    ("--listen 8080 -- node server.js", "keep the socket open over restarts"),
    ("-w src --shell -- 'make && ./run'", "a line for the shell"),
    ("init", "write a stakeout.toml; then `stakeout` is enough"),
    ("status --check", "is it ready? for HEALTHCHECK"),
];

/// What holds for all of it.
pub const MORE: &str = "\
Every option can be given as an environment variable, such as STAKEOUT_INTERVAL=1s (--help names
them), most also in stakeout.toml. The command line is the strongest, then the environment. Lists
are separated by commas in variables, paths by colons.

Exit status: the program's own; 128+N when a signal N ended it; 2 for a mistake in the options;
126 or 127 when the program cannot be executed or found; 125 when stakeout itself failed.";

/// The definitions, with the verbs named in the usage.
pub fn with_usage(command: Command) -> Command {
    let usage = usage(&command);
    command.override_usage(usage)
}

/// The definitions, as `words` want them shown.
pub fn shown(command: Command, words: &[OsString]) -> Command {
    let verbs = verbs(&command);
    let header = *Styles::styled().get_header();
    let mut after = StyledStr::new();
    // Writing to a string does not fail.
    _ = writeln!(after, "{header}Examples:{header:#}");
    _ = write!(after, "{}\n{MORE}", examples());
    let is_short = words.iter().take_while(|word| *word != "--").any(|word| word == "-h");
    let template = TEMPLATE.join(&verbs);
    let command = command
        .help_template(template)
        .after_help(after)
        // They are shown by topic instead.
        .mut_subcommands(|verb| verb.hide(true))
        .mut_args(|arg| match SELDOM.contains(&arg.get_id().as_str()) {
            true => arg.hide_short_help(true),
            false => arg,
        });
    match is_short {
        true => command
            .mut_args(|arg| arg.hide_env(true))
            .mut_subcommands(|verb| verb.mut_args(|arg| arg.hide_env(true))),
        false => command,
    }
}

/// What people do with it most, a line for each.
pub fn examples() -> String {
    let line = |(words, meaning)| format!("  stakeout {words:<35} {meaning}\n");
    EXAMPLES.map(line).concat()
}

/// `stakeout scan|diff|wait [OPTIONS]`, a line for each topic.
fn usage(command: &Command) -> String {
    let mut usage = "stakeout [OPTIONS] [-- COMMAND...]".to_owned();
    for (_, verbs) in topics(command) {
        let verbs: Vec<_> = verbs.iter().map(|verb| verb.get_name()).collect();
        _ = write!(usage, "\n       stakeout {} [OPTIONS]", verbs.join("|"));
    }
    usage
}

/// The verbs by topic, each with what it does.
fn verbs(command: &Command) -> String {
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::new();
    for (topic, verbs) in topics(command) {
        _ = writeln!(text, "\n{header}{topic}:{header:#}");
        for verb in verbs {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            _ = writeln!(text, "  {literal}{:<11}{literal:#}  {about}", verb.get_name());
        }
    }
    text + "\n"
}

/// The verbs by topic.
pub fn topics(command: &Command) -> Vec<(&'static str, Vec<&Command>)> {
    let is_known = |name: &str| TOPICS.iter().any(|(_, names)| names.contains(&name));
    let last = TOPICS.len() - 1;
    let topics = TOPICS.iter().enumerate().map(|(number, (topic, names))| {
        let named = names.iter().filter_map(|name| command.find_subcommand(name));
        let others = command.get_subcommands().filter(|verb| {
            number == last && !is_known(verb.get_name()) && verb.get_name() != "help"
        });
        (*topic, named.chain(others).collect())
    });
    topics.collect()
}

/// How alike two words have to be for one to be a slip of the other (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// What other programs call `--color never`.
const NO_COLOUR: [&str; 4] = ["--nocolor", "--nocolour", "--no-color", "--no-colour"];

/// Adds what was probably meant, or what people forget most often.
pub fn explain(mut error: clap::Error, command: Command, words: &[OsString]) -> clap::Error {
    let kind = error.kind();
    if !matches!(kind, ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand) {
        return error;
    }
    let has_similar = error.get(ContextKind::SuggestedArg).is_some();
    let has_dashes = words.iter().any(|word| word == "--");
    let mut before = words.iter().skip(1).take_while(|word| *word != "--");
    let is_verb = |word: &OsString| command.find_subcommand(word).is_some();
    let word = error.get(ContextKind::InvalidArg).or(error.get(ContextKind::InvalidSubcommand));
    let Some(ContextValue::String(word)) = word.cloned() else { return error };
    let is_of_colours = NO_COLOUR.contains(&word.as_str());
    if (has_similar && !is_of_colours) || before.any(is_verb) {
        // That words after `--` are values is of no help here.
        error.remove(ContextKind::Suggested);
        return error;
    }
    let verbs = command.get_subcommands().map(Command::get_name);
    let alike = verbs.map(|verb| (strsim::jaro_winkler(verb, &word), verb));
    let meant = alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    let tip = match meant {
        _ if is_of_colours => "\n\n  tip: there is '--color never' for that".into(),
        Some((_, verb)) => format!("\n\n  tip: a similar subcommand exists: '{verb}'"),
        None if has_dashes => String::new(),
        None => "\n\n  tip: the program to run goes after `--`, as in `stakeout -- python3 app.py`"
            .into(),
    };
    let message = format!("unexpected argument '{word}' found{tip}");
    command.override_usage("stakeout [OPTIONS] [-- COMMAND...]").error(kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definitions;

    #[test]
    fn every_verb_is_in_the_usage_and_under_a_topic() {
        let command = definitions();
        let (usage, verbs) = (usage(&command), verbs(&command));
        for verb in command.get_subcommands() {
            let name = verb.get_name();
            assert!(usage.contains(name), "{name}: {usage}");
            assert!(verbs.contains(&format!("{name} ")), "{name}: {verbs}");
        }
    }

    #[test]
    fn what_is_left_out_of_the_short_help_exists() {
        let command = definitions();
        for option in SELDOM {
            assert!(command.get_arguments().any(|arg| arg.get_id() == option), "{option}");
        }
    }
}
