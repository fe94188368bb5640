//! The door: the socket that NOTIFY_SOCKET names.
//!
//! It has a path, as systemd's has: not every client knows abstract ones (the crate `sd-notify`
//! does not). Where nothing can be written it is an abstract one all the same (unix(7)).

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

/// Where it is. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct Door {
    /// As NOTIFY_SOCKET has it.
    name: String,
    file: Option<PathBuf>,
}

/// How the files' names begin.
const PREFIX: &str = "stakeout-notify-";

/// Other PID namespaces may share our directories and our network namespace, and with these
/// the names.
const ATTEMPTS: u32 = 1000;

impl Door {
    /// Opens one.
    ///
    /// # Errors
    /// When no socket can be made.
    pub(super) fn open() -> io::Result<(Self, UnixDatagram)> {
        for directory in [Path::new("/run"), Path::new("/dev/shm"), &std::env::temp_dir()] {
            if let Ok((file, socket)) = Self::open_in(directory)
                && let Some(name) = file.to_str()
            {
                return Ok((Self { name: name.to_owned(), file: Some(file) }, socket));
            }
        }
        let bind = |name: &str| UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?);
        let (name, socket) = first_free("stakeout/", bind)?;
        Ok((Self { name: format!("@{name}"), file: None }, socket))
    }

    fn open_in(directory: &Path) -> io::Result<(PathBuf, UnixDatagram)> {
        remove_stale(directory);
        let bind = |name: &str| UnixDatagram::bind(directory.join(name));
        let (name, socket) = first_free(PREFIX, bind)?;
        let file = directory.join(name);
        // For programs of other users, too; who may say something, the kernel tells with it.
        match fs::set_permissions(&file, Permissions::from_mode(0o666)) {
            Ok(()) => Ok((file, socket)),
            Err(error) => {
                _ = fs::remove_file(file);
                Err(error)
            }
        }
    }

    /// As NOTIFY_SOCKET has it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            _ = fs::remove_file(file);
        }
    }
}

/// Binds to the first name that nobody has.
fn first_free(
    prefix: &str,
    bind: impl Fn(&str) -> io::Result<UnixDatagram>,
) -> io::Result<(String, UnixDatagram)> {
    let pid = std::process::id();
    let mut attempt = 0;
    loop {
        let name = format!("{prefix}{pid}-{attempt}");
        match bind(&name) {
            Ok(socket) => return Ok((name, socket)),
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Removes what a stakeout has left that was killed: sockets behind which nobody is.
fn remove_stale(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_ours = |entry: &fs::DirEntry| {
        entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_socket())
    };
    for path in entries.filter(is_ours).map(|entry| entry.path()) {
        let asked = UnixDatagram::unbound().and_then(|socket| socket.connect(&path));
        if asked.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
            _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_is_behind_is_removed_and_the_rest_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        drop(UnixDatagram::bind(path("stakeout-notify-1-0")).unwrap());
        drop(UnixDatagram::bind(path("other")).unwrap());
        fs::write(path("stakeout-notify-file"), "").unwrap();
        let (first, _first) = Door::open_in(place.path()).unwrap();
        let (second, _second) = Door::open_in(place.path()).unwrap();
        assert_ne!(first, second);
        let mode = fs::metadata(&first).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        let mut left: Vec<_> =
            fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        let mut wanted = vec![path("other"), first, second, path("stakeout-notify-file")];
        wanted.sort();
        assert_eq!(left, wanted);
    }
}
