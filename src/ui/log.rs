//! The log: the only writer of stakeout's own lines.
//!
//! A thread of its own writes them. A terminal that is held with Ctrl-S, or a pipe that nobody
//! reads, then holds up that thread and not the one that has to answer signals; lines that do
//! not fit into its queue are dropped and counted.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::stdio::stderr;
use rustix::termios::isatty;

use super::line::{Kind, Level, Line};
use super::progress::{Drawing, Progress, Words};
use super::style::Style;
use super::write_all;

/// Where lines go.
#[derive(Debug)]
pub struct Log {
    most: Level,
    style: Style,
    lines: SyncSender<Job>,
    dropped: AtomicUsize,
    tap: Option<Tap>,
    finished: Receiver<()>,
}

/// Is shown every line as JSON, whatever is written; asked for only if somebody wants it.
type Tell = dyn Fn(&dyn Fn() -> String) + Send;

struct Tap(Box<Tell>);

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

/// What the log's thread is to do.
pub(super) enum Job {
    /// Write this.
    Write(String),
    /// Draw this until it is to be hidden.
    Show(Drawing),
    /// Draw nothing, and then say so.
    Hide(SyncSender<()>),
    /// End.
    End,
}

/// Lines that may wait to be written.
const QUEUE: usize = 1024;

/// How long the last lines may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

impl Log {
    /// A log on standard error that shows lines up to the level `most`, in this style.
    ///
    /// # Errors
    /// When its thread cannot be made.
    pub fn new(most: Level, style: Style) -> io::Result<Self> {
        let (lines, queue) = mpsc::sync_channel(QUEUE);
        let (finish, finished) = mpsc::channel();
        thread::Builder::new().name("log".into()).spawn(move || {
            write(&queue);
            _ = finish.send(());
        })?;
        Ok(Self { most, style, lines, dropped: AtomicUsize::new(0), tap: None, finished })
    }

    /// From now on, shows lines up to this level, in this style.
    pub fn restyle(&mut self, most: Level, style: Style) {
        (self.most, self.style) = (most, style);
    }

    /// From now on, every line is told to `tell` as well.
    pub fn tap(&mut self, tell: impl Fn(&dyn Fn() -> String) + Send + 'static) {
        self.tap = Some(Tap(Box::new(tell)));
    }

    fn tell(&self, line: &Line) {
        if let Some(Tap(tell)) = &self.tap {
            tell(&|| Style::Json.render(line, SystemTime::now()));
        }
    }

    /// Writes one line.
    pub fn write(&self, line: Line) {
        self.tell(&line);
        self.show(&line);
    }

    fn show(&self, line: &Line) {
        if line.level <= self.most {
            self.queue(self.style.render(line, SystemTime::now()));
        }
    }

    /// Writes what somebody who sits there has asked for, however little is to be said.
    pub fn answer(&self, line: Line) {
        self.tell(&line);
        self.queue(self.style.render(&line, SystemTime::now()));
    }

    /// Writes a line that is for programs only: people are told in other words.
    pub fn note(&self, line: Line) {
        self.tell(&line);
        if self.style.is_json() {
            self.show(&line);
        }
    }

    /// Shows how far something has come, on a terminal and if it takes long, until that is ended.
    pub fn progress(&self, words: impl Fn() -> String + Send + 'static) -> Progress {
        let is_shown = isatty(stderr())
            && !self.style.is_json()
            && self.shows(Level::Event)
            && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        let words: Words = Box::new(words);
        let drawing = is_shown.then(|| Drawing::new(self.style.prefix(Level::Event), words));
        let is_sent = drawing.is_some_and(|it| self.lines.try_send(Job::Show(it)).is_ok());
        Progress::new(is_sent.then(|| self.lines.clone()))
    }

    /// How lines look.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Whether lines of this level are written.
    pub fn shows(&self, level: Level) -> bool {
        level <= self.most
    }

    /// Clears the terminal, its scroll-back included.
    pub fn clear_screen(&self) {
        if !self.style.is_json() {
            self.queue("\x1b[H\x1b[2J\x1b[3J".into());
        }
    }

    fn queue(&self, mut text: String) {
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            text.insert_str(0, &self.lost(lost));
        }
        if self.lines.try_send(Job::Write(text)).is_err() {
            self.dropped.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    fn lost(&self, count: usize) -> String {
        let line = Line::problem(Kind::Lost, format!("{count} lines were lost here"));
        self.style.render(&line.with("count", count), SystemTime::now())
    }

    /// Waits a moment until everything is written.
    pub fn finish(self) {
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            // In vain, if the queue is as full as before.
            _ = self.lines.try_send(Job::Write(self.lost(lost)));
        }
        _ = self.lines.try_send(Job::End);
        drop(self.lines);
        _ = self.finished.recv_timeout(FAREWELL);
    }
}

/// Runs in the log's thread, until there is no log any more.
fn write(queue: &Receiver<Job>) {
    let mut drawing: Option<Drawing> = None;
    loop {
        let next = match &drawing {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(drawing) => {
                queue.recv_timeout(drawing.due.saturating_duration_since(Instant::now()))
            }
        };
        match next {
            Ok(Job::Write(text)) => {
                drawing.iter_mut().for_each(Drawing::erase);
                // Nobody may be there to read it; the program goes on all the same.
                _ = write_all(stderr(), text.as_bytes());
            }
            Ok(Job::Show(new)) => drawing = Some(new),
            Ok(Job::Hide(gone)) => {
                drawing.take().iter_mut().for_each(Drawing::erase);
                _ = gone.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => drawing.iter_mut().for_each(Drawing::draw),
            Ok(Job::End) | Err(RecvTimeoutError::Disconnected) => {
                return drawing.iter_mut().for_each(Drawing::erase);
            }
        }
    }
}
