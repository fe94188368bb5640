//! What has changed while changes wait, and whether all of it was undone: then nothing is left to
//! be done for it.

use std::collections::BTreeMap;

use super::Shared;
use super::record::Noticed;
use super::service::Service;
use crate::engine::{Action, Event, Heed, Phase, Request};
use crate::tree::{Change, Entry, Place, Snapshot};

/// Changes that wait, by the net difference.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What was at each place before, and what is there now.
    places: BTreeMap<Place, (Option<Entry>, Option<Entry>)>,
    /// Whether something waits that is not among them, so that it cannot be told.
    is_partial: bool,
}

impl Held {
    /// Holds nothing yet, whatever waits already.
    fn begin(&mut self, is_partial: bool) {
        *self = Self { places: BTreeMap::new(), is_partial };
    }

    /// Something else happened than it can know of.
    pub(super) fn lose_track(&mut self) {
        self.begin(true);
    }

    /// These were made of what was there before.
    fn add(&mut self, changes: &[Change], before: &Snapshot) {
        if self.is_partial {
            return;
        }
        // What is put at a place stands, even where something else was renamed away from it.
        for change in changes {
            if let Change::Removed { place } | Change::Renamed { from: place, .. } = change {
                self.put(place, None, before);
            }
        }
        for change in changes {
            if let Change::Created { place, entry }
            | Change::Modified { place, entry }
            | Change::Renamed { to: place, entry, .. } = change
            {
                self.put(place, Some(entry), before);
            }
        }
    }

    fn put(&mut self, place: &Place, entry: Option<&Entry>, before: &Snapshot) {
        let held = self.places.entry(place.clone());
        held.or_insert_with(|| (before.get(place), None)).1 = entry.cloned();
    }

    /// Whether all is as it was before.
    fn is_undone(&self) -> bool {
        let is_same = |(before, now): &(Option<Entry>, Option<Entry>)| match (before, now) {
            (Some(before), Some(now)) => before.same_content(now),
            (before, now) => before.is_none() && now.is_none(),
        };
        !self.is_partial && self.places.values().all(is_same)
    }
}

impl Service {
    /// The tree settled on other content than `before`, which leads to these events.
    pub(super) fn changed(
        &mut self,
        changes: &[Change],
        before: &Snapshot,
        noticed: Noticed,
        events: &[Event],
        shared: &mut Shared,
    ) {
        self.changes.add(changes);
        let heed = self.heed(changes, noticed, events, shared);
        if heed != Heed::Pass {
            self.record.settled(noticed);
        }
        if self.engine.is_paused() {
            // What begins just now may have read what is undone later.
            let is_beginning = self.engine.is_building()
                || matches!(self.engine.phase(), Phase::Starting | Phase::Handover);
            match heed {
                Heed::Pass => {}
                Heed::Act if !is_beginning => self.held.add(changes, before),
                Heed::Act | Heed::Wait => self.held.lose_track(),
            }
        }
        if heed == Heed::Act {
            self.say_echo(changes, noticed, shared);
            events.iter().for_each(|event| self.tell(*event, shared));
        }
        if self.engine.is_paused() && heed == Heed::Act && self.held.is_undone() {
            self.engine.undone();
            self.record.undone();
        }
    }

    /// Begins to hold what changes.
    pub(super) fn hold(&mut self) {
        if !self.engine.is_paused() {
            self.held.begin(!self.waiting.is_empty());
        }
    }

    /// What is done meanwhile is done with what is there by then.
    pub(super) fn note_done(&mut self, event: Option<Event>, actions: &[Action]) {
        let is_asked = matches!(event, Some(Event::Requested(Request::Restart | Request::Build)));
        let is_done = |action: &Action| {
            matches!(action, Action::Build { step: 0, .. } | Action::Start(_) | Action::Signal(..))
        };
        if self.engine.is_paused() && (is_asked || actions.iter().any(is_done)) {
            self.held.begin(self.engine.is_anything_waiting());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::tree::{Digest, Dir, File, Stamp, diff};

    /// A tree of files with these contents.
    fn tree(files: &[(&str, &str)]) -> Snapshot {
        let entry = |content: &str| {
            let digest = Some(Digest::of(content.as_bytes()));
            let stamp = Stamp { mode: 0o644, size: 1, mtime: 0, ctime: 0, inode: 0, device: 0 };
            Entry::File(File { stamp, digest })
        };
        let entries = files.iter().map(|(name, content)| ((*name).into(), entry(content)));
        Snapshot::new([(Arc::from(Path::new("")), Arc::new(Dir::new(entries.collect())))])
    }

    /// Goes from one tree to the next; says of each whether all is undone there.
    fn undone(trees: &[&[(&str, &str)]]) -> Vec<bool> {
        let mut held = Held::default();
        let trees: Vec<Snapshot> = trees.iter().map(|files| tree(files)).collect();
        let mut play = |pair: &[Snapshot]| {
            held.add(&diff(&pair[0], &pair[1]), &pair[0]);
            held.is_undone()
        };
        trees.windows(2).map(&mut play).collect()
    }

    #[test]
    fn the_net_difference_counts() {
        let (one, two): (&[_], &[_]) = (&[("a", "1")], &[("a", "2")]);
        assert_eq!(undone(&[one, two, one, two, two]), [false, true, false, false]);
        assert_eq!(undone(&[one, &[("a", "1"), ("b", "")], one]), [false, true]);
        assert_eq!(undone(&[one, &[("b", "1")], two, one]), [false, false, true]);
        let (as_was, swapped): (&[_], &[_]) =
            (&[("a", "1"), ("b", "2")], &[("a", "2"), ("b", "1")]);
        assert_eq!(undone(&[as_was, swapped, as_was]), [false, true]);
        assert_eq!(undone(&[as_was, two, swapped]), [false, false]);
    }

    #[test]
    fn what_it_does_not_know_of_is_never_undone() {
        let (one, two) = (tree(&[("a", "1")]), tree(&[("a", "2")]));
        let mut held = Held::default();
        held.lose_track();
        held.add(&diff(&one, &two), &one);
        held.add(&diff(&two, &one), &two);
        assert!(!held.is_undone());
        held.begin(false);
        held.add(&diff(&one, &two), &one);
        held.add(&diff(&two, &one), &two);
        assert!(held.is_undone());
    }
}
