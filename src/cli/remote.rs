//! `stakeout status`, `restart`, `build`, `pause`, `resume`, `stop` and `logs`: asking the
//! stakeout that runs.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::values::duration;
use super::{Failure, TIMED_OUT, USAGE, print_out};
use crate::control::{Answer, Ask, NoAnswer, Place, Request, Status, ask};

/// Where requests are taken.
#[derive(Debug, Args)]
pub struct Control {
    /// Where requests are taken, such as those of `stakeout status`; off: nowhere [default: a
    /// socket in XDG_RUNTIME_DIR, /run, /dev/shm or /tmp for the working directory]
    #[arg(
        long,
        value_name = "PATH",
        env = "STAKEOUT_CONTROL",
        global = true,
        help_heading = "Requests"
    )]
    pub control: Option<PathBuf>,
}

impl Control {
    /// What that means.
    pub fn place(&self) -> Place {
        match &self.control {
            None => Place::Default,
            Some(path) if path.as_os_str() == "off" => Place::Off,
            Some(path) => Place::At(path.clone()),
        }
    }
}

/// Say how it is: what runs, whether it is ready, what was built, what changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stakeout status --check                       0 ready, 1 not, 2 no stakeout there
  stakeout status --wait ready --timeout 60s    124 if it takes longer
  stakeout status --json | jq .program.restarts")]
pub struct StatusArgs {
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,

    /// For HEALTHCHECK: exit with 0 if the program is ready, 1 if not, 2 if no stakeout answers
    #[arg(long)]
    pub check: bool,

    /// Wait until it is so
    #[arg(long, value_name = "WHAT")]
    pub wait: Option<Awaited>,

    /// How long to wait at the most; then the exit status is 124
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        value_parser = duration,
        requires = "wait"
    )]
    pub timeout: Duration,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Awaited {
    /// The program is ready, and nothing is built
    Ready,
}

/// Show the last lines of the last build.
#[derive(Debug, Args)]
pub struct Logs {
    /// Of the last build; there is nothing else yet
    #[arg(long, required = true)]
    pub build: bool,

    #[command(flatten)]
    pub of: Of,
}

/// Of which service.
#[derive(Debug, Default, Args)]
pub struct Of {
    /// Of several services, the one that is meant [default: all of them]
    pub service: Option<String>,
}

/// How often to ask while waiting. There may be no stakeout yet that could tell.
const PAUSE: Duration = Duration::from_millis(100);

/// `stakeout status`.
pub fn status(args: &StatusArgs, place: &Place) -> Result<u8, Failure> {
    let begun = Instant::now();
    loop {
        let answer = ask_status(place);
        let is_met = match (&answer, args.wait) {
            (_, None) => true,
            (Ok(status), Some(Awaited::Ready)) => status.all.ready && !status.all.building,
            (Err(_), _) => false,
        };
        let is_late = begun.elapsed() >= args.timeout;
        if is_met || is_late {
            let code = show(args, answer)?;
            return Ok(if is_met { code } else { TIMED_OUT });
        }
        thread::sleep(PAUSE.min(args.timeout.saturating_sub(begun.elapsed())));
    }
}

fn ask_status(place: &Place) -> Result<Status, NoAnswer> {
    match ask(place, &Ask::Status.into())? {
        Answer::Status(status) => Ok(*status),
        other => Err(NoAnswer::Broken(format!("it answered something else: {other:?}"))),
    }
}

/// Prints it, and gives the status to exit with.
fn show(args: &StatusArgs, answer: Result<Status, NoAnswer>) -> Result<u8, Failure> {
    let status = answer.map_err(Failure::usage)?;
    let text = match args.json {
        true => serde_json::to_string(&status)?,
        false if args.check => status.all.summary(),
        false => status.lines().join("\n"),
    };
    print_out(&(text + "\n"))?;
    Ok(u8::from(args.check && !status.all.ready))
}

/// The other verbs.
pub fn request(place: &Place, request: &Request) -> Result<u8, Failure> {
    match ask(place, request).map_err(Failure::usage)? {
        Answer::Done | Answer::Status(_) => Ok(0),
        Answer::BuildOutput(lines) => {
            print_out(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
            Ok(0)
        }
        Answer::Refused(reason) => Err(Failure { cause: anyhow!(reason), status: USAGE }),
    }
}
