//! What people read: one line for each event, on standard error.

mod changes;
mod line;
mod log;
pub mod program;
mod style;
pub mod text;
mod write;

pub use changes::describe;
pub use line::{Kind, Level, Line};
pub use log::Log;
pub use style::{SCHEMA, Style};
pub use write::write_all;
