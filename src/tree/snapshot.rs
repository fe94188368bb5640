//! A snapshot: the whole tree at one moment, sharing what did not change with its neighbours.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Digest, Dir, Entry};

/// All entries under all roots. Cloning is cheap, and two snapshots taken one after the other
/// share every directory that stayed the same, so comparing them costs one pointer comparison a
/// directory.
///
/// The list is flat, not nested: however deep a tree is, nothing here recurses.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    branches: Arc<[Branch]>,
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) path: Arc<Path>,
    pub(super) dir: Arc<Dir>,
}

/// Where an entry stands: its directory's path and its name in it.
///
/// A root that is a single file is a directory of its own, with one entry whose name is empty;
/// so `dir` is unique in a snapshot even when one root lies inside another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The directory, as the user would write it: relative to where stakeout was started, or
    /// absolute. The starting directory itself is the empty path.
    pub dir: Arc<Path>,
    /// The name in that directory: any bytes but NUL and `/`.
    pub name: OsString,
}

impl Place {
    /// The path to show and to give to programs.
    pub fn path(&self) -> PathBuf {
        join(&self.dir, &self.name)
    }
}

/// `dir/name`; where one of the two is empty, the other.
fn join(dir: &Path, name: &OsStr) -> PathBuf {
    if name.is_empty() { dir.to_path_buf() } else { dir.join(name) }
}

impl Snapshot {
    /// A snapshot of these directories. Of two with one path the later stands.
    pub fn new(dirs: impl IntoIterator<Item = (Arc<Path>, Arc<Dir>)>) -> Self {
        let mut branches: Vec<Branch> =
            dirs.into_iter().map(|(path, dir)| Branch { path, dir }).collect();
        branches.sort_by(|a, b| a.key().cmp(b.key()));
        branches.dedup_by(|later, earlier| {
            let same = later.key() == earlier.key();
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Self { branches: branches.into() }
    }

    /// The directories in the byte order of their paths.
    pub fn dirs(&self) -> impl Iterator<Item = (&Arc<Path>, &Arc<Dir>)> {
        self.branches.iter().map(|branch| (&branch.path, &branch.dir))
    }

    pub(super) fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// Every entry with its path, directory by directory.
    pub fn entries(&self) -> impl Iterator<Item = (PathBuf, Entry)> {
        self.branches.iter().flat_map(|branch| {
            branch.dir.iter().map(|(name, entry)| (join(&branch.path, name), entry))
        })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.branches.iter().map(|branch| branch.dir.len()).sum()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.branches.iter().all(|branch| branch.dir.is_empty())
    }

    /// The size of all files taken together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.branches
            .iter()
            .flat_map(|branch| branch.dir.iter())
            .map(|(_, entry)| match entry {
                Entry::File(file) => file.stamp.size,
                Entry::Link(_) => 0,
            })
            .fold(0, u64::saturating_add)
    }

    /// The entry at a place.
    pub fn get(&self, place: &Place) -> Option<Entry> {
        self.dir(&place.dir)?.get(&place.name)
    }

    /// The directory at a path.
    pub fn dir(&self, path: &Path) -> Option<&Arc<Dir>> {
        let key = path.as_os_str();
        let index = self.branches.binary_search_by(|branch| branch.key().cmp(key)).ok()?;
        Some(&self.branches[index].dir)
    }

    /// The digest of the whole tree, or `None` while some file's digest is not known.
    ///
    /// It depends on paths, contents, executable bits and link targets, and on nothing else, so
    /// it is the same on every machine: the BLAKE3 digest of `stakeout tree 1` and NUL, then,
    /// for every entry in the byte order of its path: one byte for the kind (`f` file, `x`
    /// executable file, `l` link), the 32-byte digest of the content or of the link's target,
    /// the path, NUL.
    pub fn digest(&self) -> Option<Digest> {
        let mut entries: Vec<(PathBuf, Entry)> = self.entries().collect();
        entries.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"stakeout tree 1\0");
        for (path, entry) in entries {
            let (kind, content) = match entry {
                Entry::File(file) if file.stamp.is_executable() => (b"x", file.digest?),
                Entry::File(file) => (b"f", file.digest?),
                Entry::Link(link) => (b"l", Digest::of(link.target.as_os_str().as_encoded_bytes())),
            };
            hasher.update(kind).update(content.as_bytes());
            hasher.update(path.as_os_str().as_encoded_bytes()).update(b"\0");
        }
        Some(Digest::finish(&hasher))
    }
}

impl Branch {
    /// What branches are sorted by. `Path` itself compares component by component, which is
    /// slower and not the order of the bytes.
    pub(super) fn key(&self) -> &OsStr {
        self.path.as_os_str()
    }
}
