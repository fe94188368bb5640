//! The inbox: what events told since it was last taken, equal ones merged. What is in it does not
//! depend on how often something happened, so it may be left alone while a look hangs. Pure.

use std::collections::{BTreeMap, BTreeSet};

use rustix::fs::inotify::ReadFlags;

/// So many names are kept at the most. Of a directory where another is written to, it is only
/// kept that something may have changed there; there are no more directories than watches.
const MOST_NAMES: usize = 65_536;

/// So many files at the most are known to be of no interest.
const MOST_DULL: usize = 1024;

/// A name came, went, or means something else.
const NAMES: ReadFlags = ReadFlags::CREATE
    .union(ReadFlags::DELETE)
    .union(ReadFlags::MOVED_FROM)
    .union(ReadFlags::MOVED_TO);

/// The directory is not what its path means any more.
const LEFT: ReadFlags = ReadFlags::DELETE_SELF
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::IGNORED)
    .union(ReadFlags::UNMOUNT);

/// Names in directories, which are told by the numbers of their watches.
pub(super) type Names = BTreeMap<i32, BTreeSet<Box<[u8]>>>;

/// What events told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// There were more than the kernel keeps: something may have changed anywhere.
    pub(super) everywhere: bool,
    /// Directories in which something may have changed, whatever is known of them.
    pub(super) dirs: BTreeSet<i32>,
    /// In these others, these files were written to, or their attributes are others.
    pub(super) written: Names,
    /// Directories that are not what their paths mean any more, and whether they moved.
    pub(super) left: BTreeMap<i32, bool>,
}

/// Merges events until they are taken.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    told: Told,
    /// How many names are in `told`.
    names: usize,
    /// Files that are no entries, so that writing to them tells nothing.
    dull: Names,
    /// How many names are in `dull`.
    dull_names: usize,
}

