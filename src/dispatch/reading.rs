//! The baseline, which is read while programs run: how far that has come is drawn where all that they
//! write comes by us, and indicated by the terminal otherwise, where it can.

use std::sync::Arc;

use super::Dispatcher;
use super::services::Services;
use crate::engine::Phase;
use crate::ui::{Progress, reading};

impl Dispatcher {
    /// Shows it from now on, in the place of what was shown of it before.
    pub(super) fn show_reading(&mut self) {
        self.reading = None;
        let Some(files) = self.board.files else { return };
        let tally = Arc::clone(&self.board.tally);
        if tally.reading().is_some() {
            let reach = move || Some(reading(tally.reading()?, files));
            let comes_by_us = self.services.leave_the_terminal();
            self.reading = Some(self.shared.log.progress_beside(comes_by_us, reach));
        }
    }

    /// Whether that is drawn, so that people need no lines about it.
    pub(super) fn is_reading_drawn(&self) -> bool {
        self.reading.as_ref().is_some_and(Progress::is_drawn)
    }
}

impl Services {
    /// Whether none of them has the terminal: their lines are marked, and they read nothing there.
    fn leave_the_terminal(&self) -> bool {
        self.all().map(|member| &member.service).all(|service| {
            service.spec.program.is_none()
                || service.name().is_some() && !service.reads_what_is_typed()
        })
    }

    /// Whether anything of what is run has failed, or is not ready in time, and is to go on.
    pub(super) fn is_any_unwell(&self) -> bool {
        if self.ending.is_some() || self.ended().is_some() {
            return false;
        }
        self.members.iter().chain(&self.commands).map(|member| &member.service).any(|service| {
            let is_starting = service.engine.phase() == Phase::Starting;
            let late = service.record.late;
            service.has_failed()
                || is_starting && late.is_some() && late == service.engine.current()
        })
    }
}
