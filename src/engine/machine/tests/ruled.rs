//! What a change leads to where a rule says so.

use super::*;

const HUP: i32 = 1;
const USR1: i32 = 10;

fn ruled(engine: &mut Engine, how: OnChange, now: Instant) -> Vec<Action> {
    engine.handle(Event::Ruled(how), now)
}

#[test]
fn a_signal_is_sent_without_a_build_and_starts_what_is_not_up() {
    let now = Instant::now();
    let mut engine = building::built(POLICY, now);
    let signal = OnChange::Signal(HUP);
    assert_eq!(ruled(&mut engine, signal, now), [Action::Signal(Instance(3), HUP)]);
    assert_eq!(engine.generation(), Generation(0), "what runs is what was built");
    engine.handle(exited(3, Exit::Code(1)), now);
    assert_eq!(ruled(&mut engine, signal, now), [building::build(4, 0, 1)]);
}

#[test]
fn the_rule_outdoes_what_changes_lead_to_otherwise() {
    let now = Instant::now();
    let mut engine = up(Policy { on_change: OnChange::Signal(USR1), ..POLICY }, now);
    assert_eq!(ruled(&mut engine, OnChange::Restart, now), [Action::Stop(Instance(1), TERM)]);
    let mut engine = up(POLICY, now);
    assert_eq!(ruled(&mut engine, OnChange::Handover, now), start(2));
}

#[test]
fn the_greatest_of_what_is_wanted_is_done_once_it_is_built() {
    let now = Instant::now();
    let policy = Policy { on_busy: OnBusy::Queue, ..POLICY };
    let mut engine = building::built(policy, now);
    assert_eq!(ruled(&mut engine, OnChange::Handover, now), [building::build(4, 0, 1)]);
    engine.handle(exited(4, Exit::Code(1)), now);
    assert_eq!(ruled(&mut engine, OnChange::Restart, now), [building::build(5, 0, 2)]);
    assert_eq!(ruled(&mut engine, OnChange::Handover, now), []);
    engine.handle(exited(5, Exit::Code(0)), now);
    let actions = engine.handle(exited(6, Exit::Code(0)), now);
    assert!(actions.contains(&Action::Stop(Instance(3), TERM)), "{actions:?}");
}

#[test]
fn signals_wait_while_it_is_paused_and_go_with_a_restart() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    let resume = |engine: &mut Engine| engine.handle(Event::Requested(Request::Resume), now);
    engine.handle(Event::Requested(Request::Pause), now);
    for signal in [USR1, HUP, HUP] {
        assert_eq!(ruled(&mut engine, OnChange::Signal(signal), now), []);
    }
    let signals = [HUP, USR1].map(|signal| Action::Signal(Instance(1), signal));
    assert_eq!(resume(&mut engine), signals, "each once");
    engine.handle(Event::Requested(Request::Pause), now);
    ruled(&mut engine, OnChange::Signal(HUP), now);
    engine.handle(Event::Changed, now);
    assert_eq!(resume(&mut engine), [Action::Stop(Instance(1), TERM)]);
}
