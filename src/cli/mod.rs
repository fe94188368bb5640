//! The command line: what can be typed (`args`; `choice`, `on_change`, `serving`, `browsers` and
//! `output` are parts of it), what was (`typed`), what `--help` shows (`help`), what it means
//! (`setup`, and `commands` what is run), and one file for each subcommand.

mod args;
mod browsers;
mod choice;
mod commands;
mod completions;
mod config;
mod diff;
mod doctor;
mod effective;
mod env_file;
mod generate;
mod help;
mod init;
mod install;
mod on_change;
mod output;
mod reload;
mod remote;
mod rules;
mod run;
mod saved;
mod scan;
mod serving;
mod setup;
mod smoke;
mod typed;
mod values;
mod wait;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use args::Subcommand;
use remote::Of;
use typed::Typed;
pub use typed::definitions;

use crate::control::{Ask, Request};
use crate::process::signals;

/// Reads the command line, does what it says, and gives the status to exit with.
pub fn main() -> ExitCode {
    // Before anything else, so that no signal is lost.
    let blocked = signals::block();
    let words: Vec<OsString> = std::env::args_os().collect();
    let typed = match typed::parse(&words, &[]) {
        Ok(typed) => typed,
        Err(error) => return print(&error),
    };
    // What runs programs takes signals from where they wait; others end by them, as usual.
    if !matches!(typed.cli.subcommand, None | Some(Subcommand::Smoke(_))) {
        blocked.undo();
    }
    let result = call(words, typed);
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) if failure.cause.is::<clap::Error>() => {
            failure.cause.downcast_ref().map_or(ExitCode::from(USAGE), print)
        }
        Err(failure) => {
            // Nobody may be there to read it, and then there is nobody to tell.
            _ = writeln!(io::stderr(), "stakeout: {:#}", failure.cause);
            ExitCode::from(failure.status)
        }
    }
}

fn call(words: Vec<OsString>, typed: Typed) -> Result<u8, Failure> {
    let place = typed.cli.control.place();
    let Some(subcommand) = &typed.cli.subcommand else { return run::run(&words, typed) };
    let (ask, of) = match subcommand {
        Subcommand::Config(args) => return config::config(args, words),
        Subcommand::Init(args) => return init::init(args),
        Subcommand::Smoke(args) => return smoke::smoke(args),
        Subcommand::Scan(args) => return scan::scan(args),
        Subcommand::Diff(args) => return diff::diff(args),
        Subcommand::Wait(args) => return wait::wait(args),
        Subcommand::Doctor(args) => return doctor::doctor(args, &typed.matches),
        Subcommand::Completions(args) => return completions::completions(args),
        Subcommand::Man(args) => return generate::manual(args),
        Subcommand::Install(args) => return install::install(args),
        Subcommand::Status(args) => return remote::status(args, &place),
        Subcommand::Restart(of) => (Ask::Restart, of),
        Subcommand::Build(of) => (Ask::Build, of),
        Subcommand::Pause(of) => (Ask::Pause, of),
        Subcommand::Resume(of) => (Ask::Resume, of),
        Subcommand::Stop => (Ask::Stop, &Of::default()),
        Subcommand::Logs(logs) => (Ask::BuildOutput, &logs.of),
    };
    let request = Request { ask, service: of.service.clone() };
    remote::request(&place, &request)
}

/// Says what clap has to say, and gives its status: 2 for a mistake, 0 for --help and --version.
fn print(error: &clap::Error) -> ExitCode {
    let is_coloured = match error.use_stderr() {
        true => output::is_coloured(&io::stderr()),
        false => output::is_coloured(&io::stdout()),
    };
    if !is_coloured {
        anstream::ColorChoice::Never.write_global();
    }
    _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
}

/// The status for what the user has to mend.
const USAGE: u8 = 2;

/// The status for a wait that took too long, as timeout(1) has it.
const TIMED_OUT: u8 = 124;

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

/// Writes to standard output. Whoever reads may have enough, as `head` does, which is no error.
fn print_out(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a file that is there as a whole or not at all. What is no file, /dev/stdout for example, is
/// written to as it is, and a link stays one.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return fs::File::options().write(true).open(path)?.write_all(text.as_bytes());
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut scratch = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    scratch.write_all(text.as_bytes())?;
    fs::set_permissions(scratch.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    scratch.persist(path)?;
    Ok(())
}
