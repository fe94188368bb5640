//! Doing it: starting, signalling and reaping processes. All of it on the main thread, so that
//! nothing else waits on a child and the parent-death signal is bound to a thread that lives.

mod children;
mod descendants;
mod door;
mod foreground;
mod group;
mod holders;
mod keep;
mod keeper;
mod keyboard;
pub mod notify;
mod output;
mod program;
mod reaper;
pub mod routing;
mod sentinel;
pub mod signals;
mod sockets;
mod spawn;
mod terminal;
mod user;

pub use children::{Children, Reaped};
pub use descendants::Process;
pub use door::Door;
pub use keyboard::{Keyboard, Typed};
pub use output::{Chunk, Output};
pub use program::{Program, Stdin};
pub use sentinel::STOP_TYPED;
pub use sockets::{Address, Socket, listen_tcp};
pub use spawn::Given;
pub use user::User;
