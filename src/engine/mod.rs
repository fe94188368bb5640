//! What to do: a state machine that is told what happened and answers with what to do next.
//!
//! Pure: no I/O, no clock, no threads; the time is an argument. [`Event`]s come in, [`Action`]s
//! go out, and the dispatcher that carries them out reports back with further events.

mod backoff;
mod builder;
mod echo;
mod event;
mod exit;
mod machine;
mod order;
mod outputs;
mod policy;
mod runner;
mod stop;
mod told;
mod up;

pub use builder::OnBusy;
pub use echo::Echo;
pub use event::{
    Action, Event, Failure, Generation, Instance, NotStarted, Note, Outlook, Phase, Request,
};
pub use exit::Exit;
pub use machine::Engine;
pub use order::Order;
pub use outputs::{Heed, Outputs, Quiet};
pub use policy::{OnChange, Policy, Restart};
