//! When to look, and when what was seen is settled.
//!
//! [`Cadence`], [`Settle`] and [`Silence`] decide and are pure; [`watch()`] makes the thread that
//! asks them and looks, and another that sees to it that the first is not stuck. It is the only one that touches the watched file system: should that hang, nothing
//! else does.

mod ailments;
mod cadence;
mod settle;
mod silence;
mod watcher;

pub use ailments::Ailments;
pub use cadence::{Cadence, Interval};
pub use settle::{Settle, Verdict};
pub use silence::{Said, Silence};
pub use watcher::{Report, Timing, watch};
