//! Following links, where that is asked for: a link to a file counts as that file, and one to a
//! directory as that directory, under the path of the link.
//!
//! Every path then means what it means to whoever opens it, so it is resolved by the kernel anew at
//! each look: for a file by one `fstatat(2)` as ever. A directory that was reached by a link is
//! not proven by the one above it (see [`way`](super::way)), so it is asked for by name, though it
//! is held. What is below it is proven by it as anywhere else.
//!
//! A link stays a link where it leads to nothing, to neither a file nor a directory, or back to a
//! directory that it lies in.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::forest::Forest;
use super::known::KnownDir;
use super::list::{Child, Found, Lister};
use super::{Trouble, Verb, names, open};
use crate::tree::{Entry, Stamp};

/// So many directories are entered by links, and hardly more. A few that lead to each other could
/// make more paths of a small tree than there is memory.
pub(super) const MOST_LINKED: usize = 4096;

/// How many links are followed to find out where the last one leads.
const MOST_HOPS: usize = 16;

impl Lister<'_> {
    /// What a link leads to; the link itself where it is not followed.
    pub(super) fn target(&mut self, absolute: &Path, name: &OsStr) -> Option<Stamp> {
        let stamp = self.ask(name)?;
        let child = self.around.dirs.child_called(self.known, name);
        let child = child.and_then(|id| self.around.dirs.get(id));
        if open::kind(&stamp) == FileType::Directory {
            let is_here = (stamp.device, stamp.inode)
                == (self.listing.stamp.device, self.listing.stamp.inode);
            let is_too_many = child.is_none() && !self.around.dirs.takes_linked();
            if is_too_many {
                self.listing.is_complete = false;
                self.listing.troubles.push(Trouble::new(
                    self.known.path.join(name),
                    Verb::Open,
                    Errno::MLINK,
                ));
            }
            let stays = is_here || is_too_many || leads_back(self.around.dirs, self.known, &stamp);
            return if stays { self.itself(name) } else { Some(stamp) };
        }
        let led = match (child, self.known.contents.get(name)) {
            (Some(child), _) => child.stamp,
            (None, Some(Entry::File(file))) => Some(file.stamp),
            _ => None,
        };
        if open::kind(&stamp) == FileType::Symlink
            && led.is_some_and(|led| is_unmounted(absolute, led.device))
        {
            self.listing.is_complete = false;
            self.listing.troubles.push(Trouble::new(
                self.known.path.join(name),
                Verb::Enter,
                Errno::NODEV,
            ));
            let name = name.to_os_string();
            match child {
                Some(KnownDir { stamp, link, .. }) => {
                    self.listing.children.push(Child { name, stamp: *stamp, link: link.clone() });
                }
                None => self.listing.entries.push((name, Found::Unknown)),
            }
            return None;
        }
        Some(stamp)
    }

    /// The stamp of a name itself, be it a link.
    pub(super) fn itself(&mut self, name: &OsStr) -> Option<Stamp> {
        let stamp = open::stamp_at(&self.directory, name);
        stamp.map_err(|error| self.fail(name, Verb::Stat, error)).ok()
    }
}

/// Whether a stamp is that of the directory `dir` or of one that it lies in, by the way that led
/// there.
pub(super) fn leads_back(dirs: &Forest, dir: &KnownDir, stamp: &Stamp) -> bool {
    if open::kind(stamp) != FileType::Directory {
        return false;
    }
    let mut on_the_way = Some(dir);
    while let Some(dir) = on_the_way {
        if dir.stamp.is_some_and(|it| (it.device, it.inode) == (stamp.device, stamp.inode)) {
            return true;
        }
        on_the_way = dir.parent.and_then(|id| dirs.get(id));
    }
    false
}

/// Whether what `link`, an absolute path, led to on this device seems to be missing since the
/// volume that it lies on was unmounted: the way ends in an empty directory on another device.
fn is_unmounted(link: &Path, device: u32) -> bool {
    let mut path = link.to_path_buf();
    for _ in 0..MOST_HOPS {
        match rustix::fs::readlinkat(CWD, &path, Vec::new()) {
            Ok(target) => path = beside(&path, OsStr::from_bytes(target.as_bytes())),
            Err(_) => break,
        }
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for above in path.ancestors().skip(1) {
        match rustix::fs::openat(CWD, above, flags, Mode::empty()) {
            Ok(opened) => {
                let is_other = open::stamp(&opened).is_ok_and(|stamp| stamp.device != device);
                return is_other && names::is_empty(&opened).unwrap_or(false);
            }
            Err(Errno::NOENT) => {}
            Err(_) => return false,
        }
    }
    false
}

/// What a link's target means.
fn beside(link: &Path, target: &OsStr) -> PathBuf {
    link.parent().unwrap_or(link).join(target)
}
