//! The steps of a build: what they are, and how what they write is shown.

use std::collections::VecDeque;

use crate::process::Program;
use crate::ui::{Kind, Level, Line, Log};

/// A command that is run before the program is started anew.
#[derive(Debug)]
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
    line: Vec<u8>,
    last: VecDeque<String>,
}

/// So many of the last lines are kept.
const KEPT: usize = 200;

/// A line that is longer is shown in parts.
const LONGEST: usize = 16 * 1024;

impl Printer {
    pub(super) fn new(service: Option<&str>, prefix: &str) -> Self {
        let service = service.map(str::to_owned);
        Self { service, prefix: prefix.to_owned(), line: Vec::new(), last: VecDeque::new() }
    }

    /// Shows the lines that these bytes end.
    pub(super) fn print(&mut self, bytes: &[u8], log: &Log) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(part);
            if part.ends_with(b"\n") || self.line.len() > LONGEST {
                self.finish(log);
            }
        }
    }

    /// Shows what was begun.
    pub(super) fn finish(&mut self, log: &Log) {
        if self.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        // A progress bar overwrites its line again and again; the last state is what matters.
        let line = line.trim_end_matches(['\n', '\r']);
        let line = line.rsplit('\r').next().unwrap_or_default();
        log.write(output(Level::Event, &self.prefix, line).of(self.service.as_deref()));
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }

    /// The last lines.
    pub(super) fn lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}

/// A line that a step wrote.
pub(super) fn output(level: Level, prefix: &str, line: &str) -> Line {
    Line::new(level, Kind::Output, line).with("source", prefix)
}
