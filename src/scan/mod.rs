//! Reading a tree into a snapshot, again and again, at the cost of one `fstatat(2)` a file.
//!
//! [`Scanner`] is the fast path: it keeps what it saw and on each [`Scanner::look`] stats every
//! known entry, lists only directories that were touched, and reads only files that were.
//! [`reference`](mod@reference) is the slow path that tests (and `stakeout scan --verify`) compare it with.
//!
//! What makes it right is spelled out where it happens: `check` (what counts as untouched),
//! `list` (what is in a directory), `content` (what a file holds), `mount` (what the file
//! system can be trusted with), `rules` (what is left out), `filter` (what of it concerns a service).
//!
//! This room only reads, and it follows no symbolic link below a root unless asked to (`follow`).

mod baseline;
mod breadth;
mod check;
mod content;
mod effort;
mod filter;
mod follow;
mod forest;
mod gitignore;
mod inodes;
mod known;
mod list;
mod mount;
mod mounts;
mod names;
mod open;
mod plan;
mod publish;
mod pulse;
mod racy;
pub mod reference;
mod relist;
mod root;
mod rules;
mod scanner;
mod scope;
mod shelf;
mod shelves;
mod stem;
mod sweep;
mod touched;
mod trouble;
mod way;
mod wildmatch;

pub use breadth::Breadth;
pub use filter::Filter;
pub use plan::{GlobError, Plan, Root, Selection};
pub use pulse::Pulse;
pub use rules::RULE_FILES;
pub use scanner::{Look, Scanner};
pub use scope::{Directory, MountId, Scope};
pub use shelves::most_directories;
pub use trouble::{Trouble, Verb, reason};
