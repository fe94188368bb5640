//! What can be typed about which files count, and how lists of globs are taken apart.

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::scan::{GlobError, Selection};

/// Which files count.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing files")]
pub struct Choice {
    /// Watch only files with these extensions, for example rs,toml
    #[arg(short, long, value_name = "LIST", env = "STAKEOUT_EXTS", value_parser = extensions)]
    pub exts: Vec<String>,

    /// Watch only files that match; with --exts, these as well
    ///
    /// Globs are written as in .gitignore, and matched against paths as they are shown. Several
    /// are separated by commas, or given one by one.
    #[arg(short, long, value_name = "GLOB", env = "STAKEOUT_FILTER", value_parser = globs)]
    pub filter: Vec<String>,

    /// Leave out what matches; a leading ! keeps what would be left out otherwise
    #[arg(short, long, value_name = "GLOB", env = "STAKEOUT_IGNORE", value_parser = globs)]
    pub ignore: Vec<String>,

    /// Do not leave out what .gitignore, .ignore, .stakeoutignore and the built-in list name
    /// (node_modules, target, __pycache__, editors' swap and backup files and the like); .git is
    /// left out all the same
    #[arg(long, env = "STAKEOUT_NO_IGNORE", value_parser = BoolishValueParser::new())]
    pub no_ignore: bool,

    /// Let links count as the files and directories that they lead to, which may lie anywhere
    ///
    /// Without it a link is one, wherever it leads. One that leads to nothing, or back to a
    /// directory that it lies in, is one in any case.
    #[arg(long, env = "STAKEOUT_FOLLOW_SYMLINKS", value_parser = BoolishValueParser::new())]
    pub follow_symlinks: bool,
}

/// The items of a list, separated by commas that are not within braces or brackets, as in
/// `*.{js,ts},docs/`. A backslash makes the next character an ordinary one.
pub fn split_list(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0_usize;
    let mut characters = list.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let item = items.last_mut().expect("it starts with one");
        item.push(character);
        if character == '\\' {
            item.extend(characters.next());
        }
    }
    // An opening bracket that is never closed belongs to a glob that will be refused.
    items.into_iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// A list of extensions, as it is.
fn extensions(list: &str) -> Result<String, String> {
    checked(list, |item| Selection::new(&[item], &[]))
}

/// A list of globs, as it is.
pub fn globs(list: &str) -> Result<String, String> {
    checked(list, |item| Selection::new(&[], &[item]))
}

/// A list of which each item can be understood.
fn checked<T>(
    list: &str,
    understand: impl Fn(String) -> Result<T, GlobError>,
) -> Result<String, String> {
    let items = split_list(list);
    let is_one = items.len() == 1;
    for item in items {
        understand(item).map_err(|GlobError { glob, reason }| match is_one {
            true => reason,
            false => format!("`{glob}`: {reason}"),
        })?;
    }
    Ok(list.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_commas_outside_of_braces() {
        assert_eq!(split_list("rs, toml,,"), ["rs", "toml"]);
        assert_eq!(split_list("*.{js,ts},docs/[a,b]"), ["*.{js,ts}", "docs/[a,b]"]);
        assert_eq!(split_list(r"a\,b"), [r"a\,b"]);
    }
}
