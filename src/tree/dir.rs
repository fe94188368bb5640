//! A dir: the entries of one directory, sorted by name, in two allocations.

use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Digest, Entry, File, Link, Stamp};

/// The files and links directly in one directory. Subdirectories are dirs of their own, held by
/// the [`Snapshot`](super::Snapshot).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dir {
    // All names one after another: a Vec of Strings would cost 24 bytes and an allocation each,
    // which is most of the memory of a large tree. Each ends in NUL, as system calls want it. A
    // link's is followed by its target, which ends in NUL as well.
    names: Box<[u8]>,
    records: Box<[Record]>,
}

/// An entry as a dir keeps it. Packed, since a large tree has a million of them: an [`Entry`] and
/// the end of its name would take 88 bytes, this takes 75.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, packed)]
struct Record {
    size: u64,
    mtime: i64,
    ctime: i64,
    inode: u64,
    device: u32,
    /// Where in the dir's names its own ends, the target and all NULs included.
    end: u32,
    mode: u16,
    kind: Kind,
    /// Zero but for a file that was read.
    digest: [u8; 32],
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    UnreadFile,
    ReadFile,
    Link,
}

impl Dir {
    /// A dir of these entries. Of two with one name the later stands.
    ///
    /// # Panics
    /// When the names of one directory are longer than 4 GiB taken together.
    pub fn new(mut entries: Vec<(OsString, Entry)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        let mut names = Vec::with_capacity(entries.iter().map(|(name, _)| name.len() + 1).sum());
        let keep = |(name, entry): &(OsString, Entry)| {
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            if let Entry::Link(link) = entry {
                names.extend_from_slice(link.target.as_os_str().as_bytes());
                names.push(0);
            }
            let end = u32::try_from(names.len()).expect("names of a directory below 4 GiB");
            Record::new(entry, end)
        };
        let records = entries.iter().map(keep).collect();
        Self { names: names.into(), records }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entry at `index` (below [`Dir::len`]) with its name.
    pub fn at(&self, index: usize) -> (&OsStr, Entry) {
        let (name, target) = self.name_and_target(index);
        let record = self.records[index];
        let stamp = record.stamp();
        let entry = match record.kind {
            Kind::Link => Entry::Link(Box::new(Link { stamp, target: Path::new(target).into() })),
            Kind::ReadFile => {
                Entry::File(File { stamp, digest: Some(Digest::from(record.digest)) })
            }
            Kind::UnreadFile => Entry::File(File { stamp, digest: None }),
        };
        (name, entry)
    }

    /// The name of the entry at `index`.
    pub fn name(&self, index: usize) -> &OsStr {
        self.name_and_target(index).0
    }

    /// The name of the entry at `index`, as system calls want it.
    pub fn c_name(&self, index: usize) -> &CStr {
        CStr::from_bytes_until_nul(self.text(index)).unwrap_or_default()
    }

    /// The stamp of the entry at `index`.
    pub fn stamp(&self, index: usize) -> Stamp {
        self.records[index].stamp()
    }

    /// Whether the entry at `index` is a file whose content is not known.
    pub fn is_unread(&self, index: usize) -> bool {
        self.records[index].kind == Kind::UnreadFile
    }

    /// Takes note of what the file at `index` holds, if that was not known.
    pub fn set_digest(&mut self, index: usize, digest: Digest) {
        if self.is_unread(index) {
            let record = &mut self.records[index];
            (record.kind, record.digest) = (Kind::ReadFile, *digest.as_bytes());
        }
    }

    /// Where the entry called `name` is.
    pub fn index_of(&self, name: &OsStr) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The entries in the byte order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, Entry)> {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The entry called `name`.
    pub fn get(&self, name: &OsStr) -> Option<Entry> {
        self.index_of(name).map(|index| self.at(index).1)
    }

    /// What there is of the entry at `index` in the names.
    fn text(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.records[before].end);
        &self.names[start as usize..self.records[index].end as usize]
    }

    /// The second is empty but for a link.
    fn name_and_target(&self, index: usize) -> (&OsStr, &OsStr) {
        let text = self.text(index);
        let text = &text[..text.len() - 1];
        let is_link = self.records[index].kind == Kind::Link;
        let end = text.iter().position(|byte| is_link && *byte == 0).unwrap_or(text.len());
        let target = text.get(end + 1..).unwrap_or_default();
        (OsStr::from_bytes(&text[..end]), OsStr::from_bytes(target))
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Record {
    fn new(entry: &Entry, end: u32) -> Self {
        let Stamp { mode, size, mtime, ctime, inode, device } = *entry.stamp();
        let (kind, digest) = match entry {
            Entry::Link(_) => (Kind::Link, [0; 32]),
            Entry::File(File { digest: None, .. }) => (Kind::UnreadFile, [0; 32]),
            Entry::File(File { digest: Some(digest), .. }) => (Kind::ReadFile, *digest.as_bytes()),
        };
        Self { size, mtime, ctime, inode, device, end, mode, kind, digest }
    }

    fn stamp(&self) -> Stamp {
        let Self { mode, size, mtime, ctime, inode, device, .. } = *self;
        Stamp { mode, size, mtime, ctime, inode, device }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_sorted_by_name() {
        let stamp = |inode| Stamp {
            mode: 0o100_644,
            size: u64::MAX - inode,
            mtime: -1,
            ctime: i64::MAX,
            inode,
            device: u32::MAX,
        };
        let file = |inode, digest| Entry::File(File { stamp: stamp(inode), digest });
        let link = |inode, target: &str| {
            Entry::Link(Box::new(Link { stamp: stamp(inode), target: Path::new(target).into() }))
        };
        let named = |name: &str, entry| (OsString::from(name), entry);
        let digest = Digest::of(b"one");
        let mut dir = Dir::new(vec![
            named("link", link(1, "to/a/place")),
            named("later", file(2, None)),
            named("", file(3, Some(digest))),
            named("dangling", link(4, "")),
            named("later", file(5, None)),
        ]);
        let wanted = [
            named("", file(3, Some(digest))),
            named("dangling", link(4, "")),
            named("later", file(5, None)),
            named("link", link(1, "to/a/place")),
        ];
        let entries: Vec<_> = dir.iter().map(|(name, entry)| (name.to_owned(), entry)).collect();
        assert_eq!(entries, wanted);
        assert_eq!(dir.c_name(3), c"link");
        assert_eq!(dir.stamp(1), stamp(4));
        assert_eq!(dir.index_of(OsStr::new("later")), Some(2));
        assert_eq!(dir.get(OsStr::new("missing")), None);
        (0..dir.len()).for_each(|index| dir.set_digest(index, Digest::of(b"two")));
        assert_eq!(dir.at(2).1, file(5, Some(Digest::of(b"two"))));
        assert_eq!(dir.at(0).1, file(3, Some(digest)), "it was known");
        assert_eq!(dir.at(3).1, link(1, "to/a/place"));
    }

    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<Record>(), 75);
    }
}
