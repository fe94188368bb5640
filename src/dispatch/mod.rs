//! The dispatcher: the main thread. It receives what happened, asks the engine, and carries out
//! what it answers.
//!
//! It owns the engine and all children and shares no state with other threads; they send
//! messages into its one channel. It never touches the watched file system, so that signals
//! are answered and deadlines kept while a mount hangs.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use crate::control::{Call, Server};
use crate::engine::{Event, Exit, Instance, Request};
use crate::process::notify::{self, Notice};
use crate::process::signals::{self, Received};
use crate::process::{Children, Chunk, Keyboard, Program, Stdin, Typed};
use crate::scan::Scanner;
use crate::ui::{Kind, Line, Log, Progress, text};
use crate::watch::{Report, Timing};
use crate::web;

mod asked;
mod board;
mod changes;
mod configure;
mod first_look;
mod held;
mod jobs;
mod keys;
mod member;
mod notices;
mod outputs;
mod probing;
mod reading;
mod record;
mod rules;
mod service;
mod service_words;
mod services;
mod smoke;
mod spec;
mod stage;
mod steps;
mod succession;
mod supply;
mod words;

use board::Board;
use configure::Watcher;
pub use configure::{Configuration, Follow, Shown};
use first_look::FirstLook;
use record::Noticed;
pub use rules::{Effect, Rule};
use services::Services;
pub use smoke::{Check, Checks, Report as SmokeReport};
pub use spec::Spec;
use stage::Stage;
pub use steps::Step;

/// What to do.
#[derive(Debug)]
pub struct Setup {
    /// What to run.
    pub services: Vec<Spec>,
    /// What changes lead to, besides what they do by default.
    pub rules: Vec<Rule>,
    /// When to look.
    pub timing: Timing,
    /// What is shown, and how.
    pub shown: Shown,
    /// Where requests are taken.
    pub control: Option<Server>,
    /// What browsers are shown, if anything is.
    pub web: Option<Web>,
    /// Whether the first change is the end.
    pub exits_on_change: bool,
    /// Whether to read keys, where there is a terminal.
    pub keys: bool,
    /// Tells of another configuration, if there can be one.
    pub follow: Option<Follow>,
}

/// What browsers are shown.
#[derive(Debug)]
pub struct Web {
    /// Where.
    pub setup: web::Setup,
    /// The service that they see; without one, all of them.
    pub service: Option<String>,
}

/// What happened, from whichever thread saw it.
enum Message {
    /// What a watcher says, and which: they are counted.
    Report(u64, Report),
    Signal(Received),
    Output(Instance, Chunk),
    Ready(Instance),
    Notice(Notice),
    Asked(Call),
    Typed(Typed),
    Configured(Box<Result<Configuration, String>>),
}

/// What a service needs to carry out what is decided.
#[derive(Debug)]
struct Shared {
    children: Children,
    log: Log,
    sender: Sender<Message>,
    /// Whether the tree is to be looked at now.
    wants_look: bool,
}

/// The main thread's state.
#[derive(Debug)]
pub struct Dispatcher {
    timing: Timing,
    /// What looks at the tree, if something does.
    watcher: Option<Watcher>,
    /// What is about to take its place.
    next_watcher: Option<Watcher>,
    /// How many there were.
    watchers: u64,
    /// What the last of them does at first, if it goes on and is not shown.
    first_look: Option<FirstLook>,
    /// How far reading the baseline has come, while it is shown.
    reading: Option<Progress>,
    clear: bool,
    services: Services,
    shared: Shared,
    messages: Receiver<Message>,
    board: Board,
    created: Instant,
    /// Takes requests.
    control: Option<Server>,
    /// What browsers are told.
    stage: Option<Stage>,
    /// Where keys are read, if they are.
    keyboard: Option<Keyboard>,
    /// The status to end with at once, whatever runs.
    ended: Option<i32>,
    /// Whether the watcher failed, so that all that is left to do is to end.
    has_failed: bool,
    /// When Ctrl-Z was typed, if the program did not stop yet.
    stop_typed: Option<Instant>,
}

