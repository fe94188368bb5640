//! Where what programs write is shown: as it is, or line by line after a prefix.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::SystemTime;

use super::line::{Kind, Line};
use super::style::Style;
use super::terminal::Terminal;
use super::write_all;

/// A line that is longer is shown in parts.
const LONGEST: usize = 16 * 1024;

/// Puts lines together from what comes in pieces.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes a piece, and hands out the lines that it ends.
    pub fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend(part);
            if part.ends_with(b"\n") || self.begun.len() > LONGEST {
                self.finish(&mut each);
            }
        }
    }

    /// Hands out the line that was begun, if there is one.
    pub fn finish(&mut self, mut each: impl FnMut(&str)) {
        if self.begun.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.begun);
        let line = String::from_utf8_lossy(&line);
        // A progress bar overwrites its line again and again; the last state is what matters.
        let line = line.trim_end_matches(['\n', '\r']);
        each(line.rsplit('\r').next().unwrap_or_default());
    }
}

/// One of our own outputs, as a program's.
#[derive(Debug)]
pub struct Screen<F> {
    output: F,
    prefix: Option<Prefix>,
    /// What the output leads to, if something may be drawn there.
    terminal: Option<Arc<Terminal>>,
}

/// What is put in front of each line.
#[derive(Debug)]
pub struct Prefix {
    /// How lines look.
    pub style: Style,
    /// Whose they are.
    pub service: String,
    /// `stdout` or `stderr`.
    pub source: &'static str,
    /// The line that was begun.
    pub lines: Lines,
}

impl<F: AsFd> Screen<F> {
    /// Shows everything there, as it is.
    pub fn new(output: F) -> Self {
        Self { output, prefix: None, terminal: None }
    }

    /// Shows each line there, after a prefix. On this terminal, something may be drawn below.
    pub fn marked(output: F, prefix: Prefix, terminal: Option<Arc<Terminal>>) -> Self {
        let terminal = terminal.filter(|terminal| terminal.is_at(&output));
        Self { output, prefix: Some(prefix), terminal }
    }

    /// Shows what was written, or the lines that it ends. Nobody may read there any more, and
    /// the program goes on all the same.
    pub fn write(&mut self, bytes: &[u8]) {
        let Self { output, prefix, terminal } = self;
        match prefix {
            None => _ = write_all(output, bytes),
            Some(Prefix { style, service, source, lines }) => lines.take(bytes, |line| {
                show(&*output, terminal.as_deref(), &render(*style, service, source, line));
            }),
        }
    }

    /// Shows the line that was begun.
    pub fn finish(&mut self) {
        let Self { output, prefix, terminal } = self;
        if let Some(Prefix { style, service, source, lines }) = prefix {
            lines.finish(|line| {
                show(&*output, terminal.as_deref(), &render(*style, service, source, line));
            });
        }
    }
}

fn render(style: Style, service: &str, source: &str, line: &str) -> String {
    let mut line = Line::event(Kind::Output, line).of(Some(service));
    if style == Style::Json {
        line = line.with("source", source);
    }
    style.render(&line, SystemTime::now())
}

fn show(output: impl AsFd, terminal: Option<&Terminal>, line: &str) {
    match terminal {
        Some(terminal) => terminal.write(output, line.as_bytes()),
        None => _ = write_all(output, line.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn shown(style: Style, pieces: &[&[u8]]) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let prefix =
            Prefix { style, service: "web".into(), source: "stdout", lines: Lines::default() };
        let mut screen = Screen::marked(writer, prefix, None);
        pieces.iter().for_each(|piece| screen.write(piece));
        screen.finish();
        drop(screen);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn lines_are_whole_and_after_their_prefix() {
        let plain = Style::Human { colour: false, time: false, width: 0 };
        let pieces: [&[u8]; 3] = [b"one\nt", b"wo\r\n 10%\r100%", b"\nend\xff"];
        assert_eq!(shown(plain, &pieces), "web | one\nweb | two\nweb | 100%\nweb | end\u{fffd}\n");
    }

    #[test]
    fn a_line_that_does_not_end_is_cut() {
        let plain = Style::Human { colour: false, time: false, width: 0 };
        let text = shown(plain, &[&[b'x'; 40 * 1024]]);
        assert_eq!(text.lines().count(), 1);
        let text = shown(plain, &[&[b'x'; LONGEST + 1], &[b'x'; 5]]);
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn programs_read_whose_it_is() {
        let text = shown(Style::Json, &[b"one\n"]);
        assert!(text.contains(r#""service":"web","message":"one","source":"stdout"}"#), "{text}");
    }
}
