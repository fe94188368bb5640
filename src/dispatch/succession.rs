//! Succession: a service that is configured otherwise takes the place of the one before, and gives it
//! back if it does not work.

use std::time::{Duration, Instant};

use super::Shared;
use super::member::{Ending, Member};
use super::rules::Rule;
use super::service::Service;
use super::services::Services;
use super::spec::Spec;
use crate::control::BuildResult;
use crate::engine::{Generation, Order, Phase};
use crate::ui::{Kind, Line};

/// What is known of a service that was just configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// Nothing yet.
    On,
    /// It works.
    Passed,
    /// It does not.
    Failed,
}

/// How long a program has to stay up to be believed to work.
const TRIAL: Duration = Duration::from_secs(2);

impl Services {
    /// What another configuration says. What it says nothing else of goes on as it is.
    pub(super) fn configure(&mut self, specs: Vec<Spec>, rules: Vec<Rule>, shared: &mut Shared) {
        if self.ending.is_some() {
            return;
        }
        for gone in self.rule(rules) {
            self.retire(gone, shared);
        }
        let mut before = std::mem::take(&mut self.members);
        self.order = Order::new(specs.iter().map(|spec| spec.needs.clone()).collect());
        let keys: Vec<String> = specs.iter().map(|spec| spec.key.clone()).collect();
        for spec in specs {
            let namesake = before.iter().position(|it| it.service.spec.key == spec.key);
            // Under another name it would start beside itself otherwise.
            let is_renamed = |it: &Member| {
                it.service.spec.says == spec.says && !keys.contains(&it.service.spec.key)
            };
            let place = namesake.or_else(|| before.iter().position(is_renamed));
            let member = match place.map(|place| before.remove(place)) {
                Some(other) if other.service.spec.key != spec.key => {
                    let line = format!("the service is called {} now: it starts anew", spec.key);
                    other.service.log(Line::event(Kind::Configured, line), shared);
                    self.replace(other, spec, shared)
                }
                Some(mut same) if same.service.spec.says == spec.says => {
                    same.service.spec.needs = spec.needs;
                    same
                }
                Some(other) => {
                    let line = "the service is configured otherwise now: it starts anew";
                    other.service.log(Line::event(Kind::Configured, line), shared);
                    let fallback = match &other.fallback {
                        Some(worked) => worked.clone(),
                        None => Box::new(other.service.spec.clone()),
                    };
                    let mut member = self.replace(other, spec, shared);
                    member.fallback = Some(fallback);
                    member
                }
                None => self.member(spec),
            };
            self.members.push(member);
        }
        for gone in before {
            let line = "the service is not configured any more: stopping it";
            gone.service.log(Line::event(Kind::Configured, line), shared);
            self.retire(gone, shared);
        }
        self.advance(shared);
    }

    /// A member with this in the place of another, which is asked to end.
    fn replace(&mut self, other: Member, spec: Spec, shared: &mut Shared) -> Member {
        let mut member = self.member(spec);
        member.formerly.clone_from(&other.formerly);
        if !other.is_before(&member) {
            member.formerly.push(other.service.spec.key.clone());
        }
        let generation = other.service.engine.generation();
        member.service.succeed(&other.service, generation);
        // It starts at once, even where the first start waits for a change.
        member.has_changed = other.has_begun || other.has_changed;
        self.retire(other, shared);
        member
    }

    fn retire(&mut self, mut member: Member, shared: &mut Shared) {
        if !member.is_over() {
            member.end(Ending::Request, shared);
        }
        self.retiring.push(member);
    }

    /// Lets go of what is gone, hands on what it had stored, and goes back to what worked where
    /// the new does not.
    pub(super) fn look_after_change(&mut self, shared: &mut Shared) {
        let (gone, retiring) =
            std::mem::take(&mut self.retiring).into_iter().partition(Member::is_over);
        self.retiring = retiring;
        let gone: Vec<Member> = gone;
        for mut gone in gone {
            if let Some(next) = self.members.iter_mut().find(|it| gone.is_before(it)) {
                next.service.supply.inherit(&mut gone.service.supply);
            }
        }
        for place in 0..self.members.len() {
            let member = &mut self.members[place];
            if member.fallback.is_none() || !member.has_begun || member.is_ending {
                continue;
            }
            match member.service.trial() {
                Trial::On => {}
                Trial::Passed => member.fallback = None,
                Trial::Failed => self.go_back(place, shared),
            }
        }
    }

    fn go_back(&mut self, place: usize, shared: &mut Shared) {
        let Some(worked) = self.members[place].fallback.take() else { return };
        let line = "the service does not start as it is configured now: going back to what \
                    worked; save the file again to try again";
        self.members[place].service.log(Line::problem(Kind::Configured, line), shared);
        let needs = self.members[place].service.spec.needs.clone();
        let other = self.members.remove(place);
        let member = self.replace(other, Spec { needs, ..*worked }, shared);
        self.members.insert(place, member);
    }
}

impl Service {
    /// Takes the place of another, after so many change sets.
    pub(super) fn succeed(&mut self, other: &Self, generation: Generation) {
        self.record = other.record.successor();
        self.engine.begin_after(generation);
    }

    /// Whether its last build, or its program, has failed.
    pub(super) fn has_failed(&self) -> bool {
        let is_down = match self.engine.phase() {
            Phase::Failed => true,
            Phase::Retrying => !self.record.ended_well,
            _ => false,
        };
        is_down
            || self.record.build.as_ref().is_some_and(|it| it.result == BuildResult::Failed)
            || self.ended.is_some_and(|status| status != 0)
    }

    /// Whether it works as it is configured.
    pub(super) fn trial(&self) -> Trial {
        let has_failed = self.has_failed()
            || self.engine.phase() == Phase::Retrying
            || self.record.late.is_some();
        match (has_failed, self.is_ready()) {
            (true, _) => Trial::Failed,
            (false, false) => Trial::On,
            (false, true) => {
                let is_early = self.trial_deadline().is_some_and(|until| until > Instant::now());
                if is_early { Trial::On } else { Trial::Passed }
            }
        }
    }

    /// Until when it is not believed that it works: where nothing says that it is ready, it may be
    /// about to fail.
    pub(super) fn trial_deadline(&self) -> Option<Instant> {
        let started = self.started.filter(|_| self.spec.ready.is_none())?;
        Some(started + TRIAL).filter(|until| *until > Instant::now())
    }
}
