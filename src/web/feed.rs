//! What the main thread tells: what browsers may see now, and each event as it happens. Telling
//! never waits, whoever listens or does not.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::Failure;

/// What browsers may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// Whether requests reach the program.
    pub gate: Gate,
    /// A build that failed although the program runs, to be shown over its pages.
    pub failure: Option<Arc<Failure>>,
    /// How often a page had to be loaded again.
    pub pages: u64,
    /// How often its style sheets had to be, and nothing else.
    pub styles: u64,
    /// How often the tree has changed.
    pub changes: u64,
}

/// Whether requests reach the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// They do.
    Open,
    /// They wait, since something is built or started, which this says; it may be that the program
    /// of before is still up.
    Busy {
        /// In words.
        doing: &'static str,
        /// Whether there is a program that can answer meanwhile.
        is_up: bool,
    },
    /// Nothing runs, for this reason, and nothing will before a change.
    Closed(Arc<Failure>),
}

/// Events that may wait for who reads them slowly, before some are lost to him.
const EVENTS: usize = 1024;

/// The main thread's side.
#[derive(Debug)]
pub struct Feed {
    scene: watch::Sender<Scene>,
    events: broadcast::Sender<Arc<str>>,
}

/// The side that shows it.
#[derive(Clone, Debug)]
pub(super) struct Audience {
    pub scene: watch::Receiver<Scene>,
    events: broadcast::Sender<Arc<str>>,
}

impl Feed {
    /// Nothing is to be seen yet.
    pub(super) fn new() -> (Self, Audience) {
        let gate = Gate::Busy { doing: "starting", is_up: false };
        let (scene, seen) =
            watch::channel(Scene { gate, failure: None, pages: 0, styles: 0, changes: 0 });
        let (events, _) = broadcast::channel(EVENTS);
        (Self { scene, events: events.clone() }, Audience { scene: seen, events })
    }

    /// What is to be seen.
    pub fn scene(&self) -> watch::Ref<'_, Scene> {
        self.scene.borrow()
    }

    /// From now on, this is to be seen.
    pub fn show(&self, scene: Scene) {
        self.scene.send_if_modified(|shown| {
            let is_other = *shown != scene;
            *shown = scene;
            is_other
        });
    }

    /// What takes events, each as a line of JSON, which is made only if somebody listens.
    pub fn teller(&self) -> impl Fn(&dyn Fn() -> String) + Send + 'static {
        let events = self.events.clone();
        move |event| {
            if events.receiver_count() > 0 {
                // The last one may have left just now.
                _ = events.send(event().into());
            }
        }
    }
}

impl Audience {
    /// The events from now on.
    pub fn events(&self) -> broadcast::Receiver<Arc<str>> {
        self.events.subscribe()
    }
}
