//! One instance takes over from another.

use super::*;

/// A policy with handovers, each of which takes five seconds at the most.
pub(super) const HANDOVER: Policy =
    Policy { on_change: OnChange::Handover, ready_timeout: Some(Duration::from_secs(5)), ..POLICY };

/// An engine with such a policy, whose first instance is ready.
fn serving(now: Instant) -> Engine {
    let mut engine = up(HANDOVER, now);
    assert_eq!(engine.phase(), Phase::Starting);
    engine.handle(Event::Ready(Instance(1)), now);
    assert_eq!(engine.phase(), Phase::Ready);
    engine
}

#[test]
fn the_old_one_stops_when_the_new_one_is_ready() {
    let now = Instant::now();
    let mut engine = serving(now);
    assert_eq!(engine.handle(Event::Changed, now), start(2));
    assert_eq!(engine.handle(Event::Started(Instance(2)), now), []);
    assert_eq!(engine.phase(), Phase::Handover);
    let over = engine.handle(Event::Ready(Instance(2)), now);
    assert_eq!(over.last(), Some(&Action::Stop(Instance(1), TERM)));
    engine.handle(exited(1, Exit::Signal(TERM)), now);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), []);
    assert_eq!((engine.phase(), engine.current()), (Phase::Ready, Some(Instance(2))));
}

#[test]
fn the_old_one_stays_when_the_new_one_fails() {
    let now = Instant::now();
    let late = now + Duration::from_secs(5);
    let failed = Event::NotStarted(Instance(2), NotStarted::NotFound);
    for event in
        [Some(exited(2, Exit::Code(1))), Some(failed), Some(Event::Hung(Instance(2))), None]
    {
        let mut engine = serving(now);
        engine.handle(Event::Changed, now);
        let after = match event {
            Some(event) => engine.handle(event, now),
            None => engine.tick(late),
        };
        let is_note = matches!(after[0], Action::Note(Note::HandoverFailed { .. }));
        assert!(is_note && !after.contains(&Action::Stop(Instance(1), TERM)), "{after:?}");
        assert_eq!((engine.phase(), engine.current()), (Phase::Ready, Some(Instance(1))));
        assert_eq!(engine.handle(Event::Changed, now), start(3));
    }
}

#[test]
fn a_change_during_a_handover_is_for_another_one() {
    let now = Instant::now();
    let mut engine = serving(now);
    engine.handle(Event::Changed, now);
    let stop = Action::Stop(Instance(2), TERM);
    assert_eq!(engine.handle(Event::Changed, now), [stop, Action::Start(Instance(3))]);
    assert_eq!(engine.handle(Event::Ready(Instance(2)), now), [], "too late");
    let over = engine.handle(Event::Ready(Instance(3)), now);
    assert_eq!(over.last(), Some(&Action::Stop(Instance(1), TERM)));
}

#[test]
fn an_end_waits_for_all_that_is_leaving() {
    let now = Instant::now();
    let mut engine = serving(now);
    engine.handle(Event::Changed, now);
    engine.handle(Event::Ready(Instance(2)), now);
    engine.handle(Event::Changed, now);
    assert_eq!(engine.handle(interrupted(INT), now).len(), 2);
    engine.handle(exited(2, Exit::Code(0)), now);
    assert_eq!(engine.handle(Event::Gone(Instance(2)), now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(3)), now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), [Action::End(0)]);
}
