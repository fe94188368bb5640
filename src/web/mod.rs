//! HTTP: a proxy in front of the program that never shows a dead page, and pages about stakeout
//! itself.
//!
//! It is the one room with an async runtime, on a thread of its own that is made only if an address
//! was asked for. It decides nothing about the program: the main thread tells it what browsers may
//! see (`feed`), without ever waiting for it, and it passes requests on as the control socket does.

mod address;
mod ansi;
mod body;
mod csp;
mod decode;
mod document;
mod failure;
mod feed;
mod forward;
mod guard;
mod hop;
mod inject;
mod metrics;
mod own;
mod server;
mod sse;
mod upstream;

pub use address::{Route, Upstream, parse_listen};
pub use failure::{Failure, FailureKind, Output};
pub use feed::{Feed, Gate, Scene};
pub use server::{Setup, serve};
