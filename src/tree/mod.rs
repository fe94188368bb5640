//! What a source tree held at one moment, and how two moments differ.
//!
//! Everything here is memory only: no I/O, no clock, no threads. [`Snapshot`] is the tree,
//! [`Entry`] one file or symbolic link in it, [`diff()`] the way from one snapshot to another.
//!
//! As in git, a directory is not content: it exists through what it holds. Making or removing an
//! empty one is no change, and neither FIFOs, sockets nor devices are entries at all (a program
//! that creates its own socket in the tree must not restart itself).

mod change;
mod diff;
mod digest;
mod dir;
mod entry;
mod snapshot;

pub use change::Change;
pub use diff::{apply, diff};
pub use digest::Digest;
pub use dir::Dir;
pub use entry::{Entry, File, Link, Stamp};
pub use snapshot::{Place, Snapshot};
