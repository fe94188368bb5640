//! The diff of two snapshots, renames found, and its inverse: applying a diff.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::snapshot::Branch;
use super::{Change, Digest, Dir, Entry, Place, Snapshot};

/// What it takes to get from `before` to `after`, sorted by place.
///
/// Only content counts, see [`Entry::same_content`]: an entry whose stamp alone is another does
/// not appear. Directories that both snapshots share are not looked into.
pub fn diff(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let mut removed = Vec::new();
    let mut created = Vec::new();
    let mut changes = Vec::new();
    let empty = Dir::default();
    let (old, new) = (before.unshared(after), after.unshared(before));
    for_each_pair(old, new, Branch::key, |old, new| {
        let path = &old.or(new).expect("a pair has a side").path;
        let old_dir = old.map_or(&empty, |branch| &*branch.dir);
        let new_dir = new.map_or(&empty, |branch| &*branch.dir);
        if std::ptr::eq(old_dir, new_dir) {
            return;
        }
        let old_slots: Vec<_> = old_dir.iter().collect();
        let new_slots: Vec<_> = new_dir.iter().collect();
        for_each_pair(
            old_slots.iter(),
            new_slots.iter(),
            |(name, _)| *name,
            |old, new| {
                let (name, _) = old.or(new).expect("a pair has a side");
                let place = || Place { dir: Arc::clone(path), name: name.to_os_string() };
                match (old, new) {
                    (Some((_, old)), Some((_, new))) if !old.same_content(new) => {
                        changes.push(Change::Modified { place: place(), entry: new.clone() })
                    }
                    (Some((_, old)), None) => removed.push((place(), old.clone())),
                    (None, Some((_, new))) => created.push((place(), new.clone())),
                    _ => {}
                }
            },
        );
    });
    pair_renames(removed, created, &mut changes);
    changes.sort_by(|a, b| a.place().cmp(b.place()));
    changes
}

/// The snapshot that `changes` make of `snapshot`: `apply(diff(a, b), a)` has b's content.
pub fn apply(changes: &[Change], snapshot: &Snapshot) -> Snapshot {
    let mut edits: BTreeMap<&Place, Option<&Entry>> = BTreeMap::new();
    for change in changes {
        // What is put at a place stands, even where something else was renamed away from it.
        match change {
            Change::Removed { place } => _ = edits.entry(place).or_insert(None),
            Change::Created { place, entry } | Change::Modified { place, entry } => {
                edits.insert(place, Some(entry));
            }
            Change::Renamed { from, to, entry } => {
                edits.entry(from).or_insert(None);
                edits.insert(to, Some(entry));
            }
        }
    }
    let mut dirs: BTreeMap<Arc<Path>, BTreeMap<OsString, Entry>> = BTreeMap::new();
    for place in edits.keys() {
        dirs.entry(Arc::clone(&place.dir)).or_insert_with(|| {
            let dir = snapshot.dir(&place.dir);
            let entries = dir.iter().flat_map(|dir| dir.iter());
            entries.map(|(name, entry)| (name.to_os_string(), entry)).collect()
        });
    }
    for (place, entry) in edits {
        let dir = dirs.get_mut(&place.dir).expect("every edited directory was opened above");
        match entry {
            Some(entry) => dir.insert(place.name.clone(), entry.clone()),
            None => dir.remove(&place.name),
        };
    }
    let edited = dirs.into_iter().map(|(path, dir)| (path, Dir::new(dir.into_iter().collect())));
    snapshot.with(edited.map(|(path, dir)| (path, Arc::new(dir))))
}

/// Walks two sorted lists together, giving what has the same key as a pair.
fn for_each_pair<'a, T: 'a, K: Ord>(
    old: impl Iterator<Item = &'a T>,
    new: impl Iterator<Item = &'a T>,
    key: impl Fn(&'a T) -> K,
    mut each: impl FnMut(Option<&'a T>, Option<&'a T>),
) {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let (mut old, mut new) = (old.peekable(), new.peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Less,
            (None, Some(_)) => Greater,
            (Some(a), Some(b)) => key(a).cmp(&key(b)),
        };
        match order {
            Less => each(old.next(), None),
            Greater => each(None, new.next()),
            Equal => each(old.next(), new.next()),
        }
    }
}

/// Removed entries of one content among which one with the same name is looked for.
const SAME_CONTENT_COMPARED: usize = 64;

