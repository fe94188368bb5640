//! What people read: one line for each event, on standard error.

mod changes;
mod log;
pub mod program;
pub mod text;
mod write;

pub use changes::describe;
pub use log::{Level, Log};
pub use write::write_all;
