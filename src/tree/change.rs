//! A change: one difference between two snapshots.

use super::{Entry, Place};

/// What happened to one entry, with what it takes to do the same to the older snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Created {
        /// Where.
        place: Place,
        /// What is there now.
        entry: Entry,
    },
    /// Its content, kind, executable bit or link target is another.
    Modified {
        /// Where.
        place: Place,
        /// What is there now.
        entry: Entry,
    },
    /// It is gone.
    Removed {
        /// Where it was.
        place: Place,
    },
    /// It has the same content under another path, and the old path is gone.
    Renamed {
        /// Where it was.
        from: Place,
        /// Where it is.
        to: Place,
        /// What is there now.
        entry: Entry,
    },
}

impl Change {
    /// Where the change is to be seen now; for a removed entry, where it was.
    pub fn place(&self) -> &Place {
        match self {
            Change::Created { place, .. }
            | Change::Modified { place, .. }
            | Change::Removed { place } => place,
            Change::Renamed { to, .. } => to,
        }
    }
}
