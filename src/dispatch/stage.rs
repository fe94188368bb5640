//! What browsers are told: made of how the services are, whenever that is another.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::service::Service;
use super::services::Services;
use crate::control::BuildResult;
use crate::engine::{Instance, OnChange, Phase};
use crate::tree::Change;
use crate::ui::text;
use crate::web::{Failure, FailureKind, Feed, Gate, Output, Scene};

/// Tells browsers.
#[derive(Debug)]
pub(super) struct Stage {
    feed: Feed,
    /// The service that they see; without one, all of them.
    service: Option<String>,
    shown: Shown,
    /// What has changed since a page was last loaded, if anything has.
    changed: Option<Changed>,
    pages: u64,
    styles: u64,
    changes: u64,
    /// Of each service, by its number, what was last to be seen.
    seen: BTreeMap<usize, Seen>,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Changed {
    /// Style sheets and nothing else.
    Styles,
    Anything,
}

/// What makes a browser's page another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// What answers.
    instance: Option<Instance>,
    /// Builds of what is served without a restart.
    builds: u64,
}

/// Failures that are shown, made anew only when they are others.
#[derive(Debug, Default)]
struct Shown {
    last: Option<Arc<Failure>>,
}

impl Shown {
    fn failure(&mut self, failure: Failure) -> Arc<Failure> {
        if let Some(last) = self.last.as_ref().filter(|last| ***last == failure) {
            return Arc::clone(last);
        }
        let failure = Arc::new(failure);
        self.last = Some(Arc::clone(&failure));
        failure
    }
}

impl Stage {
    pub(super) fn new(feed: Feed, service: Option<String>) -> Self {
        Self {
            feed,
            service,
            shown: Shown::default(),
            changed: None,
            pages: 0,
            styles: 0,
            changes: 0,
            seen: BTreeMap::new(),
        }
    }

    /// These changes are about to be acted on.
    pub(super) fn changed(&mut self, changes: &[Change]) {
        self.changes += 1;
        let is_style = |path: &Path| {
            path.extension().map(OsStr::as_bytes).is_some_and(|it| it.eq_ignore_ascii_case(b"css"))
        };
        let all_styles = changes.iter().all(|change| match change {
            Change::Modified { place, .. } => is_style(Path::new(&place.name)),
            _ => false,
        });
        let changed = if all_styles { Changed::Styles } else { Changed::Anything };
        self.changed = self.changed.max(Some(changed));
    }

    /// Pages are to be loaded again, although nothing was started or built for it.
    pub(super) fn reload(&mut self) {
        *match self.changed.take() {
            Some(Changed::Styles) => &mut self.styles,
            Some(Changed::Anything) | None => &mut self.pages,
        } += 1;
    }

    /// Shows how it is now.
    pub(super) fn show(&mut self, services: &Services) {
        let chosen: Vec<(usize, &Service)> = services
            .iter()
            .enumerate()
            .filter(|(_, service)| {
                self.service.is_none() || service.name() == self.service.as_deref()
            })
            .collect();
        let views: Vec<View> = chosen.iter().map(|(_, service)| View::of(service)).collect();
        let was_closed = matches!(self.feed.scene().gate, Gate::Closed(_));
        for (number, service) in &chosen {
            let now = Seen::of(service);
            let seen = self.seen.entry(*number).or_default();
            // While nothing is up, the page is that of before.
            let is_other = now.instance.is_some() && now.instance != seen.instance
                || now.builds != seen.builds;
            if is_other {
                *seen = now;
                // What was shown instead of a page is loaded again as a whole.
                self.changed = self.changed.take_if(|_| !was_closed);
                self.reload();
            }
        }
        let gate = views.iter().map(|view| &view.gate).max_by_key(|gate| rank(gate));
        let gate = match gate {
            None | Some(Way::Open) => Gate::Open,
            Some(Way::Busy(doing)) => {
                Gate::Busy { doing, is_up: views.iter().all(|view| view.is_up) }
            }
            Some(Way::Closed(failure)) => Gate::Closed(self.shown.failure(failure.clone())),
        };
        let failure = match gate {
            Gate::Closed(_) => None,
            _ => views.into_iter().find_map(|view| view.failure),
        };
        let failure = failure.map(|failure| self.shown.failure(failure));
        let Self { pages, styles, changes, .. } = *self;
        self.feed.show(Scene { gate, failure, pages, styles, changes });
    }
}

