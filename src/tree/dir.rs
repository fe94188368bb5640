//! A dir: the entries of one directory, sorted by name, in three allocations.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::Entry;

/// The files and links directly in one directory. Subdirectories are dirs of their own, held by
/// the [`Snapshot`](super::Snapshot).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dir {
    // All names one after another: a Vec of Strings would cost 24 bytes and an allocation each,
    // which is most of the memory of a large tree. Each ends in NUL, as system calls want it.
    names: Box<[u8]>,
    /// Where each name ends, its NUL included.
    ends: Box<[u32]>,
    entries: Box<[Entry]>,
}

impl Dir {
    /// A dir of these entries. Of two with one name the later stands.
    ///
    /// # Panics
    /// When the names of one directory are longer than 4 GiB taken together.
    pub fn new(mut entries: Vec<(OsString, Entry)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let mut names = Vec::with_capacity(entries.iter().map(|(name, _)| name.len() + 1).sum());
        let mut ends = Vec::with_capacity(entries.len());
        let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
        let mut last: Option<OsString> = None;
        for (name, entry) in entries {
            if last.as_ref() == Some(&name) {
                *kept.last_mut().expect("a last name has an entry") = entry;
                continue;
            }
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            ends.push(u32::try_from(names.len()).expect("names of a directory below 4 GiB"));
            kept.push(entry);
            last = Some(name);
        }
        Self { names: names.into(), ends: ends.into(), entries: kept.into() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at `index` (below [`Dir::len`]) with its name.
    pub fn at(&self, index: usize) -> (&OsStr, &Entry) {
        let name = self.name_with_nul(index);
        (OsStr::from_bytes(&name[..name.len() - 1]), &self.entries[index])
    }

    /// The name of the entry at `index`, as system calls want it. A name that holds a NUL byte,
    /// which no file system gives, is taken for the empty one.
    pub fn c_name(&self, index: usize) -> &CStr {
        CStr::from_bytes_with_nul(self.name_with_nul(index)).unwrap_or_default()
    }

    fn name_with_nul(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.names[start as usize..self.ends[index] as usize]
    }

    /// Puts another entry at `index` (below [`Dir::len`]), under the same name.
    pub fn set(&mut self, index: usize, entry: Entry) {
        self.entries[index] = entry;
    }

    /// Where the entry called `name` is.
    pub fn index_of(&self, name: &OsStr) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(middle).0.cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The entries in the byte order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &Entry)> {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The entry called `name`.
    pub fn get(&self, name: &OsStr) -> Option<&Entry> {
        self.index_of(name).map(|index| &self.entries[index])
    }
}
