//! Options for servers: what is kept for them, and how it is known that they serve.

use std::time::Duration;

use clap::Args;

use super::values::period;
use crate::process::Address;
use crate::ready::Probe;

/// What servers are given, and what is expected of them.
#[derive(Debug, Args)]
pub struct Serving {
    /// Listen there, and pass the socket to each program as systemd does (LISTEN_FDS), so that no
    /// connection is refused meanwhile: PORT, HOST:PORT, unix:PATH or @NAME
    ///
    /// May be given several times; in the variable, they are separated by commas.
    #[arg(
        long,
        value_name = "[NAME=]ADDRESS",
        env = "STAKEOUT_LISTEN",
        value_delimiter = ',',
        value_parser = Address::parse,
        help_heading = "Serving"
    )]
    pub listen: Vec<Address>,

    /// What says that the program is ready: tcp:PORT, tcp:HOST:PORT, an http:// address (2xx or
    /// 3xx), exec:COMMAND (0), log:REGEX (a line of its output) or notify (sd_notify)
    #[arg(
        long,
        value_name = "HOW",
        env = "STAKEOUT_READY",
        value_parser = Probe::parse,
        help_heading = "Serving"
    )]
    pub ready: Option<Probe>,

    /// How long it may take to become ready
    #[arg(
        long,
        value_name = "TIME",
        env = "STAKEOUT_READY_TIMEOUT",
        default_value = "60s",
        value_parser = period,
        help_heading = "Serving"
    )]
    pub ready_timeout: Duration,

    /// Restart the program if it does not say WATCHDOG=1 (sd_notify) at least so often
    #[arg(
        long,
        value_name = "TIME",
        env = "STAKEOUT_WATCHDOG",
        value_parser = period,
        help_heading = "Serving"
    )]
    pub watchdog: Option<Duration>,
}
