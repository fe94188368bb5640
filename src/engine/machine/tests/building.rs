//! What is built before anything is started, and what becomes of what runs meanwhile.

use super::*;
use crate::engine::Failure;

pub(super) fn build(instance: u64, step: usize, generation: u64) -> Action {
    Action::Build { instance: Instance(instance), step, generation: Generation(generation) }
}

/// An engine with this policy whose first build, of two steps, is done, and its program up as 3.
pub(super) fn built(policy: Policy, now: Instant) -> Engine {
    let mut engine = Engine::new(Policy { steps: 2, ..policy });
    assert_eq!(engine.handle(Event::Watching, now), [build(1, 0, 0)]);
    assert_eq!(engine.handle(exited(1, Exit::Code(0)), now), [build(2, 1, 0)]);
    let done = Action::Note(Note::Built { generation: Generation(0), took: Duration::ZERO });
    let started = [done, Action::Start(Instance(3))];
    assert_eq!(engine.handle(exited(2, Exit::Code(0)), now), started);
    engine.handle(Event::Started(Instance(3)), now);
    engine
}

#[test]
fn what_runs_goes_on_until_all_steps_are_done() {
    let now = Instant::now();
    let mut engine = built(POLICY, now);
    assert_eq!(engine.handle(Event::Changed, now), [build(4, 0, 1)]);
    assert_eq!(engine.handle(exited(4, Exit::Code(0)), now), [build(5, 1, 1)]);
    let done = Action::Note(Note::Built { generation: Generation(1), took: Duration::ZERO });
    let stop = Action::Stop(Instance(3), TERM);
    assert_eq!(engine.handle(exited(5, Exit::Code(0)), now), [done, stop]);
    assert_eq!(engine.handle(Event::Gone(Instance(3)), now), start(6));
}

#[test]
fn a_build_that_fails_stops_nothing() {
    let now = Instant::now();
    let failures = [
        (exited(4, Exit::Code(1)), Failure::Exit(Exit::Code(1))),
        (exited(4, Exit::Signal(9)), Failure::Exit(Exit::Signal(9))),
        (
            Event::NotStarted(Instance(4), NotStarted::NotFound),
            Failure::NotStarted(NotStarted::NotFound),
        ),
    ];
    for (event, failure) in failures {
        let mut engine = built(POLICY, now);
        engine.handle(Event::Changed, now);
        let note = Note::BuildFailed { step: 0, failure, took: Duration::ZERO };
        assert_eq!(engine.handle(event, now), [Action::Note(note)]);
        assert_eq!(engine.phase(), Phase::Ready);
        assert_eq!(engine.handle(Event::Changed, now), [build(5, 0, 2)]);
    }
}

#[test]
fn a_change_during_a_build_cancels_it_and_nothing_is_doubled() {
    let now = Instant::now();
    let mut engine = built(POLICY, now);
    engine.handle(Event::Changed, now);
    let cancelled = Action::Note(Note::BuildCancelled { took: Duration::ZERO });
    let stop = Action::Stop(Instance(4), TERM);
    assert_eq!(engine.handle(Event::Changed, now), [cancelled, stop]);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(exited(4, Exit::Code(0)), now), [], "not even if it succeeds");
    assert_eq!(engine.tick(now + TIMEOUT), [Action::Kill(Instance(4))]);
    assert_eq!(engine.handle(Event::Gone(Instance(4)), now), [build(5, 0, 3)]);
}

#[test]
fn a_change_during_a_build_is_queued_or_ignored_where_that_is_wanted() {
    let now = Instant::now();
    for (on_busy, follows) in [(OnBusy::Queue, true), (OnBusy::Ignore, false)] {
        let mut engine = built(Policy { on_busy, ..POLICY }, now);
        engine.handle(Event::Changed, now);
        assert_eq!(engine.handle(Event::Changed, now), []);
        engine.handle(exited(4, Exit::Code(0)), now);
        let after = engine.handle(exited(5, Exit::Code(0)), now);
        assert_eq!(after.contains(&build(6, 0, 2)), follows, "{after:?}");
        assert!(after.contains(&Action::Stop(Instance(3), TERM)), "{after:?}");
    }
}

#[test]
fn an_end_waits_for_the_build_that_it_stops() {
    let now = Instant::now();
    let mut engine = built(POLICY, now);
    engine.handle(Event::Changed, now);
    let stops = engine.handle(interrupted(INT), now);
    for stop in [Action::Stop(Instance(4), TERM), Action::Stop(Instance(3), INT)] {
        assert!(stops.contains(&stop), "{stops:?}");
    }
    engine.handle(exited(3, Exit::Code(5)), now);
    assert_eq!(engine.handle(Event::Gone(Instance(3)), now), []);
    engine.handle(exited(4, Exit::Signal(TERM)), now);
    assert_eq!(engine.handle(Event::Gone(Instance(4)), now), [Action::End(5)]);
}

#[test]
fn a_first_build_that_fails_ends_it_only_if_nothing_can_mend_it() {
    let now = Instant::now();
    for exit_with_child in [false, true] {
        let mut engine = Engine::new(Policy { steps: 1, exit_with_child, ..POLICY });
        engine.handle(Event::Watching, now);
        let after = engine.handle(exited(1, Exit::Code(7)), now);
        assert_eq!(after.contains(&Action::End(7)), exit_with_child, "{after:?}");
    }
}

#[test]
fn a_change_can_be_a_signal_or_nothing_but_a_build() {
    let now = Instant::now();
    let mut engine = up(Policy { on_change: OnChange::Signal(1), ..POLICY }, now);
    assert_eq!(engine.handle(Event::Changed, now), [Action::Signal(Instance(1), 1)]);
    engine.handle(exited(1, Exit::Code(0)), now);
    engine.handle(Event::Gone(Instance(1)), now);
    assert_eq!(engine.handle(Event::Changed, now), start(2), "what is down is started");
    let mut engine = built(Policy { on_change: OnChange::Build, ..POLICY }, now);
    engine.handle(Event::Changed, now);
    engine.handle(exited(4, Exit::Code(0)), now);
    let after = engine.handle(exited(5, Exit::Code(0)), now);
    assert!(matches!(after.as_slice(), [Action::Note(Note::Built { .. })]), "{after:?}");
}
