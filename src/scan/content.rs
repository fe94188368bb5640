//! The content of one file or link, read so that it belongs to the stamp that comes with it.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::open;
use crate::tree::{Digest, Entry, File, Link, Stamp};

/// Large enough that big files cost few system calls, small enough for a thread's stack.
const CHUNK: usize = 64 * 1024;

/// How often a file that changes while it is read is read. A log that never rests is then taken
/// as it was read last, with a stamp that is already outdated: the next look reads it again.
const TRIES: usize = 3;

/// Reads the entry called `name`. `None`: it is neither a file nor a link.
///
/// Files over `limit` bytes are not read. Never maps a file into memory: one that is truncated
/// meanwhile would kill us with SIGBUS.
pub(super) fn read(
    directory: impl AsFd,
    name: &OsStr,
    limit: Option<u64>,
) -> Result<Option<Entry>, Errno> {
    let stamp = open::stamp_at(&directory, name)?;
    match open::kind(&stamp) {
        FileType::Symlink => Ok(Some(Entry::Link(link(directory, name, stamp)?))),
        FileType::RegularFile if limit.is_some_and(|limit| stamp.size > limit) => {
            Ok(Some(Entry::File(File { stamp, digest: None })))
        }
        FileType::RegularFile => {
            let opened = open::for_reading(&directory, name)?;
            Ok(Some(Entry::File(file(opened)?)))
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

fn file(opened: OwnedFd) -> Result<File, Errno> {
    let mut stamp = open::stamp(&opened)?;
    if open::kind(&stamp) != FileType::RegularFile {
        // Replaced between fstatat and open; the next look sees what it is.
        return Err(Errno::AGAIN);
    }
    let mut opened = fs::File::from(opened);
    let mut tries = TRIES;
    loop {
        let digest = Some(digest(&mut opened, stamp.size).map_err(errno)?);
        let after = open::stamp(&opened)?;
        tries -= 1;
        if after == stamp || tries == 0 {
            return Ok(File { stamp, digest });
        }
        stamp = after;
        rustix::fs::seek(&opened, rustix::fs::SeekFrom::Start(0))?;
    }
}

/// Reads up to the end, or until more came than the file's `size`: then it is growing, perhaps
/// as fast as it is read.
fn digest(opened: &mut fs::File, size: u64) -> std::io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = [0; CHUNK];
    loop {
        match opened.read(&mut chunk) {
            Ok(0) => return Ok(Digest::finish(&hasher)),
            Ok(_) if hasher.count() > size => return Ok(Digest::finish(&hasher)),
            Ok(length) => hasher.update(&chunk[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
    }
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Reads a small file whole, at most `limit` bytes of it.
pub(super) fn text(directory: impl AsFd, name: &OsStr, limit: u64) -> Result<Vec<u8>, Errno> {
    let opened = open::for_reading(directory, name)?;
    if open::kind(&open::stamp(&opened)?) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    let mut bytes = Vec::new();
    fs::File::from(opened).take(limit).read_to_end(&mut bytes).map_err(errno)?;
    Ok(bytes)
}
