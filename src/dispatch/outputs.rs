//! What builds write into the tree: heeded as the engine has learnt it, and told of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Shared;
use super::record::Noticed;
use super::service::Service;
use super::words::first_and_rest;
use crate::engine::{Event, Heed, Note, OnBusy, OnChange, Quiet};
use crate::tree::Change;
use crate::ui::{Kind, Line, text};

impl Service {
    /// What these changes lead to, of which these events tell.
    pub(super) fn heed(
        &mut self,
        changes: &[Change],
        noticed: Noticed,
        events: &[Event],
        shared: &Shared,
    ) -> Heed {
        let is_built = |event: &Event| !matches!(event, Event::Ruled(OnChange::Signal(_)));
        let is_ignored = self.spec.policy.on_busy == OnBusy::Ignore && self.engine.is_building();
        if self.spec.steps.is_empty() || !events.iter().any(is_built) || is_ignored {
            return Heed::Act;
        }
        let mut paths: BTreeSet<PathBuf> = changes.iter().map(|it| it.place().path()).collect();
        paths.extend(changes.iter().filter_map(|change| match change {
            Change::Renamed { from, .. } => Some(from.path()),
            _ => None,
        }));
        let heed = self.outputs.changed(&paths, noticed.after);
        match heed {
            Heed::Act => self.waiting.clear(),
            Heed::Wait => {
                let is_spared = self.engine.is_building()
                    && self.spec.policy.on_busy == OnBusy::Cancel
                    && self.waiting.is_empty();
                if let Some(first) = paths.first().filter(|_| is_spared) {
                    self.say_spared(first, shared);
                }
                let new = events.iter().filter(|event| !self.waiting.contains(event));
                let new: Vec<Event> = new.copied().collect();
                self.waiting.extend(new);
            }
            Heed::Pass => {
                let count = text::count(paths.len(), "path");
                let line = format!("nothing is done for {count}, which builds write");
                self.log(Line::detail(Kind::Outputs, line), shared);
            }
        }
        heed
    }

    /// Says that a build goes on though this changed: were it to hang, who edited that would wait.
    fn say_spared(&self, path: &Path, shared: &Shared) {
        let path = text::path(path);
        let line = format!(
            "{path} changed in the time of three builds in a row, so they may write it: this one \
             is not stopped for it (`stakeout build` does so)"
        );
        self.log(Line::event(Kind::Outputs, line).with("paths", [path]), shared);
    }

    /// Takes note of a build that came to its end.
    pub(super) fn note_for_outputs(&mut self, note: Note, shared: &mut Shared) {
        if let Note::Built { .. } | Note::BuildFailed { .. } = note {
            shared.wants_look |= self.outputs.ended(Instant::now());
        }
    }

    /// Does what has waited for quiet after a build, or says that it need not be done.
    pub(super) fn tick_outputs(&mut self, shared: &mut Shared) {
        let Some(Quiet { learnt, acts }) = self.outputs.tick(Instant::now()) else { return };
        if !learnt.is_empty() {
            let paths: Vec<String> = learnt.iter().map(|path| text::path(path)).collect();
            let (what, first) = (first_and_rest(&learnt), &paths[0]);
            let line = match self.spec.is_rule {
                true => format!(
                    "{what}: written by every run of this rule, so from now on that leads to no \
                     other; !/{first} in `match` says so from the start"
                ),
                false => format!(
                    "{what}: written by every build, so from now on that leads to no other; \
                     --build-outputs {first} says so from the start"
                ),
            };
            self.log(Line::problem(Kind::Outputs, line).with("paths", paths), shared);
        }
        let waiting = std::mem::take(&mut self.waiting);
        for event in waiting.into_iter().filter(|_| acts) {
            self.tell(event, shared);
        }
    }
}
