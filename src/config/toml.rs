//! TOML, read as far as it can be: its mistakes, and a tree of the rest.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::value::{DEEPEST, Entry, Node, Value};

/// A text as far as it was understood.
pub(super) struct Tree {
    pub root: Node,
    /// Where it was not, and nothing can be said of the keys that seem to be there.
    pub unclear: Vec<Range<usize>>,
}

/// The tree of a text. What could not be understood is left out of it, and is a problem.
pub(super) fn parse(text: &str, problems: &mut Vec<Problem>) -> Tree {
    let (table, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map(|at| at.start));
    let mut unclear: Vec<Range<usize>> = Vec::new();
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        // What follows a mistake in its section is probably the same mistake.
        if unclear.iter().any(|range| range.contains(&at.start)) {
            continue;
        }
        let swallows = is_header(text, at.start);
        if !swallows || unclear.last().is_none_or(|range| range.end != at.start) {
            problems.push(Problem::new(&at, format!("this is no TOML: {}", error.message())));
        }
        if swallows {
            // A header is no mistake: something before it was not closed, and takes in the rest.
            unclear.push(at.start..text.len());
            break;
        }
        // The parser has no kinds of errors to go by.
        match error.message().starts_with("duplicate key") {
            true => unclear.push(at),
            false => unclear.push(at.start..end_of_section(text, at.start)),
        }
    }
    let at = table.span();
    let root = Node { at, value: Value::Table(entries(table.into_inner(), text, 0, problems)) };
    Tree { root, unclear }
}

/// Whether a section's header begins there.
fn is_header(text: &str, at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| text.as_bytes()[before]);
    text.as_bytes().get(at) == Some(&b'[') && before.is_none_or(|byte| byte == b'\n')
}

/// Where the next section begins after a place, or the text ends.
fn end_of_section(text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    let header = rest.windows(2).position(|bytes| bytes == b"\n[");
    header.map_or(text.len(), |newline| from + newline + 1)
}

fn entries(
    table: DeTable<'_>,
    text: &str,
    depth: usize,
    problems: &mut Vec<Problem>,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            at: key.span(),
            key: key.into_inner().into_owned(),
            node: node(value, text, depth + 1, problems),
        })
        .collect();
    // The parser sorts by name; in a file, the order counts.
    entries.sort_by_key(|entry| entry.at.start);
    entries
}

fn node(
    value: Spanned<DeValue<'_>>,
    text: &str,
    depth: usize,
    problems: &mut Vec<Problem>,
) -> Node {
    let at = value.span();
    let value = match value.into_inner() {
        DeValue::Array(_) | DeValue::Table(_) if depth > DEEPEST => {
            problems.push(Problem::new(&at, "this is nested too deeply"));
            Value::Nothing
        }
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(_) | DeValue::Float(_) => Value::Number(written(text, &at)),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| node(item, text, depth + 1, problems));
            Value::List(items.collect())
        }
        DeValue::Table(table) => Value::Table(entries(table, text, depth, problems)),
    };
    Node { at, value }
}

fn written(text: &str, at: &Range<usize>) -> String {
    text.get(at.clone()).unwrap_or_default().to_owned()
}