impl Seen {
    fn of(service: &Service) -> Self {
        let stays = service.spec.program.is_none()
            || matches!(service.spec.policy.on_change, OnChange::Build | OnChange::Signal(_));
        Self {
            instance: service.engine.current().filter(|_| is_up(service)),
            builds: if stays { service.record.builds.done } else { 0 },
        }
    }
}

/// How a service is to browsers.
struct View {
    gate: Way,
    /// Whether it can answer.
    is_up: bool,
    /// What is wrong although it can.
    failure: Option<Failure>,
}

/// Whether requests reach a service.
enum Way {
    Open,
    Busy(&'static str),
    Closed(Failure),
}

fn rank(way: &Way) -> u8 {
    match way {
        Way::Open => 0,
        Way::Busy(_) => 1,
        Way::Closed(_) => 2,
    }
}

impl View {
    fn of(service: &Service) -> Self {
        let (phase, policy) = (service.engine.phase(), &service.spec.policy);
        let is_up = service.spec.program.is_none() || is_up(service);
        let build = build_failure(service);
        let gate = match phase {
            // What takes over does so unnoticed.
            _ if service.engine.is_building() && policy.on_change != OnChange::Handover => {
                Way::Busy("building")
            }
            _ if service.engine.is_building() && !is_up => Way::Busy("building"),
            _ if is_up => Way::Open,
            Phase::Waiting => match build.clone() {
                Some(failure) => Way::Closed(failure),
                None if policy.postpone && service.engine.generation().0 == 0 => {
                    let title = "the program starts after the first change (--postpone)";
                    Way::Closed(Failure::new(FailureKind::ProgramEnded, title))
                }
                None => Way::Busy("starting"),
            },
            Phase::Failed | Phase::Done => Way::Closed(end_of(service)),
            Phase::Stopping | Phase::Retrying => Way::Busy("restarting"),
            Phase::Starting | Phase::Ready | Phase::Handover => Way::Busy("starting"),
        };
        let handover = service.record.trouble.as_ref().map(|title| {
            let output = Output::Tail(service.tail.clone().unwrap_or_default());
            Failure { output, ..Failure::new(FailureKind::ProgramEnded, title) }
        });
        Self { gate, is_up, failure: build.or(handover) }
    }
}

/// Whether its program can answer: it is ready, or is late and may all the same.
fn is_up(service: &Service) -> bool {
    let late = service.record.late;
    match service.engine.phase() {
        Phase::Ready | Phase::Handover => true,
        Phase::Starting => late.is_some() && late == service.engine.current(),
        _ => false,
    }
}

fn build_failure(service: &Service) -> Option<Failure> {
    let build = service.record.build.as_ref().filter(|it| it.result == BuildResult::Failed)?;
    let how = build.failure.as_deref().unwrap_or("a step failed");
    let output = Output::Lines(service.step_output().to_vec());
    Some(Failure {
        output,
        ..Failure::new(FailureKind::BuildFailed, format!("build failed: {how}"))
    })
}

fn end_of(service: &Service) -> Failure {
    let title = service.record.trouble.clone().unwrap_or_else(|| {
        let exit = service.record.last_exit.as_deref().unwrap_or("status 0");
        format!("{} ended: {exit}", text::command(&service.spec.command))
    });
    let output = Output::Tail(service.tail.clone().unwrap_or_default());
    Failure { output, ..Failure::new(FailureKind::ProgramEnded, title) }
}
