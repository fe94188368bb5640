//! What the dispatcher says, one line for each thing that happened.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::{Dispatcher, Stopping};
use crate::engine::{Event, Exit, Instance, Outlook};
use crate::process::{Program, signals};
use crate::scan::Trouble;
use crate::tree::Change;
use crate::ui::{Level, program, text};
use crate::watch::{Interval, SAFETY_NET, TrustVerdict};

impl Dispatcher {
    pub(super) fn say_watching(&self, entries: usize, took: Duration) {
        let pace = match self.setup.timing.interval {
            Interval::Budget(thousandths) => {
                format!("as often as {} % of one core allows", f64::from(thousandths) / 10.0)
            }
            Interval::Fixed(interval) => format!("every {}", text::duration(interval)),
        };
        let mut line = format!(
            "version {}, watching {} ({}), looking {pace}",
            env!("CARGO_PKG_VERSION"),
            self.watched,
            text::count(entries, "file"),
        );
        if self.setup.policy.postpone && self.setup.program.is_some() {
            line += "; the program starts after the first change";
        }
        self.log.write(Level::Event, line);
        self.log.write(Level::Detail, format!("the first look took {}", text::duration(took)));
    }

    pub(super) fn say_echo(&mut self, changes: &[Change]) {
        let paths = changes.iter().map(|change| change.place().path());
        let since_start = self.started.map(|started| started.elapsed());
        for path in self.echo.changed(paths, since_start) {
            let path = text::path(&path);
            let line = format!(
                "{path} changes after every start; if the program writes it, leave it out: -i {path}"
            );
            self.log.write(Level::Problem, line);
        }
    }

    /// What was decided, why, and what happens now.
    pub(super) fn say_trust(&self, path: &Path, verdict: TrustVerdict) {
        let path = text::path(if path.as_os_str().is_empty() { ".".as_ref() } else { path });
        let interval = match self.setup.timing.interval {
            Interval::Fixed(interval) => format!("every {}", text::duration(interval)),
            Interval::Budget(_) => "as often as the CPU budget allows".to_owned(),
        };
        let (level, line) = match (verdict, self.setup.timing.interval) {
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
        self.log.write(level, line);
    }

    /// That there are no events, or not for all directories.
    pub(super) fn say_unheard(&self, errno: i32, watched: usize) {
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
        let line = format!("native events cannot be relied upon: {cause}. Looking goes on without");
        self.log.write(Level::Problem, line);
    }

    pub(super) fn say_silent(&self, path: &Path, waited: Duration) {
        let since = SystemTime::now().checked_sub(waited).unwrap_or(SystemTime::UNIX_EPOCH);
        let since = humantime::format_rfc3339_seconds(since);
        let line = format!(
            "{} does not answer since {since}; is its server gone, or the network? No change is \
             seen until it does; what runs goes on",
            text::path(path)
        );
        self.log.write(Level::Problem, line);
    }

    pub(super) fn say_answers(&self, path: &Path, waited: Duration) {
        let waited = text::duration(waited);
        self.log.write(Level::Event, format!("{} answers again, after {waited}", text::path(path)));
    }

    pub(super) fn say_troubles(&self, troubles: &[Trouble]) {
        let Some(Trouble { verb, .. }) = troubles.first() else { return };
        let paths: Vec<PathBuf> = troubles.iter().map(|trouble| trouble.path.clone()).collect();
        let (paths, reason) = (first_and_rest(&paths), troubles[0].reason());
        let line =
            format!("cannot {verb} {paths}: {reason}; it counts as unchanged until it can be read");
        self.log.write(Level::Problem, line);
    }

    /// The line for an event, if it deserves one.
    pub(super) fn say(&self, event: Event) {
        let (level, line) = match event {
            Event::NotStarted(_, why) => {
                let name = self.setup.program.as_ref().map_or("".as_ref(), Program::name);
                (Level::Problem, program::not_started(Path::new(name), why))
            }
            Event::Interrupted { signal, .. } => {
                (Level::Event, format!("got {}, stopping", signals::name(signal)))
            }
            Event::Typed(signal) => {
                let name = signals::name(signal);
                (Level::Detail, format!("{name} was typed; ending if the program does"))
            }
            Event::Signalled(signal) => {
                (Level::Detail, format!("passing {} on", signals::name(signal)))
            }
            Event::Exited(..)
            | Event::Watching
            | Event::Changed
            | Event::Started(_)
            | Event::Gone(_) => return,
        };
        self.log.write(level, line);
    }

    /// Says how the program ended, once the engine has decided what that leads to.
    pub(super) fn say_exit(&self, instance: Instance, exit: Exit) {
        if let Some(Stopping { since, .. }) = self.stopping {
            let took = text::duration(since.elapsed());
            let line = format!("stopped after {took} ({})", program::exit(exit));
            return self.log.write(Level::Event, line);
        }
        let outlook = self.engine.outlook(Instant::now());
        let level = match exit.is_success() || outlook == Outlook::End {
            true => Level::Event,
            false => Level::Problem,
        };
        let left = self.children.alive(instance).map_or(0, |alive| alive.len());
        let command = text::command(&self.setup.command);
        self.log.write(level, program::ended(&command, exit, left, outlook));
    }

    pub(super) fn say_retry(&self) {
        if let Outlook::Retry(wait) = self.engine.outlook(Instant::now()) {
            let line = format!("trying again in {}", text::duration(wait));
            self.log.write(Level::Problem, line);
        }
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
        self.log.write(level, line);
    }
}

/// A path, and how many more there are.
pub(super) fn first_and_rest(paths: &[PathBuf]) -> String {
    let first = paths.first().map_or_else(String::new, |path| text::path(path));
    match paths.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", text::grouped(more as u64 - 1)),
    }
}
