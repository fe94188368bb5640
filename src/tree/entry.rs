//! An entry: one file or symbolic link of a tree, with its stamp and, once read, its digest.

use std::path::Path;

use super::Digest;

/// What `fstatat(2)` says of an entry, kept to tell cheaply that it was not touched.
///
/// A stamp is evidence, not content: equal stamps mean "not touched" only once the file system's
/// timestamp granule has passed, and different stamps only mean "look at the content".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `st_mode`: the kind of file and its permission bits, which on Linux have 16 bits.
    pub mode: u16,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last modification, in nanoseconds since the epoch. Only compared for
    /// equality, so it may wrap for times that 64 bits cannot hold.
    pub mtime: i64,
    /// Time of the last status change, as `mtime`. Programs cannot set it back.
    pub ctime: i64,
    /// Inode number.
    pub inode: u64,
    /// Device number of the file system. Linux has no more than 32 bits of it (12 for the major
    /// number, 20 for the minor), and a large tree has many of these.
    pub device: u32,
}

impl Stamp {
    /// Whether size, times and mode are the same. Inode and device do not count: they change
    /// with a remount, and on some shares at any time.
    pub fn same_times(&self, other: &Stamp) -> bool {
        (self.mode, self.size, self.mtime, self.ctime)
            == (other.mode, other.size, other.mtime, other.ctime)
    }

    /// Whether the owner may execute it, which is all that git keeps of the mode, too.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }
}

/// One file or symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File(File),
    /// A symbolic link; what it points to is not followed. Boxed, so that files, of which there
    /// are more, need no room for the difference.
    Link(Box<Link>),
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The stamp that belongs to `digest`.
    pub stamp: Stamp,
    /// The content's digest. `None`: not read yet, larger than the hash limit, or unreadable;
    /// such a file is judged by its stamp alone.
    pub digest: Option<Digest>,
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The link's own stamp, not its target's.
    pub stamp: Stamp,
    /// Where it points, as written in the link.
    pub target: Box<Path>,
}

impl Entry {
    /// The stamp, of whatever kind the entry is.
    pub fn stamp(&self) -> &Stamp {
        match self {
            Entry::File(file) => &file.stamp,
            Entry::Link(link) => &link.stamp,
        }
    }

    /// Whether it is a file whose content is not known.
    pub fn is_unread(&self) -> bool {
        matches!(self, Entry::File(file) if file.digest.is_none())
    }

    /// Whether a program that reads the tree would find the same here: same kind, same content,
    /// same executable bit, same link target. Owner, times and other mode bits do not count.
    ///
    /// A file without a digest counts as the same while its size, times and mode are the same.
    pub fn same_content(&self, other: &Entry) -> bool {
        match (self, other) {
            (Entry::File(a), Entry::File(b)) => {
                a.stamp.is_executable() == b.stamp.is_executable() && a.same_bytes(b)
            }
            (Entry::Link(a), Entry::Link(b)) => a.target == b.target,
            _ => false,
        }
    }
}

impl File {
    fn same_bytes(&self, other: &File) -> bool {
        match (self.digest, other.digest) {
            (Some(a), Some(b)) => a == b,
            _ => self.stamp.same_times(&other.stamp),
        }
    }
}
