//! What waits while it is paused, and what is left of it when it goes on.

use super::*;

#[test]
fn changes_wait_while_it_is_paused() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    let asked = |engine: &mut Engine, request| engine.handle(Event::Requested(request), now);
    assert_eq!(asked(&mut engine, Request::Pause), []);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(asked(&mut engine, Request::Resume), [Action::Stop(Instance(1), TERM)]);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2));
    asked(&mut engine, Request::Pause);
    assert_eq!(asked(&mut engine, Request::Resume), [], "nothing had changed");
    assert_eq!(asked(&mut engine, Request::Restart), [Action::Stop(Instance(2), TERM)]);
}

#[test]
fn what_was_begun_meanwhile_leaves_nothing_to_resume() {
    let now = Instant::now();
    let asked = |engine: &mut Engine, request| engine.handle(Event::Requested(request), now);
    for request in [Request::Restart, Request::Build] {
        let mut engine = up(POLICY, now);
        asked(&mut engine, Request::Pause);
        engine.handle(Event::Changed, now);
        assert!(engine.has_waiting());
        assert_eq!(asked(&mut engine, request), [Action::Stop(Instance(1), TERM)]);
        engine.handle(Event::Ruled(OnChange::Signal(1)), now);
        assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2));
        assert!(!engine.has_waiting());
        assert_eq!(asked(&mut engine, Request::Resume), []);
    }
    // It was started again by itself.
    let mut engine = up(POLICY, now);
    asked(&mut engine, Request::Pause);
    engine.handle(Event::Changed, now);
    engine.handle(exited(1, Exit::Signal(11)), now);
    engine.handle(Event::Gone(Instance(1)), now);
    assert_eq!(engine.tick(engine.deadline().unwrap()), start(2));
    assert_eq!(asked(&mut engine, Request::Resume), []);
    // All of it was undone.
    asked(&mut engine, Request::Pause);
    engine.handle(Event::Changed, now);
    engine.handle(Event::Ruled(OnChange::Signal(1)), now);
    engine.undone();
    assert!(!engine.is_anything_waiting());
    assert_eq!(asked(&mut engine, Request::Resume), []);
    // A change after that is another one.
    asked(&mut engine, Request::Pause);
    asked(&mut engine, Request::Restart);
    engine.handle(Event::Gone(Instance(2)), now);
    engine.handle(Event::Changed, now);
    assert_eq!(asked(&mut engine, Request::Resume), [Action::Stop(Instance(3), TERM)]);
}

#[test]
fn what_was_only_started_anew_is_still_to_be_built() {
    let now = Instant::now();
    let asked = |engine: &mut Engine, request| engine.handle(Event::Requested(request), now);
    let mut engine = building::built(POLICY, now);
    asked(&mut engine, Request::Pause);
    engine.handle(Event::Changed, now);
    asked(&mut engine, Request::Restart);
    assert_eq!(engine.handle(Event::Gone(Instance(3)), now), start(4));
    assert_eq!(asked(&mut engine, Request::Resume), [building::build(5, 0, 1)]);
    asked(&mut engine, Request::Pause);
    engine.handle(Event::Changed, now);
    asked(&mut engine, Request::Build);
    assert_eq!(engine.handle(Event::Gone(Instance(5)), now), [building::build(6, 0, 2)]);
    assert_eq!(asked(&mut engine, Request::Resume), []);
}
