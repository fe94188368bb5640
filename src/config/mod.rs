//! Configuration files: `stakeout.toml`, the same as YAML, and air's `.air.toml`.
//!
//! What a file says is another way of typing options: nearly every key stands for an option of the
//! command line, is checked as that option is, and becomes its default. So the command line and
//! the environment are stronger than a file, and no option means two things.
//!
//! Text goes through two steps, so that every mistake is told at once: a grammar (`toml`, `yaml`)
//! makes a tree of values that know where they stand, and `read` holds that tree against the `keys`
//! there are. Both are pure: text in, a [`Config`] or [`Problems`] out.

pub mod air;
pub mod detect;
pub mod find;
mod keys;
mod meant;
mod model;
mod options;
mod problem;
mod read;
mod schema;
mod toml;
mod value;
pub mod write;
mod yaml;

pub use keys::{Key, OUTPUT, PROXY, SERVICE, Shape, WATCH};
pub use model::{Action, Config, Given, Kind, Named, Place, Rule, Service, Setting};
pub use options::Options;
pub use problem::{Problem, Problems};
pub use read::{Language, read};
pub use schema::schema;
