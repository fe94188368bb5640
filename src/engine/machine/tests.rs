//! Events in, actions out: tables for what is decided, random interleavings for what is promised.

use super::*;
use crate::engine::NotStarted;
use proptest::prelude::*;

const TIMEOUT: Duration = Duration::from_secs(8);
const TERM: i32 = 15;
const INT: i32 = 2;

fn engine() -> Engine {
    Engine::new(Policy { postpone: false, stop_timeout: TIMEOUT })
}

fn start(instance: u64, generation: u64) -> Vec<Action> {
    vec![Action::Start(Instance(instance), Generation(generation))]
}

#[test]
fn a_change_stops_and_starts_only_when_all_is_gone() {
    let (mut engine, now) = (engine(), Instant::now());
    assert_eq!(engine.handle(Event::Watching, now), start(1, 0));
    assert_eq!(engine.handle(Event::Started(Instance(1)), now), []);
    assert_eq!(engine.handle(Event::Changed, now), [Action::Stop(Instance(1))]);
    assert_eq!(engine.handle(Event::Exited(Instance(1), Exit::Signal(TERM)), now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2, 1));
}

#[test]
fn changes_during_a_stop_are_one_start_of_the_newest() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Changed, now);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2, 3));
}

#[test]
fn what_does_not_stop_is_killed_and_never_doubled() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Changed, now);
    assert_eq!(engine.tick(now + TIMEOUT - Duration::from_nanos(1)), []);
    let killed = engine.deadline().unwrap();
    assert_eq!(engine.tick(killed), [Action::Kill(Instance(1))]);
    let reported = engine.deadline().unwrap();
    assert_eq!(engine.tick(reported), [Action::ReportUnkillable(Instance(1))]);
    assert_eq!(engine.handle(Event::Changed, reported), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), reported), start(2, 2));
}

#[test]
fn a_program_that_ends_waits_for_the_next_change() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Exited(Instance(1), Exit::Code(1)), now);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), []);
    assert_eq!(engine.handle(Event::Changed, now), start(2, 1));
}

#[test]
fn what_a_program_leaves_behind_is_stopped_before_the_next_start() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Exited(Instance(1), Exit::Code(0)), now);
    assert_eq!(engine.handle(Event::Changed, now), [Action::Stop(Instance(1))]);
}

#[test]
fn postponed_is_until_the_first_change() {
    let mut engine = Engine::new(Policy { postpone: true, stop_timeout: TIMEOUT });
    let now = Instant::now();
    assert_eq!(engine.handle(Event::Watching, now), []);
    assert_eq!(engine.handle(Event::Changed, now), start(1, 1));
}

#[test]
fn an_interrupt_passes_the_status_on() {
    let cases = [(Exit::Code(0), 0), (Exit::Code(77), 77), (Exit::Signal(TERM), 143)];
    for (exit, status) in cases {
        let (mut engine, now) = (engine(), Instant::now());
        engine.handle(Event::Watching, now);
        assert_eq!(engine.handle(Event::Interrupted(INT), now), [Action::Stop(Instance(1))]);
        engine.handle(Event::Exited(Instance(1), exit), now);
        assert_eq!(engine.handle(Event::Gone(Instance(1)), now), [Action::End(status)]);
    }
}

#[test]
fn an_interrupt_with_nothing_running_is_128_and_the_signal() {
    let (mut engine, now) = (engine(), Instant::now());
    assert_eq!(engine.handle(Event::Interrupted(INT), now), [Action::End(130)]);
    assert_eq!(engine.handle(Event::Watching, now), [], "ended is ended");
}

#[test]
fn the_second_interrupt_kills_at_once() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Interrupted(INT), now);
    assert_eq!(engine.handle(Event::Interrupted(INT), now), [Action::Kill(Instance(1))]);
    let ended = engine.tick(engine.deadline().unwrap());
    assert_eq!(ended, [Action::ReportUnkillable(Instance(1)), Action::End(125)]);
}

#[test]
fn an_interrupt_during_a_restart_ends_instead_of_starting() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Changed, now);
    assert_eq!(engine.handle(Event::Interrupted(TERM), now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), [Action::End(143)]);
}

#[test]
fn a_program_that_never_started_ends_it_and_later_failures_do_not() {
    let cases = [
        (NotStarted::NotFound, 127),
        (NotStarted::NotExecutable(13), 126),
        (NotStarted::NoProcess(11), 125),
    ];
    for (why, status) in cases {
        let (mut engine, now) = (engine(), Instant::now());
        engine.handle(Event::Watching, now);
        let failed = Event::NotStarted(Instance(1), why);
        assert_eq!(engine.handle(failed, now), [Action::End(status)]);
    }
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Started(Instance(1)), now);
    engine.handle(Event::Changed, now);
    engine.handle(Event::Gone(Instance(1)), now);
    let failed = Event::NotStarted(Instance(2), NotStarted::NotFound);
    assert_eq!(engine.handle(failed, now), []);
    assert_eq!(engine.handle(Event::Changed, now), start(3, 2));
}

