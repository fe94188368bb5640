//! Rules: what a change leads to by its path and its kind. The first that matches decides; what
//! no rule is about leads to what it does by default.

use std::collections::BTreeSet;

use super::Shared;
use super::member::{Ending, Member};
use super::record::Noticed;
use super::services::Services;
use super::spec::Spec;
use crate::config::Kind;
use crate::engine::{Event, OnChange};
use crate::process::signals;
use crate::scan::Filter;
use crate::tree::{Change, Snapshot};
use crate::ui::{Kind as Said, Level, Line, text};

/// What some changes lead to.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// Which paths it is about.
    pub filter: Filter,
    /// Which kinds of changes.
    pub kinds: Vec<Kind>,
    /// What they lead to.
    pub effect: Effect,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A service, by its place, does this; without one, each does of which the change is its own.
    Act(OnChange, Option<usize>),
    /// A command is run, which no service waits for.
    Run(Box<Spec>),
    /// Browsers load their pages again.
    Reload,
    /// Nothing.
    Ignore,
}

/// What becomes of some changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Routed {
    /// No rule is about these.
    pub(super) rest: Vec<Change>,
    /// What each rule is about, by its place.
    pub(super) ruled: Vec<(usize, Vec<Change>)>,
}

impl Rule {
    fn is_about(&self, change: &Change) -> bool {
        let kind = match change {
            Change::Created { .. } => Kind::Create,
            Change::Modified { .. } => Kind::Modify,
            Change::Removed { .. } => Kind::Remove,
            Change::Renamed { .. } => Kind::Rename,
        };
        self.kinds.contains(&kind) && is_of(&self.filter, change)
    }
}

/// Whether a change is among those of a filter; a rename is if one of its two paths is.
pub(super) fn is_of(filter: &Filter, change: &Change) -> bool {
    match change {
        Change::Renamed { from, .. } if filter.has(&from.path()) => true,
        change => filter.has(&change.place().path()),
    }
}

/// Which rule is about which change.
pub(super) fn route(rules: &[Rule], changes: &[Change]) -> Routed {
    let mut ruled = vec![Vec::new(); rules.len()];
    let mut rest = Vec::new();
    for change in changes {
        match rules.iter().position(|rule| rule.is_about(change)) {
            Some(rule) => ruled[rule].push(change.clone()),
            None => rest.push(change.clone()),
        }
    }
    let ruled = ruled.into_iter().enumerate().filter(|(_, changes)| !changes.is_empty());
    Routed { rest, ruled: ruled.collect() }
}

/// What a service is told, to which changes lead by default, if any do, and what rules want of it.
/// A signal goes with a restart: what is started anew has no need of it.
pub(super) fn events(default: Option<OnChange>, ruled: &[OnChange]) -> Vec<Event> {
    let greatest = ruled.iter().copied().chain(default).max();
    if let Some(how @ (OnChange::Handover | OnChange::Restart)) = greatest {
        return vec![if default == greatest { Event::Changed } else { Event::Ruled(how) }];
    }
    let signals: BTreeSet<OnChange> = ruled.iter().copied().collect();
    let changed = default.map(|_| Event::Changed);
    changed.into_iter().chain(signals.into_iter().map(Event::Ruled)).collect()
}

impl Services {
    /// The tree settled on other content; says whether that is to be seen in a browser at once,
    /// since nothing is built or started for it.
    pub(super) fn changed(
        &mut self,
        changes: &[Change],
        before: &Snapshot,
        noticed: Noticed,
        shared: &mut Shared,
    ) -> bool {
        let Routed { rest, ruled } = route(&self.rules, changes);
        for (rule, changes) in &ruled {
            self.say_rule(&self.rules[*rule], changes, shared);
        }
        if self.exits_on_change && self.leads_to_something(&rest, &ruled) {
            self.end_with_change(shared);
            return false;
        }
        let mut is_seen =
            ruled.iter().any(|(rule, _)| matches!(self.rules[*rule].effect, Effect::Reload));
        for (number, member) in self.members.iter_mut().enumerate().filter(|(_, it)| !it.is_over())
        {
            let mut own = member.service.own(&rest);
            let default = (!own.is_empty()).then_some(member.service.spec.policy.on_change);
            let mut wanted = Vec::new();
            for (rule, changes) in &ruled {
                let Effect::Act(how, service) = self.rules[*rule].effect else { continue };
                let its = match service {
                    Some(service) if service == number => changes.clone(),
                    Some(_) => continue,
                    None => member.service.own(changes),
                };
                if !its.is_empty() {
                    wanted.push(how);
                    own.extend(its);
                }
            }
            let events = events(default, &wanted);
            let Spec { program, steps, policy, .. } = &member.service.spec;
            let is_done = |event: &Event| match event {
                Event::Ruled(how) => matches!(how, OnChange::Signal(_)),
                _ if !steps.is_empty() => false,
                _ => program.is_none() || matches!(policy.on_change, OnChange::Signal(_)),
            };
            is_seen |= events.iter().any(is_done);
            match (events.is_empty(), member.has_begun) {
                (true, _) => {}
                (false, true) => member.service.changed(&own, before, noticed, &events, shared),
                // It will begin with the tree as it is then.
                (false, false) => member.has_changed = true,
            }
        }
        for (rule, changes) in &ruled {
            let Rule { name, effect: Effect::Run(_), .. } = &self.rules[*rule] else { continue };
            let mut commands = self.commands.iter_mut();
            if let Some(command) = commands.find(|it| it.service.spec.key == *name && it.is_on()) {
                command.service.changed(changes, before, noticed, &[Event::Changed], shared);
            }
        }
        self.advance(shared);
        is_seen
    }

