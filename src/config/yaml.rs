//! YAML, as far as it says the same as TOML: one document of tables with texts as keys. Merge keys
//! (`<<`, yaml.org/type/merge.html) are read, since compose files have them.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::problem::Problem;
use super::value::{DEEPEST, Entry, Node, Value};

/// The most values that aliases may make of a text, so that a short one cannot fill the memory.
const MOST: usize = 100_000;

/// The tree of a text, up to where it can be understood.
pub(super) fn parse(text: &str, problems: &mut Vec<Problem>) -> Node {
    let mut tree = Tree::new(text);
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => tree.take(event, &span, problems),
            Err(error) => {
                let at = tree.byte(error.marker().index());
                Err(Problem::new(&(at..at), format!("this is no YAML: {}", error.info())))
            }
        };
        if let Err(problem) = step {
            problems.push(problem);
            break;
        }
    }
    tree.finish(problems)
}

/// What has been read so far.
struct Tree {
    /// Where each character of the text begins, in bytes: the parser counts characters.
    bytes: Vec<usize>,
    /// The lists and tables that are still open, the outermost first.
    open: Vec<Open>,
    /// Values that have a name (`&name`), to be used again (`*name`).
    named: HashMap<usize, Node>,
    /// How many values there are.
    count: usize,
    documents: usize,
    root: Option<Node>,
}

/// A list or a table that is not complete.
struct Open {
    at: Range<usize>,
    name: usize,
    what: Inside,
}

enum Inside {
    List(Vec<Node>),
    /// With the key that waits for its value.
    Table(Table),
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    /// The key that waits for its value.
    key: Option<(String, Range<usize>)>,
    /// What a merge key has named: entries that count where there are no others of their name.
    merged: Vec<Entry>,
}

impl Table {
    /// Takes what a merge key names: a table, or several of which the first is the strongest.
    fn merge(&mut self, node: Node) -> Result<(), Problem> {
        let wrong = |node: &Node| {
            let what = format!("`<<` takes in tables, and this is {}", node.value.noun());
            let help = "name one by an alias, for example <<: *base".to_owned();
            Err(Problem::new(&node.at, what).with_help(Some(help)))
        };
        let tables = match node.value {
            Value::List(items) => items,
            _ => vec![node],
        };
        for node in tables {
            match node.value {
                Value::Table(entries) => self.merged.extend(entries),
                _ => return wrong(&node),
            }
        }
        Ok(())
    }

    fn complete(mut self) -> Value {
        for entry in self.merged {
            if !self.entries.iter().any(|own| own.key == entry.key) {
                self.entries.push(entry);
            }
        }
        Value::Table(self.entries)
    }
}

impl Inside {
    fn complete(self) -> Value {
        match self {
            Inside::List(items) => Value::List(items),
            Inside::Table(table) => table.complete(),
        }
    }
}

impl Tree {
    fn new(text: &str) -> Self {
        let ends = [text.len()];
        Self {
            bytes: text.char_indices().map(|(byte, _)| byte).chain(ends).collect(),
            open: Vec::new(),
            named: HashMap::new(),
            count: 0,
            documents: 0,
            root: None,
        }
    }

    fn byte(&self, character: usize) -> usize {
        self.bytes.get(character).or(self.bytes.last()).copied().unwrap_or_default()
    }

    /// An error ends the reading: what follows could mean anything.
    fn take(
        &mut self,
        event: Event<'_>,
        span: &Span,
        problems: &mut Vec<Problem>,
    ) -> Result<(), Problem> {
        let at = self.byte(span.start.index())..self.byte(span.end.index());
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Problem::new(&at, "a second document begins here; one is read"));
                }
            }
            Event::Scalar(text, style, name, _) => {
                let value = match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => Value::Text(text.into_owned()),
                };
                self.add(Node { at, value }, name, problems)?;
            }
            Event::Alias(name) => {
                let node = self.named.get(&name).cloned();
                let node = node.ok_or_else(|| Problem::new(&at, "this alias names nothing yet"))?;
                self.count += size(&node);
                self.add(Node { at, value: node.value }, 0, problems)?;
            }
            Event::SequenceStart(name, _) => self.enter(at, name, Inside::List(Vec::new()))?,
            Event::MappingStart(name, _) => {
                self.enter(at, name, Inside::Table(Table::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let value = open.what.complete();
                    let at = open.at.start..at.end.max(open.at.start);
                    self.add(Node { at, value }, open.name, problems)?;
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn enter(&mut self, at: Range<usize>, name: usize, what: Inside) -> Result<(), Problem> {
        if self.open.len() >= DEEPEST {
            return Err(Problem::new(&at, "this is nested too deeply"));
        }
        self.open.push(Open { at, name, what });
        Ok(())
    }

    /// Puts a value where it belongs: into the list that is open, or as a key or a value into the
    /// table that is.
    fn add(&mut self, node: Node, name: usize, problems: &mut Vec<Problem>) -> Result<(), Problem> {
        self.count += 1;
        if self.count > MOST {
            return Err(Problem::new(&node.at, format!("there are over {MOST} values")));
        }
        if name != 0 {
            if depth(&node) + self.open.len() > DEEPEST {
                return Err(Problem::new(&node.at, "this is nested too deeply"));
            }
            self.named.insert(name, node.clone());
        }
        let Some(Open { what, .. }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match what {
            Inside::List(items) => items.push(node),
            Inside::Table(table) => match table.key.take() {
                None => table.key = Some((text_of_key(&node, problems), node.at)),
                Some((key, _)) if key == "<<" => problems.extend(table.merge(node).err()),
                Some((key, at)) if table.entries.iter().any(|entry| entry.key == key) => {
                    problems.push(Problem::new(&at, format!("`{key}` is there twice")));
                }
                Some((key, at)) => table.entries.push(Entry { key, at, node }),
            },
        }
        Ok(())
    }

    /// The root: after a mistake, with what was complete before it.
    fn finish(mut self, problems: &mut Vec<Problem>) -> Node {
        while let Some(Open { at, what, .. }) = self.open.pop() {
            if self.add(Node { at, value: what.complete() }, 0, problems).is_err() {
                break;
            }
        }
        self.root.unwrap_or(Node { at: 0..0, value: Value::Nothing })
    }
}

fn text_of_key(node: &Node, problems: &mut Vec<Problem>) -> String {
    match &node.value {
        Value::Text(text) | Value::Number(text) => text.clone(),
        Value::Flag(flag) => flag.to_string(),
        value => {
            let what = format!("a key is a text, and this is {}", value.noun());
            problems.push(Problem::new(&node.at, what));
            String::new()
        }
    }
}

/// What a scalar without quotes is, by the core schema (yaml.org/spec/1.2.2, 10.3.2).
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Nothing,
        "true" | "True" | "TRUE" => Value::Flag(true),
        "false" | "False" | "FALSE" => Value::Flag(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let begins = text.trim_start_matches(['-', '+', '.']).starts_with(|c: char| c.is_ascii_digit());
    begins && (text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o"))
}

/// How many values there are in one, itself included.
fn size(node: &Node) -> usize {
    1 + children(node).map(size).sum::<usize>()
}

/// How many lists and tables are inside each other.
fn depth(node: &Node) -> usize {
    match node.value {
        Value::List(_) | Value::Table(_) => 1 + children(node).map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn children(node: &Node) -> Box<dyn Iterator<Item = &Node> + '_> {
    match &node.value {
        Value::List(items) => Box::new(items.iter()),
        Value::Table(entries) => Box::new(entries.iter().map(|entry| &entry.node)),
        _ => Box::new(std::iter::empty()),
    }
}
