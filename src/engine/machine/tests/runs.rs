//! Runs that are counted.

use super::*;

fn counted(runs: u32) -> Policy {
    Policy { runs: Some(runs), ..POLICY }
}

#[test]
fn it_is_over_when_the_last_run_has_ended_with_its_status() {
    let now = Instant::now();
    let mut engine = up(counted(2), now);
    assert!(!engine.is_last_run());
    assert_eq!(engine.handle(exited(1, Exit::Code(3)), now), []);
    assert_eq!(engine.handle(Event::Changed, now), [Action::Stop(Instance(1), TERM)]);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2));
    engine.handle(Event::Started(Instance(2)), now);
    assert!(engine.is_last_run());
    // No further run is begun, so this one is left alone.
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(Event::Requested(Request::Restart), now), []);
    assert_eq!(engine.handle(exited(2, Exit::Code(5)), now), [Action::Stop(Instance(2), TERM)]);
    assert_eq!(engine.handle(Event::Gone(Instance(2)), now), [Action::End(5)]);
}

#[test]
fn a_crash_is_a_run_as_well() {
    let now = Instant::now();
    let mut engine = up(counted(2), now);
    engine.handle(exited(1, Exit::Signal(11)), now);
    engine.handle(Event::Gone(Instance(1)), now);
    let later = engine.deadline().unwrap();
    assert_eq!(engine.tick(later), start(2));
    engine.handle(Event::Started(Instance(2)), later);
    engine.handle(exited(2, Exit::Signal(11)), later);
    assert_eq!(engine.handle(Event::Gone(Instance(2)), later), [Action::End(128 + 11)]);
}

#[test]
fn a_build_that_fails_is_a_run_and_ends_it_where_nothing_else_runs() {
    let now = Instant::now();
    let mut engine = Engine::new(Policy { steps: 1, ..counted(1) });
    engine.handle(Event::Watching, now);
    let mut actions = engine.handle(exited(1, Exit::Code(2)), now);
    actions.extend(engine.handle(Event::Gone(Instance(1)), now));
    assert_eq!(actions.last(), Some(&Action::End(2)), "{actions:?}");
}

#[test]
fn without_a_program_builds_are_counted() {
    let now = Instant::now();
    let policy = Policy { has_program: false, steps: 1, ..counted(1) };
    let mut engine = Engine::new(policy);
    engine.handle(Event::Watching, now);
    let mut actions = engine.handle(exited(1, Exit::Code(0)), now);
    actions.extend(engine.handle(Event::Gone(Instance(1)), now));
    assert_eq!(actions.last(), Some(&Action::End(0)), "{actions:?}");
}

#[test]
fn what_cannot_be_executed_in_the_last_run_ends_it() {
    let now = Instant::now();
    let mut engine = up(counted(2), now);
    engine.handle(exited(1, Exit::Code(0)), now);
    engine.handle(Event::Gone(Instance(1)), now);
    assert_eq!(engine.handle(Event::Changed, now), start(2));
    let event = Event::NotStarted(Instance(2), NotStarted::NotFound);
    assert_eq!(engine.handle(event, now), [Action::End(127)]);
}

#[test]
fn a_signal_for_a_change_is_no_run() {
    let now = Instant::now();
    let mut engine = up(Policy { on_change: OnChange::Signal(1), ..counted(1) }, now);
    assert_eq!(engine.handle(Event::Changed, now), [Action::Signal(Instance(1), 1)]);
}