    /// Something has changed, which is the end of all, unless changes wait.
    pub(super) fn end_with_change(&mut self, shared: &mut Shared) {
        let is_paused = self.iter().any(|service| service.engine.is_paused());
        self.has_end_waiting = is_paused;
        if is_paused {
            return;
        }
        let line = "ending with this change (--exit-on-change)";
        shared.log.write(Line::event(Said::Asked, line).with("request", "exit_on_change"));
        self.verdict = Some(0);
        self.end(Ending::Request, shared);
    }

    /// Whether these changes are any service's, or a rule has them do something.
    fn leads_to_something(&self, rest: &[Change], ruled: &[(usize, Vec<Change>)]) -> bool {
        let is_ignored = |rule: usize| matches!(self.rules[rule].effect, Effect::Ignore);
        self.iter().any(|service| !service.own(rest).is_empty())
            || ruled.iter().any(|(rule, _)| !is_ignored(*rule))
    }

    fn say_rule(&self, rule: &Rule, changes: &[Change], shared: &Shared) {
        let Rule { name, effect, .. } = rule;
        let of = |service: Option<usize>| {
            let service = service.and_then(|service| self.iter().nth(service));
            service.and_then(|service| service.name()).map(|name| format!(" {name}"))
        };
        let (level, what) = match effect {
            Effect::Act(how, service) => {
                let service = of(*service).unwrap_or_default();
                let what = match how {
                    OnChange::Restart => format!("restart{service}"),
                    OnChange::Handover => format!("hand over{service}"),
                    OnChange::Signal(signal) => {
                        let to = if service.is_empty() { "" } else { " to" };
                        format!("send {}{to}{service}", signals::name(*signal))
                    }
                    OnChange::Build => format!("build{service}"),
                };
                (Level::Event, what)
            }
            Effect::Run(_) => (Level::Event, "run its command".to_owned()),
            Effect::Reload => (Level::Event, "have browsers load it again".to_owned()),
            Effect::Ignore => (Level::Detail, "do nothing".to_owned()),
        };
        let count = text::count(changes.len(), "path");
        let line = Line::new(level, Said::Rule, format!("rule {name} for {count}: {what}"));
        shared.log.write(line.with("rule", &**name).with("count", changes.len()));
    }

    /// From now on, these rules hold; gives the commands of others, which are to be stopped.
    pub(super) fn rule(&mut self, rules: Vec<Rule>) -> Vec<Member> {
        let mut before = std::mem::take(&mut self.commands);
        for rule in &rules {
            let Effect::Run(spec) = &rule.effect else { continue };
            let same = |it: &Member| {
                let old = &it.service.spec;
                old.key == spec.key && old.says == spec.says
            };
            let command = match before.iter().position(same) {
                Some(place) => before.remove(place),
                None => self.member((**spec).clone()),
            };
            self.commands.push(command);
        }
        self.rules = rules;
        before
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::tree::Place;

    fn place(path: &str) -> Place {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Place { dir: Arc::from(Path::new(dir)), name: name.into() }
    }

    fn removed(path: &str) -> Change {
        Change::Removed { place: place(path) }
    }

    fn rule(glob: &str, kinds: &[Kind]) -> Rule {
        let filter = Filter::new(&[], &[glob.to_owned()], &[]).unwrap();
        Rule { name: glob.into(), filter, kinds: kinds.to_vec(), effect: Effect::Ignore }
    }

    #[test]
    fn the_first_that_matches_decides() {
        let all = Kind::ALL.map(|(_, kind)| kind);
        let rules =
            [rule("*.md", &[Kind::Create]), rule("docs/", &all), rule("*.md", &[Kind::Remove])];
        let changes = ["README.md", "docs/a.md", "main.go"].map(removed);
        let routed = route(&rules, &changes);
        assert_eq!(routed.rest, [removed("main.go")]);
        assert_eq!(
            routed.ruled,
            [(1, vec![removed("docs/a.md")]), (2, vec![removed("README.md")])]
        );
    }

    #[test]
    fn the_greatest_is_done_and_signals_only_where_nothing_starts_anew() {
        use OnChange::{Build, Handover, Restart, Signal};
        let ruled = Event::Ruled;
        for (default, by_rules, expected) in [
            (None, &[][..], vec![]),
            (Some(Restart), &[], vec![Event::Changed]),
            (Some(Restart), &[Handover, Signal(1)], vec![Event::Changed]),
            (Some(Signal(1)), &[Handover], vec![ruled(Handover)]),
            (None, &[Signal(10), Signal(1), Signal(1)], vec![ruled(Signal(1)), ruled(Signal(10))]),
            (Some(Build), &[Signal(1)], vec![Event::Changed, ruled(Signal(1))]),
            (None, &[Restart, Handover], vec![ruled(Restart)]),
        ] {
            assert_eq!(events(default, by_rules), expected, "{default:?} {by_rules:?}");
        }
    }
}
