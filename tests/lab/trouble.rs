//! Shares that fail, hang, lie about what is in them and go away: what cannot be seen is no change,
//! and what was done meanwhile is seen after it.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::session::{Session, Tree, eventually, is_alive};
use super::share::{SHOW, Share};

/// What does not wait for the share takes no longer than this, however busy the machine.
const PROMPTLY: Duration = Duration::from_secs(20);

const FILES: [(&str, &str); 2] = [("a", "000"), ("src/b", "000")];

/// What is said of that which cannot be read.
const FAILS: &str = "it counts as unchanged until it can be read";

/// Writes another number over that in `a`, and waits until that is told of.
fn count(share: &Share, session: &mut Session, number: usize) {
    share.write_over("a", &format!("{number:03}"));
    // Not what it shows, since that may fail as well. Who writes first is not settled.
    session.wait_for_all(&["modified a (settled in", "shows"]);
}

#[test]
fn errors_now_and_then_make_no_change_up_and_hide_none() {
    let shares: [&[&str]; 3] = [
        &["preset=flaky"],
        &["preset=flaky", "error_pct=20", "attr_timeout=0", "entry_timeout=0"],
        &["error_pct=50", "error_match=src*", "attr_timeout=0", "entry_timeout=0"],
    ];
    thread::scope(|scope| {
        for settings in shares {
            let Some(share) = Share::up(&[], &FILES) else { return };
            scope.spawn(move || {
                let mut session = share.watched();
                share.set(settings);
                let mut edits = 0;
                while edits < 8 || session.seen(FAILS) < 2 {
                    edits += 1;
                    count(&share, &mut session, edits);
                }
                share.set(&["error_pct=0"]);
                share.write_over("a", "end");
                session.wait_for_all(&["modified a (settled in", "shows end"]);
                assert_eq!(session.seen("settled in"), edits + 1, "{}", session.output());
            });
        }
    });
}

#[test]
fn whatever_fails_a_few_times_the_edit_made_meanwhile_is_noticed_once() {
    thread::scope(|scope| {
        for request in ["getattr", "lookup", "open", "read", "opendir", "readdir"] {
            let Some(share) = Share::up(&["attr_timeout=0", "entry_timeout=0"], &FILES) else {
                return;
            };
            scope.spawn(move || {
                let mut session = share.watched();
                share.set(&["fail_next=5", &format!("error_ops={request}")]);
                share.write_over("a", "two");
                session.wait_for_all(&[FAILS, "modified a (settled in", "shows"]);
                share.set(&["fail_next=0"]);
                share.write_over("a", "end");
                session.wait_for_all(&["modified a (settled in", "shows end"]);
                assert_eq!(session.seen("settled in"), 2, "{request}: {}", session.output());
            });
        }
    });
}

#[test]
fn listings_of_a_while_ago_hide_nothing_for_longer_and_bring_nothing_back() {
    let Some(share) = Share::up(&["readdir_stale=2"], &FILES) else { return };
    let mut session = share.watched();
    share.behind.save_by_rename("src/new", "new");
    session.wait_for("created src/new (settled in");
    std::fs::remove_file(share.behind.path("src/b")).unwrap();
    session.wait_for("removed src/b (settled in");
    // It is found when the listing is another again, which does not name the other any more.
    share.behind.save_by_rename("src/more", "more");
    session.wait_for("created src/more (settled in");
    assert_eq!(session.seen("settled in"), 3, "{}", session.output());
}

#[test]
fn while_it_hangs_that_is_said_and_requests_and_signals_are_answered() {
    let asked = |control: &Path, word: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
        let output = command.arg(word).arg("--control").arg(control).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    thread::scope(|scope| {
        for by_signal in [true, false] {
            let Some(share) = Share::up(&["preset=docker-desktop"], &FILES) else { return };
            scope.spawn(move || {
                // Whoever asks from a working directory on the share would wait for it.
                let place = Tree::new(&[]);
                let control = place.path("socket");
                let mut command = share.stakeout(&["--control"]);
                command.arg(&control).args(["--", "sh", "-c", SHOW]);
                let mut session = Session::start(command);
                session.wait_for("shows 000");
                let hang = share.hang();
                session.wait_for("stakeout: . does not answer since 2");
                assert!(asked(&control, "status").contains("does not answer"));
                drop(hang);
                session.wait_for("answers again, after");
                count(&share, &mut session, 1);
                let hang = share.hang();
                session.wait_for("stakeout: . does not answer since 2");
                let began = Instant::now();
                match by_signal {
                    true => session.signal(Signal::TERM),
                    false => drop(asked(&control, "stop")),
                }
                session.wait_for("stopped after");
                // Whoever waits for the share keeps it in the process table.
                let pid = session.pid().as_raw_nonzero().get();
                eventually("its end", || !is_alive(pid));
                assert!(began.elapsed() < PROMPTLY, "{:?}", began.elapsed());
                drop(hang);
                session.wait();
                assert_eq!(session.seen("settled in"), 1, "{}", session.output());
            });
        }
    });
}

#[test]
fn a_server_that_dies_removes_nothing_and_when_it_is_back_watching_goes_on() {
    let Some(share) = Share::up(&["preset=docker-desktop"], &FILES) else { return };
    // What is in the working directory would stay on what was mounted first.
    let elsewhere = Tree::new(&[]);
    let mut command = elsewhere.stakeout();
    command.arg("-w").arg(share.path()).args(["--", "sleep", "1000"]);
    let mut session = Session::start(command);
    session.wait_for("starting sleep");
    share.kill();
    session.wait_for("Transport endpoint is not connected; it counts as unchanged");
    share.unmount();
    session.wait_for("its volume seems to be unmounted; it counts as unchanged");
    share.mount(&["preset=docker-desktop"]);
    session.wait_for("readable again");
    share.write_over("a", "two");
    session.wait_for("/a (settled in");
    session.wait_for("starting sleep");
    assert_eq!(session.seen("modified /"), 1, "{}", session.output());
    assert_eq!(session.seen("settled in"), 1, "{}", session.output());
}
