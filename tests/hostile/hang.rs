//! A share that does not answer at all. The scanner waits for it; nothing else does.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::session::{Session, Tree};
use super::share::{Faults, Share};

/// What does not wait for the share takes no longer than this, however busy the machine.
const PROMPTLY: Duration = Duration::from_secs(20);

/// stakeout on a directory, with a program that does nothing.
pub struct Running {
    stakeout: Child,
    lines: Receiver<String>,
}

impl Running {
    pub fn start(root: &Path, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
        command.args(options).arg("-w").arg(root).args(["--", "sleep", "1000"]);
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut stakeout = command.stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(stakeout.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            errors.lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        Self { stakeout, lines }
    }

    pub fn wait_for(&self, text: &str) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("no line with `{text}`: {error}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Says when it was sent.
    fn signal(&self, signal: Signal) -> Instant {
        let now = Instant::now();
        kill_process(Pid::from_child(&self.stakeout), signal).unwrap();
        now
    }

    /// Its status. It ends soon after the signal, though the thread that waits for the share keeps it
    /// in the table until that answers.
    fn end(mut self, share: &Share, sent: Instant) -> ExitStatus {
        let pid = self.stakeout.id().try_into().unwrap();
        wait_until("it ends", || state(pid).is_none_or(|state| state == 'Z'));
        assert!(sent.elapsed() < PROMPTLY, "{:?}", sent.elapsed());
        share.set(Faults::default());
        self.stakeout.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not waited for: it may wait for a share that is unmounted after this.
        _ = self.stakeout.kill();
    }
}

#[test]
fn a_hang_is_told_of_and_watching_goes_on_after_it() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    let stakeout = Running::start(share.path(), &["--interval", "200ms"]);
    stakeout.wait_for("starting sleep");
    let began = Instant::now();
    share.set(Faults { hangs: true, ..Faults::default() });
    let line = stakeout.wait_for("does not answer since 2");
    // It is, after 5 s.
    assert!(began.elapsed() < PROMPTLY, "{:?}", began.elapsed());
    assert!(line.contains(share.path().to_str().unwrap()), "{line}");
    share.set(Faults::default());
    stakeout.wait_for("answers again, after");
    share.write("a", "two");
    stakeout.wait_for("starting sleep");
}

#[test]
fn while_it_hangs_signals_are_answered_and_the_program_is_stopped() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let stakeout = Running::start(share.path(), &["--interval", "20ms"]);
        stakeout.wait_for("starting sleep");
        hang(&share);
        let sent = stakeout.signal(signal);
        stakeout.wait_for("stopped after");
        assert_eq!(stakeout.end(&share, sent).code(), Some(code));
    }
}

#[test]
fn while_it_hangs_a_program_that_is_deaf_is_killed_in_time() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    command.args(["--interval", "20ms", "--stop-timeout", "500ms", "-w"]).arg(share.path());
    let script = "trap '' TERM; echo deaf >&2; while :; do sleep 1; done";
    let stakeout = Running::spawn(command.args(["--", "sh", "-c", script]));
    stakeout.wait_for("deaf");
    hang(&share);
    let sent = stakeout.signal(Signal::TERM);
    stakeout.wait_for("killing it");
    assert!(sent.elapsed() >= Duration::from_millis(500), "{:?}", sent.elapsed());
    stakeout.wait_for("stopped after");
    assert_eq!(stakeout.end(&share, sent).code(), Some(137), "the status of what was killed");
}

#[test]
fn a_share_that_hangs_from_the_beginning_holds_up_no_signal() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        share.set(Faults { hangs: true, ..Faults::default() });
        let stakeout = Running::start(share.path(), &["--interval", "20ms"]);
        wait_until("it waits for the share", || share.at_once() > 0);
        let sent = stakeout.signal(signal);
        assert_eq!(stakeout.end(&share, sent).code(), Some(code));
    }
}

