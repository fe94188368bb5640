//! How a process ended, and the exit status that stakeout passes on for it.

use std::fmt;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By `exit(3)` with this code, 0 to 255.
    Code(i32),
    /// By a signal of this number.
    Signal(i32),
}

impl Exit {
    /// stakeout itself failed.
    pub const OWN_FAILURE: i32 = 125;

    /// The status to exit with: the code itself, or 128 and the signal's number, as shells do.
    pub fn status(self) -> i32 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        }
    }

    /// Whether it ended well.
    pub fn is_success(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "status {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
