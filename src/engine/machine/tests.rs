//! Events in, actions out: tables for what is decided.

mod building;
mod handover;
mod pausing;
mod random;
mod ruled;
mod runs;

use std::time::Duration;

use super::*;
use crate::engine::{Exit, NotStarted, Note, OnBusy, OnChange, Restart};

const TIMEOUT: Duration = Duration::from_secs(8);
const TERM: i32 = 15;
const INT: i32 = 2;

/// Two Ctrl-C so soon after each other kill.
const IMPATIENT: Duration = Duration::from_secs(1);

const POLICY: Policy = Policy {
    has_program: true,
    postpone: false,
    steps: 0,
    on_busy: OnBusy::Cancel,
    on_change: OnChange::Restart,
    ready_timeout: None,
    stop_signal: TERM,
    stop_timeout: TIMEOUT,
    restart: Restart::OnCrash,
    exit_with_child: false,
    runs: None,
};

fn engine() -> Engine {
    Engine::new(POLICY)
}

/// An engine whose first instance is up.
fn up(policy: Policy, now: Instant) -> Engine {
    let mut engine = Engine::new(policy);
    assert_eq!(engine.handle(Event::Watching, now), start(1));
    assert_eq!(engine.handle(Event::Started(Instance(1)), now), []);
    engine
}

fn interrupted(signal: i32) -> Event {
    Event::Interrupted { signal, stop: signal }
}

fn exited(instance: u64, exit: Exit) -> Event {
    Event::Exited(Instance(instance), exit)
}

fn start(instance: u64) -> Vec<Action> {
    vec![Action::Start(Instance(instance))]
}

#[test]
fn a_change_stops_and_starts_only_when_all_is_gone() {
    let (mut engine, now) = (engine(), Instant::now());
    assert_eq!(engine.handle(Event::Watching, now), start(1));
    assert_eq!(engine.handle(Event::Started(Instance(1)), now), []);
    assert_eq!(engine.handle(Event::Changed, now), [Action::Stop(Instance(1), TERM)]);
    assert_eq!(engine.handle(Event::Exited(Instance(1), Exit::Signal(TERM)), now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2));
}

#[test]
fn changes_during_a_stop_are_one_start_of_the_newest() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Changed, now);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2));
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
    assert_eq!(engine.handle(Event::Gone(Instance(1)), reported), start(2));
}

#[test]
fn a_program_that_ends_waits_for_the_next_change() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Exited(Instance(1), Exit::Code(1)), now);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), []);
    assert_eq!(engine.handle(Event::Changed, now), start(2));
}

#[test]
fn what_a_program_leaves_behind_is_stopped_before_the_next_start() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Exited(Instance(1), Exit::Code(0)), now);
    assert_eq!(engine.handle(Event::Changed, now), [Action::Stop(Instance(1), TERM)]);
}

#[test]
fn postponed_is_until_the_first_change() {
    let mut engine = Engine::new(Policy { postpone: true, ..POLICY });
    let now = Instant::now();
    assert_eq!(engine.handle(Event::Watching, now), []);
    assert_eq!(engine.handle(Event::Changed, now), start(1));
}

#[test]
fn an_interrupt_passes_the_status_on() {
    let cases = [(Exit::Code(0), 0), (Exit::Code(77), 77), (Exit::Signal(TERM), 143)];
    for (exit, status) in cases {
        let (mut engine, now) = (engine(), Instant::now());
        engine.handle(Event::Watching, now);
        assert_eq!(engine.handle(interrupted(INT), now), [Action::Stop(Instance(1), INT)]);
        engine.handle(Event::Exited(Instance(1), exit), now);
        assert_eq!(engine.handle(Event::Gone(Instance(1)), now), [Action::End(status)]);
    }
}

#[test]
fn an_interrupt_with_nothing_running_is_128_and_the_signal() {
    let (mut engine, now) = (engine(), Instant::now());
    assert_eq!(engine.handle(interrupted(INT), now), [Action::End(130)]);
    assert_eq!(engine.handle(Event::Watching, now), [], "ended is ended");
}

#[test]
fn the_second_interrupt_kills_at_once() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(interrupted(INT), now);
    assert_eq!(engine.handle(interrupted(INT), now + SAME / 2), [], "timeout(1) sends two");
    let now = now + SAME * 2;
    assert_eq!(engine.handle(interrupted(INT), now), [Action::Kill(Instance(1))]);
    let ended = engine.tick(engine.deadline().unwrap());
    assert_eq!(ended, [Action::ReportUnkillable(Instance(1)), Action::End(125)]);
}