/// Nobody can work on the share from here on, and somebody tries.
fn hang(share: &Share) {
    share.set(Faults { hangs: true, ..Faults::default() });
    wait_until("it waits for the share", || share.at_once() > 0);
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not in time");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The state of a process, as proc_pid_stat(5) names it.
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

#[test]
fn a_program_that_cannot_be_killed_is_named_and_no_second_one_is_started() {
    let Some(share) = Share::mount() else { return };
    share.write("data", "one");
    let tree = tempfile::tempdir().unwrap();
    let change = |text: &str| std::fs::write(tree.path().join("a"), text).unwrap();
    change("one");
    // It asks the share again and again; once that hangs, it waits there whatever comes.
    let script = "import os, sys\nwhile True: os.stat(sys.argv[1])\n";
    let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    command.args(["--interval", "20ms", "--stop-timeout", "200ms", "-w"]).arg(tree.path());
    command.args(["--", "python3", "-c", script]).arg(share.path().join("data"));
    let mut stakeout = Running::spawn(&mut command);
    let line = stakeout.wait_for("(pid ");
    let pid: i32 = line.split("(pid ").nth(1).unwrap().trim_end_matches(')').parse().unwrap();
    hang(&share);
    change("two");
    stakeout.wait_for("killing it");
    let line = stakeout.wait_for(&format!("{pid}"));
    assert!(line.contains("state D"), "{line}");
    stakeout.signal(Signal::TERM);
    assert_eq!(stakeout.stakeout.wait().unwrap().code(), Some(125));
    // Whoever waits for the share goes when that answers.
    share.set(Faults::default());
    let left: Vec<String> = stakeout.lines.iter().collect();
    assert!(!left.iter().any(|line| line.contains("starting")), "{left:?}");
    wait_until("it is gone", || state(pid).is_none_or(|state| state == 'Z'));
}

#[test]
fn a_share_that_a_link_leads_to_may_hang_and_come_back() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    let tree = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(share.path(), tree.path().join("link")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    command.args(["--interval", "200ms", "--follow-symlinks", "-w"]).arg(tree.path());
    command.args(["--", "sleep", "1000"]);
    let stakeout = Running::spawn(&mut command);
    stakeout.wait_for("starting sleep");
    share.set(Faults { hangs: true, ..Faults::default() });
    stakeout.wait_for("does not answer since 2");
    share.set(Faults::default());
    stakeout.wait_for("answers again, after");
    share.write("a", "two");
    stakeout.wait_for("link/a");
    stakeout.wait_for("starting sleep");
}

#[test]
fn a_first_look_that_takes_long_is_shown_and_gone_before_anything_else_is() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    share.set(Faults { hangs: true, ..Faults::default() });
    let elsewhere = Tree::new(&[]);
    let mut command = elsewhere.stakeout();
    command.env_remove("NO_COLOR").env("TERM", "xterm").args(["--color", "never", "-w"]);
    command.arg(share.path()).args(["--", "sh", "-c", "echo runs $((40 + 2)); exec sleep 1000"]);
    let (mut session, _keyboard) = Session::at_terminal(&command);
    let drawn = "\r\x1b[?7lstakeout: looking at the tree: 0 files so far (";
    let line = session.wait_for("does not answer");
    assert!(line.starts_with(drawn), "{line:?}");
    assert!(line.contains("\x1b[J\x1b[?7h\r\r\x1b[Jstakeout: /"), "{line:?}");
    share.set(Faults::default());
    let line = session.wait_for("watching /");
    let shown = line.rsplit("\r\x1b[J").next().unwrap();
    assert!(shown.starts_with("stakeout: version"), "{line:?}");
    assert_eq!(session.wait_for("runs 42").trim(), "runs 42");
    session.terminate();
    let after = session.output().split("watching /").nth(1).unwrap().to_owned();
    assert!(!after.contains('\x1b'), "{after:?}");
}

#[test]
fn a_first_look_that_takes_long_is_told_of_where_there_is_no_terminal() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    share.set(Faults { hangs: true, ..Faults::default() });
    let elsewhere = Tree::new(&[]);
    let start = |options: &[&str]| {
        let mut command = elsewhere.stakeout();
        command.args(["--control", "off"]).args(options).arg("-w").arg(share.path());
        command.args(["--", "sh", "-c", "echo runs $((40 + 2)); exec sleep 1000"]);
        Session::start(command)
    };
    // Those at a terminal began before the others, and would have drawn by the time that these tell.
    let at_terminal = |terminal: &str, options: &[&str]| {
        let mut command = elsewhere.stakeout();
        command.env("TERM", terminal).args(["--control", "off", "--color", "never"]).args(options);
        command.arg("-w").arg(share.path()).args([
            "--",
            "sh",
            "-c",
            "echo runs $((40 + 2)); sleep 9",
        ]);
        Session::at_terminal(&command)
    };
    let (mut dumb, mut for_programs) =
        (at_terminal("dumb", &[]), at_terminal("xterm", &["--log-format", "json"]));
    let mut silenced = at_terminal("xterm", &["-q"]);
    let (mut people, mut quiet) = (start(&[]), start(&["-q"]));
    let mut json = start(&["--log-format", "json"]);
    people.wait_for("stakeout: looking at the tree: 0 files so far (");
    let line = json.wait_for(r#""event":"looking""#);
    assert!(line.ends_with(r#""files":0}"#), "{line}");
    share.set(Faults::default());
    // It began before the last of them, and would have told of it by now.
    quiet.wait_for("runs 42");
    assert_eq!(quiet.seen("looking"), 0, "{}", quiet.output());
    people.wait_for("runs 42");
    for (session, _keyboard) in [&mut dumb, &mut for_programs, &mut silenced] {
        session.wait_for("runs 42");
        assert!(!session.output().contains('\x1b'), "{:?}", session.output());
    }
    assert_eq!(dumb.0.seen("stakeout: looking at the tree: 0 files so far ("), 1);
}
