//! What people read: one line for each event, on standard error.

mod bar;
mod changes;
mod indicator;
mod line;
mod log;
pub mod program;
mod progress;
mod screen;
mod style;
mod terminal;
pub mod text;
mod write;
mod writer;

pub use bar::{Reached, looking, reading};
pub use changes::{as_json, describe};
pub use line::{Kind, Level, Line};
pub use log::Log;
pub use progress::Progress;
pub use screen::{Lines, Prefix, Screen};
pub use style::{SCHEMA, Style, Tone};
pub use terminal::Terminal;
pub use write::write_all;
