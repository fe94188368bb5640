//! A snapshot: the whole tree at one moment, sharing what did not change with its neighbours.

use std::ffi::{OsStr, OsString};
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Digest, Dir, Entry};

/// All entries under all roots. Cloning is cheap, and two snapshots taken one after the other
/// share every directory that stayed the same, so comparing them costs one pointer comparison for
/// many directories.
///
/// The list is flat, not nested: however deep a tree is, nothing here recurses.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pages: Arc<[Page]>,
}

/// Neighbours in the order of the paths, at least one.
type Page = Arc<[Branch]>;

/// So many directories make a page. An edit copies its page and the list of pages; both are short
/// where this is about the square root of the number of directories.
const PAGE: usize = 128;

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
        let mut branches = branches.into_iter();
        let page = || Some(branches.by_ref().take(PAGE).collect::<Page>());
        Self { pages: iter::from_fn(page).take_while(|page| !page.is_empty()).collect() }
    }

    /// A snapshot in which these directories are as given; what lies far from them is shared.
    pub fn with(&self, dirs: impl IntoIterator<Item = (Arc<Path>, Arc<Dir>)>) -> Self {
        let mut pages = Arc::clone(&self.pages);
        let mut unknown = Vec::new();
        for (path, dir) in dirs {
            match self.find(&path) {
                Some((page, index)) => {
                    let page = &mut Arc::make_mut(&mut pages)[page];
                    Arc::make_mut(page)[index].dir = dir;
                }
                None => unknown.push((path, dir)),
            }
        }
        let known = Self { pages };
        if unknown.is_empty() {
            return known;
        }
        let dirs = known.dirs().map(|(path, dir)| (Arc::clone(path), Arc::clone(dir)));
        Self::new(dirs.chain(unknown))
    }

    /// The directories in the byte order of their paths.
    pub fn dirs(&self) -> impl Iterator<Item = (&Arc<Path>, &Arc<Dir>)> {
        self.branches().map(|branch| (&branch.path, &branch.dir))
    }

    fn branches(&self) -> impl Iterator<Item = &Branch> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// The directories that `other` does not share, and their neighbours.
    pub(super) fn unshared<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Branch> {
        let pages = self.pages.iter().enumerate().filter(|&(index, page)| {
            other.pages.get(index).is_none_or(|other| !Arc::ptr_eq(page, other))
        });
        pages.flat_map(|(_, page)| page.iter())
    }

    /// Every entry with its path, directory by directory.
    pub fn entries(&self) -> impl Iterator<Item = (PathBuf, Entry)> {
        self.branches().flat_map(|branch| {
            branch.dir.iter().map(|(name, entry)| (join(&branch.path, name), entry))
        })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.branches().map(|branch| branch.dir.len()).sum()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.branches().all(|branch| branch.dir.is_empty())
    }

    /// The size of all files taken together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.branches()
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
        let (page, index) = self.find(path)?;
        Some(&self.pages[page][index].dir)
    }

    /// In which page the directory at a path is, and where in it.
    fn find(&self, path: &Path) -> Option<(usize, usize)> {
        let key = path.as_os_str();
        let after = self.pages.partition_point(|page| page[0].key() <= key);
        let page = after.checked_sub(1)?;
        let index = self.pages[page].binary_search_by(|branch| branch.key().cmp(key)).ok()?;
        Some((page, index))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Link, Stamp};

    fn dir(target: &str) -> Arc<Dir> {
        let stamp = Stamp { mode: 0, size: 0, mtime: 0, ctime: 0, inode: 0, device: 0 };
        let link = Entry::Link(Box::new(Link { stamp, target: Path::new(target).into() }));
        Arc::new(Dir::new(vec![("link".into(), link)]))
    }

    fn branch(path: &str, target: &str) -> (Arc<Path>, Arc<Dir>) {
        (Path::new(path).into(), dir(target))
    }

    fn numbered(count: usize) -> Snapshot {
        Snapshot::new((0..count).map(|number| branch(&format!("{number:05}"), "before")))
    }

    #[test]
    fn every_directory_is_found_in_its_page() {
        for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 7] {
            let snapshot = numbered(count);
            assert_eq!(snapshot.dirs().count(), count);
            assert_eq!(snapshot.len(), count);
            for (path, dir) in snapshot.dirs() {
                assert!(snapshot.dir(path).is_some_and(|found| Arc::ptr_eq(found, dir)));
            }
            for path in ["", "0", "00000x", "99999"] {
                assert!(snapshot.dir(Path::new(path)).is_none(), "{path}");
            }
        }
    }

    #[test]
    fn an_edit_copies_its_page_and_shares_the_others() {
        let before = numbered(5 * PAGE);
        let after = before.with([branch("00200", "after"), branch("00201", "after")]);
        assert_eq!(after.unshared(&before).count(), PAGE);
        assert_eq!(before.unshared(&after).count(), PAGE);
        assert_eq!(after.dirs().count(), 5 * PAGE);
        let target = |snapshot: &Snapshot, path: &str| match snapshot.dir(Path::new(path)) {
            Some(dir) => match dir.at(0).1 {
                Entry::Link(link) => link.target.display().to_string(),
                Entry::File(_) => "a file".to_owned(),
            },
            None => "nothing".to_owned(),
        };
        assert_eq!(target(&after, "00201"), "after");
        assert_eq!(target(&before, "00201"), "before", "what was taken stays");
        assert_eq!(before.unshared(&before.with([])).count(), 0);
    }

    #[test]
    fn a_directory_that_was_not_there_is_put_in_its_place() {
        let after = numbered(PAGE).with([branch("00000x", "new"), branch("00003", "after")]);
        let paths: Vec<_> = after.dirs().take(3).map(|(path, _)| path.to_path_buf()).collect();
        assert_eq!(paths, ["00000", "00000x", "00001"].map(PathBuf::from));
        assert_eq!(after.dirs().count(), PAGE + 1);
        assert!(after.dir(Path::new("00003")).is_some_and(|found| **found == *dir("after")));
    }
}
