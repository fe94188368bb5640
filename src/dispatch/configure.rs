//! Another configuration: it is noticed, and what it says otherwise than the one before is done.
//!
//! What runs is never taken down by a mistake in it: one that cannot be read changes nothing, and
//! services that do not start as it says go back to what worked (`services`).

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::first_look::FirstLook;
use super::rules::Rule;
use super::spec::Spec;
use super::{Board, Dispatcher, Message};
use crate::engine::Event;
use crate::scan::Scanner;
use crate::ui::{Kind, Level, Line, Progress, Style, looking, text};
use crate::watch::{Report, Timing, Watching, watch};

/// What a configuration says.
#[derive(Debug)]
pub struct Configuration {
    /// What runs.
    pub services: Vec<Spec>,
    /// What changes lead to, besides what they do by default.
    pub rules: Vec<Rule>,
    /// What is watched and how, if that is another than before.
    pub watch: Option<(Scanner, Timing)>,
    /// What is shown.
    pub shown: Shown,
}

/// What is shown, and how.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Lines up to this level.
    pub level: Level,
    /// How they look.
    pub style: Style,
    /// Whether to clear the terminal on each change.
    pub clear: bool,
}

/// Looks whether there is another configuration; gives it, or a sentence on why it cannot be.
pub struct Follow(pub Box<dyn FnMut() -> Option<Result<Configuration, String>> + Send>);

/// How often to look.
const LOOK: Duration = Duration::from_millis(500);

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follow")
    }
}

/// Looks again and again, on a thread of its own: the file may be on a mount that hangs.
pub(super) fn follow(
    mut follow: Follow,
    send: impl Fn(Result<Configuration, String>) -> bool + Send + 'static,
) -> io::Result<()> {
    let look = move || {
        loop {
            thread::sleep(LOOK);
            if (follow.0)().is_some_and(|new| !send(new)) {
                return;
            }
        }
    };
    thread::Builder::new().name("config".into()).spawn(look)?;
    Ok(())
}

/// A thread that looks at the tree.
#[derive(Debug)]
pub(super) struct Watcher {
    /// Its reports have this.
    pub(super) number: u64,
    timing: Timing,
    roots: Vec<String>,
    watching: Watching,
}

impl Watcher {
    /// Has it look at everything now.
    pub(super) fn look(&self) {
        self.watching.look();
    }
}

impl Dispatcher {
    /// Watches with this scanner as well as with the one before, if there is one, until the tree
    /// was seen.
    pub(super) fn watch(&mut self, scanner: Scanner, timing: Timing) -> io::Result<()> {
        self.watchers += 1;
        let number = self.watchers;
        let roots = scanner.roots().iter().map(|root| text::path(&root.label)).collect();
        let sender = self.shared.sender.clone();
        // Later, programs run, and what they write would mix with it.
        let progress = self.watcher.is_none().then(|| self.show_looking(&scanner));
        let is_drawn = progress.as_ref().is_some_and(Progress::is_drawn);
        let first_look = (!is_drawn).then(|| FirstLook::new(number, &scanner, Instant::now()));
        let send = move |report| {
            let is_first = matches!(report, Report::First { .. } | Report::Unwatchable { .. });
            if let (Some(progress), true) = (&progress, is_first) {
                progress.end();
            }
            sender.send(Message::Report(number, report)).is_ok()
        };
        let watching = watch(scanner, timing, send)?;
        self.first_look = first_look;
        let watcher = Watcher { number, timing, roots, watching };
        match self.watcher {
            None => self.take_watcher(watcher),
            Some(_) => self.next_watcher = Some(watcher),
        }
        Ok(())
    }

    fn show_looking(&self, scanner: &Scanner) -> Progress {
        let (pulse, since) = (Arc::clone(scanner.pulse()), Instant::now());
        self.shared.log.progress(move || looking(pulse.counts().0, 0, since))
    }

    fn take_watcher(&mut self, watcher: Watcher) {
        self.timing = watcher.timing;
        self.board = Board::new(watcher.timing);
        self.board.roots.clone_from(&watcher.roots);
        self.board.tally = watcher.watching.tally();
        self.watcher = Some(watcher);
    }

    /// Takes what a watcher says.
    pub(super) fn take_report_of(&mut self, number: u64, report: Report) {
        self.first_look.take_if(|look| look.ends_with(number, &report));
        if self.watcher.as_ref().is_some_and(|watcher| watcher.number == number) {
            return self.take_report(report);
        }
        let Some(next) = self.next_watcher.take_if(|next| next.number == number) else { return };
        match report {
            Report::First { .. } => {
                self.take_watcher(next);
                self.take_report(report);
                // What counts is another than before, and so may be what runs.
                self.services.changed_all(&mut self.shared);
            }
            Report::Unwatchable { path, reason } => {
                let path = text::path(&path);
                let line =
                    format!("cannot watch {path}: {reason}; what was watched before still is");
                self.shared.log.write(Line::problem(Kind::CannotWatch, line).with("path", path));
            }
            _ => self.next_watcher = Some(next),
        }
    }

    /// Does what another configuration says.
    pub(super) fn configure(&mut self, new: Result<Configuration, String>) {
        let Configuration { services, rules, watch, shown } = match new {
            Ok(new) => new,
            Err(why) => {
                let line = format!("{why}\nthe configuration before still holds");
                return self.shared.log.write(Line::problem(Kind::Configured, line));
            }
        };
        self.shared.log.restyle(shown.level, shown.style);
        self.clear = shown.clear;
        let line = "the configuration file was read again";
        self.shared.log.write(Line::event(Kind::Configured, line));
        if let Some((scanner, timing)) = watch {
            self.shared
                .log
                .write(Line::event(Kind::Configured, "[watch] says otherwise: looking anew"));
            if let Err(error) = self.watch(scanner, timing) {
                let reason = crate::scan::reason(&error);
                let line = format!("cannot look anew: {reason}; what was watched before still is");
                self.shared.log.write(Line::problem(Kind::Configured, line));
            }
        }
        // What comes may have the terminal.
        self.reading = None;
        self.services.configure(services, rules, &mut self.shared);
        self.show_reading();
    }

    /// Tells the services that the tree was seen.
    pub(super) fn begin(&mut self) {
        self.tell(Event::Watching);
        self.services.say_waiting(&self.shared);
    }
}
