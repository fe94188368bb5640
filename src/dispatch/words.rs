//! What the dispatcher says of watching, one line for each thing that happened.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Dispatcher;
use crate::process::signals;
use crate::scan::Trouble;
use crate::tree::Change;
use crate::ui::{Kind, Level, Line, as_json, describe, text};
use crate::watch::{Interval, Mode, Report, SAFETY_NET, TELL_AFTER, Timing, TrustVerdict};

impl Dispatcher {
    /// The line for what the watcher says, if it deserves one.
    pub(super) fn say_report(&self, report: &Report) {
        let line = match report {
            Report::Unwatchable { path, reason } => {
                let path = text::path(path);
                let hint = "is the volume mounted, and the path right?";
                let line = format!("cannot watch {path}: {reason}; {hint}");
                Line::problem(Kind::CannotWatch, line).with("path", path).with("reason", &**reason)
            }
            Report::Failed => {
                Line::problem(Kind::WatchingFailed, "watching failed; this is a bug in stakeout")
            }
            Report::First { entries, took } => return self.say_watching(*entries, *took),
            Report::Pace(interval) => {
                let line = format!("looking every {}", text::duration(*interval));
                Line::detail(Kind::Interval, line).with_ms("interval_ms", *interval)
            }
            Report::Reading { read } => return self.say_reading(*read),
            Report::Baseline { took } => {
                let line = format!("all files were read once, in {}", text::duration(*took));
                // If reading was told of, so is its end.
                let level = if *took < TELL_AFTER { Level::Detail } else { Level::Event };
                Line::new(level, Kind::Baseline, line).with_ms("took_ms", *took)
            }
            Report::Changed { .. } => return,
            Report::Troubles(troubles) => return self.say_troubles(troubles),
            Report::Recovered(paths) => {
                let line = format!("{}: readable again, or gone", first_and_rest(paths));
                Line::event(Kind::Readable, line).with("paths", all(paths))
            }
            Report::Trust { path, verdict, shown_by } => {
                return self.say_trust(path, *verdict, shown_by.as_deref());
            }
            Report::Unheard { errno, watched } => {
                let line = Line::problem(Kind::EventsLimited, unheard(*errno, *watched));
                line.with("errno", *errno).with("directories", *watched)
            }
            Report::Silent { path, waited } => Line::problem(Kind::Silent, silent(path, *waited))
                .with("path", text::path(path))
                .with_ms("waited_ms", *waited),
            Report::Answers { path, waited } => {
                let path = text::path(path);
                let line = format!("{path} answers again, after {}", text::duration(*waited));
                Line::event(Kind::Answers, line).with("path", path).with_ms("waited_ms", *waited)
            }
        };
        self.shared.log.write(line);
    }

    /// What changed, and how long it took to be noticed and to settle.
    pub(super) fn say_changes(
        &self,
        changes: &[Change],
        detect: Option<Duration>,
        settling: Duration,
    ) {
        let line = format!("{} (settled in {})", describe(changes), text::duration(settling));
        let listed: Vec<_> = changes.iter().take(LISTED).map(as_json).collect();
        let line = Line::event(Kind::Changed, line)
            .with("count", changes.len())
            .with("changes", listed)
            .with_ms("settle_ms", settling);
        self.shared.log.write(match detect {
            Some(detect) => line.with_ms("detect_ms", detect),
            None => line,
        });
    }

    fn say_watching(&self, entries: usize, took: Duration) {
        let mut line = format!(
            "version {}, watching {} ({}), looking {}",
            env!("CARGO_PKG_VERSION"),
            self.board.roots.join(", "),
            text::count(entries, "file"),
            pace(self.timing, self.board.is_polling),
        );
        if self.services.iter().any(|it| it.spec.policy.postpone && it.spec.program.is_some()) {
            line += "; the program starts after the first change";
        }
        if self.services.iter().all(|it| it.spec.program.is_none() && it.spec.steps.is_empty()) {
            line += "; without a program, changes are only shown";
        }
        let line = Line::event(Kind::Watching, line)
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("roots", self.board.roots.clone())
            .with("files", entries)
            .with_ms("took_ms", took);
        self.shared.log.write(line);
        let first = format!("the first look took {}", text::duration(took));
        self.shared.log.write(Line::detail(Kind::Baseline, first).with_ms("took_ms", took));
    }

