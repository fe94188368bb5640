//! The content of one file or link, read so that it belongs to the stamp that comes with it.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::open::{self, Freshness, Links};
use crate::tree::{Digest, Entry, File, Link, Stamp};

/// Large enough that big files cost few system calls, small enough for a thread's stack.
const CHUNK: usize = 64 * 1024;

/// Of a file without a size no more is read than this, since it may have no end: 64 MiB.
const LONGEST_UNSIZED: u64 = 64 * 1024 * 1024;

/// How often a file that changes while it is read is read. A log that never rests is then taken
/// as it was read last, with a stamp that is already outdated: the next look reads it again.
const TRIES: usize = 3;

/// Reads the entry called `name`. `None`: it is neither a file nor a link.
///
/// Calls `answered` whenever some of it was read. Files over `limit` bytes are not read. Never maps
/// a file into memory: one that is truncated meanwhile would kill us with SIGBUS.
pub(super) fn read(
    directory: impl AsFd,
    name: &OsStr,
    links: Links,
    limit: Option<u64>,
    answered: &dyn Fn(),
) -> Result<Option<Entry>, Errno> {
    let stamp = open::stamp_of_name(&directory, name, links, Freshness::Cached)?;
    match open::kind(&stamp) {
        FileType::Symlink => Ok(Some(Entry::Link(Box::new(link(directory, name, stamp)?)))),
        FileType::RegularFile if limit.is_some_and(|limit| stamp.size > limit) => {
            Ok(Some(Entry::File(File { stamp, digest: None })))
        }
        FileType::RegularFile => {
            let opened = open::for_reading(&directory, name, links)?;
            Ok(Some(Entry::File(file(opened, answered)?)))
        }
        _ => Ok(None),
    }
}

/// Reads where a link points.
pub(super) fn link(directory: impl AsFd, name: &OsStr, stamp: Stamp) -> Result<Link, Errno> {
    let target = rustix::fs::readlinkat(directory, name, Vec::new())?;
    let target = PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes()));
    Ok(Link { stamp, target: target.into() })
}

fn file(opened: OwnedFd, answered: &dyn Fn()) -> Result<File, Errno> {
    let mut stamp = open::stamp(&opened)?;
    if open::kind(&stamp) != FileType::RegularFile {
        // Replaced between fstatat and open; the next look sees what it is.
        return Err(Errno::AGAIN);
    }
    let mut tries = TRIES;
    loop {
        let digest = Some(digest(&opened, stamp.size, answered)?);
        let after = open::stamp(&opened)?;
        tries -= 1;
        if after.same_times(&stamp) || tries == 0 {
            return Ok(File { stamp, digest });
        }
        stamp = after;
        rustix::fs::seek(&opened, rustix::fs::SeekFrom::Start(0))?;
    }
}

/// Reads as much as the file's `size`, and where that is 0, which some file systems say of files
/// that they make up, to the end. What comes after is found by the size that it then has.
fn digest(opened: &OwnedFd, size: u64, answered: &dyn Fn()) -> Result<Digest, Errno> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = [MaybeUninit::uninit(); CHUNK];
    loop {
        let read = rustix::io::read(opened, &mut chunk);
        answered();
        match read {
            Ok(([], _)) => break,
            Ok((bytes, _)) => {
                hasher.update(bytes);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        if size > 0 && hasher.count() >= size || hasher.count() > LONGEST_UNSIZED {
            break;
        }
    }
    Ok(Digest::finish(&hasher))
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Reads a small file whole, at most `limit` bytes of it.
pub(super) fn text(directory: impl AsFd, name: &OsStr, limit: u64) -> Result<Vec<u8>, Errno> {
    let opened = open::for_reading(directory, name, Links::Kept)?;
    if open::kind(&open::stamp(&opened)?) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    let mut bytes = Vec::new();
    fs::File::from(opened).take(limit).read_to_end(&mut bytes).map_err(errno)?;
    Ok(bytes)
}
