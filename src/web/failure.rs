//! A failure that a browser shows: what went wrong, and what was written about it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ansi::{self, Span};
use crate::ready::Tail;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// In a sentence.
    pub title: String,
    /// What was written last.
    pub output: Output,
}

/// What was written, a line each, with the colours of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// This.
    Lines(Vec<String>),
    /// What a program writes, which may still be on its way when the program has ended.
    Tail(Tail),
}

/// So many bytes of what was written are shown: each request makes a page of them.
const SHOWN: usize = 64 * 1024;

/// How long what a program wrote last may be on its way.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Output {
    /// The last lines, as much of them as a page can show.
    fn lines(&self) -> Vec<String> {
        let lines = match self {
            Self::Lines(lines) => lines.clone(),
            Self::Tail(tail) => tail.lines(),
        };
        let mut left = SHOWN;
        let fits = |line: &String| {
            left = left.saturating_sub(line.len() + 1);
            left > 0
        };
        let lines = lines.into_iter().rev().map(|line| end_of(&line).to_owned());
        let mut shown: Vec<String> = lines.take_while(fits).collect();
        shown.reverse();
        shown
    }
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A step of the build failed.
    BuildFailed,
    /// The program ended, or could not be started.
    ProgramEnded,
    /// It took too long.
    NotReady,
    /// The program runs, and nothing listens where it should.
    NotListening,
    /// The program hung up in the middle of an answer.
    HungUp,
}

impl Failure {
    /// A failure about which nothing was written.
    pub fn new(kind: FailureKind, title: impl Into<String>) -> Self {
        Self { kind, title: title.into(), output: Output::Lines(Vec::new()) }
    }

    /// Waits until all is there that was written about it.
    pub(super) async fn complete(&self) {
        if let Output::Tail(_) = self.output {
            sleep(LAST_WORDS).await;
        }
    }

    /// Tells it from others.
    pub(super) fn id(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (&self.title, self.output.lines()).hash(&mut hasher);
        format!("{:x}", hasher.finish())
    }

    /// For the script that shows it over a page: lines of spans, each with its classes.
    pub(super) fn for_script(&self) -> Value {
        let span = |Span { text, class }: Span| json!([text, class]);
        let line = |line: &String| ansi::spans(line).into_iter().map(span).collect::<Vec<_>>();
        json!({
            "id": self.id(),
            "title": self.title,
            "lines": self.output.lines().iter().map(line).collect::<Vec<_>>(),
        })
    }

    /// For programs.
    pub(super) fn for_programs(&self) -> Value {
        let plain = |line: &String| ansi::spans(line).into_iter().map(|span| span.text).collect();
        json!({
            "error": self.kind,
            "message": self.title,
            "output": self.output.lines().iter().map(plain).collect::<Vec<String>>(),
        })
    }

    /// As HTML: what was written, escaped, with its colours.
    pub(super) fn as_html(&self) -> String {
        let mut html = String::new();
        for line in &self.output.lines() {
            for Span { text, class } in ansi::spans(line) {
                let text = escape(&text);
                html += &match class.as_str() {
                    "" => text,
                    class => format!("<span class=\"{class}\">{text}</span>"),
                };
            }
            html.push('\n');
        }
        html
    }
}

/// The end of a line that is too long to be shown.
fn end_of(line: &str) -> &str {
    const LONGEST: usize = SHOWN / 4;
    let mut starts = line.char_indices().map(|(start, _)| start);
    let start = starts.find(|start| line.len() - start <= LONGEST).unwrap_or_default();
    &line[start..]
}

/// Text within HTML, or within a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_that_was_written_the_end_is_shown() {
        let lines = (0..20_000).map(|number| format!("line {number}")).chain(["é".repeat(SHOWN)]);
        let output = Output::Lines(lines.collect());
        let failure = Failure { output, ..Failure::new(FailureKind::BuildFailed, "no") };
        let html = failure.as_html();
        assert!(html.len() <= SHOWN && html.contains("line 19999\n"), "{} bytes", html.len());
        assert!(!html.contains("line 1\n"));
    }

    #[test]
    fn nothing_that_was_written_is_markup() {
        let output =
            Output::Lines(vec!["\u{1b}[31m<script>alert(1)</script>\u{1b}[0m & \"x\"".to_owned()]);
        let failure = Failure { output, ..Failure::new(FailureKind::BuildFailed, "no") };
        assert_eq!(
            failure.as_html(),
            "<span class=\"f1\">&lt;script&gt;alert(1)&lt;/script&gt;</span> &amp; &quot;x&quot;\n"
        );
        assert_eq!(failure.for_programs()["output"][0], "<script>alert(1)</script> & \"x\"");
        assert_eq!(failure.for_programs()["error"], "build_failed");
        assert_eq!(failure.for_script()["lines"][0][0][1], "f1");
    }
}
