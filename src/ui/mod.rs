//! What people read: one line for each event, on standard error.

mod changes;
mod line;
mod log;
pub mod program;
mod progress;
mod screen;
mod style;
pub mod text;
mod write;

pub use changes::{as_json, describe};
pub use line::{Kind, Level, Line};
pub use log::Log;
pub use progress::{Progress, looking};
pub use screen::{Lines, Prefix, Screen};
pub use style::{SCHEMA, Style, Tone};
pub use write::write_all;
