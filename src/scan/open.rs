//! Opening what lies below a root, and asking for it: without following a symbolic link on the way,
//! unless that is wanted.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Statx, StatxFlags, makedev};
use rustix::io::Errno;
use rustix::path::Arg;

use super::scope::MountId;
use crate::tree::Stamp;

/// The longest path that one system call takes: PATH_MAX (4,096) less the NUL.
const LONGEST: usize = 4095;

/// What opening a directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// To ask for what is in it by name only (`O_PATH`).
    Search,
    /// To list it as well.
    List,
}

/// What a symbolic link below a root stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// For itself.
    Kept,
    /// For the file or directory that it leads to, if it leads to one.
    Followed,
}

/// Opens the directory at `path`, relative to `root`.
///
/// Where links are kept, no component may be one: a directory that was replaced by one fails with
/// ELOOP or ENOTDIR. Paths may be of any length.
pub(super) fn directory(
    root: impl AsFd,
    path: &Path,
    access: Access,
    links: Links,
) -> Result<OwnedFd, Errno> {
    let last = match access {
        Access::Search => OFlags::PATH,
        Access::List => OFlags::RDONLY,
    };
    let mut rest = path.as_os_str().as_bytes();
    if rest.is_empty() {
        return step(root.as_fd(), OsStr::new("."), last, links);
    }
    let mut opened: Option<OwnedFd> = None;
    while !rest.is_empty() {
        let (head, tail) = split(rest)?;
        let from = opened.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        let access = if tail.is_empty() { last } else { OFlags::PATH };
        opened = Some(step(from, OsStr::from_bytes(head), access, links)?);
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

fn step(from: impl AsFd, path: &OsStr, access: OFlags, links: Links) -> Result<OwnedFd, Errno> {
    let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if links == Links::Followed {
        return rustix::fs::openat(from, path, flags, Mode::empty());
    }
    let flags = flags | OFlags::NOFOLLOW;
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

/// Opens a directory that is open already for listing.
pub(super) fn for_listing(directory: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, ".", flags, Mode::empty())
}

/// The stamp of an open directory and a number for the mount that it lies on, by which a bind
/// mount of the same device is told from what it covers; 0 where the kernel does not say (Linux
/// before 5.8).
pub(super) fn stamp_and_mount(directory: impl AsFd) -> Result<(Stamp, MountId), Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    match rustix::fs::statx(&directory, c"", AtFlags::EMPTY_PATH, wanted) {
        Ok(statx) => Ok((stamp_of_statx(&statx), MountId(statx.stx_mnt_id))),
        // Linux before 4.11, or a seccomp filter that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => Ok((stamp(directory)?, MountId(0))),
        Err(error) => Err(error),
    }
}

/// Opens a regular file for reading. Should it have become something else since it was listed,
/// `O_NONBLOCK` keeps a FIFO from hanging us and `O_NOCTTY` a terminal from adopting us.
pub(super) fn for_reading(
    directory: impl AsFd,
    name: &OsStr,
    links: Links,
) -> Result<OwnedFd, Errno> {
    let follow = match links {
        Links::Kept => OFlags::NOFOLLOW,
        Links::Followed => OFlags::empty(),
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | follow;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

/// The stamp of a name in a directory; of a link, the link's own.
pub(super) fn stamp_at(directory: impl AsFd, name: impl Arg) -> Result<Stamp, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statat(directory, name, flags).map(|stat| stamp_of(&stat))
}

/// How old an answer about a share may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// As old as this kernel remembers it, which may be as long as the share allows.
    Cached,
    /// Whoever has the file is asked (`AT_STATX_FORCE_SYNC`, statx(2)).
    Asked,
}

/// The stamp of what a name in a directory stands for. Of a link that is followed, that is what it
/// leads to; it stays a link where that is neither a file nor a directory, or is not there.
pub(super) fn stamp_of_name(
    directory: impl AsFd,
    name: impl Arg + Copy,
    links: Links,
    freshness: Freshness,
) -> Result<Stamp, Errno> {
    let ask = |flags| match freshness {
        Freshness::Cached => {
            rustix::fs::statat(&directory, name, flags).map(|stat| stamp_of(&stat))
        }
        Freshness::Asked => asked(&directory, name, flags),
    };
    if links == Links::Followed {
        match ask(AtFlags::NO_AUTOMOUNT) {
            Ok(stamp) if matches!(kind(&stamp), FileType::RegularFile | FileType::Directory) => {
                return Ok(stamp);
            }
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => return Err(error),
        }
    }
    ask(AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
}

fn asked(directory: impl AsFd, name: impl Arg + Copy, flags: AtFlags) -> Result<Stamp, Errno> {
    let forced = flags | AtFlags::STATX_FORCE_SYNC;
    match rustix::fs::statx(&directory, name, forced, StatxFlags::BASIC_STATS) {
        Ok(statx) => Ok(stamp_of_statx(&statx)),
        // Linux before 4.11, or a seccomp filter that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => {
            rustix::fs::statat(directory, name, flags).map(|stat| stamp_of(&stat))
        }
        Err(error) => Err(error),
    }
}

/// The stamp of an open directory.
pub(super) fn stamp_of_directory(
    directory: impl AsFd,
    freshness: Freshness,
) -> Result<Stamp, Errno> {
    match freshness {
        Freshness::Cached => stamp(directory),
        Freshness::Asked => asked(directory, c"", AtFlags::EMPTY_PATH),
    }
}

/// The stamp of an open file.
pub(super) fn stamp(file: impl AsFd) -> Result<Stamp, Errno> {
    rustix::fs::fstat(file).map(|stat| stamp_of(&stat))
}

/// Times beyond the year 2262 wrap, which keeps different times different.
fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
}

fn stamp_of_statx(statx: &Statx) -> Stamp {
    Stamp {
        mode: statx.stx_mode,
        size: statx.stx_size,
        mtime: nanoseconds(statx.stx_mtime.tv_sec, statx.stx_mtime.tv_nsec.into()),
        ctime: nanoseconds(statx.stx_ctime.tv_sec, statx.stx_ctime.tv_nsec.into()),
        inode: statx.stx_ino,
        device: makedev(statx.stx_dev_major, statx.stx_dev_minor) as u32,
    }
}

fn stamp_of(stat: &Stat) -> Stamp {
    Stamp {
        mode: stat.st_mode as u16,
        size: stat.st_size as u64,
        mtime: nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64),
        ctime: nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64),
        inode: stat.st_ino,
        device: stat.st_dev as u32,
    }
}

/// What kind of file a stamp belongs to.
pub(super) fn kind(stamp: &Stamp) -> FileType {
    FileType::from_raw_mode(stamp.mode.into())
}
