//! What the dispatcher says of watching, one line for each thing that happened.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Dispatcher;
use crate::scan::Trouble;
use crate::ui::{Level, text};
use crate::watch::{Interval, Report, SAFETY_NET, TrustVerdict};

impl Dispatcher {
    /// The line for what the watcher says, if it deserves one.
    pub(super) fn say_report(&self, report: &Report) {
        let (level, line) = match report {
            Report::Unwatchable { path, reason } => {
                let path = text::path(path);
                let hint = "is the volume mounted, and the path right?";
                (Level::Problem, format!("cannot watch {path}: {reason}; {hint}"))
            }
            Report::Failed => {
                (Level::Problem, "watching failed; this is a bug in stakeout".to_owned())
            }
            Report::First { entries, took } => return self.say_watching(*entries, *took),
            Report::Pace(interval) => {
                (Level::Detail, format!("looking every {}", text::duration(*interval)))
            }
            Report::Baseline { took } => {
                let took = text::duration(*took);
                (Level::Detail, format!("all files were read once, in {took}"))
            }
            Report::Changed { .. } => return,
            Report::Troubles(troubles) => return self.say_troubles(troubles),
            Report::Recovered(paths) => {
                (Level::Event, format!("{}: readable again, or gone", first_and_rest(paths)))
            }
            Report::Trust { path, verdict } => return self.say_trust(path, *verdict),
            Report::Unheard { errno, watched } => (Level::Problem, unheard(*errno, *watched)),
            Report::Silent { path, waited } => (Level::Problem, silent(path, *waited)),
            Report::Answers { path, waited } => {
                let waited = text::duration(*waited);
                (Level::Event, format!("{} answers again, after {waited}", text::path(path)))
            }
        };
        self.shared.log.write(level, line);
    }

    fn say_watching(&self, entries: usize, took: Duration) {
        let pace = match self.timing.interval {
            Interval::Budget(thousandths) => {
                format!("as often as {} % of one core allows", f64::from(thousandths) / 10.0)
            }
            Interval::Fixed(interval) => format!("every {}", text::duration(interval)),
        };
        let mut line = format!(
            "version {}, watching {} ({}), looking {pace}",
            env!("CARGO_PKG_VERSION"),
            self.board.roots.join(", "),
            text::count(entries, "file"),
        );
        if self.service.spec.policy.postpone && self.service.spec.program.is_some() {
            line += "; the program starts after the first change";
        }
        self.shared.log.write(Level::Event, line);
        self.shared
            .log
            .write(Level::Detail, format!("the first look took {}", text::duration(took)));
    }

    /// What was decided, why, and what happens now.
    fn say_trust(&self, path: &Path, verdict: TrustVerdict) {
        let path = text::path(if path.as_os_str().is_empty() { ".".as_ref() } else { path });
        let interval = match self.timing.interval {
            Interval::Fixed(interval) => format!("every {}", text::duration(interval)),
            Interval::Budget(_) => "as often as the CPU budget allows".to_owned(),
        };
        let (level, line) = match (verdict, self.timing.interval) {
            (TrustVerdict::Share, _) => (
                Level::Event,
                format!(
                    "{path} is on a share, where edits made on the other side make no events: \
                     looking {interval}"
                ),
            ),
            (TrustVerdict::Trusted, Interval::Fixed(_)) => (
                Level::Detail,
                format!("{path}: all changes made events so far; looking {interval} all the same"),
            ),
            (TrustVerdict::Trusted, Interval::Budget(_)) => (
                Level::Event,
                format!(
                    "{path}: all changes made events so far; from now on they say when to look, \
                     and every {} everything is looked at",
                    text::duration(SAFETY_NET)
                ),
            ),
            (TrustVerdict::Missed, _) => (
                Level::Event,
                format!(
                    "{path} changed without an event, so events are not relied upon there any \
                     more: looking {interval}"
                ),
            ),
            (TrustVerdict::Unwatched, _) => return,
        };
        self.shared.log.write(level, line);
    }

    fn say_troubles(&self, troubles: &[Trouble]) {
        let Some(Trouble { verb, .. }) = troubles.first() else { return };
        let paths: Vec<PathBuf> = troubles.iter().map(|trouble| trouble.path.clone()).collect();
        let (paths, reason) = (first_and_rest(&paths), troubles[0].reason());
        let line =
            format!("cannot {verb} {paths}: {reason}; it counts as unchanged until it can be read");
        self.shared.log.write(Level::Problem, line);
    }

    pub(super) fn say_stopped(&self, signal: i32) {
        let (level, line) = match signal {
            libc::SIGTTIN => (
                Level::Problem,
                "the program is stopped since it wants to read from the terminal in the \
                 background; bring it to the foreground (fg), or use --stdin null",
            ),
            libc::SIGTTOU => (
                Level::Problem,
                "the program is stopped since it wants to set or write to the terminal in the \
                 background; bring it to the foreground (fg)",
            ),
            _ => (Level::Detail, "the program was stopped by a signal; SIGCONT lets it go on"),
        };
        self.shared.log.write(level, line);
    }
}

/// That there are no events, or not for all directories.
fn unheard(errno: i32, watched: usize) -> String {
    let cause = match errno {
        libc::EMFILE => "the limit fs.inotify.max_user_instances is reached; raise it by \
                         sysctl -w fs.inotify.max_user_instances=1024"
            .to_owned(),
        libc::ENOSPC => format!(
            "only {} directories can be watched, as the limit fs.inotify.max_user_watches is \
             reached; raise it by sysctl -w fs.inotify.max_user_watches=524288",
            text::grouped(watched as u64),
        ),
        _ => crate::scan::reason(&std::io::Error::from_raw_os_error(errno)),
    };
    format!("native events cannot be relied upon: {cause}. Looking goes on without")
}

/// That a root does not answer.
fn silent(path: &Path, waited: Duration) -> String {
    let since = SystemTime::now().checked_sub(waited).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = humantime::format_rfc3339_seconds(since);
    format!(
        "{} does not answer since {since}; is its server gone, or the network? No change is \
         seen until it does; what runs goes on",
        text::path(path)
    )
}

/// A path, and how many more there are.
fn first_and_rest(paths: &[PathBuf]) -> String {
    let first = paths.first().map_or_else(String::new, |path| text::path(path));
    match paths.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", text::grouped(more as u64 - 1)),
    }
}
