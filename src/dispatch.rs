//! The dispatcher: the main thread. It receives what happened, asks the engine, and carries out
//! what it answers.
//!
//! It owns the engine and all children and shares no state with other threads; they send
//! messages into its one channel. It never touches the watched file system, so that signals
//! are answered and deadlines kept while a mount hangs.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::{Action, Echo, Engine, Event, Exit, Instance, NotStarted, Outlook, Policy};
use crate::process::routing::{Route, Routing};
use crate::process::signals::{self, Received};
use crate::process::{Children, Executed, Program};
use crate::scan::{Scanner, Trouble};
use crate::tree::Change;
use crate::ui::{Level, Log, describe, program, text};
use crate::watch::{Interval, Report, Timing, watch};

/// What to run, and how.
#[derive(Debug)]
pub struct Setup {
    /// The program; without one, changes are only shown.
    pub program: Option<Program>,
    /// The program as it was typed, to be shown.
    pub command: Vec<OsString>,
    /// When to look.
    pub timing: Timing,
    /// When to start and to kill.
    pub policy: Policy,
    /// What signals mean.
    pub routing: Routing,
    /// Whether to clear the terminal on each change.
    pub clear: bool,
}

/// What happened, from whichever thread saw it.
enum Message {
    Report(Report),
    Signal(Received),
    Executed(Executed),
}

/// An instance that is being stopped.
#[derive(Clone, Copy, Debug)]
struct Stopping {
    since: Instant,
    signal: i32,
}

/// The main thread's state.
#[derive(Debug)]
pub struct Dispatcher {
    setup: Setup,
    engine: Engine,
    echo: Echo,
    /// When the program was last started.
    started: Option<Instant>,
    children: Children,
    log: Log,
    messages: Receiver<Message>,
    sender: Sender<Message>,
    watched: String,
    /// What is being stopped.
    stopping: Option<Stopping>,
    /// Whether the watcher failed, so that all that is left to do is to end.
    has_failed: bool,
}

/// How often to look after an instance that is being stopped: what is killed may have started
/// other processes meanwhile.
const GONE_CHECK: Duration = Duration::from_millis(50);

impl Dispatcher {
    /// Prepares everything but the watching. Signals are answered from here on.
    ///
    /// # Errors
    /// When threads or signal handlers cannot be made.
    pub fn new(setup: Setup, log: Log) -> io::Result<Self> {
        let (sender, messages) = mpsc::channel();
        let signal_sender = sender.clone();
        // A closed channel means that we are on our way out.
        signals::listen(move |received| _ = signal_sender.send(Message::Signal(received)))?;
        let executed_sender = sender.clone();
        let children =
            Children::new(move |executed| _ = executed_sender.send(Message::Executed(executed)))?;
        Ok(Self {
            engine: Engine::new(setup.policy),
            setup,
            echo: Echo::default(),
            started: None,
            children,
            log,
            messages,
            sender,
            watched: String::new(),
            stopping: None,
            has_failed: false,
        })
    }

    /// Watches with `scanner` and runs the program until it is over; gives the exit status.
    /// Without a scanner, the program is only run.
    ///
    /// # Errors
    /// When the watcher's thread cannot be made.
    pub fn run(mut self, scanner: Option<Scanner>) -> io::Result<u8> {
        let started = match scanner {
            Some(scanner) => {
                let roots = scanner.roots().iter().map(|root| text::path(&root.label));
                self.watched = roots.collect::<Vec<_>>().join(", ");
                let sender = self.sender.clone();
                let send = move |report| sender.send(Message::Report(report)).is_ok();
                watch(scanner, self.setup.timing, send)?;
                None
            }
            None => self.tell(Event::Watching),
        };
        let status = started.unwrap_or_else(|| self.answer_messages());
        let status = if self.has_failed { Exit::OWN_FAILURE } else { status };
        self.log.finish();
        Ok(u8::try_from(status).unwrap_or(u8::MAX))
    }

