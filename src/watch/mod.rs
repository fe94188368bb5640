//! When to look, and when what was seen is settled.
//!
//! [`Cadence`], [`Agenda`], [`Trusts`], [`HotSet`], [`Settle`] and [`Silence`] decide and are pure;
//! [`watch()`] makes the thread that asks them and looks, and another that sees to it that the
//! first is not stuck. It is the only one that touches the watched file system: should that hang,
//! nothing else does. Native events (`native`) are hints: they only make it look at once. A third
//! thread reads them as they come (`queue`).

mod agenda;
mod ailments;
mod answers;
mod bell;
mod cadence;
mod hot;
mod inbox;
mod native;
mod queue;
mod reading;
mod report;
mod settle;
mod silence;
mod tally;
mod trust;
mod watcher;

pub use agenda::{Agenda, Due};
pub use ailments::Ailments;
pub use cadence::{Cadence, Interval};
pub use hot::HotSet;
pub use native::{Trial, try_events};
pub use reading::{EVERY as TELL_EVERY, PATIENCE as TELL_AFTER};
pub use report::{Report, Timing};
pub use settle::{Settle, Verdict};
pub use silence::{Said, Silence};
pub use tally::Tally;
pub use trust::{Mode, Trusts, Verdict as TrustVerdict};
pub use watcher::{SAFETY_NET, Watching, watch};
