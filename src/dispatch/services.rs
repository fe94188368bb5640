//! All services: which of them an event is about, which wait for which, and when all is over.

use std::time::Instant;

use super::member::{Ending, Member};
use super::rules::Rule;
use super::service::Service;
use super::spec::Spec;
use super::{Shared, smoke};
use crate::engine::{Event, Instance, Order, Request};
use crate::process::notify::Notice;
use crate::process::routing::Route;
use crate::process::{Chunk, Door, signals};
use crate::ready::Tail;
use crate::ui::{Kind, Line};

/// The services, in the order of the configuration.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) members: Vec<Member>,
    /// Those that another took the place of, until nothing of them is left.
    pub(super) retiring: Vec<Member>,
    /// What changes lead to that rules are about.
    pub(super) rules: Vec<Rule>,
    /// What rules run, as services without a program.
    pub(super) commands: Vec<Member>,
    pub(super) order: Order,
    /// The number of the next member.
    next: u64,
    /// Where programs say how they are, if one does.
    notify: Option<Door>,
    /// Whether the tree was seen, without which nothing starts.
    has_watched: bool,
    /// Whether the first change is the end.
    pub(super) exits_on_change: bool,
    /// Whether there was one that waits until it is resumed.
    pub(super) has_end_waiting: bool,
    /// What asked all of them to end.
    pub(super) ending: Option<Ending>,
    /// The status to end with, if a service that all others depend on has ended, or a change was the
    /// end.
    pub(super) verdict: Option<i32>,
}

/// So many instances each service can number as its own.
const SPAN: u64 = 1 << 40;

impl Services {
    pub(super) fn new(specs: Vec<Spec>, rules: Vec<Rule>, notify: Option<Door>) -> Self {
        let mut services = Self {
            members: Vec::new(),
            retiring: Vec::new(),
            rules: Vec::new(),
            commands: Vec::new(),
            order: Order::default(),
            next: 0,
            notify,
            has_watched: false,
            exits_on_change: false,
            has_end_waiting: false,
            ending: None,
            verdict: None,
        };
        services.order = Order::new(specs.iter().map(|spec| spec.needs.clone()).collect());
        for spec in specs {
            let member = services.member(spec);
            services.members.push(member);
        }
        services.rule(rules);
        services
    }

    pub(super) fn member(&mut self, spec: Spec) -> Member {
        let number = self.next;
        self.next += 1;
        let mut service = Service::new(spec, number * SPAN..(number + 1) * SPAN);
        if let (true, Some(notify)) = (service.spec.takes_notices, &self.notify) {
            service.supply.notices(notify.name().to_owned());
        }
        Member {
            number,
            service,
            formerly: Vec::new(),
            fallback: None,
            has_begun: false,
            has_changed: false,
            is_ending: false,
        }
    }

    /// What counts as a change is another: all start anew.
    pub(super) fn changed_all(&mut self, shared: &mut Shared) {
        for member in self.members.iter_mut().filter(|member| member.is_on()) {
            member.service.held.lose_track();
            member.service.tell(Event::Changed, shared);
        }
        self.advance(shared);
    }

