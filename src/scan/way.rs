//! The way to a known directory: how its entries are asked at the least cost.
//!
//! On a local file system a directory is held open from look to look, and each of its
//! entries costs one `fstatat(2)` of a bare name. That the descriptor still is what the path means
//! follows from the directory above: had the name in it been given to another, its own times were
//! others, and its listing says which inodes its directories are. What is mounted over a directory
//! leaves no such trace; so after any change of the mount table the directory is asked for by
//! name. What there is no room for in the process's own descriptor table is held on
//! [shelves](super::shelves), where a look at everything asks it; else paths lead on from the nearest
//! directory that is held.
//!
//! On a share nothing is held: it would keep it from being unmounted, and a path of several
//! components costs a request for each.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::path::Arg;
use rustix::process::{Resource, getrlimit};

use super::forest::Forest;
use super::known::KnownDir;
use super::mount::Mount;
use super::open::{self, Access, Freshness, Links};
use crate::tree::Stamp;

/// An open directory, and the path from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    from: BorrowedFd<'a>,
    path: &'a Path,
    links: Links,
    freshness: Freshness,
}

/// A directory whose entries can be asked.
#[derive(Debug)]
pub(super) struct Reached<'a> {
    by: By<'a>,
    links: Links,
    freshness: Freshness,
}

#[derive(Debug)]
enum By<'a> {
    Held(BorrowedFd<'a>),
    Opened(OwnedFd),
    /// By paths that begin like this, from a directory above.
    Above {
        from: BorrowedFd<'a>,
        prefix: Vec<u8>,
    },
}

/// Opening and closing a directory costs about as much as so many more components in paths.
const OPENING_COSTS: usize = 24;

/// Longer paths than this, with the separator, are not put together with names.
const LONGEST_PREFIX: usize = 256;

/// NAME_MAX and the NUL, in bytes.
const LONGEST_NAME: usize = 256;

impl<'a> Way<'a> {
    /// The way to `dir`, whose root is open as `root`.
    pub(super) fn to(
        dirs: &'a Forest,
        dir: &'a KnownDir,
        root: BorrowedFd<'a>,
        links: Links,
        freshness: Freshness,
    ) -> Self {
        let mut above = dir.parent.and_then(|id| dirs.get(id));
        while let Some(known) = above {
            if let Some(held) = &known.held {
                let path = dir.path.as_os_str().as_bytes();
                // Held directories are never a tree's top, so a separator follows.
                let path = OsStr::from_bytes(&path[known.path.as_os_str().len() + 1..]);
                return Self { from: held.as_fd(), path: Path::new(path), links, freshness };
            }
            above = known.parent.and_then(|id| dirs.get(id));
        }
        Self { from: root, path: dir.below(), links, freshness }
    }

    /// The way to a directory that is held open, as `held`, and proven by the one above.
    pub(super) fn held(held: BorrowedFd<'a>, links: Links) -> Self {
        Self { from: held, path: Path::new(""), links, freshness: Freshness::Cached }
    }

    /// Reaches the directory, and gives the stamp that it has now. `same_mounts`: nothing was
    /// mounted or unmounted since it was last reached.
    pub(super) fn reach(
        self,
        dir: &'a KnownDir,
        same_mounts: bool,
    ) -> Result<(Reached<'a>, Stamp), Errno> {
        if self.path.as_os_str().is_empty() {
            return Ok((
                self.by(By::Held(self.from)),
                open::stamp_of_directory(self.from, self.freshness)?,
            ));
        }
        if let Some(held) = &dir.held {
            // Where a link leads depends on other directories than the one above.
            let stamp = match same_mounts && dir.link.is_none() {
                true => open::stamp(held)?,
                false => self.stamp()?,
            };
            return Ok((self.by(By::Held(held.as_fd())), stamp));
        }
        let path = self.path.as_os_str().as_bytes();
        let components = 1 + path.iter().filter(|byte| **byte == b'/').count();
        let is_dear = dir.mount != Mount::Local
            || path.len() >= LONGEST_PREFIX
            || dir.contents.len() * components > OPENING_COSTS;
        if is_dear {
            let opened = open::directory(self.from, self.path, Access::Search, self.links)?;
            let stamp = open::stamp_of_directory(&opened, self.freshness)?;
            return Ok((self.by(By::Opened(opened)), stamp));
        }
        // A link that has taken the place of a directory on the way leads to other inodes, or to
        // the very same ones.
        let stamp = self.stamp()?;
        Ok((self.by(By::Above { from: self.from, prefix: [path, b"/"].concat() }), stamp))
    }

    fn stamp(self) -> Result<Stamp, Errno> {
        open::stamp_of_name(self.from, self.path.as_os_str(), self.links, self.freshness)
    }

    fn by(self, by: By<'a>) -> Reached<'a> {
        Reached { by, links: self.links, freshness: self.freshness }
    }
}

impl Reached<'_> {
    /// The stamp of the entry called `name`.
    pub(super) fn stamp_of(&self, name: impl Arg + Copy) -> Result<Stamp, Errno> {
        self.ask(name, self.links)
    }

    /// The stamp of what is called `name` itself, be it a link.
    pub(super) fn stamp_of_link(&self, name: impl Arg + Copy) -> Result<Stamp, Errno> {
        self.ask(name, Links::Kept)
    }

    fn ask(&self, name: impl Arg + Copy, links: Links) -> Result<Stamp, Errno> {
        match &self.by {
            By::Held(directory) => open::stamp_of_name(directory, name, links, self.freshness),
            By::Opened(directory) => open::stamp_of_name(directory, name, links, self.freshness),
            By::Above { from, prefix } => {
                let name = name.as_cow_c_str()?;
                let (prefix, name) = (prefix.as_slice(), name.to_bytes_with_nul());
                // On the stack: this is done for each file, and an allocation shows.
                let mut path = [0; LONGEST_PREFIX + LONGEST_NAME];
                let path = path.get_mut(..prefix.len() + name.len()).ok_or(Errno::NAMETOOLONG)?;
                path[..prefix.len()].copy_from_slice(prefix);
                path[prefix.len()..].copy_from_slice(name);
                let path = CStr::from_bytes_with_nul(path).map_err(|_| Errno::INVAL)?;
                open::stamp_of_name(from, path, links, self.freshness)
            }
        }
    }

    /// The directory itself, opened for listing.
    pub(super) fn for_listing(&self) -> Result<OwnedFd, Errno> {
        match &self.by {
            By::Held(directory) => open::for_listing(directory),
            By::Opened(directory) => open::for_listing(directory),
            By::Above { from, prefix } => {
                let path = Path::new(OsStr::from_bytes(&prefix[..prefix.len() - 1]));
                open::directory(from, path, Access::List, self.links)
            }
        }
    }
}

/// How many files may be open in one descriptor table (RLIMIT_NOFILE); `None` for any number.
pub(super) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many directories may be held in the process's own table: half of what it may open, and not so
/// many that to start a program takes longer, for which the table is copied (80 ns for each). All
/// others are for [shelves](super::shelves).
pub(super) fn most_held(limit: Option<u64>) -> usize {
    const ENOUGH: usize = 4 * 1024;
    let half = limit.and_then(|limit| usize::try_from(limit / 2).ok());
    half.map_or(ENOUGH, |half| half.min(ENOUGH))
}
