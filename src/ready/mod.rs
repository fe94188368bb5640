//! Readiness: finding out from outside when a program does what it is there for.

mod http;
mod probe;
mod tail;
mod tee;

pub use probe::{Probe, Watch, watch};
pub use tail::Tail;
pub use tee::tee;