    /// Each service.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Service> {
        self.members.iter().map(|member| &member.service)
    }

    /// All of which anything may run.
    pub(super) fn all(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().chain(&self.retiring).chain(&self.commands)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut().chain(&mut self.retiring).chain(&mut self.commands)
    }

    /// The service that an instance is of.
    fn of(&mut self, instance: Instance) -> Option<&mut Service> {
        let member = self.all_mut().find(|member| member.number == instance.0 / SPAN);
        member.map(|member| &mut member.service)
    }

    /// Tells whom it concerns what happened.
    pub(super) fn tell(&mut self, event: Event, shared: &mut Shared) {
        match (event.instance(), event) {
            (Some(instance), _) => {
                if let Some(service) = self.of(instance) {
                    service.tell(event, shared);
                }
            }
            (None, Event::Watching) => self.has_watched = true,
            (None, Event::Requested(Request::Stop)) => self.end(Ending::Request, shared),
            (None, Event::Typed(_)) => {
                for member in self.members.iter_mut().filter(|it| it.service.reads_what_is_typed())
                {
                    member.service.tell(event, shared);
                }
            }
            (None, _) => {
                for member in self.members.iter_mut().filter(|member| member.is_on()) {
                    member.service.tell(event, shared);
                }
            }
        }
        self.advance(shared);
    }

    /// Asks one service for something, or all of them.
    pub(super) fn request(&mut self, request: Request, which: Option<usize>, shared: &mut Shared) {
        if request == Request::Stop {
            return self.end(Ending::Request, shared);
        }
        let of_rules = self.commands.iter_mut().filter(|it| which.is_none() && it.is_on());
        for command in of_rules.filter(|_| request != Request::Build) {
            command.service.tell(Event::Requested(request), shared);
        }
        // Changes wait for what has not begun as well.
        let is_early = matches!(request, Request::Pause | Request::Resume);
        for (number, member) in self.members.iter_mut().enumerate() {
            let is_meant = which.is_none_or(|which| which == number) && !member.is_over();
            if is_meant && (member.has_begun || is_early) {
                member.service.tell(Event::Requested(request), shared);
            }
        }
        if request == Request::Resume && self.has_end_waiting {
            return self.end_with_change(shared);
        }
        self.advance(shared);
    }

    /// Why a service cannot do what is asked for, if it cannot.
    pub(super) fn refusal(&self, request: Request, which: usize) -> Option<String> {
        let member = &self.members[which];
        let name = member.service.name().unwrap_or("the program");
        match request {
            Request::Stop => Some("only all services together can be stopped".into()),
            _ if member.is_over() => Some(format!("{name} has ended for good")),
            Request::Restart | Request::Build if !member.has_begun => {
                let awaited = self.awaited(which).join(" and ");
                Some(format!("{name} has not started yet: it waits for {awaited}"))
            }
            _ => None,
        }
    }

    /// Does what a signal asks for: what it means is up to each service.
    pub(super) fn signalled(&mut self, signal: i32, shared: &mut Shared) {
        let routes = self.iter().map(|service| service.spec.routing.route(signal));
        let routes: Vec<Route> = routes.collect();
        if routes.iter().any(|route| matches!(route, Route::End(_))) {
            return self.end(Ending::Signal(signal), shared);
        }
        let mut is_dropped = true;
        for (member, route) in self.members.iter_mut().zip(routes) {
            if let (Route::Pass(sent), true) = (route, member.is_on()) {
                is_dropped = false;
                member.service.tell(Event::Signalled(sent), shared);
            }
        }
        if is_dropped {
            let name = signals::name(signal);
            let line = Line::detail(Kind::Signal, format!("dropped {name}"));
            shared.log.write(line.with("signal", name));
        }
        self.advance(shared);
    }

    /// Asks all to end, each when nothing depends on it any more. Who asks a second time does not
    /// want to wait for that.
    pub(super) fn end(&mut self, ending: Ending, shared: &mut Shared) {
        let now = Instant::now();
        let is_told_again =
            |it: &Member| it.is_ending && it.service.engine.was_just_interrupted(now);
        if self.ending.is_some() && self.all().any(is_told_again) {
            return;
        }
        if let Ending::Signal(signal) = ending {
            let name = signals::name(signal);
            let line = Line::event(Kind::Signal, format!("got {name}, stopping"));
            shared.log.write(line.with("signal", name));
        }
        if self.ending.replace(ending).is_some() {
            for member in self.all_mut().filter(|member| !member.is_over()) {
                member.end(ending, shared);
            }
        }
        self.advance(shared);
    }

    /// Begins what can begin, and ends what may end, by what has become of the others.
    pub(super) fn advance(&mut self, shared: &mut Shared) {
        loop {
            self.look_after_change(shared);
            let is_ready: Vec<bool> = self.iter().map(Service::is_ready).collect();
            let has_ended: Vec<bool> = self.members.iter().map(Member::is_over).collect();
            let mut has_moved = false;
            for (number, member) in self.members.iter_mut().enumerate() {
                let may_begin = self.has_watched
                    && self.ending.is_none()
                    && !member.has_begun
                    && !self.retiring.iter().any(|it| it.is_before(member));
                if may_begin && self.order.awaits(number, |other| is_ready[other]).is_empty() {
                    member.begin(shared);
                    has_moved = true;
                }
                let Some(ending) = self.ending.filter(|_| !has_ended[number]) else { continue };
                if !member.is_ending && self.order.may_stop(number, |other| has_ended[other]) {
                    member.end(ending, shared);
                    has_moved = true;
                }
            }
            self.look_for_essential(shared);
            self.advance_commands(shared);
            if !has_moved {
                return;
            }
        }
    }

    /// What rules run depends on nothing, and is of no use without what runs.
    fn advance_commands(&mut self, shared: &mut Shared) {
        let is_over = self.members.iter().all(Member::is_over);
        let ending = self.ending.or(is_over.then_some(Ending::Request));
        for command in self.commands.iter_mut().filter(|command| !command.is_over()) {
            match ending {
                Some(ending) if !command.is_ending => command.end(ending, shared),
                None if self.has_watched && !command.has_begun => command.begin(shared),
                _ => {}
            }
        }
    }

    /// Ends all, once one has ended that they cannot do without.
    fn look_for_essential(&mut self, shared: &mut Shared) {
        if self.ending.is_some() || self.members.len() == 1 {
            return;
        }
        let lost = self.members.iter().find(|it| it.is_over() && it.service.spec.is_essential);
        let Some(Member { service, .. }) = lost else { return };
        self.verdict = service.ended;
        service.log(Line::problem(Kind::Exited, "this was essential: stopping all"), shared);
        self.end(Ending::Request, shared);
    }

    /// Says what waits for what, once the tree was seen.
    pub(super) fn say_waiting(&self, shared: &Shared) {
        for (number, member) in self.members.iter().enumerate().filter(|(_, it)| !it.has_begun) {
            let awaited = self.awaited(number);
            let line = format!("waiting for {}", awaited.join(" and "));
            member.service.log(Line::event(Kind::Waiting, line).with("for", awaited), shared);
        }
    }

    /// What a service waits for before it begins, by name.
    fn awaited(&self, number: usize) -> Vec<&str> {
        if !self.has_watched {
            return vec!["the first look at the tree"];
        }
        if self.retiring.iter().any(|it| it.is_before(&self.members[number])) {
            return vec!["the end of what it takes the place of"];
        }
        let is_ready = |other: usize| self.members[other].service.is_ready();
        let awaited = self.order.awaits(number, is_ready);
        awaited.into_iter().filter_map(|other| self.members[other].service.name()).collect()
    }

    /// The status to end with, once all is over.
    pub(super) fn ended(&self) -> Option<i32> {
        if !self.all().all(Member::is_over) {
            return None;
        }
        // What never began has not failed, unless nothing has begun.
        let began = |member: &&Member| member.has_begun || self.members.len() == 1;
        let ended = self.members.iter().filter(began).filter_map(|member| member.service.ended);
        let failed = ended.into_iter().find(|&status| status != 0);
        Some(self.verdict.or(failed).unwrap_or(0))
    }

    /// Takes what an instance wrote into its pipe.
    pub(super) fn wrote(&mut self, instance: Instance, chunk: Chunk, shared: &mut Shared) {
        let Some(service) = self.of(instance) else { return };
        match chunk {
            Chunk::Bytes(bytes) => service.wrote(instance, &bytes, shared),
            Chunk::Drained => service.drained(instance, shared),
        }
        self.advance(shared);
    }

    /// Takes what an instance says of itself.
    pub(super) fn take_notice(&mut self, instance: Instance, notice: Notice, shared: &mut Shared) {
        if let Some(service) = self.of(instance) {
            service.take_notice(instance, notice, shared);
        }
        self.advance(shared);
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let on_trial = self.members.iter().filter(|member| member.fallback.is_some());
        let trials = on_trial.filter_map(|member| member.service.trial_deadline());
        self.all().filter_map(|member| member.service.deadline()).chain(trials).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, shared: &mut Shared) {
        for member in self.all_mut() {
            member.service.tick(shared);
        }
        self.advance(shared);
    }

    /// Whether an instance is being stopped.
    pub(super) fn is_stopping(&self) -> bool {
        self.all().any(|member| !member.service.stopping.is_empty())
    }

    /// What came of a smoke test, when stakeout ends with this status.
    pub(super) fn smoke_report(&mut self, status: i32) -> Option<smoke::Report> {
        self.members.iter_mut().find_map(|Member { service, .. }| {
            let output = service.tail.as_ref().map(Tail::lines).unwrap_or_default();
            let begun = service.started.or(service.build_began);
            Some(service.smoke.take()?.report(status, begun, output))
        })
    }
}
