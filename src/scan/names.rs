//! The names in a directory, as the kernel lists them: one after another, or as a number to compare.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

use super::mount::Mount;

/// A number that differs, as good as surely, where the names in a directory or their kinds do;
/// their order does not count.
///
/// Where inode numbers last, they count as well: a directory may be exchanged for another of the
/// same name.
pub(super) fn fingerprint(listed: OwnedFd, mount: Mount) -> Result<u64, Errno> {
    let mut sum = 0;
    for_each(&listed, |name| sum = add(sum, name.fingerprint(mount)))?;
    Ok(sum)
}

/// Whether there is nothing in a directory that is open for listing.
pub(super) fn is_empty(listed: &OwnedFd) -> Result<bool, Errno> {
    let mut is_empty = true;
    for_each(listed, |_| is_empty = false)?;
    Ok(is_empty)
}

/// What a listing says of a name.
pub(super) struct Name<'a> {
    pub(super) name: &'a OsStr,
    pub(super) kind: FileType,
    inode: u64,
}

impl Name<'_> {
    /// Its part of the fingerprint of the directory.
    pub(super) fn fingerprint(&self, mount: Mount) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        self.kind.as_raw_mode().hash(&mut hasher);
        if mount == Mount::Local {
            self.inode.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A fingerprint with one more name in it.
pub(super) fn add(sum: u64, term: u64) -> u64 {
    sum.wrapping_add(term)
}

/// Gives each name in a directory but its own and that of the one above.
///
/// A listing that fails half-way is a failure: the missing rest must not look deleted.
pub(super) fn for_each(listed: &OwnedFd, mut each: impl FnMut(Name<'_>)) -> Result<(), Errno> {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(listed, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            each(Name { name, kind: entry.file_type(), inode: entry.ino() });
        }
    }
    Ok(())
}
