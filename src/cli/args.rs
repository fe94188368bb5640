//! What can be typed: options as they are written, each also as an environment variable.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Parser, ValueEnum};

use super::browsers::Browsers;
use super::choice::Choice;
use super::completions::Completions;
use super::diff::Diff;
use super::doctor::Doctor;
use super::generate::Manual;
use super::install::Install;
use super::on_change::OnChange;
use super::output::Output;
use super::remote::{Control, Logs, Of, StatusArgs};
use super::scan::Scan;
use super::serving::Serving;
use super::smoke::Smoke;
use super::values::{duration, interval, size, thousandths, variable};
use super::wait::Wait;
use super::{config, init};
use crate::process::{User, routing, signals};

/// Watch a source tree by looking at it, and restart a program when it changed.
///
/// Works where file events get lost: bind mounts, Docker Desktop volumes, NFS, VM shares. Can be
/// PID 1 of a container.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// The program to run, with its arguments; without one, changes are only shown
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,

    /// A directory or file to watch [default: the working directory]
    ///
    /// May be given several times; in the variable, paths are separated by colons.
    #[arg(short, long, value_name = "PATH", env = "STAKEOUT_WATCH", help_heading = "Watching")]
    pub watch: Vec<PathBuf>,

    #[command(flatten)]
    pub choice: Choice,

    /// How changes are noticed
    #[arg(
        long,
        value_name = "MODE",
        env = "STAKEOUT_MODE",
        default_value = "auto",
        help_heading = "Watching"
    )]
    pub mode: Mode,

    /// How often to look, for example 500ms or 2s [default: as often as the CPU budget allows,
    /// between 200ms and 5s, and every 10s where events are trusted]
    #[arg(
        long,
        value_name = "TIME",
        env = "STAKEOUT_INTERVAL",
        value_parser = interval,
        help_heading = "Watching"
    )]
    pub interval: Option<Duration>,

    /// How much of one core looking may take, for example 2% or 0.5%
    #[arg(
        long,
        value_name = "PERCENT",
        env = "STAKEOUT_CPU_BUDGET",
        default_value = "2%",
        value_parser = thousandths,
        help_heading = "Watching"
    )]
    pub cpu_budget: u32,

    /// How long nothing must change before what changed counts
    #[arg(
        long,
        value_name = "TIME",
        env = "STAKEOUT_DEBOUNCE",
        default_value = "100ms",
        value_parser = duration,
        help_heading = "Watching"
    )]
    pub debounce: Duration,

    /// How long to wait for that at the most
    #[arg(
        long,
        value_name = "TIME",
        env = "STAKEOUT_MAX_WAIT",
        default_value = "5s",
        value_parser = duration,
        help_heading = "Watching"
    )]
    pub max_wait: Duration,

    /// Run the command through a shell: its words are joined and passed to SHELL -c
    #[arg(
        long,
        value_name = "SHELL",
        env = "STAKEOUT_SHELL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "sh",
        help_heading = "Running"
    )]
    pub shell: Option<OsString>,

    #[command(flatten)]
    pub on_change: OnChange,

    #[command(flatten)]
    pub serving: Serving,

    #[command(flatten)]
    pub browsers: Browsers,

    /// Start only after the first change
    #[arg(
        short,
        long,
        env = "STAKEOUT_POSTPONE",
        value_parser = BoolishValueParser::new(),
        help_heading = "Running"
    )]
    pub postpone: bool,

    /// The signal that asks the program, with all that descends from it, to stop [default:
    /// SIGTERM for a restart, and the signal that ends stakeout at the end]
    #[arg(
        long,
        value_name = "SIGNAL",
        env = "STAKEOUT_STOP_SIGNAL",
        value_parser = signals::parse,
        help_heading = "Stopping and ending"
    )]
    pub stop_signal: Option<i32>,

    /// How long it may take to stop before it is killed
    #[arg(
        long,
        value_name = "TIME",
        env = "STAKEOUT_STOP_TIMEOUT",
        default_value = "8s",
        value_parser = duration,
        help_heading = "Stopping and ending"
    )]
    pub stop_timeout: Duration,

    /// Pass another signal on to the program than the one that stakeout gets, or with nothing
    /// after the colon none, for example TERM:QUIT
    ///
    /// May be given several times; in the variable, they are separated by commas.
    #[arg(
        long,
        value_name = "FROM:TO",
        env = "STAKEOUT_MAP_SIGNAL",
        value_delimiter = ',',
        value_parser = routing::parse_mapping,
        help_heading = "Stopping and ending"
    )]
    pub map_signal: Vec<(i32, Option<i32>)>,

    /// When to start the program again without a change, if it ends by itself [default: on-crash,
    /// or never with --exit-with-child]
    #[arg(
        long,
        value_name = "WHEN",
        env = "STAKEOUT_RESTART",
        help_heading = "Stopping and ending"
    )]
    pub restart: Option<Restart>,

    /// End when the program ended and is not to be started again, with its status
    #[arg(
        long,
        env = "STAKEOUT_EXIT_WITH_CHILD",
        value_parser = BoolishValueParser::new(),
        help_heading = "Stopping and ending"
    )]
    pub exit_with_child: bool,

    /// Do not watch: run the program once, as a plain init; implies --exit-with-child
    #[arg(
        long,
        env = "STAKEOUT_NO_WATCH",
        value_parser = BoolishValueParser::new(),
        help_heading = "Stopping and ending"
    )]
    pub no_watch: bool,

    /// Run it so many times at the most, and end when the last run has ended, with its status
    ///
    /// A restart is a run, whatever led to it, and so is a build that fails. Changes during the last
    /// run lead to nothing.
    #[arg(
        long,
        value_name = "N",
        env = "STAKEOUT_RUNS",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Stopping and ending"
    )]
    pub runs: Option<u32>,

    /// Stop the program and end with 0 when something has changed, instead of restarting it
    #[arg(
        long,
        env = "STAKEOUT_EXIT_ON_CHANGE",
        value_parser = BoolishValueParser::new(),
        help_heading = "Stopping and ending"
    )]
    pub exit_on_change: bool,

    /// Where the program reads from; from a terminal only while stakeout is in its foreground
    #[arg(
        long,
        value_name = "WHERE",
        env = "STAKEOUT_STDIN",
        default_value = "inherit",
        help_heading = "Running"
    )]
    pub stdin: Input,

    /// Run the program as this user, by name or by number, with its groups and HOME
    #[arg(
        long,
        value_name = "USER[:GROUP]",
        env = "STAKEOUT_USER",
        value_parser = User::look_up,
        help_heading = "Running"
    )]
    pub user: Option<User>,

    /// Run the program in this directory
    #[arg(long, value_name = "PATH", env = "STAKEOUT_WORKDIR", help_heading = "Running")]
    pub workdir: Option<PathBuf>,

    /// Set the variables of this file for the program, written as for docker: KEY=VALUE lines
    ///
    /// May be given several times; in the variable, paths are separated by colons. With a `-` before
    /// its path, a file need not be there.
    #[arg(long, value_name = "PATH", env = "STAKEOUT_ENV_FILE", help_heading = "Running")]
    pub env_file: Vec<PathBuf>,

    /// Set a variable for the program; stronger than those of --env-file
    ///
    /// May be given several times.
    #[arg(
        long,
        value_name = "NAME=VALUE",
        env = "STAKEOUT_ENV",
        value_parser = variable,
        help_heading = "Running"
    )]
    pub env: Vec<String>,

    #[command(flatten)]
    pub output: Output,

    #[command(flatten)]
    pub control: Control,

    /// Judge larger files by their size and times alone, for example 1GiB; none reads all
    #[arg(
        long,
        value_name = "SIZE",
        env = "STAKEOUT_HASH_LIMIT",
        default_value = "64MiB",
        value_parser = size,
        help_heading = "Watching"
    )]
    pub hash_limit: u64,

    /// Read this configuration file [default: stakeout.toml, stakeout.yaml or .air.toml, here or
    /// in a directory above]
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "STAKEOUT_CONFIG",
        help_heading = "Configuration"
    )]
    pub config: Option<PathBuf>,

    /// Whether the command is a line for the shell: --shell was given, or a file says so.
    #[arg(skip)]
    pub is_line: bool,
}

