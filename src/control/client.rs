//! The side that asks.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::{Answer, Place, Request, candidates};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// None is there.
    #[error(
        "no stakeout runs in this directory or above it as this user, or its control socket is \
         elsewhere (--control)"
    )]
    Nobody,
    /// None is there, at the path that was named.
    #[error("no stakeout answers at {}: {reason}", path.display())]
    NobodyAt {
        /// As it was typed.
        path: PathBuf,
        /// In words.
        reason: String,
    },
    /// It is of another user's, who may tell us anything.
    #[error("the control socket {} is another user's", .0.display())]
    Foreign(PathBuf),
    /// It takes too long.
    #[error("stakeout did not answer within 5s; is it stopped, or asked by many at once?")]
    Late,
    /// It broke off.
    #[error("stakeout did not answer: {0}")]
    Broken(String),
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the stakeout at this place, or the one whose working directory is ours or above it.
///
/// # Errors
/// When there is none, or no answer.
pub fn ask(place: &Place, request: &Request) -> Result<Answer, NoAnswer> {
    let stream = connect(place)?;
    exchange(stream, request).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => NoAnswer::Late,
        _ => NoAnswer::Broken(crate::scan::reason(&error)),
    })
}

fn connect(place: &Place) -> Result<UnixStream, NoAnswer> {
    if let Place::At(path) = place {
        let at =
            |error| NoAnswer::NobodyAt { path: path.clone(), reason: crate::scan::reason(&error) };
        return trusted(UnixStream::connect(path).map_err(at)?, path);
    }
    let Ok(here) = std::env::current_dir() else { return Err(NoAnswer::Nobody) };
    for path in here.ancestors().flat_map(candidates) {
        if let Ok(stream) = UnixStream::connect(&path) {
            return trusted(stream, &path);
        }
    }
    Err(NoAnswer::Nobody)
}

/// Who answers has to be who we are, or root.
fn trusted(stream: UnixStream, path: &Path) -> Result<UnixStream, NoAnswer> {
    match socket_peercred(&stream) {
        Ok(peer) if peer.uid == geteuid() || peer.uid.is_root() || geteuid().is_root() => {
            Ok(stream)
        }
        _ => Err(NoAnswer::Foreign(fs::canonicalize(path).unwrap_or_else(|_| path.into()))),
    }
}

fn exchange(mut stream: UnixStream, request: &Request) -> io::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    match answer.is_empty() {
        true => Err(ErrorKind::UnexpectedEof.into()),
        false => Ok(serde_json::from_str(&answer)?),
    }
}