/// How often to look after an instance that is being stopped: what is killed may have started
/// other processes meanwhile.
const CHECK: Duration = Duration::from_millis(50);

impl Dispatcher {
    /// Prepares everything but the watching. Signals are answered from here on.
    ///
    /// # Errors
    /// When threads or signal handlers cannot be made.
    pub fn new(setup: Setup, mut log: Log) -> io::Result<Self> {
        let Setup { services, rules, timing, shown, control, web, exits_on_change, keys, follow } =
            setup;
        let (sender, messages) = mpsc::channel();
        let follow_sender = sender.clone();
        let signal_sender = sender.clone();
        // A closed channel means that we are on our way out.
        signals::listen(move |received| _ = signal_sender.send(Message::Signal(received)))?;
        let notice_sender = sender.clone();
        let send = move |notice| notice_sender.send(Message::Notice(notice)).is_ok();
        if let Some(control) = &control {
            let sender = sender.clone();
            control.serve(move |call| sender.send(Message::Asked(call)).is_ok())?;
        }
        let stage = web.map(|Web { setup, service }| {
            let sender = sender.clone();
            let feed = web::serve(setup, move |call| sender.send(Message::Asked(call)).is_ok())?;
            log.tap(feed.teller());
            Ok::<_, io::Error>(Stage::new(feed, service))
        });
        let stage = stage.transpose()?;
        // The terminal is for the one that reads from it.
        let mut inputs =
            services.iter().filter_map(|spec| spec.program.as_ref().map(Program::stdin));
        let is_read = inputs.any(|input| input == Stdin::Inherit);
        let children = Children::new(if is_read { Stdin::Inherit } else { Stdin::Null })?;
        let takes_notices = services.iter().any(|spec| spec.takes_notices);
        let notify = takes_notices.then(|| notify::serve(send)).transpose()?;
        let mut services = Services::new(services, rules, notify);
        services.exits_on_change = exits_on_change;
        if let Some(follow) = follow {
            let send = move |new| follow_sender.send(Message::Configured(Box::new(new))).is_ok();
            configure::follow(follow, send)?;
        }
        let mut dispatcher = Self {
            timing,
            watcher: None,
            next_watcher: None,
            watchers: 0,
            first_look: None,
            reading: None,
            clear: shown.clear,
            services,
            shared: Shared { children, log, sender, wants_look: false },
            messages,
            board: Board::new(timing),
            created: Instant::now(),
            control,
            stage,
            keyboard: None,
            ended: None,
            has_failed: false,
            stop_typed: None,
        };
        if keys {
            dispatcher.read_keys()?;
        }
        Ok(dispatcher)
    }

    /// Watches with `scanner` and runs the program until it is over; gives the exit status, and
    /// what came of a smoke test. Without a scanner, the program is only run.
    ///
    /// # Errors
    /// When the watcher's thread cannot be made.
    pub fn run(mut self, scanner: Option<Scanner>) -> io::Result<(u8, Option<SmokeReport>)> {
        match scanner {
            Some(scanner) => {
                self.watch(scanner, self.timing)?;
            }
            None => self.tell(Event::Watching),
        }
        let status = loop {
            if let Some(status) = self.ended.or_else(|| self.services.ended()) {
                break status;
            }
            self.step();
        };
        self.hear_late();
        // Nobody asks any more, and the next stakeout may be about to start.
        // What was asked and not taken yet is not answered any more.
        drop((self.keyboard, self.messages, self.control));
        let status = if self.has_failed { Exit::OWN_FAILURE } else { status };
        let report = self.services.smoke_report(status);
        let status = report.as_ref().map_or(status, |report| report.status);
        self.shared.log.finish();
        Ok((u8::try_from(status).unwrap_or(u8::MAX), report))
    }