impl Cli {
    /// The shell to run commands with, if one was asked for.
    pub fn shell(&self) -> Option<OsString> {
        match self.shell.as_deref().map(OsStr::to_string_lossy).as_deref() {
            None | Some("0" | "false" | "no" | "off") => None,
            // As the variable of an option without a value is written.
            Some("1" | "true" | "yes" | "on") => Some("sh".into()),
            Some(_) => self.shell.clone(),
        }
    }
}

#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    Scan(Scan),
    Diff(Diff),
    Wait(Wait),
    Doctor(Doctor),
    Config(config::Args),
    Init(init::Args),
    Smoke(Smoke),
    Status(StatusArgs),
    /// Restart the program of the stakeout that watches here
    Restart(Of),
    /// Let it do what a change leads to
    Build(Of),
    /// Let changes wait
    Pause(Of),
    /// Go on, with the changes that waited
    Resume(Of),
    /// Stop the program and stakeout
    Stop,
    Logs(Logs),
    Install(Install),
    Completions(Completions),
    Man(Manual),
}

/// How changes are noticed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Mode {
    /// Look again and again, and at once where a native event says so; how often depends on
    /// whether events can be relied upon, which is found out
    Auto,
    /// Look again and again, without native events
    Poll,
    /// Look where native events say so, and at everything every 10s only
    Native,
}

/// When to start the program again without a change.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Restart {
    /// Not at all
    Never,
    /// When a signal killed it that was not meant for it: a crash, or out of memory
    OnCrash,
    /// Then, or when it ended with a status other than 0
    OnFailure,
    /// Whenever it ended
    Always,
}

/// Where the program's standard input comes from.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Input {
    /// From where stakeout's own does
    Inherit,
    /// From /dev/null
    Null,
}
