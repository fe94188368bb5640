//! The dispatcher: the main thread. It receives what happened, asks the engine, and carries out
//! what it answers.
//!
//! It owns the engine and all children and shares no state with other threads; they send
//! messages into its one channel. It never touches the watched file system, so that signals
//! are answered and deadlines kept while a mount hangs.

use std::ffi::OsString;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::engine::{Action, Echo, Engine, Event, Exit, Instance, NotStarted, Policy};
use crate::process::routing::{Route, Routing};
use crate::process::signals::{self, Received, Sender as Origin};
use crate::process::{Children, Program, STOP_TYPED, Stdin};
use crate::scan::Scanner;
use crate::ui::{Level, Log, describe, program, text};
use crate::watch::{Report, Timing, watch};

mod words;

use words::first_and_rest;

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
    /// When Ctrl-Z was typed, if the program did not stop yet.
    stop_typed: Option<Instant>,
}

/// How often to look after an instance that is being stopped: what is killed may have started
/// other processes meanwhile.
const CHECK: Duration = Duration::from_millis(50);

/// How long after Ctrl-Z a program stops at the latest, or not at all.
const STOP_TAKES: Duration = Duration::from_secs(1);

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
        let stdin = setup.program.as_ref().map_or(Stdin::Null, Program::stdin);
        let children = Children::new(stdin)?;
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
            stop_typed: None,
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
            // Before what came of it, so that this is seen as such.
            if let Some(Message::Signal(received)) = message
                && self.is_typed(received)
                && let Some(status) = self.take_typed(received.signal)
            {
                return status;
            }
            // Before anything else, so that no signal goes to a group that is gone, and whose id may be
            // another's soon.
            let reaped = self.children.reap();
            if reaped.orphans > 0 {
                let orphans = text::count(reaped.orphans, "orphan");
                self.log.write(Level::Detail, format!("reaped {orphans}"));
            }
            for (instance, signal) in reaped.stopped {
                self.take_stop(instance, signal);
            }
            self.look_for_stop();
            if let Some(status) = self.tell_all(reaped.events) {
                return status;
            }
            let ended = match message {
                Some(Message::Report(report)) => self.take_report(report),
                Some(Message::Signal(received)) => self.take_signal(received),
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
        let is_watchful = self.stopping.is_some() || self.stop_typed.is_some();
        let check = is_watchful.then(|| Instant::now() + CHECK);
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
            Report::Trust { path, verdict } => self.say_trust(&path, verdict),
            Report::Unheard { errno, watched } => self.say_unheard(errno, watched),
            Report::Silent { path, waited } => self.say_silent(&path, waited),
            Report::Answers { path, waited } => self.say_answers(&path, waited),
            Report::Recovered(paths) => {
                let line = format!("{}: readable again, or gone", first_and_rest(&paths));
                self.log.write(Level::Event, line);
            }
        }
        None
    }

    /// Does what a signal asks for; gives a status when that ends everything.
    fn take_signal(&mut self, received: Received) -> Option<i32> {
        let signal = received.signal;
        // The last two are what we may get for using the terminal ourselves.
        let is_our_own = [libc::SIGCHLD, libc::SIGTTIN, libc::SIGTTOU].contains(&signal);
        if is_our_own || self.is_typed(received) {
            return None;
        }
        // What has the terminal was continued when we were; a second time would undo the next
        // Ctrl-Z.
        if signal == libc::SIGCONT && self.children.resume() {
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

    /// Whether it was typed at the terminal that the program has.
    fn is_typed(&self, received: Received) -> bool {
        let is_told =
            matches!(received.sender, Origin::Process(pid) if self.children.is_sentinel(pid));
        // That the terminal is gone means us as well.
        is_told && received.signal != libc::SIGHUP
    }

    fn take_typed(&mut self, signal: i32) -> Option<i32> {
        match signal {
            STOP_TYPED => self.stop_typed = Some(Instant::now()),
            signal if self.children.is_news(signal) => return self.tell(Event::Typed(signal)),
            _ => {}
        }
        None
    }

    /// The program was stopped, and goes on only when it is continued.
    fn take_stop(&mut self, instance: Instance, signal: i32) {
        let is_stop = [libc::SIGTSTP, libc::SIGSTOP].contains(&signal);
        match is_stop && self.children.has_terminal(instance) {
            true => self.suspend(instance),
            false => self.say_stopped(signal),
        }
    }

    /// Ctrl-Z was typed, and it was not yet told that the program stopped.
    fn look_for_stop(&mut self) {
        match self.stop_typed {
            Some(typed) if typed.elapsed() > STOP_TAKES => self.stop_typed = None,
            Some(typed) if typed.elapsed() > CHECK => {
                if let Some(instance) = self.children.half_stopped() {
                    self.suspend(instance);
                }
            }
            _ => {}
        }
    }

    fn suspend(&mut self, instance: Instance) {
        self.stop_typed = None;
        self.children.suspend(instance);
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
        if let Event::Exited(instance, exit) = event {
            self.say_exit(instance, exit);
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
                let alive = self.children.alive(instance).unwrap_or_default();
                let line = program::unkillable(&alive);
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
}
