//! `stakeout diff`: what changed in a tree since a scan of it was saved.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use clap::Args;

use super::scan::{all_read, complain, progress, whole};
use super::{Failure, print_out, saved};
use crate::scan::Scanner;
use crate::tree::{Change, diff as compare};
use crate::ui::{as_json, describe};

/// Something is another than it was.
const DIFFERENT: u8 = 1;

/// Say what changed in a tree since `stakeout scan --save`.
///
/// Exits with 0 if nothing did, and with 1 if anything did: for CI, that a build has left the tree
/// clean, for example. The same files are compared that were chosen for the scan.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stakeout scan --save before && make generate && stakeout diff before")]
pub struct Diff {
    /// What `stakeout scan --save` has written
    pub file: PathBuf,

    /// The directory to compare with it
    #[arg(default_value = ".")]
    pub path: PathBuf,

    /// Print a JSON object for each change
    #[arg(long)]
    pub json: bool,
}

/// Compares and prints; gives the status to exit with.
pub fn diff(args: &Diff) -> Result<u8, Failure> {
    let (before, choice) = saved::load(&args.file).map_err(Failure::usage)?;
    let mut plan = whole(&args.path, &choice)?;
    // Where it lies in the tree, it is no part of it.
    let own = args.file.metadata().map(|it| (it.dev(), it.ino()));
    plan.own_output.extend(own);
    let mut scanner = Scanner::new(plan)?;
    let progress = progress(&scanner)?;
    let troubles = scanner.look().troubles;
    while scanner.read_baseline() {}
    progress.end();
    let changes = compare(&before, scanner.snapshot());
    print_out(&lines(&changes, args.json))?;
    troubles.iter().for_each(complain);
    let is_complete = all_read(scanner.snapshot(), &args.path) && troubles.is_empty();
    Ok(if changes.is_empty() && is_complete { 0 } else { DIFFERENT })
}

/// A line for each change, for people or for programs.
pub fn lines(changes: &[Change], json: bool) -> String {
    let line = |change: &Change| match json {
        true => format!("{}\n", as_json(change)),
        false => describe(std::slice::from_ref(change)) + "\n",
    };
    changes.iter().map(line).collect()
}