#[test]
fn an_interrupt_during_a_restart_ends_instead_of_starting() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Changed, now);
    assert_eq!(engine.handle(interrupted(TERM), now), []);
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
    assert_eq!(engine.handle(Event::Changed, now), start(3));
}

#[test]
fn a_start_that_failed_while_it_was_being_stopped_is_followed_by_the_next() {
    let (mut engine, now) = (engine(), Instant::now());
    engine.handle(Event::Watching, now);
    engine.handle(Event::Changed, now);
    let failed = Event::NotStarted(Instance(1), NotStarted::NotFound);
    assert_eq!(engine.handle(failed, now), start(2));
}

#[test]
fn a_crash_is_started_again_after_a_while_and_an_error_waits_for_a_change() {
    use Outlook::{Change, End, Retry};
    let first = Retry(Duration::from_millis(250));
    let crash = Exit::Signal(9);
    let cases = [
        (Restart::Never, false, crash, Change),
        (Restart::Never, true, crash, End),
        (Restart::OnCrash, false, crash, first),
        (Restart::OnCrash, false, Exit::Code(1), Change),
        (Restart::OnCrash, false, Exit::Code(0), Change),
        (Restart::OnCrash, true, Exit::Code(1), End),
        (Restart::OnFailure, false, crash, first),
        (Restart::OnFailure, false, Exit::Code(1), first),
        (Restart::OnFailure, false, Exit::Code(0), Change),
        (Restart::OnFailure, true, Exit::Code(0), End),
        (Restart::Always, false, Exit::Code(0), first),
        (Restart::Always, true, Exit::Code(0), first),
    ];
    for (restart, exit_with_child, exit, outlook) in cases {
        let now = Instant::now();
        let mut engine = up(Policy { restart, exit_with_child, ..POLICY }, now);
        let cleared = engine.handle(exited(1, exit), now);
        let case = format!("{restart:?} {exit_with_child} {exit:?}");
        assert_eq!(engine.outlook(now), outlook, "{case}");
        let after = engine.handle(Event::Gone(Instance(1)), now);
        match outlook {
            Change => {
                assert_eq!((cleared, after, engine.deadline()), (vec![], vec![], None), "{case}");
                assert_eq!(engine.handle(Event::Changed, now), start(2), "{case}");
            }
            Retry(wait) => {
                // Whatever it left behind goes first.
                assert_eq!(cleared, [Action::Stop(Instance(1), TERM)], "{case}");
                assert_eq!((after, engine.deadline()), (vec![], Some(now + wait)), "{case}");
                assert_eq!(engine.tick(now + wait - Duration::from_nanos(1)), [], "{case}");
                assert_eq!(engine.tick(now + wait), start(2), "{case}");
            }
            End => assert_eq!(after, [Action::End(exit.status())], "{case}"),
        }
    }
}

/// Lets the current instance crash `after` its start; gives how long the next start is away.
fn crash(engine: &mut Engine, instance: u64, now: &mut Instant, after: Duration) -> Duration {
    *now += after;
    engine.handle(exited(instance, Exit::Signal(11)), *now);
    engine.handle(Event::Gone(Instance(instance)), *now);
    let wait = engine.deadline().unwrap() - *now;
    *now += wait;
    assert_eq!(engine.tick(*now).len(), 1);
    wait
}

#[test]
fn crashes_in_a_row_wait_longer_and_a_change_waits_for_nothing() {
    let mut now = Instant::now();
    let mut engine = up(POLICY, now);
    let waits: Vec<u128> =
        (1..=7).map(|n| crash(&mut engine, n, &mut now, Duration::ZERO).as_millis()).collect();
    assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 10_000]);
    assert_eq!(crash(&mut engine, 8, &mut now, Duration::from_secs(30)).as_millis(), 250);
    engine.handle(exited(9, Exit::Signal(11)), now);
    engine.handle(Event::Gone(Instance(9)), now);
    assert_eq!(engine.handle(Event::Changed, now), start(10));
    assert_eq!(crash(&mut engine, 10, &mut now, Duration::ZERO).as_millis(), 250);
}

#[test]
fn a_change_while_a_crash_is_cleared_away_starts_without_a_wait() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    engine.handle(exited(1, Exit::Signal(11)), now);
    assert_eq!(engine.handle(Event::Changed, now), []);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2));
}

