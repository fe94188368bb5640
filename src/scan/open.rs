//! Opening what lies below a root, without following a symbolic link on the way.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::tree::Stamp;

/// The longest path that one system call takes: PATH_MAX (4,096) less the NUL.
const LONGEST: usize = 4095;

/// Opens the directory at `path`, relative to `root`, for `fstatat` only (`O_PATH`).
///
/// No component may be a symbolic link: a directory that was replaced by one fails with ELOOP or
/// ENOTDIR. Paths may be of any length.
pub(super) fn directory(root: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    let mut rest = path.as_os_str().as_bytes();
    if rest.is_empty() {
        return step(root.as_fd(), OsStr::new("."));
    }
    let mut opened: Option<OwnedFd> = None;
    while !rest.is_empty() {
        let (head, tail) = split(rest)?;
        let from = opened.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        opened = Some(step(from, OsStr::from_bytes(head))?);
        rest = tail;
    }
    Ok(opened.expect("a path that is not empty has a first step"))
}

/// Cuts off as many whole components as one system call takes.
fn split(path: &[u8]) -> Result<(&[u8], &[u8]), Errno> {
    if path.len() <= LONGEST {
        return Ok((path, &[]));
    }
    let slash = path[..=LONGEST].iter().rposition(|&byte| byte == b'/');
    let slash = slash.ok_or(Errno::NAMETOOLONG)?;
    Ok((&path[..slash], &path[slash + 1..]))
}

fn step(from: impl AsFd, path: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(&from, path, flags, Mode::empty(), within) {
        // Linux before 5.6, or a seccomp filter that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => one_by_one(from, path, flags),
        other => other,
    }
}

/// What openat2(2) does in the kernel, where there is none.
fn one_by_one(from: impl AsFd, path: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut opened: Option<OwnedFd> = None;
    for component in path.as_bytes().split(|&byte| byte == b'/') {
        let at = opened.as_ref().map_or(from.as_fd(), AsFd::as_fd);
        let next = rustix::fs::openat(at, OsStr::from_bytes(component), flags, Mode::empty())?;
        opened = Some(next);
    }
    opened.ok_or(Errno::NOENT)
}

/// Opens a directory that is held by `O_PATH` for listing.
pub(super) fn for_listing(directory: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, ".", flags, Mode::empty())
}

/// Opens a regular file for reading. Should it have become something else since it was listed,
/// `O_NONBLOCK` keeps a FIFO from hanging us and `O_NOCTTY` a terminal from adopting us.
pub(super) fn for_reading(directory: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

/// The stamp of a name in a directory; of a link, the link's own.
pub(super) fn stamp_at(directory: impl AsFd, name: &OsStr) -> Result<Stamp, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statat(directory, name, flags).map(|stat| stamp_of(&stat))
}

/// The stamp of an open file.
pub(super) fn stamp(file: impl AsFd) -> Result<Stamp, Errno> {
    rustix::fs::fstat(file).map(|stat| stamp_of(&stat))
}

fn stamp_of(stat: &Stat) -> Stamp {
    // Times beyond the year 2262 wrap, which keeps different times different.
    let nanoseconds =
        |seconds: i64, rest: u64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest as i64);
    Stamp {
        mode: stat.st_mode,
        size: stat.st_size as u64,
        mtime: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        ctime: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        inode: stat.st_ino,
        device: stat.st_dev,
    }
}

/// What kind of file a stamp belongs to.
pub(super) fn kind(stamp: &Stamp) -> FileType {
    FileType::from_raw_mode(stamp.mode)
}
