//! Configuration files: what they mean, and what is said of mistakes in them.

mod air;
mod every_key;
mod init;
mod keys;
mod problems;
mod random;
mod reading;
mod running;
mod schema;
#[path = "../scan/skip.rs"]
mod skip;
#[allow(dead_code, reason = "the tests of runs use the rest")]
#[path = "../run/support.rs"]
mod support;

use stakeout::config::{Config, Language, Options, Problem, read};

fn options() -> Options {
    Options::new(stakeout::cli::definitions())
}

fn toml(text: &str) -> Result<Config, Vec<Problem>> {
    read(text, Language::Toml, &options())
}

fn yaml(text: &str) -> Result<Config, Vec<Problem>> {
    read(text, Language::Yaml, &options())
}
