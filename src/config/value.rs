//! A value: what a grammar makes of a text, before it is known what it should be.

use std::ops::Range;

/// A value and which bytes of the text it is.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Range<usize>,
    pub value: Value,
}

/// What TOML and YAML have in common.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// As it is written: what it counts is for whoever wants a number.
    Number(String),
    Flag(bool),
    List(Vec<Node>),
    /// In the order of the text.
    Table(Vec<Entry>),
    /// A key without a value, as YAML has it.
    Nothing,
    /// A date or a time.
    Date,
}

/// One key of a table with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub at: Range<usize>,
    pub node: Node,
}

/// The deepest nesting of lists and tables. No file of ours needs more than four; without a limit,
/// whoever walks a tree could run out of stack.
pub(super) const DEEPEST: usize = 32;

impl Value {
    /// What it is, for whoever expected something else.
    pub fn noun(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::Number(_) => "a number",
            Value::Flag(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Nothing => "nothing",
            Value::Date => "a date",
        }
    }
}
