//! A problem: what is wrong with a configuration file, where, and what was probably meant.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::path::PathBuf;

use crate::ui::text;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which bytes of the text it is about.
    pub at: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Problem {
    pub(super) fn new(at: &Range<usize>, what: impl Into<String>) -> Self {
        Self { at: at.clone(), what: what.into(), help: None }
    }

    pub(super) fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// All mistakes of a file, to be shown with the lines that they are in.
#[derive(Debug)]
pub struct Problems {
    /// Which file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// At least one.
    pub list: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl Display for Problems {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let file = text::path(&self.file);
        write!(f, "{} in {file}", text::count(self.list.len(), "problem"))?;
        for problem in &self.list {
            let line = Line::of(&self.text, &problem.at);
            write!(f, "\n\n{file}:{}:{}: {}", line.number, line.column, problem.what)?;
            let margin = " ".repeat(line.number.to_string().len());
            write!(f, "\n  {} | {}", line.number, line.shown)?;
            write!(f, "\n  {margin} | {}{}", " ".repeat(line.indent), "^".repeat(line.width))?;
            if let Some(help) = &problem.help {
                write!(f, "\n  {margin} = {help}")?;
            }
        }
        Ok(())
    }
}

/// The line that a place begins in, as it is shown with a mark below.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub number: usize,
    /// In characters, from 1, as editors count.
    pub column: usize,
    shown: String,
    indent: usize,
    width: usize,
}

/// How much of a long line is shown, before the place and from there on.
const BEFORE: usize = 40;
const AFTER: usize = 60;

impl Line {
    pub fn of(text: &str, at: &Range<usize>) -> Self {
        let start = boundary(text, at.start);
        let end = boundary(text, at.end.max(start));
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &text[begin..];
        let line = rest.lines().next().unwrap_or_default();
        let before = text[begin..start].chars().count();
        let marked = text[start..end.min(begin + line.len()).max(start)].chars().count();
        let skipped = before.saturating_sub(BEFORE);
        // Without control characters, which would move the mark or the cursor.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            number: text[..begin].matches('\n').count() + 1,
            column: before + 1,
            shown: line.chars().skip(skipped).take(BEFORE + AFTER).map(plain).collect(),
            indent: before - skipped,
            width: marked.clamp(1, AFTER),
        }
    }
}

/// The last place up to this one at which a character begins or the text ends.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Which of the words that there are was probably meant.
pub(super) fn nearest<'a>(
    typed: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_lowercase().replace('_', "-");
    let near = words.into_iter().map(|word| (strsim::damerau_levenshtein(&typed, word), word));
    let best = near.min_by_key(|(distance, _)| *distance)?;
    let enough = (typed.chars().count() / 3).clamp(1, 3);
    (best.0 <= enough).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_column_in_characters() {
        let text = "a = 1\r\nü = \t\"x\"\n";
        let at = text.find('"').unwrap();
        let line = Line::of(text, &(at..at + 3));
        assert_eq!((line.number, line.column), (2, 6));
        assert_eq!((line.shown.as_str(), line.indent, line.width), ("ü =  \"x\"", 5, 3));
        // The end of the text, and what is beyond it, is on the last line.
        let end = Line::of(text, &(text.len()..text.len() + 9));
        assert_eq!((end.number, end.column, end.width), (3, 1, 1));
    }

    #[test]
    fn of_a_long_line_what_surrounds_the_place_is_shown() {
        let text = format!("{}!{}", "a".repeat(1000), "b".repeat(1000));
        let line = Line::of(&text, &(1000..1001));
        assert_eq!(line.column, 1001);
        assert_eq!(line.shown.chars().nth(line.indent), Some('!'));
        assert!(line.shown.len() <= BEFORE + AFTER);
    }

    #[test]
    fn a_suggestion_is_near_or_none() {
        let words = ["interval", "include", "mode"];
        assert_eq!(nearest("intervall", words), Some("interval"));
        assert_eq!(nearest("Mode", words), Some("mode"));
        assert_eq!(nearest("mdoe", words), Some("mode"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest("", words), None);
    }
}