/// Finds which created entry is a removed one under a new path: by inode first, which is right
/// even among many files of the same content, then by digest, for file systems whose inode
/// numbers do not last. The content must be the same either way, since a freed inode number is
/// soon given to an unrelated file. Empty files have no content to be known by.
fn pair_renames(
    removed: Vec<(Place, Entry)>,
    created: Vec<(Place, Entry)>,
    changes: &mut Vec<Change>,
) {
    let mut by_inode: HashMap<(u32, u64), Vec<usize>> = HashMap::new();
    let mut by_digest: HashMap<Digest, Vec<usize>> = HashMap::new();
    // In reverse, so that the lists are used up from their ends in the order of the places.
    for (index, (_, entry)) in removed.iter().enumerate().rev() {
        by_inode.entry((entry.stamp().device, entry.stamp().inode)).or_default().push(index);
        if let Entry::File(file) = entry
            && let Some(digest) = file.digest
            && file.stamp.size > 0
        {
            by_digest.entry(digest).or_default().push(index);
        }
    }
    let mut taken = vec![false; removed.len()];
    let mut sources: Vec<Option<usize>> = vec![None; created.len()];
    for (source, (_, entry)) in sources.iter_mut().zip(&created) {
        let candidates = by_inode.get_mut(&(entry.stamp().device, entry.stamp().inode));
        *source = candidates.and_then(|candidates| {
            let at = candidates.iter().rposition(|&index| moved(&removed[index].1, entry))?;
            Some(candidates.remove(at))
        });
        if let Some(index) = *source {
            taken[index] = true;
        }
    }
    for (source, (place, entry)) in sources.iter_mut().zip(&created) {
        let Entry::File(file) = entry else { continue };
        let Some(candidates) = file.digest.and_then(|digest| by_digest.get_mut(&digest)) else {
            continue;
        };
        if source.is_some() {
            continue;
        }
        while candidates.last().is_some_and(|&index| taken[index]) {
            candidates.pop();
        }
        // Only so many are compared by name: there may be very many of one content.
        let compared = candidates.len().saturating_sub(SAME_CONTENT_COMPARED);
        let is_namesake = |&index: &usize| !taken[index] && removed[index].0.name == place.name;
        let same_name =
            candidates[compared..].iter().rposition(is_namesake).map(|at| at + compared);
        let Some(at) = same_name.or(candidates.len().checked_sub(1)) else { continue };
        if removed[candidates[at]].1.same_content(entry) {
            let index = candidates.remove(at);
            taken[index] = true;
            *source = Some(index);
        }
    }
    for (source, (to, entry)) in sources.into_iter().zip(created) {
        changes.push(match source {
            Some(index) => Change::Renamed { from: removed[index].0.clone(), to, entry },
            None => Change::Created { place: to, entry },
        });
    }
    let gone = removed.into_iter().zip(taken).filter(|(_, taken)| !taken);
    changes.extend(gone.map(|((place, _), _)| Change::Removed { place }));
}

