//! When to look, and when what was seen is settled.
//!
//! [`Cadence`] and [`Settle`] decide and are pure; [`watch()`] makes the thread that asks them and
//! looks. It is the only one that touches the watched file system: should that hang, nothing
//! else does.

mod ailments;
mod cadence;
mod settle;
mod watcher;

pub use ailments::Ailments;
pub use cadence::{Cadence, Interval};
pub use settle::{Settle, Verdict};
pub use watcher::{Report, Timing, watch};