#[test]
fn an_interrupt_between_a_crash_and_the_next_start_ends_it() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    engine.handle(exited(1, Exit::Signal(11)), now);
    engine.handle(Event::Gone(Instance(1)), now);
    assert_eq!(engine.handle(interrupted(TERM), now), [Action::End(139)]);
}

#[test]
fn a_process_that_could_not_be_made_is_tried_again() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    engine.handle(Event::Changed, now);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), now), start(2));
    let failed = Event::NotStarted(Instance(2), NotStarted::NoProcess(11));
    assert_eq!(engine.handle(failed, now), []);
    let at = engine.deadline().unwrap();
    assert_eq!(at - now, Duration::from_millis(250));
    assert_eq!(engine.tick(at), start(3));
}

#[test]
fn a_signal_is_passed_on_and_ends_both_if_it_is_deadly() {
    let now = Instant::now();
    for (exit, ends) in
        [(Exit::Signal(10), true), (Exit::Signal(11), false), (Exit::Code(10), false)]
    {
        let mut engine = up(Policy { restart: Restart::Never, ..POLICY }, now);
        assert_eq!(engine.handle(Event::Signalled(10), now), [Action::Signal(Instance(1), 10)]);
        engine.handle(exited(1, exit), now);
        let after = engine.handle(Event::Gone(Instance(1)), now);
        let wanted = if ends { vec![Action::End(exit.status())] } else { vec![] };
        assert_eq!(after, wanted, "{exit:?}");
    }
    let mut idle = engine();
    assert_eq!(idle.handle(Event::Signalled(10), now), []);
}

#[test]
fn what_ends_soon_after_ctrl_c_ends_us_and_what_does_not_goes_on() {
    for (after, ends) in [(Duration::ZERO, true), (TIMEOUT, true), (TIMEOUT * 2, false)] {
        let now = Instant::now();
        let mut engine = up(POLICY, now);
        assert_eq!(engine.handle(Event::Typed(INT), now), []);
        assert_eq!(engine.deadline(), None, "it is not killed");
        engine.handle(exited(1, Exit::Code(0)), now + after);
        let gone = engine.handle(Event::Gone(Instance(1)), now + after);
        assert_eq!(gone, if ends { vec![Action::End(0)] } else { vec![] }, "{after:?}");
    }
}

#[test]
fn ctrl_c_twice_within_a_second_kills() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    engine.handle(Event::Typed(INT), now);
    let later = now + IMPATIENT * 2;
    assert_eq!(engine.handle(Event::Typed(INT), later), []);
    let kill = engine.handle(Event::Typed(INT), later + IMPATIENT / 2);
    assert_eq!(kill, [Action::Kill(Instance(1))]);
    engine.handle(exited(1, Exit::Signal(9)), later);
    assert_eq!(engine.handle(Event::Gone(Instance(1)), later), [Action::End(137)]);
}

#[test]
fn ctrl_c_with_nothing_running_ends_with_the_last_status() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    engine.handle(exited(1, Exit::Code(3)), now);
    engine.handle(Event::Gone(Instance(1)), now);
    assert_eq!(engine.handle(Event::Typed(INT), now), [Action::End(3)]);
}

#[test]
fn what_is_not_ready_in_time_is_told_of_once_and_may_be_yet() {
    let now = Instant::now();
    let mut engine = up(Policy { ready_timeout: handover::HANDOVER.ready_timeout, ..POLICY }, now);
    engine.handle(Event::Extended(Instance(1), Duration::from_secs(9)), now);
    assert_eq!(engine.tick(now + Duration::from_secs(8)), []);
    let late = now + Duration::from_secs(9);
    let note = Note::NotReady { instance: Instance(1) };
    assert_eq!(engine.tick(late), [Action::Note(note)]);
    assert_eq!(engine.tick(late + Duration::from_secs(9)), []);
    engine.handle(Event::Ready(Instance(1)), late);
    assert_eq!(engine.phase(), Phase::Ready);
}

#[test]
fn what_hangs_is_aborted_and_started_again() {
    let now = Instant::now();
    let mut engine = up(POLICY, now);
    let hung = engine.handle(Event::Hung(Instance(1)), now);
    assert_eq!(hung[1], Action::Stop(Instance(1), libc::SIGABRT));
    engine.handle(exited(1, Exit::Signal(libc::SIGABRT)), now);
    engine.handle(Event::Gone(Instance(1)), now);
    assert_eq!(engine.tick(engine.deadline().unwrap()), start(2));
}
