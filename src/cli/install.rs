//! `stakeout install PATH`: copies itself, out of an image that has no other program.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use tempfile::Builder;

use super::Failure;

/// Copy this program to a file or into a directory.
///
/// As an init container does it for an image that is not built anew.
#[derive(Debug, Args)]
pub struct Install {
    /// The file, or a directory for a file named stakeout
    pub path: PathBuf,
}

/// Copies it, so that at no time there is half of it.
pub fn install(args: &Install) -> Result<u8, Failure> {
    let target = match args.path.is_dir() {
        true => args.path.join("stakeout"),
        false => args.path.clone(),
    };
    copy(&target).map_err(|error| {
        let why = crate::scan::reason(&error);
        let path = crate::ui::text::path(&target);
        anyhow!("cannot copy stakeout to {path}: {why}; does the directory exist, and is it ours?")
    })?;
    Ok(0)
}

fn copy(target: &Path) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut scratch = Builder::new().prefix(".stakeout-").tempfile_in(directory)?;
    io::copy(&mut File::open(own)?, &mut scratch)?;
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755))?;
    scratch.as_file().sync_all()?;
    scratch.persist(target)?;
    Ok(())
}
