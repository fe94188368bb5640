//! The command line: what can be typed (`args`; `on_change` and `serving` are parts of it), what it
//! means (`setup`), and one file for each subcommand.

mod args;
mod env_file;
mod install;
mod on_change;
mod remote;
mod run;
mod scan;
mod serving;
mod setup;
mod smoke;
mod values;

use std::io::{self, Write};
use std::process::ExitCode;

pub use args::definitions;
use args::{Cli, Subcommand};

use crate::control::Request;
use crate::process::signals;

/// Reads the command line, does what it says, and gives the status to exit with.
pub fn main() -> ExitCode {
    // Before anything else, so that no signal is lost.
    let blocked = signals::block();
    let args = match args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            // 2 for a usage error, 0 for --help and --version.
            let status = u8::try_from(error.exit_code()).unwrap_or(USAGE);
            _ = error.print();
            return ExitCode::from(status);
        }
    };
    // What runs programs takes signals from where they wait; others end by them, as usual.
    if !matches!(args.subcommand, None | Some(Subcommand::Smoke(_))) {
        blocked.undo();
    }
    let result = call(&args);
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            // Nobody may be there to read it, and then there is nobody to tell.
            _ = writeln!(io::stderr(), "stakeout: {:#}", failure.cause);
            ExitCode::from(failure.status)
        }
    }
}

fn call(args: &Cli) -> Result<u8, Failure> {
    let place = args.control.place();
    let Some(subcommand) = &args.subcommand else { return run::run(args) };
    let request = match subcommand {
        Subcommand::Smoke(args) => return smoke::smoke(args),
        Subcommand::Scan(args) => return scan::scan(args),
        Subcommand::Install(args) => return install::install(args),
        Subcommand::Status(args) => return remote::status(args, &place),
        Subcommand::Restart => Request::Restart,
        Subcommand::Build => Request::Build,
        Subcommand::Pause => Request::Pause,
        Subcommand::Resume => Request::Resume,
        Subcommand::Stop => Request::Stop,
        Subcommand::Logs(_) => Request::BuildOutput,
    };
    remote::request(&place, request)
}

/// The status for what the user has to mend.
const USAGE: u8 = 2;

/// Why a command ended before its time, and with which status.
#[derive(Debug)]
struct Failure {
    cause: anyhow::Error,
    status: u8,
}

impl Failure {
    fn usage(cause: impl Into<anyhow::Error>) -> Self {
        Self { cause: cause.into(), status: USAGE }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self { cause: cause.into(), status: 125 }
    }
}