/// Whether an entry with the same inode number is the same file under a new path. A rename may
/// touch ctime; before the old digest was known, size and mtime have to do.
fn moved(old: &Entry, new: &Entry) -> bool {
    match (old, new) {
        (Entry::File(a), Entry::File(b)) if a.digest.is_none() || b.digest.is_none() => {
            a.stamp.size == b.stamp.size
                && a.stamp.mtime == b.stamp.mtime
                && a.stamp.mode == b.stamp.mode
        }
        _ => old.same_content(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{File, Link, Stamp};
    use proptest::prelude::*;

    fn stamp(inode: u64, time: i64, mode: u16) -> Stamp {
        Stamp { mode: 0o100_000 | mode, size: 3, mtime: time, ctime: time, inode, device: 1 }
    }

    fn file(inode: u64, content: &str) -> Entry {
        let digest = Some(Digest::of(content.as_bytes()));
        Entry::File(File { stamp: stamp(inode, 0, 0o644), digest })
    }

    fn place(path: &str) -> Place {
        let path = Path::new(path);
        Place { dir: path.parent().unwrap().into(), name: path.file_name().unwrap().to_os_string() }
    }

    fn snapshot(entries: &[(&str, Entry)]) -> Snapshot {
        let mut dirs: BTreeMap<Arc<Path>, Vec<(OsString, Entry)>> = BTreeMap::new();
        for (path, entry) in entries {
            let Place { dir, name } = place(path);
            dirs.entry(dir).or_default().push((name, entry.clone()));
        }
        Snapshot::new(dirs.into_iter().map(|(path, dir)| (path, Arc::new(Dir::new(dir)))))
    }

    fn renamed(from: &str, to: &str, entry: Entry) -> Change {
        Change::Renamed { from: place(from), to: place(to), entry }
    }

    #[test]
    fn a_new_stamp_on_the_same_content_is_no_change() {
        let touched =
            Entry::File(File { stamp: stamp(7, 99, 0o600), digest: Some(Digest::of(b"one")) });
        let before = snapshot(&[("a", file(1, "one"))]);
        assert_eq!(diff(&before, &snapshot(&[("a", touched)])), []);
    }

    #[test]
    fn the_executable_bit_is_content() {
        let tool =
            |mode| Entry::File(File { stamp: stamp(1, 0, mode), digest: Some(Digest::of(b"one")) });
        let after = snapshot(&[("a", tool(0o755))]);
        let changes = diff(&snapshot(&[("a", tool(0o644))]), &after);
        assert_eq!(changes, [Change::Modified { place: place("a"), entry: tool(0o755) }]);
    }

    #[test]
    fn an_unread_file_is_judged_by_its_stamp() {
        let unread = |time| Entry::File(File { stamp: stamp(1, time, 0o644), digest: None });
        let read = Entry::File(File { stamp: stamp(1, 5, 0o644), digest: Some(Digest::of(b"x")) });
        let before = snapshot(&[("a", unread(5))]);
        assert_eq!(diff(&before, &snapshot(&[("a", read)])), [], "the baseline was filled in");
        assert_eq!(diff(&before, &snapshot(&[("a", unread(6))])).len(), 1);
    }

    #[test]
    fn a_rename_is_found_by_inode_among_equal_contents() {
        let before = snapshot(&[("a", file(1, "same")), ("b", file(2, "same"))]);
        let after = snapshot(&[("x", file(2, "same")), ("y", file(1, "same"))]);
        let expected = [renamed("b", "x", file(2, "same")), renamed("a", "y", file(1, "same"))];
        assert_eq!(diff(&before, &after), expected);
    }

    #[test]
    fn a_rename_is_found_by_digest_where_inodes_do_not_last() {
        let before = snapshot(&[("old/a", file(1, "one")), ("old/b", file(2, "one"))]);
        let after = snapshot(&[("new/b", file(8, "one")), ("new/a", file(9, "one"))]);
        let expected =
            [renamed("old/a", "new/a", file(9, "one")), renamed("old/b", "new/b", file(8, "one"))];
        assert_eq!(diff(&before, &after), expected);
    }

    #[test]
    fn an_inode_number_used_again_is_no_rename() {
        let before = snapshot(&[("a", file(1, "one"))]);
        let after = snapshot(&[("b", file(1, "two"))]);
        let expected = [
            Change::Removed { place: place("a") },
            Change::Created { place: place("b"), entry: file(1, "two") },
        ];
        assert_eq!(diff(&before, &after), expected);
    }

    #[test]
    fn a_save_by_rename_is_one_modification() {
        let before = snapshot(&[("a", file(1, "one"))]);
        let after = snapshot(&[("a", file(2, "two"))]);
        let expected = [Change::Modified { place: place("a"), entry: file(2, "two") }];
        assert_eq!(diff(&before, &after), expected);
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        let digest = prop_oneof![
            1 => Just(None),
            4 => (0..4u8).prop_map(|content| Some(Digest::of(&[content]))),
        ];
        let stamp = (0..6u64, 0..3i64, prop_oneof![Just(0o644), Just(0o755)]);
        prop_oneof![
            6 => (stamp, digest).prop_map(|((inode, time, mode), digest)| {
                Entry::File(File { stamp: stamp_of(inode, time, mode), digest })
            }),
            1 => (0..3u8).prop_map(|target| {
                let target = Path::new(["a", "b", "c"][usize::from(target)]).into();
                Entry::Link(Box::new(Link { stamp: stamp_of(9, 0, 0o777), target }))
            }),
        ]
    }

    fn stamp_of(inode: u64, time: i64, mode: u16) -> Stamp {
        stamp(inode, time, mode)
    }

    fn any_snapshot() -> impl Strategy<Value = Snapshot> {
        proptest::collection::btree_map("[ab](/[ab]){0,2}", any_entry(), 0..8).prop_map(|map| {
            let entries: Vec<_> = map.iter().map(|(path, e)| (path.as_str(), e.clone())).collect();
            snapshot(&entries)
        })
    }

    fn content(snapshot: &Snapshot) -> Vec<(std::path::PathBuf, Entry)> {
        snapshot.entries().collect()
    }

    proptest! {
        #[test]
        fn applying_a_diff_gives_the_newer_content(a in any_snapshot(), b in any_snapshot()) {
            let made = apply(&diff(&a, &b), &a);
            let (made, wanted) = (content(&made), content(&b));
            prop_assert_eq!(made.len(), wanted.len());
            for ((made_path, made), (wanted_path, wanted)) in made.iter().zip(&wanted) {
                prop_assert_eq!(made_path, wanted_path);
                prop_assert!(made.same_content(wanted), "{:?} is not {:?}", made, wanted);
            }
        }

        #[test]
        fn a_diff_names_nothing_that_is_the_same(a in any_snapshot(), b in any_snapshot()) {
            prop_assert_eq!(diff(&a, &a.clone()), []);
            for change in diff(&a, &b) {
                let (old, new) = (a.get(change.place()), b.get(change.place()));
                let same = matches!((old, new), (Some(old), Some(new)) if old.same_content(&new));
                prop_assert!(!same, "{:?}", change);
            }
        }

        #[test]
        fn the_digest_follows_the_content(a in any_snapshot(), b in any_snapshot()) {
            if let (Some(x), Some(y)) = (a.digest(), b.digest()) {
                prop_assert_eq!(x == y, diff(&a, &b).is_empty());
            }
        }
    }
}