impl Inbox {
    /// An event, of the directory with this watch or of a name in it.
    pub(super) fn add(&mut self, number: i32, flags: ReadFlags, name: Option<&[u8]>) {
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.told.everywhere = true;
            return;
        }
        if flags.intersects(LEFT) {
            *self.told.left.entry(number).or_default() |= flags.contains(ReadFlags::MOVE_SELF);
        }
        match name {
            Some(name) if !flags.intersects(NAMES) => self.written(number, name),
            _ => self.changed(number),
        }
    }

    fn changed(&mut self, number: i32) {
        self.told.dirs.insert(number);
        self.names -= self.told.written.remove(&number).map_or(0, |names| names.len());
    }

    fn written(&mut self, number: i32, name: &[u8]) {
        let is_in = |names: &Names| names.get(&number).is_some_and(|names| names.contains(name));
        if self.told.dirs.contains(&number) || is_in(&self.dull) || is_in(&self.told.written) {
            return;
        }
        if self.names == MOST_NAMES {
            self.changed(number);
            return;
        }
        self.told.written.entry(number).or_default().insert(name.into());
        self.names += 1;
    }

    /// Whether there is nothing that could tell where to look.
    pub(super) fn is_empty(&self) -> bool {
        // Of what left, a change is told as well.
        !self.told.everywhere && self.told.dirs.is_empty() && self.told.written.is_empty()
    }

    /// Takes all of it.
    pub(super) fn take(&mut self) -> Told {
        self.names = 0;
        std::mem::take(&mut self.told)
    }

    /// These, which were taken, are no entries: what is written to them tells nothing, until
    /// [`Self::reconsider`].
    pub(super) fn pass_over(&mut self, names: Names) {
        for (number, names) in names {
            if self.dull_names + names.len() <= MOST_DULL {
                let dull = self.dull.entry(number).or_default();
                self.dull_names -= dull.len();
                dull.extend(names);
                self.dull_names += dull.len();
            }
        }
    }

    /// Other files may be entries from now on.
    pub(super) fn reconsider(&mut self) {
        self.dull.clear();
        self.dull_names = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WRITTEN: [ReadFlags; 3] = [ReadFlags::MODIFY, ReadFlags::CLOSE_WRITE, ReadFlags::ATTRIB];

    fn names(inbox: &Inbox) -> usize {
        inbox.told.written.values().map(BTreeSet::len).sum()
    }

    #[test]
    fn equal_events_are_one_and_what_says_more_takes_the_place_of_what_says_less() {
        let mut inbox = Inbox::default();
        assert!(inbox.is_empty());
        for flags in WRITTEN.into_iter().cycle().take(100_000) {
            inbox.add(1, flags, Some(b"a"));
        }
        assert!(!inbox.is_empty());
        assert_eq!((names(&inbox), inbox.names), (1, 1));
        inbox.add(1, ReadFlags::CREATE, Some(b"b"));
        inbox.add(1, ReadFlags::MODIFY, Some(b"b"));
        inbox.add(2, ReadFlags::IGNORED, None);
        inbox.add(2, ReadFlags::MOVE_SELF, None);
        inbox.add(2, ReadFlags::IGNORED, None);
        let told = Told {
            dirs: BTreeSet::from([1, 2]),
            left: BTreeMap::from([(2, true)]),
            ..Told::default()
        };
        assert_eq!(inbox.take(), told);
        assert!(inbox.is_empty());
        assert_eq!(inbox.names, 0);
    }

    #[test]
    fn of_too_many_names_the_directories_are_kept() {
        let mut inbox = Inbox::default();
        for n in 0..MOST_NAMES {
            inbox.add(1, ReadFlags::MODIFY, Some(n.to_string().as_bytes()));
        }
        for n in 0..MOST_NAMES {
            inbox.add(2, ReadFlags::MODIFY, Some(n.to_string().as_bytes()));
            inbox.add(1, ReadFlags::MODIFY, Some(n.to_string().as_bytes()));
        }
        assert_eq!((names(&inbox), inbox.names), (MOST_NAMES, MOST_NAMES));
        inbox.add(1, ReadFlags::MODIFY, Some(b"one more"));
        // Now there is room again.
        inbox.add(3, ReadFlags::MODIFY, Some(b"a"));
        let told = inbox.take();
        assert_eq!(told.dirs, BTreeSet::from([1, 2]));
        assert_eq!(told.written.keys().collect::<Vec<_>>(), [&3]);
        assert!(!told.everywhere);
    }

    #[test]
    fn what_told_nothing_is_passed_over_until_it_may_be_an_entry() {
        let mut inbox = Inbox::default();
        inbox.add(1, ReadFlags::MODIFY, Some(b"log"));
        let told = inbox.take();
        inbox.pass_over(told.written);
        inbox.add(1, ReadFlags::MODIFY, Some(b"log"));
        assert!(inbox.is_empty());
        inbox.add(1, ReadFlags::MODIFY, Some(b"a"));
        inbox.add(2, ReadFlags::MODIFY, Some(b"log"));
        assert_eq!(inbox.take().written.len(), 2);
        // That it comes or goes is another matter.
        inbox.add(1, ReadFlags::DELETE, Some(b"log"));
        assert_eq!(inbox.take().dirs, BTreeSet::from([1]));
        inbox.reconsider();
        inbox.add(1, ReadFlags::MODIFY, Some(b"log"));
        assert!(!inbox.is_empty());
    }

    #[test]
    fn what_is_passed_over_is_bounded() {
        let mut inbox = Inbox::default();
        for n in 0..2 * MOST_DULL {
            inbox.add(1, ReadFlags::MODIFY, Some(n.to_string().as_bytes()));
            let told = inbox.take();
            // Again what is known already.
            inbox.pass_over(told.written.clone());
            inbox.pass_over(told.written);
        }
        assert_eq!(inbox.dull.values().map(BTreeSet::len).sum::<usize>(), MOST_DULL);
        inbox.add(1, ReadFlags::MODIFY, Some(b"0"));
        assert!(inbox.is_empty());
    }

    proptest! {
        /// Whenever it is taken, it tells of the same directories as all events one by one.
        #[test]
        fn merged_they_tell_the_same(
            events in proptest::collection::vec((0..3, 0..10usize, 0..4u8, any::<bool>()), 0..60),
        ) {
            let flags = [
                &WRITTEN[..],
                &[ReadFlags::CREATE, ReadFlags::DELETE, ReadFlags::MOVED_TO],
                &[ReadFlags::ATTRIB, ReadFlags::DELETE_SELF, ReadFlags::MOVE_SELF, ReadFlags::IGNORED],
            ].concat();
            let is_entry = |name: &[u8]| name == [0] || name == [1];
            let mut inbox = Inbox::default();
            let (mut dirs, mut left) = (BTreeSet::new(), BTreeMap::new());
            for (number, kind, name, takes) in events {
                let flags = flags[kind];
                let name = (kind < 6).then_some([name]);
                inbox.add(number, flags, name.as_ref().map(<[u8; 1]>::as_slice));
                if name.is_none_or(|name| kind >= WRITTEN.len() || is_entry(&name)) {
                    dirs.insert(number);
                }
                if kind > 6 {
                    *left.entry(number).or_default() |= flags == ReadFlags::MOVE_SELF;
                }
                prop_assert!(!inbox.is_empty() || dirs.is_empty());
                if takes {
                    let told = inbox.take();
                    let mut hinted = told.dirs;
                    for (&number, names) in &told.written {
                        if names.iter().any(|name| is_entry(name)) {
                            hinted.insert(number);
                        }
                    }
                    prop_assert_eq!(&hinted, &dirs);
                    prop_assert_eq!(&told.left, &left);
                    if hinted.is_empty() {
                        inbox.pass_over(told.written);
                    }
                    dirs.clear();
                    left.clear();
                }
            }
        }
    }
}
