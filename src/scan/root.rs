//! A root as it is found on each look: opened anew by its path, so that one that was deleted and
//! made again, remounted, or swapped by a symbolic link is followed.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::forest::DirId;
use super::inodes::Inodes;
use super::mount::Mount;
use super::open;
use super::plan::Root;
use super::rules::{Above, Rules};
use crate::tree::Stamp;

/// What a scanner keeps of a root from one look to the next.
#[derive(Debug)]
pub(super) struct KnownRoot {
    pub(super) place: Root,
    /// Its top directory, once it could be opened.
    pub(super) top: Option<DirId>,
    /// What it was opened as in this look.
    pub(super) now: Option<OpenRoot>,
    /// Whether something was mounted or unmounted since the last look at all of it.
    pub(super) is_remounted: bool,
    /// Where it was last found.
    pub(super) last: Option<Found>,
    /// The rules that the directories above it bring.
    pub(super) above: Arc<Rules>,
    sources: Option<Above>,
}

/// Where a root was found, and as which directory.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The root's absolute path without symbolic links.
    pub(super) real: PathBuf,
    /// The directory's stamp. Its identity is what counts of it.
    stamp: Stamp,
}

/// A root that is open for a look.
#[derive(Debug)]
pub(super) struct OpenRoot {
    /// The directory, or for a single file the directory that it is in.
    pub(super) directory: OwnedFd,
    /// For a single file: its name in the directory.
    pub(super) single: Option<OsString>,
    found: Found,
}

impl KnownRoot {
    pub(super) fn new(place: Root) -> Self {
        let above = Rules::none();
        Self { place, top: None, now: None, is_remounted: false, last: None, above, sources: None }
    }

    /// Opens it for as long as it is being read.
    pub(super) fn open(&mut self, inodes: &Inodes) -> Result<(), Errno> {
        self.now = None;
        self.now = Some(OpenRoot::open(&self.place.path, self.last.as_ref(), inodes)?);
        Ok(())
    }

    /// Whether it was opened, and is on a share.
    pub(super) fn is_on_share(&self) -> bool {
        self.now.as_ref().is_some_and(|now| Mount::of(&now.directory).is_share())
    }

    /// Finds out whether it is another directory than at the last look, or under other rules.
    /// Does nothing where it is not open.
    pub(super) fn refresh(&mut self, inodes: &Inodes, ignore_files_above: bool) -> bool {
        let Some(opened) = &self.now else { return false };
        let is_there = |last: &Found| last.is_still(&opened.found, inodes);
        let has_moved = !self.last.as_ref().is_some_and(is_there);
        let is_outdated = self.sources.as_ref().is_none_or(|above| above.is_outdated(inodes));
        self.last = Some(opened.found.clone());
        if ignore_files_above && (has_moved || is_outdated) {
            let above = Above::read(opened.base());
            self.above = Arc::clone(&above.rules);
            self.sources = Some(above);
        }
        has_moved || ignore_files_above && is_outdated
    }
}

impl Found {
    /// Whether it is the same directory at the same place.
    fn is_still(&self, now: &Found, inodes: &Inodes) -> bool {
        self.real == now.real && inodes.same_file(&self.stamp, &now.stamp)
    }
}

impl OpenRoot {
    fn open(path: &Path, known: Option<&Found>, inodes: &Inodes) -> Result<Self, Errno> {
        let (directory, single) = match open_directory(path) {
            Ok(directory) => (directory, None),
            // A file may be reached through links that are swapped (as Kubernetes does with a
            // ConfigMap), so it is resolved every time.
            Err(Errno::NOTDIR) => {
                let real = resolve(path)?;
                let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
                    return Err(Errno::NOTDIR);
                };
                (open_directory(parent)?, Some(name.to_os_string()))
            }
            Err(error) => return Err(error),
        };
        let stamp = open::stamp(&directory)?;
        let real = match known {
            Some(known) if inodes.same_file(&known.stamp, &stamp) && single.is_none() => {
                known.real.clone()
            }
            _ => resolve(path)?,
        };
        Ok(Self { directory, single, found: Found { real, stamp } })
    }

    /// The absolute path of the directory whose names are scanned.
    pub(super) fn base(&self) -> &Path {
        let real = &self.found.real;
        match &self.single {
            Some(_) => real.parent().unwrap_or(real),
            None => real,
        }
    }
}

pub(super) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn resolve(path: &Path) -> Result<PathBuf, Errno> {
    path.canonicalize().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}
