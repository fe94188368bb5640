//! Asking a running stakeout how it is, and for things: a unix socket, one line of JSON each way.
//!
//! Only the same user and root are answered, by the kernel's word (SO_PEERCRED, unix(7)). The
//! server has no state of its own; each request goes to the main thread, which answers it.

mod client;
mod place;
mod protocol;
mod server;
mod status;
mod words;

pub use client::{NoAnswer, ask};
pub use place::{Place, candidates};
pub use protocol::{Answer, Ask, Request};
pub use server::{Call, Server};
pub use status::{
    Build, BuildResult, Builds, Cause, Changes, Histogram, Mount, Program, Restarts, SCHEMA,
    Service, Silence, Start, State, Status, Trust, Watching,
};
