//! The log: the only writer of stakeout's own lines.
//!
//! A thread of its own writes them. A terminal that is held with Ctrl-S, or a pipe that nobody
//! reads, then holds up that thread and not the one that has to answer signals; lines that do
//! not fit into its queue are dropped and counted.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::stdio::stdout;
use rustix::termios::isatty;

use super::bar::{Bar, Reached};
use super::indicator;
use super::line::{Kind, Level, Line};
use super::progress::{Drawing, Progress, Reach};
use super::style::Style;
use super::terminal::Terminal;
use super::writer::{Job, Writer};

/// Where lines go.
#[derive(Debug)]
pub struct Log {
    most: Level,
    style: Style,
    lines: SyncSender<Job>,
    dropped: AtomicUsize,
    tap: Option<Tap>,
    finished: Receiver<()>,
    terminal: Option<Arc<Terminal>>,
    /// Whether the terminal's own indicator is used.
    indicates: bool,
    is_wrong: Arc<AtomicBool>,
}

/// Is shown every line as JSON, whatever is written; asked for only if somebody wants it.
type Tell = dyn Fn(&dyn Fn() -> String) + Send;

struct Tap(Box<Tell>);

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

/// Lines that may wait to be written.
const QUEUE: usize = 1024;

/// How wide `stakeout:` is.
const INDENT: usize = 9;

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
        let (terminal, is_wrong) = (Terminal::new().map(Arc::new), Arc::default());
        let writer = Writer::new(terminal.clone(), Arc::clone(&is_wrong));
        thread::Builder::new().name("log".into()).spawn(move || {
            writer.run(&queue);
            _ = finish.send(());
        })?;
        Ok(Self {
            most,
            style,
            lines,
            dropped: AtomicUsize::new(0),
            tap: None,
            finished,
            terminal,
            indicates: false,
            is_wrong,
        })
    }

    /// Uses the terminal's own indicator from now on, if it has one. Only who ends in order may: it
    /// shows the same until that is taken back.
    pub fn use_indicator(&mut self) {
        let variable = |name: &str| std::env::var(name).ok();
        self.indicates = self.terminal.is_some() && indicator::is_taken(variable);
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

    /// Shows how far something has come, on a terminal and if it takes long, until that is ended;
    /// then it is gone. Meanwhile nobody but us may write there.
    pub fn progress(&self, reach: impl Fn() -> Reached + Send + 'static) -> Progress {
        self.show_progress(true, true, Box::new(move || Some(reach())))
    }

    /// The same beside programs, until it is ended or there is nothing to tell any more. It is drawn
    /// only if all that they write comes by [`Log::terminal`]; otherwise, it is just indicated.
    pub fn progress_beside(
        &self,
        comes_by_us: bool,
        reach: impl Fn() -> Option<Reached> + Send + 'static,
    ) -> Progress {
        let is_alone = |it: &Arc<Terminal>| !isatty(stdout()) || it.is_at(stdout());
        let draws = comes_by_us && self.terminal.as_ref().is_some_and(is_alone);
        self.show_progress(draws, false, Box::new(reach))
    }

    fn show_progress(&self, draws: bool, is_awaited: bool, reach: Reach) -> Progress {
        let is_wanted =
            self.terminal.is_some() && !self.style.is_json() && self.shows(Level::Event);
        let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let prefix = self.style.prefix(Level::Event);
        let bar = (draws && is_wanted && !is_dumb).then(|| Bar::new(prefix, INDENT));
        let drawing = Drawing::new(bar, self.indicates && is_wanted, reach);
        let is_shown = drawing.bar.is_some() || drawing.is_indicated;
        let progress = Progress::new(is_shown.then(|| self.lines.clone()), &drawing, is_awaited);
        if is_shown && self.lines.try_send(Job::Show(drawing)).is_err() {
            progress.end();
        }
        progress
    }

    /// The terminal where lines go, if they go to one. Programs that we pass on share it.
    pub fn terminal(&self) -> Option<Arc<Terminal>> {
        self.terminal.clone()
    }

    /// Has the terminal indicate that something is wrong, or no longer is.
    pub fn indicate(&self, is_wrong: bool) {
        let is_wrong = is_wrong && self.indicates && !self.style.is_json();
        if self.is_wrong.swap(is_wrong, Ordering::Relaxed) != is_wrong {
            // Where the queue is full, this is seen with the next line.
            _ = self.lines.try_send(Job::Nod(None));
        }
    }

    /// Leaves nothing but lines on the terminal: we are about to be stopped.
    pub fn leave(&self) {
        if self.terminal.is_some() {
            let (gone, is_gone) = mpsc::sync_channel(1);
            if self.lines.try_send(Job::Leave(gone)).is_ok() {
                _ = is_gone.recv_timeout(FAREWELL);
            }
        }
    }

    /// We go on.
    pub fn come_back(&self) {
        _ = self.lines.try_send(Job::Nod(None));
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
