//! A root as it is found on each look: opened anew by its path, so that one that was deleted and
//! made again, remounted, or swapped by a symbolic link is followed.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::open;

/// A root that could be opened.
#[derive(Debug)]
pub(super) struct OpenRoot {
    /// The directory, or for a single file the directory that it is in.
    pub(super) directory: OwnedFd,
    /// The root's absolute path without symbolic links.
    pub(super) real: PathBuf,
    /// For a single file: its name in the directory.
    pub(super) single: Option<OsString>,
}

impl OpenRoot {
    pub(super) fn open(path: &Path, known: Option<(&Path, (u64, u64))>) -> Result<Self, Errno> {
        match open_directory(path) {
            Ok(directory) => {
                let stamp = open::stamp(&directory)?;
                let real = match known {
                    Some((real, identity)) if identity == (stamp.device, stamp.inode) => {
                        real.to_path_buf()
                    }
                    _ => resolve(path)?,
                };
                Ok(Self { directory, real, single: None })
            }
            // A file may be reached through links that are swapped (as Kubernetes does with a
            // ConfigMap), so it is resolved every time.
            Err(Errno::NOTDIR) => {
                let real = resolve(path)?;
                let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
                    return Err(Errno::NOTDIR);
                };
                let directory = open_directory(parent)?;
                let single = Some(name.to_os_string());
                Ok(Self { directory, real, single })
            }
            Err(error) => Err(error),
        }
    }

    /// The absolute path of the directory whose names are scanned.
    pub(super) fn base(&self) -> &Path {
        match &self.single {
            Some(_) => self.real.parent().unwrap_or(&self.real),
            None => &self.real,
        }
    }

    /// Device and inode of the directory.
    pub(super) fn identity(&self) -> Result<(u64, u64), Errno> {
        open::stamp(&self.directory).map(|stamp| (stamp.device, stamp.inode))
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn resolve(path: &Path) -> Result<PathBuf, Errno> {
    path.canonicalize().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}
