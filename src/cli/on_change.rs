//! Options on what a change leads to.

use clap::builder::{BoolishValueParser, NonEmptyStringValueParser};
use clap::{Args, ValueEnum};

use super::choice::globs;
use crate::process::signals;

/// What a change leads to, besides a restart.
#[derive(Debug, Args)]
pub struct OnChange {
    /// Run this by a shell before the program is started, and on each change before it is
    /// restarted; if it fails, what runs goes on
    ///
    /// May be given several times: one after the other.
    #[arg(
        long,
        value_name = "CMD",
        env = "STAKEOUT_BUILD",
        value_parser = NonEmptyStringValueParser::new(),
        help_heading = "Building and reloading"
    )]
    pub build: Vec<String>,

    /// What builds write and is no reason for another: left out like --ignore
    #[arg(
        long,
        value_name = "GLOB",
        env = "STAKEOUT_BUILD_OUTPUTS",
        value_parser = globs,
        help_heading = "Building and reloading"
    )]
    pub build_outputs: Vec<String>,

    /// What a change during a build leads to
    #[arg(
        long,
        value_name = "WHAT",
        env = "STAKEOUT_ON_BUSY",
        default_value = "cancel",
        help_heading = "Building and reloading"
    )]
    pub on_busy: OnBusy,

    /// On a change, send the program this signal instead of restarting it
    #[arg(
        long,
        value_name = "SIGNAL",
        env = "STAKEOUT_SIGNAL",
        value_parser = signals::parse,
        conflicts_with = "reload",
        help_heading = "Building and reloading"
    )]
    pub signal: Option<i32>,

    /// On a change, run this by a shell instead of restarting the program
    #[arg(
        long,
        value_name = "CMD",
        env = "STAKEOUT_RELOAD",
        value_parser = NonEmptyStringValueParser::new(),
        help_heading = "Building and reloading"
    )]
    pub reload: Vec<String>,

    /// On a change, start the new program beside the old one, and stop that when the new one is
    /// ready; if it fails, the old one stays
    #[arg(
        long,
        env = "STAKEOUT_HANDOVER",
        value_parser = BoolishValueParser::new(),
        conflicts_with_all = ["signal", "reload"],
        help_heading = "Serving"
    )]
    pub handover: bool,
}

/// What a change during a build leads to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OnBusy {
    /// Stop the build, and begin another
    Cancel,
    /// Let it end, and begin another then
    Queue,
    /// Nothing: the next change leads to a build
    Ignore,
}
