//! Readiness: finding out from outside when a program does what it is there for.

mod http;
mod probe;
mod tail;
mod tee;
mod watch;

pub use probe::Probe;
pub use tail::{KEPT, Tail};
pub use tee::tee;
pub use watch::{Seen, Watch, pause, watch};