    /// Takes one message, and does all that is due.
    fn step(&mut self) {
        let message = self.next_message();
        // Before what came of it, so that this is seen as such.
        if let Some(Message::Signal(received)) = message
            && self.is_typed(received)
        {
            self.take_typed(received.signal);
        }
        // Before anything else, so that no signal goes to a group that is gone, and whose id may be
        // another's soon.
        let reaped = self.shared.children.reap();
        if reaped.orphans > 0 {
            let orphans = text::count(reaped.orphans, "orphan");
            let line = Line::detail(Kind::Reaped, format!("reaped {orphans}"));
            self.shared.log.write(line.with("count", reaped.orphans));
        }
        for (instance, signal) in reaped.stopped {
            self.take_stop(instance, signal);
        }
        self.look_for_stop();
        reaped.events.into_iter().for_each(|event| self.tell(event));
        match message {
            Some(Message::Report(number, report)) => self.take_report_of(number, report),
            Some(Message::Configured(new)) => self.configure(*new),
            Some(Message::Signal(received)) => self.take_signal(received),
            Some(Message::Output(instance, chunk)) => {
                self.services.wrote(instance, chunk, &mut self.shared);
            }
            Some(Message::Ready(instance)) => self.tell(Event::Ready(instance)),
            Some(Message::Notice(notice)) => self.take_notice(notice),
            Some(Message::Asked(call)) => self.take_call(call),
            Some(Message::Typed(typed)) => self.take_keys(typed),
            // Some time has passed.
            None => {}
        }
        self.services.tick(&mut self.shared);
        self.tick_first_look();
        self.shared.log.indicate(self.services.is_any_unwell());
        if let Some(stage) = &mut self.stage {
            stage.show(&self.services);
        }
        if let (true, Some(watcher)) = (std::mem::take(&mut self.shared.wants_look), &self.watcher)
        {
            watcher.look();
        }
    }

    /// The next message; none when something is due before it comes.
    fn next_message(&self) -> Option<Message> {
        let deadline = self.services.deadline();
        let is_watchful = self.services.is_stopping() || self.stop_typed.is_some();
        let check = is_watchful.then(|| Instant::now() + CHECK);
        let told = self.first_look.as_ref().map(|look| look.due);
        let Some(until) = deadline.into_iter().chain(check).chain(told).min() else {
            return Some(self.messages.recv().expect("a sender is kept in self"));
        };
        match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept in self"),
        }
    }

    fn tell(&mut self, event: Event) {
        self.services.tell(event, &mut self.shared);
    }

    /// Takes what a program says, if it is one of ours: its sender has to descend from an instance.
    fn take_notice(&mut self, notice: Notice) {
        match self.shared.children.owner(notice.pid) {
            Some(instance) => self.services.take_notice(instance, notice, &mut self.shared),
            None => {
                let line = format!(
                    "process {}, which is none of the program's, has written to NOTIFY_SOCKET; it \
                     is not heard",
                    notice.pid
                );
                self.shared.log.write(Line::detail(Kind::BadNotice, line).with("pid", notice.pid));
            }
        }
    }

    /// Takes note of what the watcher says.
    fn take_report(&mut self, report: Report) {
        self.board.take(&report);
        match report {
            Report::Unwatchable { .. } => {
                self.say_report(&report);
                self.ended = Some(2);
            }
            Report::Failed => {
                self.say_report(&report);
                (self.has_failed, self.reading) = (true, None);
                self.tell(Event::Requested(Request::Stop));
            }
            Report::First { .. } => {
                self.say_report(&report);
                self.say_keys();
                self.show_reading();
                self.begin();
            }
            Report::Changed { changes, before, settling, after } => {
                if self.clear {
                    self.shared.log.clear_screen();
                }
                let detect = self.board.detection(&changes, settling, SystemTime::now());
                self.say_changes(&changes, detect, settling);
                let noticed = Noticed { detect, settle: settling, after };
                self.stage.iter_mut().for_each(|stage| stage.changed(&changes));
                let is_seen = self.services.changed(&changes, &before, noticed, &mut self.shared);
                self.stage.iter_mut().filter(|_| is_seen).for_each(Stage::reload);
            }
            Report::Baseline { .. } => {
                self.reading = None;
                self.say_report(&report);
            }
            report => self.say_report(&report),
        }
    }
}
