//! `stakeout diff`: what changed in a tree since a scan of it was saved.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::scan::{complain, whole};
use super::{Failure, saved};
use crate::tree::{Change, diff as compare};
use crate::ui::text;

/// Something is another than it was.
const DIFFERENT: u8 = 1;

/// Say what changed in a tree since `stakeout scan --save`.
///
/// Exits with 0 if nothing did, and with 1 if anything did: for CI, that a build has left the tree
/// clean, for example. The same files are compared that were chosen for the scan.
#[derive(Debug, Args)]
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
    let mut scanner = crate::scan::Scanner::new(plan)?;
    let troubles = scanner.look().troubles;
    while scanner.read_baseline().is_more {}
    let changes = compare(&before, scanner.snapshot());
    let mut out = io::stdout().lock();
    changes.iter().try_for_each(|change| writeln!(out, "{}", line(change, args.json)))?;
    troubles.iter().for_each(complain);
    let is_same = changes.is_empty() && troubles.is_empty();
    Ok(if is_same { 0 } else { DIFFERENT })
}

/// A change, for people or for programs.
pub fn line(change: &Change, json: bool) -> String {
    let (kind, from) = match change {
        Change::Created { .. } => ("created", None),
        Change::Modified { .. } => ("modified", None),
        Change::Removed { .. } => ("removed", None),
        Change::Renamed { from, .. } => ("renamed", Some(from.path())),
    };
    let path = change.place().path();
    let shown = |path: &Path| text::path(path);
    match (json, from) {
        (true, None) => serde_json::json!({"kind": kind, "path": shown(&path)}).to_string(),
        (true, Some(from)) => {
            serde_json::json!({"kind": kind, "path": shown(&path), "from": shown(&from)})
                .to_string()
        }
        (false, None) => format!("{kind} {}", shown(&path)),
        (false, Some(from)) => format!("{kind} {} → {}", shown(&from), shown(&path)),
    }
}
