//! A share that does not answer at all. The scanner waits for it; nothing else does.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::share::{Faults, Share};

/// stakeout on a share, with a program that does nothing.
pub struct Running {
    stakeout: Child,
    lines: Receiver<String>,
}

impl Running {
    pub fn start(share: &Share, options: &[&str]) -> Self {
        let mut stakeout = Command::new(env!("CARGO_BIN_EXE_stakeout"))
            .args(options)
            .arg("-w")
            .arg(share.path())
            .args(["--", "sleep", "1000"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
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
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.stakeout.kill();
        _ = self.stakeout.wait();
    }
}

#[test]
fn a_hang_is_told_of_and_watching_goes_on_after_it() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    let stakeout = Running::start(&share, &["--interval", "200ms"]);
    stakeout.wait_for("starting sleep");
    share.set(Faults { hangs: true, ..Faults::default() });
    let line = stakeout.wait_for("does not answer since 2");
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
    let mut stakeout = Running::start(&share, &["--interval", "200ms"]);
    stakeout.wait_for("starting sleep");
    share.set(Faults { hangs: true, ..Faults::default() });
    stakeout.wait_for("does not answer");
    let pid = rustix::process::Pid::from_child(&stakeout.stakeout);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    stakeout.wait_for("stopped after");
    // The thread that waits for the share keeps the process in the table until it is answered.
    share.set(Faults::default());
    let status = stakeout.stakeout.wait().unwrap();
    assert_eq!(status.code(), Some(143), "{status}");
}
