//! Inodes: on which devices their numbers last. Some FUSE servers make them up anew whenever they
//! are asked, and then they tell nothing.

use std::collections::{BTreeMap, HashSet};

use crate::tree::Stamp;

/// In so many looks a device's numbers must have changed, with nothing else, before they leave
/// the stamp. Once could be a file saved again as it was, where times are coarse.
const LOOKS: u32 = 2;

/// Which devices' inode numbers do not last.
#[derive(Debug, Default)]
pub(super) struct Inodes {
    /// In how many looks numbers changed, by device.
    changed: BTreeMap<u32, u32>,
}

impl Inodes {
    /// Whether two stamps are the same, as far as inode numbers can be trusted.
    pub(super) fn same(&self, a: &Stamp, b: &Stamp) -> bool {
        a == b || only_inode_differs(a, b) && self.are_unstable(a.device)
    }

    /// The same for two stamps of what may be missing.
    pub(super) fn same_if_any(&self, a: Option<&Stamp>, b: Option<&Stamp>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => self.same(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// Whether two stamps are of the same file or directory, whatever was done to it.
    pub(super) fn same_file(&self, a: &Stamp, b: &Stamp) -> bool {
        a.device == b.device && (a.inode == b.inode || self.are_unstable(a.device))
    }

    /// Takes note of the devices on which numbers changed in one look.
    pub(super) fn looked(&mut self, changed: &HashSet<u32>) {
        for device in changed {
            *self.changed.entry(*device).or_default() += 1;
        }
    }

    fn are_unstable(&self, device: u32) -> bool {
        self.changed.get(&device).is_some_and(|looks| *looks >= LOOKS)
    }
}

/// Whether nothing but the inode number differs, which on a file system that keeps them can only
/// be another file that was made within one tick of its clock.
pub(super) fn only_inode_differs(a: &Stamp, b: &Stamp) -> bool {
    a.inode != b.inode && *a == Stamp { inode: a.inode, ..*b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_change_alone_leave_the_stamp_of_that_device() {
        let stamp = |device, inode| Stamp { mode: 1, size: 2, mtime: 3, ctime: 4, inode, device };
        let mut inodes = Inodes::default();
        for _ in 0..LOOKS {
            assert!(!inodes.same(&stamp(1, 1), &stamp(1, 2)));
            inodes.looked(&HashSet::from([1]));
        }
        assert!(inodes.same(&stamp(1, 1), &stamp(1, 2)));
        assert!(!inodes.same(&stamp(2, 1), &stamp(2, 2)), "another device");
        assert!(!inodes.same(&stamp(1, 1), &stamp(2, 1)));
        let touched = Stamp { ctime: 5, ..stamp(1, 2) };
        assert!(!inodes.same(&stamp(1, 1), &touched));
    }
}
