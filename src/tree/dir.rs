//! A dir: the entries of one directory, sorted by name, in two allocations.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::Entry;

/// The files and links directly in one directory. Subdirectories are dirs of their own, held by
/// the [`Snapshot`](super::Snapshot).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dir {
    // All names one after another: a Vec of Strings would cost 24 bytes and an allocation each,
    // which is most of the memory of a large tree.
    names: Box<[u8]>,
    slots: Box<[Slot]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    name_end: u32,
    entry: Entry,
}

impl Dir {
    /// A dir of these entries. Of two with one name the later stands.
    ///
    /// # Panics
    /// When the names of one directory are longer than 4 GiB taken together.
    pub fn new(mut entries: Vec<(OsString, Entry)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let mut names = Vec::with_capacity(entries.iter().map(|(name, _)| name.len()).sum());
        let mut slots: Vec<Slot> = Vec::with_capacity(entries.len());
        let mut last: Option<OsString> = None;
        for (name, entry) in entries {
            if last.as_ref() == Some(&name) {
                slots.last_mut().expect("a last name has a slot").entry = entry;
                continue;
            }
            names.extend_from_slice(name.as_bytes());
            let name_end = u32::try_from(names.len()).expect("names of a directory below 4 GiB");
            slots.push(Slot { name_end, entry });
            last = Some(name);
        }
        Self { names: names.into(), slots: slots.into() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The entry at `index` (below [`Dir::len`]) with its name.
    pub fn at(&self, index: usize) -> (&OsStr, &Entry) {
        let start = index.checked_sub(1).map_or(0, |before| self.slots[before].name_end);
        let slot = &self.slots[index];
        (OsStr::from_bytes(&self.names[start as usize..slot.name_end as usize]), &slot.entry)
    }

    /// The entries in the byte order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &Entry)> {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The entry called `name`.
    pub fn get(&self, name: &OsStr) -> Option<&Entry> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, entry) = self.at(middle);
            match found.cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(entry),
            }
        }
        None
    }
}
