//! The reference: the same tree read the slow, plain way, with nothing remembered.
//!
//! walkdir walks everything, every file is read whole. The fast path must never differ from it:
//! property tests hold them together, and `stakeout scan --verify` does so on a user's own mount.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::io::Errno;
use walkdir::WalkDir;

use super::check::is_gone;
use super::mount::Mount;
use super::open::Links;
use super::rules::{Above, Rules};
use super::{Plan, Root, content};
use crate::tree::{Dir, Entry, Snapshot};

/// Reads all that `plan` names.
///
/// # Errors
/// The first one: a reference with holes is none.
pub fn read(plan: &Plan) -> io::Result<Snapshot> {
    let mut dirs: BTreeMap<PathBuf, Vec<(OsString, Entry)>> = BTreeMap::new();
    for root in &plan.roots {
        if root.path.is_dir() {
            read_root(plan, root, &mut dirs)?;
        } else if let Some(entry) = read_entry(plan, &root.path.canonicalize()?)? {
            dirs.entry(root.label.clone()).or_default().push((OsString::new(), entry));
        }
    }
    let dirs = dirs.into_iter().map(|(path, dir)| (Arc::from(path), Arc::new(Dir::new(dir))));
    Ok(Snapshot::new(dirs))
}

fn read_root(
    plan: &Plan,
    root: &Root,
    dirs: &mut BTreeMap<PathBuf, Vec<(OsString, Entry)>>,
) -> io::Result<()> {
    let base = root.path.canonicalize()?;
    let mut rules: BTreeMap<PathBuf, Arc<Rules>> = BTreeMap::new();
    let rules_above = match plan.ignore_files_above {
        true => Above::read(&base).rules,
        false => Rules::none(),
    };
    let mut walk = WalkDir::new(&base).follow_links(plan.follow_symlinks).into_iter();
    while let Some(found) = walk.next() {
        let (path, is_directory) = match found {
            Ok(found) => (found.path().to_path_buf(), found.file_type().is_dir()),
            Err(error) => (stays_link(error)?, false),
        };
        let path = path.as_path();
        let below = path.strip_prefix(&base).expect("a walk stays below its base");
        let above = path.parent().and_then(|parent| rules.get(parent)).unwrap_or(&rules_above);
        let shown = root.label.join(below);
        if path != base && above.exclude(plan, path, &shown, is_directory) {
            if is_directory {
                walk.skip_current_dir();
            }
            continue;
        }
        if is_directory && Mount::of(File::open(path)?) == Mount::Pseudo {
            walk.skip_current_dir();
        } else if is_directory {
            if plan.ignore_files {
                let own = rules_of(above, path)?;
                rules.insert(path.to_path_buf(), own);
            }
        } else if plan.selection.wants(&shown)
            && let Some(entry) = read_entry(plan, path)?
            && !plan.own_output.contains(&(entry.stamp().device.into(), entry.stamp().inode))
        {
            let name = path.file_name().unwrap_or_default().to_os_string();
            let dir = shown.parent().unwrap_or(Path::new("")).to_path_buf();
            dirs.entry(dir).or_default().push((name, entry));
        }
    }
    Ok(())
}

/// The link that an error is about, where it leads to nothing or back to where it lies.
fn stays_link(error: walkdir::Error) -> io::Result<PathBuf> {
    let is_dangling = error.io_error().and_then(Errno::from_io_error).is_some_and(is_gone);
    let path = error.path().filter(|path| path.is_symlink()).map(Path::to_path_buf);
    match path {
        Some(path) if is_dangling || error.loop_ancestor().is_some() => Ok(path),
        _ => Err(error.into()),
    }
}

/// Reads one entry; a link to a directory is one where the walk did not enter it.
fn read_entry(plan: &Plan, path: &Path) -> io::Result<Option<Entry>> {
    let links = if path.is_dir() { Links::Kept } else { plan.links() };
    Ok(content::read(CWD, path.as_os_str(), links, None, &|| ())?)
}

fn rules_of(above: &Arc<Rules>, path: &Path) -> io::Result<Arc<Rules>> {
    let has = |file: &str| path.join(file).symlink_metadata().is_ok();
    let read = Rules::read(above, File::open(path)?, path, has(".git"), has, None);
    let (rules, _) = read.map_err(|unreadable| unreadable.errno)?;
    Ok(rules)
}
