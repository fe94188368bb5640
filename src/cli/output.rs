//! What can be typed about what is shown: how much, and how it looks.

use anstream::ColorChoice;
use anstream::stream::RawStream;
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use rustix::stdio::{stderr, stdin};
use rustix::termios::isatty;

use crate::ui::{Level, Style};

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Clear the terminal on each change
    #[arg(long, env = "STAKEOUT_CLEAR", value_parser = BoolishValueParser::new())]
    pub clear: bool,

    /// Say only what is wrong
    #[arg(short, long, env = "STAKEOUT_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,

    /// Say more; stronger than --quiet
    #[arg(short, long, env = "STAKEOUT_VERBOSE", value_parser = BoolishValueParser::new())]
    pub verbose: bool,

    /// Read keys (h for help) also where the program would read what is typed: it gets /dev/null
    /// instead [default: where no program reads from the terminal]
    #[arg(long, env = "STAKEOUT_KEYS", value_parser = BoolishValueParser::new())]
    pub keys: bool,

    /// Read no keys; stronger than --keys
    #[arg(long, env = "STAKEOUT_NO_KEYS", value_parser = BoolishValueParser::new())]
    pub no_keys: bool,

    /// How stakeout's own lines are written, on standard error
    #[arg(long, value_name = "FORMAT", env = "STAKEOUT_LOG_FORMAT", default_value = "human")]
    pub log_format: Format,

    /// Short for --log-format json
    #[arg(long, overrides_with = "log_format")]
    pub json: bool,

    /// Write the time of each line
    #[arg(long, env = "STAKEOUT_LOG_TIME", value_parser = BoolishValueParser::new())]
    pub log_time: bool,

    /// When to write in colours; auto goes by the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, value_name = "WHEN", env = "STAKEOUT_COLOR", default_value = "auto")]
    pub color: Colour,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A sentence for each thing that happens
    Human,
    /// A JSON object for each, as docs/events.md has it
    Json,
}

/// When to write in colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Colour {
    /// On a terminal
    Auto,
    Always,
    Never,
}

impl Output {
    /// How much to say.
    pub fn level(&self) -> Level {
        match (self.verbose, self.quiet) {
            (true, _) => Level::Detail,
            (false, true) => Level::Problem,
            (false, false) => Level::Event,
        }
    }

    /// Whether keys were asked for, and can be had, so that no program is to read what is typed.
    pub fn wants_keys(&self) -> bool {
        self.keys && !self.no_keys && isatty(stdin()) && isatty(stderr())
    }

    /// Whether lines are for programs.
    pub fn is_json(&self) -> bool {
        self.json || self.log_format == Format::Json
    }

    /// How lines look.
    pub fn style(&self) -> Style {
        if self.is_json() {
            return Style::Json;
        }
        Style::Human { colour: self.colour(&std::io::stderr()), time: self.log_time, width: 0 }
    }

    /// Whether what is written there has colours.
    pub fn colour(&self, there: &impl RawStream) -> bool {
        match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_coloured(there),
        }
    }
}

/// Whether what is written there has colours where nobody said so: by <https://no-color.org> and
/// <https://bixense.com/clicolors>, as anstream has them, to which any CLICOLOR_FORCE is a wish.
pub fn is_coloured(there: &impl RawStream) -> bool {
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|it| it == value);
    let can_be = there.is_terminal()
        && !is("CLICOLOR", "0")
        && std::env::var_os("TERM").is_some_and(|terminal| terminal != "dumb");
    anstream::AutoStream::choice(there) != ColorChoice::Never
        && (can_be || !is("CLICOLOR_FORCE", "0"))
}