    fn answer_messages(&mut self) -> i32 {
        loop {
            let message = self.next_message();
            // First of all, so that no signal goes to a group that is gone, and whose id may be
            // another's soon.
            let reaped = self.children.reap();
            if reaped.orphans > 0 {
                let orphans = text::count(reaped.orphans, "orphan");
                self.log.write(Level::Detail, format!("reaped {orphans}"));
            }
            for (_, signal) in reaped.stopped {
                self.say_stopped(signal);
            }
            if let Some(status) = self.tell_all(reaped.events) {
                return status;
            }
            let ended = match message {
                Some(Message::Report(report)) => self.take_report(report),
                Some(Message::Signal(received)) => self.take_signal(received),
                Some(Message::Executed(executed)) => {
                    let events = self.children.executed(executed);
                    self.tell_all(events)
                }
                // Some time has passed.
                None => None,
            };
            let ended = ended.or_else(|| {
                let actions = self.engine.tick(Instant::now());
                self.act_all(actions)
            });
            if let Some(status) = ended {
                return status;
            }
        }
    }

    /// The next message; none when something is due before it comes.
    fn next_message(&self) -> Option<Message> {
        let deadline = self.engine.deadline();
        let check = self.stopping.map(|_| Instant::now() + GONE_CHECK);
        let Some(until) = deadline.into_iter().chain(check).min() else {
            return Some(self.messages.recv().expect("a sender is kept in self"));
        };
        match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept in self"),
        }
    }

    /// Takes note of what the watcher says; gives a status when that ends everything.
    fn take_report(&mut self, report: Report) -> Option<i32> {
        match report {
            Report::Unwatchable { path, reason } => {
                let path = text::path(&path);
                let hint = "is the volume mounted, and the path right?";
                self.log.write(Level::Problem, format!("cannot watch {path}: {reason}; {hint}"));
                return Some(2);
            }
            Report::Failed => {
                self.log.write(Level::Problem, "watching failed; this is a bug in stakeout");
                self.has_failed = true;
                let signal = libc::SIGTERM;
                return self.tell(Event::Interrupted { signal, stop: signal });
            }
            Report::First { entries, took } => {
                self.say_watching(entries, took);
                return self.tell(Event::Watching);
            }
            Report::Pace(interval) => {
                let interval = text::duration(interval);
                self.log.write(Level::Detail, format!("looking every {interval}"));
            }
            Report::Baseline { took } => {
                let took = text::duration(took);
                self.log.write(Level::Detail, format!("all files were read once, in {took}"));
            }
            Report::Changed { changes, settling } => {
                if self.setup.clear {
                    self.log.clear_screen();
                }
                let detail = format!(" (settled in {})", text::duration(settling));
                self.log.write(Level::Event, describe(&changes) + &detail);
                self.say_echo(&changes);
                return self.tell(Event::Changed);
            }
            Report::Troubles(troubles) => self.say_troubles(&troubles),
            Report::Silent { path, waited } => self.say_silent(&path, waited),
            Report::Answers { path, waited } => {
                let waited = text::duration(waited);
                let line = format!("{} answers again, after {waited}", text::path(&path));
                self.log.write(Level::Event, line);
            }
            Report::Recovered(paths) => {
                let line = format!("{}: readable again, or gone", first_and_rest(&paths));
                self.log.write(Level::Event, line);
            }
        }
        None
    }

    /// Does what a signal asks for; gives a status when that ends everything.
    fn take_signal(&mut self, received: Received) -> Option<i32> {
        let Received { signal, .. } = received;
        // The others of these are what we may get for using the terminal ourselves.
        if [libc::SIGCHLD, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) {
            return None;
        }
        let ended = match self.setup.routing.route(signal) {
            Route::End(stop) => self.tell(Event::Interrupted { signal, stop }),
            Route::Pass(sent) => self.tell(Event::Signalled(sent)),
            Route::Drop => {
                self.log.write(Level::Detail, format!("dropped {}", signals::name(signal)));
                None
            }
        };
        if signal == libc::SIGTSTP {
            signals::suspend();
        }
        ended
    }

    fn say_watching(&self, entries: usize, took: Duration) {
        let pace = match self.setup.timing.interval {
            Interval::Budget => "as often as 2 % of one core allows".to_owned(),
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

    fn say_echo(&mut self, changes: &[Change]) {
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

    fn say_silent(&self, path: &Path, waited: Duration) {
        let since = SystemTime::now().checked_sub(waited).unwrap_or(SystemTime::UNIX_EPOCH);
        let since = humantime::format_rfc3339_seconds(since);
        let line = format!(
            "{} does not answer since {since}; is its server gone, or the network? No change is \
             seen until it does; what runs goes on",
            text::path(path)
        );
        self.log.write(Level::Problem, line);
    }

    fn say_troubles(&self, troubles: &[Trouble]) {
        let Some(Trouble { verb, .. }) = troubles.first() else { return };
        let paths: Vec<PathBuf> = troubles.iter().map(|trouble| trouble.path.clone()).collect();
        let (paths, reason) = (first_and_rest(&paths), troubles[0].reason());
        let line =
            format!("cannot {verb} {paths}: {reason}; it counts as unchanged until it can be read");
        self.log.write(Level::Problem, line);
    }

    fn tell_all(&mut self, events: Vec<Event>) -> Option<i32> {
        events.into_iter().find_map(|event| self.tell(event))
    }

    /// Tells the engine, and does what it answers; gives a status when that is the end.
    fn tell(&mut self, event: Event) -> Option<i32> {
        self.say(event);
        if let Event::Gone(_) | Event::NotStarted(..) = event {
            self.stopping = None;
        }
        let is_without = self.setup.program.is_none();
        if is_without && !matches!(event, Event::Interrupted { .. } | Event::Typed(_)) {
            return None;
        }
        let actions = self.engine.handle(event, Instant::now());
        if let Event::Exited(_, exit) = event {
            self.say_exit(exit);
        }
        let ended = self.act_all(actions);
        if let (Event::NotStarted(..), None) = (event, ended) {
            self.say_retry();
        }
        ended
    }

    fn act_all(&mut self, actions: Vec<Action>) -> Option<i32> {
        actions.into_iter().find_map(|action| self.act(action))
    }

    fn act(&mut self, action: Action) -> Option<i32> {
        match action {
            Action::Start(instance, _) => return self.start(instance),
            Action::Stop(instance, signal) => {
                self.stopping = Some(Stopping { since: Instant::now(), signal });
                self.children.stop(instance, signal);
            }
            Action::Signal(instance, signal) => self.children.signal(instance, signal),
            Action::Kill(instance) => {
                let line = match self.stopping {
                    Some(Stopping { since, signal, .. }) => {
                        let (since, signal) =
                            (text::duration(since.elapsed()), signals::name(signal));
                        format!("the program is still there {since} after {signal}: killing it")
                    }
                    None => "killing the program".to_owned(),
                };
                self.log.write(Level::Problem, line);
                self.children.kill(instance);
            }
            Action::ReportUnkillable(instance) => {
                let alive = self.children.alive().unwrap_or_default();
                let alive = alive.iter().map(ToString::to_string).collect::<Vec<_>>();
                let line = match (alive.as_slice(), self.children.leader(instance)) {
                    ([], Some(pid)) => format!("process group {}", pid.as_raw_nonzero()),
                    (alive, _) => format!("process {}", alive.join(", ")),
                };
                let line = format!(
                    "{line} was killed but is still there, as a process is that waits for a dead \
                     disk or share, or is another user's; nothing is started beside it"
                );
                self.log.write(Level::Problem, line);
            }
            Action::End(status) => return Some(status),
        }
        None
    }

    fn start(&mut self, instance: Instance) -> Option<i32> {
        let Some(program) = &self.setup.program else { return None };
        match self.children.start(instance, program) {
            Ok(pid) => {
                self.started = Some(Instant::now());
                // Said before it is known whether that works, so that it comes before what the
                // program says.
                let command = text::command(&self.setup.command);
                let line = format!("starting {command} (pid {})", pid.as_raw_nonzero());
                self.log.write(Level::Event, line);
                None
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                self.tell(Event::NotStarted(instance, NotStarted::NoProcess(errno)))
            }
        }
    }

    /// The line for an event, if it deserves one.
    fn say(&self, event: Event) {
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
    fn say_exit(&self, exit: Exit) {
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
        let left = self.children.alive().map_or(0, |alive| alive.len());
        let command = text::command(&self.setup.command);
        self.log.write(level, program::ended(&command, exit, left, outlook));
    }

    fn say_retry(&self) {
        if let Outlook::Retry(wait) = self.engine.outlook(Instant::now()) {
            let line = format!("trying again in {}", text::duration(wait));
            self.log.write(Level::Problem, line);
        }
    }

    fn say_stopped(&self, signal: i32) {
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
fn first_and_rest(paths: &[PathBuf]) -> String {
    let first = paths.first().map_or_else(String::new, |path| text::path(path));
    match paths.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", text::grouped(more as u64 - 1)),
    }
}
