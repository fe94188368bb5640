//! A first look that takes long, where no line is drawn of it: how far it has come is said now and
//! then, so that a log is not silent for minutes.

use std::sync::Arc;
use std::time::Instant;

use super::Dispatcher;
use crate::scan::{Pulse, Scanner};
use crate::ui::{Kind, Line, looking};
use crate::watch::{Report, TELL_AFTER, TELL_EVERY};

/// A first look that goes on.
#[derive(Debug)]
pub(super) struct FirstLook {
    /// Of this watcher.
    number: u64,
    pulse: Arc<Pulse>,
    since: Instant,
    /// When it is told of next.
    pub(super) due: Instant,
}

impl FirstLook {
    pub(super) fn new(number: u64, scanner: &Scanner, since: Instant) -> Self {
        let pulse = Arc::clone(scanner.pulse());
        Self { number, pulse, since, due: since + TELL_AFTER }
    }

    /// Whether this report of a watcher is its end.
    pub(super) fn ends_with(&self, number: u64, report: &Report) -> bool {
        let is_end =
            matches!(report, Report::First { .. } | Report::Unwatchable { .. } | Report::Failed);
        number == self.number && is_end
    }
}

impl Dispatcher {
    /// Says how far the first look has come, if that is due.
    pub(super) fn tick_first_look(&mut self) {
        let now = Instant::now();
        let Some(look) = self.first_look.as_mut().filter(|look| look.due <= now) else { return };
        look.due = now + TELL_EVERY;
        let files = look.pulse.counts().0;
        let line = Line::event(Kind::Looking, looking(files, 0, look.since).words);
        self.shared.log.write(line.with("files", files));
    }
}