#[test]
fn a_start_that_failed_while_it_was_being_stopped_is_followed_by_the_next() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Changed, now);
    let failed = Event::NotStarted(Instance(1), NotStarted::NotFound);
    assert_eq!(engine.handle(failed, now), start(2, 1));
}

/// What the world does next; the model turns it into an event that can happen now.
#[derive(Clone, Copy, Debug)]
enum Step {
    Change,
    Exec { works: bool },
    Exit(i32),
    Vanish,
    Wait(u64),
    Interrupt,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Change),
        3 => proptest::bool::weighted(0.9).prop_map(|works| Step::Exec { works }),
        2 => (0..3).prop_map(Step::Exit),
        4 => Just(Step::Vanish),
        3 => (0..12_000u64).prop_map(Step::Wait),
        1 => Just(Step::Interrupt),
    ]
}

/// A world with at most one instance, as the dispatcher and the kernel make it.
struct World {
    engine: Engine,
    now: Instant,
    instance: Option<(Instance, Generation)>,
    is_executed: bool,
    has_exited: bool,
    newest: u64,
    last_started: Generation,
    ended: Option<i32>,
    interrupted: bool,
}

impl World {
    fn new() -> Self {
        let (engine, now) = (engine(), Instant::now());
        let mut world = Self {
            engine,
            now,
            instance: None,
            is_executed: false,
            has_exited: false,
            newest: 0,
            last_started: Generation(0),
            ended: None,
            interrupted: false,
        };
        world.tell(Event::Watching);
        world
    }

    fn tell(&mut self, event: Event) {
        let actions = self.engine.handle(event, self.now);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            assert_eq!(self.ended, None, "{action:?} after the end");
            match action {
                Action::Start(instance, generation) => {
                    assert_eq!(self.instance, None, "two at once");
                    assert!(!self.interrupted, "started after an interrupt");
                    self.instance = Some((instance, generation));
                    self.last_started = generation;
                    self.is_executed = false;
                    self.has_exited = false;
                }
                Action::Stop(instance) | Action::Kill(instance) => {
                    assert_eq!(self.instance.map(|(there, _)| there), Some(instance));
                }
                Action::ReportUnkillable(_) => {}
                Action::End(status) => self.ended = Some(status),
            }
        }
    }

    fn step(&mut self, step: Step) {
        if self.ended.is_some() {
            return;
        }
        match (step, self.instance) {
            (Step::Change, _) => {
                self.newest += 1;
                self.tell(Event::Changed);
            }
            (Step::Exec { works }, Some((instance, _))) if !self.is_executed => {
                self.is_executed = true;
                if works {
                    self.tell(Event::Started(instance));
                } else {
                    self.instance = None;
                    self.tell(Event::NotStarted(instance, NotStarted::NotFound));
                }
            }
            (Step::Exit(code), Some((instance, _))) if self.is_executed && !self.has_exited => {
                self.has_exited = true;
                self.tell(Event::Exited(instance, Exit::Code(code)));
            }
            (Step::Vanish, Some((instance, _))) if self.has_exited => {
                self.instance = None;
                self.tell(Event::Gone(instance));
            }
            (Step::Wait(milliseconds), _) => {
                self.now += Duration::from_millis(milliseconds);
                let actions = self.engine.tick(self.now);
                self.act(actions);
            }
            (Step::Interrupt, _) => {
                self.interrupted = true;
                self.tell(Event::Interrupted(TERM));
            }
            _ => {}
        }
    }

    fn is_stopping(&self) -> bool {
        matches!(self.engine.state, State::Stopping { .. })
    }

    /// Lets every process end as soon as it is stopped, until nothing happens any more.
    fn calm_down(&mut self) {
        for _ in 0..8 {
            self.step(Step::Exec { works: true });
            if self.is_stopping() {
                self.step(Step::Exit(0));
                self.step(Step::Vanish);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..Default::default() })]

    #[test]
    fn never_two_and_always_the_newest(steps in proptest::collection::vec(any_step(), 0..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.calm_down();
        prop_assert!(!world.is_stopping(), "{:?}", world.engine);
        if world.interrupted {
            prop_assert!(world.ended.is_some(), "interrupted and not over: {:?}", world.engine);
        } else if world.ended.is_none() {
            prop_assert_eq!(world.last_started, Generation(world.newest), "{:?}", world.engine);
        }
    }
}
