//! The steps of a build: what they are, and how what they write is shown.

use std::collections::VecDeque;

use crate::process::Program;
use crate::ui::{Kind, Level, Line, Lines, Log};

/// A command that is run before the program is started anew.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it was typed.
    pub command: String,
    /// What its lines are shown with in front.
    pub prefix: String,
    /// What is run.
    pub program: Program,
}

/// Shows what a step writes, line by line.
#[derive(Debug)]
pub(super) struct Printer {
    service: Option<String>,
    prefix: String,
    lines: Lines,
    last: VecDeque<String>,
}

/// So many of the last lines are kept.
const KEPT: usize = 200;

impl Printer {
    pub(super) fn new(service: Option<&str>, prefix: &str) -> Self {
        let service = service.map(str::to_owned);
        Self { service, prefix: prefix.to_owned(), lines: Lines::default(), last: VecDeque::new() }
    }

    /// Shows the lines that these bytes end.
    pub(super) fn print(&mut self, bytes: &[u8], log: &Log) {
        let Self { service, prefix, lines, last } = self;
        lines.take(bytes, |line| show(line, service.as_deref(), prefix, last, log));
    }

    /// Shows what was begun.
    pub(super) fn finish(&mut self, log: &Log) {
        let Self { service, prefix, lines, last } = self;
        lines.finish(|line| show(line, service.as_deref(), prefix, last, log));
    }

    /// The last lines.
    pub(super) fn lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}

/// Shows a line, and keeps it among the last ones.
fn show(line: &str, service: Option<&str>, prefix: &str, last: &mut VecDeque<String>, log: &Log) {
    log.write(output(Level::Event, prefix, line).of(service));
    if last.len() == KEPT {
        last.pop_front();
    }
    last.push_back(line.to_owned());
}

/// A line that a step wrote.
pub(super) fn output(level: Level, prefix: &str, line: &str) -> Line {
    Line::new(level, Kind::Output, line).with("source", prefix)
}
