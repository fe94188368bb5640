//! `stakeout [-- COMMAND...]`: watch, and run the program.

use super::args::Cli;
use super::{Failure, setup};
use crate::dispatch::Dispatcher;
use crate::scan::Scanner;
use crate::ui::Log;

/// Watches until it is told to end; gives the status to exit with.
pub fn run(cli: &Cli) -> Result<u8, Failure> {
    let plan = match cli.no_watch {
        true => None,
        false => Some(
            setup::plan(&setup::roots(cli), &cli.choice, &cli.on_change.build_outputs)
                .map_err(Failure::usage)?,
        ),
    };
    let what = setup::setup(cli).map_err(Failure::usage)?;
    let log = Log::new(setup::level(cli))?;
    let dispatcher = Dispatcher::new(what, log)?;
    Ok(dispatcher.run(plan.map(Scanner::new).transpose()?)?)
}
