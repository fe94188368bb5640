//! The options of the command line, asked what they make of a file's values.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use super::meant;

/// The definitions of the options, without the environment: that is not what is asked about.
#[derive(Clone, Debug)]
pub struct Options(Command);

/// Why a value does not do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub why: String,
    pub instead: Option<String>,
}

impl Options {
    /// The options that this command defines.
    pub fn new(command: Command) -> Self {
        Self(command.mut_args(|arg| arg.env(None::<&'static str>)))
    }

    /// The definition of one.
    pub(super) fn get(&self, option: &str) -> Option<&Arg> {
        self.0.get_arguments().find(|arg| arg.get_id() == option)
    }

    /// What one is for, in a sentence.
    pub(super) fn about(&self, option: &str) -> Option<String> {
        Some(self.get(option)?.get_help()?.to_string())
    }

    /// Tries a value as if it were typed.
    pub(super) fn check(&self, option: &str, value: &str) -> Result<(), Refusal> {
        if value.contains('\0') {
            return Err(Refusal { why: "it contains a NUL byte".into(), instead: None });
        }
        // What is no option, or only on or off, takes anything that is of the right shape.
        let takes_values = |arg: &&Arg| arg.get_action().takes_values();
        let definition = self.get(option).filter(takes_values);
        let Some((definition, long)) = definition.and_then(|it| Some((it, it.get_long()?))) else {
            return Ok(());
        };
        // Alone, since a file has many values, and each would be tried by all definitions.
        let parser = definition.get_value_parser().clone();
        let alone = Arg::new(long.to_owned()).long(long.to_owned()).value_parser(parser);
        let alone = alone.action(ArgAction::Append);
        let alone = match definition.get_value_delimiter() {
            Some(delimiter) => alone.value_delimiter(delimiter),
            None => alone,
        };
        let words = ["stakeout".to_owned(), format!("--{long}={value}")];
        match Command::new("stakeout").arg(alone).try_get_matches_from(words) {
            Ok(_) => Ok(()),
            Err(error) => {
                let Refusal { why, instead } = refusal(&error);
                Err(Refusal { why, instead: instead.or_else(|| meant::value(option, value)) })
            }
        }
    }

    /// Whether two options exclude each other.
    pub fn conflict(&self, one: &str, other: &str) -> bool {
        let excludes = |a: &str, b: &str| {
            let conflicts = self.get(a).map(|arg| self.0.get_arg_conflicts_with(arg));
            conflicts.is_some_and(|args| args.iter().any(|arg| arg.get_id() == b))
        };
        excludes(one, other) || excludes(other, one)
    }
}

fn refusal(error: &clap::Error) -> Refusal {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let possible = context(ContextKind::ValidValue);
    let why = match (std::error::Error::source(error), error.kind()) {
        (Some(source), _) => source.to_string(),
        (None, ErrorKind::InvalidValue) if !possible.is_empty() => {
            format!("it is none of {}", possible.join(", "))
        }
        (None, ErrorKind::InvalidValue) => "it is empty".into(),
        (None, kind) => kind.to_string(),
    };
    Refusal { why, instead: context(ContextKind::SuggestedValue).into_iter().next() }
}
