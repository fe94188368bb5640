//! A mount: what the file system an entry lies on can be trusted with, by its `statfs(2)` type.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::open::Freshness;
use crate::tree::Stamp;

/// What is known of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mount {
    /// A local file system of this kernel: timestamps advance at least with every timer tick,
    /// and a directory's own times change whenever a name in it does.
    Local,
    /// A share, or one that is not known here: directory times may be cached or missing.
    Foreign,
    /// A share whose attributes the kernel keeps for up to a minute without asking (nfs(5),
    /// acregmax and acdirmax).
    Nfs,
    /// Made up by the kernel (`/proc`, `/sys`, cgroups, …): endless, and nobody's source code.
    Pseudo,
}

// linux/magic.h and the file systems' own sources; the type is an unsigned 32-bit number, which
// some architectures store in a signed word.
const LOCAL: [u32; 9] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    0x794c_7630, // overlayfs
    0x2fc1_2fc1, // zfs
    0xf2f5_2010, // f2fs
    0xca45_1a4e, // bcachefs
    0x8584_58f6, // ramfs
];
const NFS: u32 = 0x6969;
const PSEUDO: [u32; 16] = [
    0x0000_9fa0, // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x0000_1cd1, // devpts
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xf97c_ff8c, // selinuxfs
    0xcafe_4a11, // bpf
    0x6165_676c, // pstore
    0xde5e_81e4, // efivarfs
    0x6265_6570, // configfs
    0x1980_0202, // mqueue
    0x4249_4e4d, // binfmt_misc
    0x9584_58f6, // hugetlbfs
];

impl Mount {
    /// Asks what lies under an open file. A failure to answer means no trust, not an error.
    pub(super) fn of(file: impl AsFd) -> Self {
        match rustix::fs::fstatfs(file) {
            Ok(statfs) => Self::of_type(statfs.f_type as u32),
            Err(_) => Mount::Foreign,
        }
    }

    /// Asks what lies at a path.
    pub(super) fn at(path: &Path) -> Self {
        rustix::fs::statfs(path).map_or(Mount::Foreign, |it| Self::of_type(it.f_type as u32))
    }

    fn of_type(kind: u32) -> Self {
        if LOCAL.contains(&kind) {
            Mount::Local
        } else if PSEUDO.contains(&kind) {
            Mount::Pseudo
        } else if kind == NFS {
            Mount::Nfs
        } else {
            Mount::Foreign
        }
    }

    /// Whether answers come from elsewhere, as far as is known.
    pub(super) fn is_share(self) -> bool {
        matches!(self, Mount::Foreign | Mount::Nfs)
    }

    /// How old an answer may be; `doubts` where all that this kernel remembers is to be renewed.
    pub(super) fn freshness(self, doubts: bool) -> Freshness {
        match self {
            Mount::Nfs => Freshness::Asked,
            Mount::Foreign if doubts => Freshness::Asked,
            _ => Freshness::Cached,
        }
    }

    /// Whether a directory whose own stamp is the same has the same names in it.
    pub(super) fn keeps_directory_times(self) -> bool {
        self == Mount::Local
    }

    /// How long after a stamp was seen an edit may still leave that very stamp.
    ///
    /// On local file systems that is one tick of the coarse clock, 10 ms at the most (HZ=100),
    /// with room for a tick that a busy machine delivers late. A stamp of whole seconds shows
    /// that this one keeps no more than that (ext4 with 128-byte inodes); elsewhere assume
    /// FAT's two seconds.
    pub(super) fn granule(self, stamp: &Stamp) -> Duration {
        const TICK: Duration = Duration::from_millis(100);
        let whole_seconds = stamp.ctime % 1_000_000_000 == 0;
        if self == Mount::Local && !whole_seconds { TICK } else { Self::COARSEST }
    }

    /// The longest [`Mount::granule`].
    pub(super) const COARSEST: Duration = Duration::from_secs(2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_pseudo_and_never_trusted() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert_eq!(Mount::of(&proc), Mount::Pseudo);
    }

    #[test]
    fn fuse_nfs_9p_and_fat_are_foreign() {
        for kind in [0x6573_5546, NFS, 0x0102_1997, 0x4d44] {
            assert!(Mount::of_type(kind).is_share());
        }
        assert_eq!(Mount::of_type(NFS), Mount::Nfs);
    }

    #[test]
    fn whole_seconds_show_a_coarse_clock() {
        let stamp = |ctime| Stamp { mode: 0, size: 0, mtime: 0, ctime, inode: 0, device: 0 };
        assert_eq!(Mount::Local.granule(&stamp(5_000_000_000)), Mount::COARSEST);
        assert!(Mount::Local.granule(&stamp(5_000_000_001)) < Duration::from_secs(1));
        assert_eq!(Mount::Foreign.granule(&stamp(5_000_000_001)), Mount::COARSEST);
    }
}
