//! The binary with real programs on real trees, waiting on what it says and does.

mod bad_input;
mod choosing;
mod descendants;
mod ending;
mod pid1;
mod restarting;
mod scan;
mod support;
