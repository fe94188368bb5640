//! air's configuration (.air.toml), taken as what it means here.
//!
//! A key that is given wins. A key that is missing has air's default where that says what the
//! project is (which files count, how it is built), and ours where it says how to go about it:
//! SIGTERM and some time instead of a kill at once, 100 ms of quiet instead of a second.
//! tests/config/air.rs has the table.

mod files;
mod globs;
mod keys;
mod project;
mod values;

pub use keys::names;

use super::model::Config;
use super::options::Options;
use super::problem::Problem;
use super::toml;
use project::Project;
use values::Values;

/// What an .air.toml means.
#[derive(Debug)]
pub struct Import {
    /// As a stakeout.toml would say it.
    pub config: Config,
    /// Keys that were set and have no meaning here.
    pub passed_over: Vec<String>,
}

/// What this text of an .air.toml means.
///
/// # Errors
/// With every value that is not what air takes, and what is no TOML.
pub fn import(text: &str, options: &Options) -> Result<Import, Vec<Problem>> {
    let mut problems = Vec::new();
    let tree = toml::parse(text, &mut problems);
    let mut values = Values::new(&tree.root, &mut problems);
    let config = Project::new(&mut values, options).config();
    let passed_over = values.passed_over();
    match problems.is_empty() {
        true => Ok(Import { config, passed_over }),
        false => {
            problems.sort_by_key(|problem| problem.at.start);
            Err(problems)
        }
    }
}
