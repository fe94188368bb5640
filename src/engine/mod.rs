//! What to do: a state machine that is told what happened and answers with what to do next.
//!
//! Pure: no I/O, no clock, no threads; the time is an argument. [`Event`]s come in, [`Action`]s
//! go out, and the dispatcher that carries them out reports back with further events.

mod backoff;
mod echo;
mod event;
mod exit;
mod machine;

pub use echo::Echo;
pub use event::{Action, Event, Generation, Instance, NotStarted, Outlook};
pub use exit::Exit;
pub use machine::{Engine, Policy, Restart};
