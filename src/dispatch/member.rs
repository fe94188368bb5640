//! A member: a service among others, and how far it has come: from waiting for them to the end.

use super::Shared;
use super::service::Service;
use super::spec::Spec;
use crate::engine::{Event, Request};
use crate::process::routing::Route;

/// A service among others.
#[derive(Debug)]
pub(super) struct Member {
    /// Of all that there ever were; its instances have it in their numbers.
    pub(super) number: u64,
    pub(super) service: Service,
    /// What it was called before, where it takes the place of others, until it begins.
    pub(super) formerly: Vec<String>,
    /// What ran before and worked, until this one has worked as well.
    pub(super) fallback: Option<Box<Spec>>,
    /// Whether it was told that the tree was seen; before, what it depends on is not ready.
    pub(super) has_begun: bool,
    /// Whether the tree changed before that.
    pub(super) has_changed: bool,
    /// Whether it was asked to end.
    pub(super) is_ending: bool,
}

/// What asks services to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Request,
    Signal(i32),
}

impl Member {
    /// Whether it was told to begin, and not to end.
    pub(super) fn is_on(&self) -> bool {
        self.has_begun && !self.is_over()
    }

    /// Whether the other one takes its place, and begins when it is gone.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        let key = &self.service.spec.key;
        *key == other.service.spec.key || other.formerly.contains(key)
    }

    /// Whether it has ended for good.
    pub(super) fn is_over(&self) -> bool {
        self.service.ended.is_some()
    }

    /// Tells it that the tree was seen, and of the changes since.
    pub(super) fn begin(&mut self, shared: &mut Shared) {
        self.has_begun = true;
        self.formerly.clear();
        self.service.tell(Event::Watching, shared);
        if self.service.spec.policy.postpone && self.has_changed {
            self.service.held.lose_track();
            self.service.tell(Event::Changed, shared);
        }
    }

    /// Asks it to end.
    pub(super) fn end(&mut self, ending: Ending, shared: &mut Shared) {
        self.is_ending = true;
        let event = match ending {
            Ending::Request => Event::Requested(Request::Stop),
            Ending::Signal(signal) => {
                let stop = match self.service.spec.routing.route(signal) {
                    Route::End(stop) => stop,
                    // It ends with the others, whatever the signal would mean to it alone.
                    Route::Pass(_) | Route::Drop => self.service.spec.policy.stop_signal,
                };
                Event::Interrupted { signal, stop }
            }
        };
        self.service.tell(event, shared);
    }
}
