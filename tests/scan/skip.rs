//! Tests that are skipped where something that they need is missing.

use std::cell::Cell;
use std::io::Write;

thread_local! {
    /// Each test has a thread of its own.
    static IS_SAID: Cell<bool> = const { Cell::new(false) };
}

/// Says which test is skipped and why; where all tests have to run, that is a failure.
///
/// What is printed by macros is shown of tests that fail only. This is not.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let line = format!("skipped: {}: {why}\n", thread.name().unwrap_or("a test"));
    assert!(std::env::var_os("CI_ALL_TESTS").is_none(), "{line}");
    if !IS_SAID.replace(true) {
        _ = std::io::stderr().write_all(line.as_bytes());
    }
}
