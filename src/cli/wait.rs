//! `stakeout wait`: watches until something changed.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;

use super::choice::Choice;
use super::scan::progress;
use super::values::{duration, interval};
use super::{Failure, TIMED_OUT, diff, print_out, setup};
use crate::scan::Scanner;
use crate::ui::text;
use crate::watch::{Interval, Mode, Report, Timing, watch};

/// Wait until something changed, and print what did.
///
/// Exits with 0 at the first change that has settled, and with 124 if none has in time.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stakeout wait -w src --timeout 60s && make
  while stakeout wait -e md; do make html; done")]
pub struct Wait {
    /// A directory or file to watch [default: the working directory]; may be given several times
    #[arg(short, long, value_name = "PATH")]
    pub watch: Vec<PathBuf>,

    /// How long to wait at the most [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// How often to look [default: as often as 2% of one core allows]
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub interval: Option<Duration>,

    /// How long nothing must change before what changed counts
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    pub debounce: Duration,

    /// Print a JSON object for each change
    #[arg(long)]
    pub json: bool,

    // The last, since what follows would be under its heading.
    #[command(flatten)]
    pub choice: Choice,
}

/// How much of one core looking may take, in thousandths.
const BUDGET: u32 = 20;

/// How long to wait for the tree to settle.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Waits and prints; gives the status to exit with.
pub fn wait(args: &Wait) -> Result<u8, Failure> {
    let until = args.timeout.map(|timeout| Instant::now() + timeout);
    let roots = setup::each_once(&args.watch);
    let plan = setup::plan(&roots, &args.choice, &[]).map_err(Failure::usage)?;
    let timing = Timing {
        mode: Mode::Auto,
        interval: args.interval.map_or(Interval::Budget(BUDGET), Interval::Fixed),
        debounce: args.debounce,
        max_wait: MAX_WAIT,
    };
    let (sender, reports) = channel();
    let send = move |report| sender.send(report).is_ok();
    let scanner = Scanner::new(plan)?;
    let progress = progress(&scanner)?;
    let _watching = watch(scanner, timing, send)?;
    let mut is_seen = false;
    loop {
        let report = match until {
            None => reports.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => reports.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        if !matches!(report, Ok(Report::Unheard { .. })) {
            progress.end();
        }
        match report {
            Ok(Report::First { entries, .. }) => {
                is_seen = true;
                let files = text::count(entries, "file");
                // Who waits for this line may begin to edit.
                _ = writeln!(io::stderr(), "stakeout: waiting for a change of {files}");
            }
            Ok(Report::Changed { changes, .. }) => {
                print_out(&diff::lines(&changes, args.json))?;
                return Ok(0);
            }
            Ok(Report::Unwatchable { path, reason }) => {
                let path = text::path(&path);
                return Err(Failure::usage(anyhow!("cannot watch {path}: {reason}")));
            }
            Ok(Report::Troubles(troubles)) => {
                for trouble in troubles {
                    super::scan::complain(&trouble);
                }
            }
            Ok(Report::Silent { path, .. }) => {
                let path = text::path(&path);
                _ = writeln!(io::stderr(), "stakeout: {path} does not answer");
            }
            Ok(Report::Failed) | Err(RecvTimeoutError::Disconnected) => {
                return Err(anyhow!("watching failed; this is a bug in stakeout").into());
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => {
                let timeout = text::duration(args.timeout.unwrap_or_default());
                let what = match is_seen {
                    true => "nothing changed",
                    false => "the tree was not seen",
                };
                _ = writeln!(io::stderr(), "stakeout: {what} within {timeout} (--timeout)");
                return Ok(TIMED_OUT);
            }
        }
    }
}