    /// How far reading has come, for people only if it is not drawn.
    fn say_reading(&self, read: usize) {
        let Some(files) = self.board.files else { return };
        let read = read.min(files);
        let line = format!(
            "reading in the background: {} of {} ({}%); until then a mere touch counts as a change",
            text::grouped(read as u64),
            text::count(files, "file"),
            read * 100 / files.max(1),
        );
        let line = Line::event(Kind::Reading, line).with("read", read).with("files", files);
        match self.is_reading_drawn() {
            true => self.shared.log.note(line),
            false => self.shared.log.write(line),
        }
    }

    /// What was decided, why, and what happens now.
    fn say_trust(&self, path: &Path, verdict: TrustVerdict, shown_by: Option<&Path>) {
        let path = text::path(if path.as_os_str().is_empty() { ".".as_ref() } else { path });
        let interval = match self.timing.interval {
            Interval::Fixed(interval) => format!("every {}", text::duration(interval)),
            Interval::Budget(_) => "as often as the CPU budget allows".to_owned(),
        };
        let name = match verdict {
            TrustVerdict::Share => "share",
            TrustVerdict::Trusted => "trusted",
            TrustVerdict::Missed => "missed",
            TrustVerdict::Unwatched => return,
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
                    "{} changed without an event, so events are not relied upon in {path} any \
                     more: looking {interval}",
                    shown_by.map(text::path).unwrap_or_default()
                ),
            ),
            (TrustVerdict::Unwatched, _) => return,
        };
        let line = Line::new(level, Kind::Trust, line).with("path", path).with("verdict", name);
        self.shared.log.write(line);
    }

    fn say_troubles(&self, troubles: &[Trouble]) {
        let Some(Trouble { verb, .. }) = troubles.first() else { return };
        let paths: Vec<PathBuf> = troubles.iter().map(|trouble| trouble.path.clone()).collect();
        let (all, paths, reason) = (all(&paths), first_and_rest(&paths), troubles[0].reason());
        let line =
            format!("cannot {verb} {paths}: {reason}; it counts as unchanged until it can be read");
        let line = Line::problem(Kind::Unreadable, line)
            .with("verb", verb.to_string())
            .with("paths", all)
            .with("reason", reason);
        self.shared.log.write(line);
    }

    pub(super) fn say_stopped(&self, signal: i32) {
        let (level, line) = match signal {
            libc::SIGTTIN | libc::SIGTTOU if self.keyboard.is_some() => (
                Level::Problem,
                "the program is stopped since it wants to use the terminal itself, where stakeout \
                 reads keys; use --no-keys, and not --stdin null",
            ),
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
        let line = Line::new(level, Kind::Suspended, line).with("signal", signals::name(signal));
        self.shared.log.write(line);
    }
}

/// When is looked, and why then.
fn pace(timing: Timing, is_polling: bool) -> String {
    let pace = match (timing.mode, timing.interval) {
        (Mode::Native, Interval::Budget(_)) if !is_polling => {
            format!("every {}", text::duration(SAFETY_NET))
        }
        (_, Interval::Fixed(interval)) => format!("every {}", text::duration(interval)),
        (_, Interval::Budget(thousandths)) => {
            format!("as often as {} % of one core allows", f64::from(thousandths) / 10.0)
        }
    };
    match timing.mode {
        Mode::Poll => format!("{pace}, without events (--mode poll)"),
        _ if is_polling => format!("{pace}, without events"),
        Mode::Auto => format!("where events tell, and {pace}"),
        Mode::Native => format!("where events tell, and {pace} (--mode native)"),
    }
}

/// Changes that are listed for programs before the rest is only counted.
const LISTED: usize = 1000;

/// Paths for programs.
fn all(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().take(LISTED).map(|path| text::path(path)).collect()
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
pub(super) fn first_and_rest(paths: &[PathBuf]) -> String {
    let first = paths.first().map_or_else(String::new, |path| text::path(path));
    match paths.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", text::grouped(more as u64 - 1)),
    }
}
