//! The binary with real programs on real trees, waiting on what it says and does.

mod auto;
mod bad_input;
mod building;
mod choosing;
mod configuring;
mod control;
mod crashing;
mod crowds;
mod descendants;
mod ending;
mod git;
mod go;
mod identity;
mod log;
mod pid1;
mod restarting;
mod rules;
mod scan;
mod services;
mod serving;
mod settling;
mod signals;
mod smoke;
mod support;
mod terminal;
mod verbs;
