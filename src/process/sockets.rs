//! Listening sockets: opened once, and passed to every instance by systemd's protocol
//! (sd_listen_fds(3)), so that connections wait in the backlog while nothing runs and none is
//! refused.

use std::fmt;
use std::fs;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::listen;

use super::holders;

/// Connections that may wait; the kernel takes net.core.somaxconn if that is less (listen(2)).
const BACKLOG: i32 = 4096;

/// What to listen on, and under which name to pass it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    name: Option<String>,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// `HOST:PORT`, as it was typed.
    Tcp(String),
    Unix(PathBuf),
    /// Without the leading `@` (unix(7)).
    Abstract(String),
}

/// The device and inode of a file, which are no other's as long as it is open.
type Identity = (u64, u64);

/// A socket that is open.
#[derive(Debug)]
pub struct Socket {
    /// As LISTEN_FDNAMES has it.
    pub name: String,
    descriptor: OwnedFd,
    /// Where it is, to be shown.
    place: String,
    /// Its file, removed at the end, and which that is.
    file: Option<(PathBuf, Identity)>,
}

impl Address {
    /// Reads `[NAME=]ADDRESS`, where the address is `PORT`, `HOST:PORT`, `unix:PATH`, a path with
    /// a slash, or `@NAME` for an abstract one.
    ///
    /// # Errors
    /// A sentence that says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, address) = match text.split_once('=') {
            Some((name, address)) if !name.contains(['/', ':', '@']) => (Some(name), address),
            _ => (None, text),
        };
        // sd_listen_fds_with_names(3) has more rules; a colon separates names.
        let is_name = |name: &&str| {
            !name.is_empty()
                && name.len() < 256
                && name.chars().all(|c| c.is_ascii_graphic() && c != ':')
        };
        if let Some(name) = name.filter(|name| !is_name(name)) {
            return Err(format!(
                "`{name}` is no name for a socket; use letters, digits and dashes"
            ));
        }
        let tcp = |host: &str, port: &str| {
            let port: u16 = port.parse().map_err(|_| {
                format!(
                    "`{address}` is no address; write PORT, HOST:PORT, unix:PATH or @NAME, for \
                     example 8080, [::]:8080 or web=unix:/run/web.sock"
                )
            })?;
            let host = if host.is_empty() { "0.0.0.0" } else { host };
            Ok::<_, String>(Place::Tcp(format!("{host}:{port}")))
        };
        let place = match address {
            address if address.starts_with('@') && address.len() > 1 => {
                Place::Abstract(address[1..].to_owned())
            }
            address if address.starts_with("unix:") && address.len() > 5 => {
                Place::Unix(address[5..].into())
            }
            address if address.contains('/') && !address.contains("//") => {
                Place::Unix(address.into())
            }
            address => {
                let address = address.strip_prefix("tcp:").unwrap_or(address);
                let (host, port) = address.rsplit_once(':').unwrap_or(("", address));
                tcp(host, port)?
            }
        };
        Ok(Self { name: name.map(str::to_owned), place })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(address) => address.fmt(f),
            Place::Unix(path) => path.display().fmt(f),
            Place::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl Socket {
    /// Opens it. A socket file on which nobody listens any more is replaced.
    ///
    /// # Errors
    /// A sentence that names the address, and who has it if that can be found out.
    pub fn open(address: &Address) -> Result<Self, String> {
        let (descriptor, file) = match &address.place {
            Place::Tcp(text) => (tcp(text).map_err(|error| refused(address, &error))?, None),
            Place::Abstract(name) => {
                let listener = UnixAddress::from_abstract_name(name)
                    .and_then(|address| UnixListener::bind_addr(&address));
                (listener.map_err(|error| refused(address, &error))?.into(), None)
            }
            Place::Unix(path) => {
                let listener = unix(path).map_err(|error| refused(address, &error))?;
                // Once and for all: our working directory may become another of its name.
                let file = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let identity = identity(&file);
                (listener.into(), identity.ok().map(|identity| (file, identity)))
            }
        };
        // The standard library asks for 128 and for -1.
        _ = listen(&descriptor, BACKLOG);
        let name = address.name.clone().unwrap_or_else(|| "unknown".to_owned());
        Ok(Self { name, descriptor, place: address.to_string(), file })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Unless somebody else has put theirs there.
        if let Some((file, made)) = &self.file
            && identity(file).is_ok_and(|found| found == *made)
        {
            _ = fs::remove_file(file);
        }
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Listens on `HOST:PORT`, for ourselves.
///
/// # Errors
/// A sentence that names the address, and who has it if that can be found out.
pub fn listen_tcp(address: &str) -> Result<TcpListener, String> {
    let place = Place::Tcp(address.to_owned());
    let refused = |error| refused(&Address { name: None, place }, &error);
    tcp(address).map(TcpListener::from).map_err(refused)
}

fn tcp(address: &str) -> io::Result<OwnedFd> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        // It sets SO_REUSEADDR, so that what an earlier run has left in TIME_WAIT is no obstacle.
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener.into()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
            let is_refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
            if !is_socket || !UnixStream::connect(path).is_err_and(is_refused) {
                return Err(error);
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

fn refused(address: &Address, error: &io::Error) -> String {
    let reason = crate::scan::reason(error);
    let hint = match (error.kind(), &address.place) {
        (io::ErrorKind::AddrInUse, place) => {
            let (holders, other) = match place {
                Place::Tcp(text) => {
                    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
                    (port.map(holders::of_port).unwrap_or_default(), "port")
                }
                Place::Unix(_) | Place::Abstract(_) => {
                    (holders::of_unix(&address.to_string()), "path")
                }
            };
            match holders.as_slice() {
                [] => format!("end whoever listens there, or choose another {other}"),
                holders => format!(
                    "it is held by {}; end that, or choose another {other}",
                    holders.join(", ")
                ),
            }
        }
        (io::ErrorKind::PermissionDenied, Place::Tcp(_)) => {
            "ports below 1024 take CAP_NET_BIND_SERVICE".to_owned()
        }
        _ => "is the address right?".to_owned(),
    };
    format!("cannot listen on {address}: {reason}; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<String>, Place) {
        let Address { name, place } = Address::parse(text).unwrap();
        (name, place)
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let tcp = |address: &str| Place::Tcp(address.to_owned());
        let cases = [
            ("8080", None, tcp("0.0.0.0:8080")),
            (":8080", None, tcp("0.0.0.0:8080")),
            ("tcp:8080", None, tcp("0.0.0.0:8080")),
            ("127.0.0.1:80", None, tcp("127.0.0.1:80")),
            ("[::1]:80", None, tcp("[::1]:80")),
            ("web=localhost:80", Some("web"), tcp("localhost:80")),
            ("unix:a.sock", None, Place::Unix("a.sock".into())),
            ("/run/a=b.sock", None, Place::Unix("/run/a=b.sock".into())),
            ("api=./a.sock", Some("api"), Place::Unix("./a.sock".into())),
            ("@hidden", None, Place::Abstract("hidden".into())),
        ];
        for (text, name, place) in cases {
            assert_eq!(read(text), (name.map(str::to_owned), place), "{text}");
        }
        for text in ["", "web=", "=80", "80000", "http://x:80/", "unix:", "@", "a b=80", "x:y"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn who_holds_an_address_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let error = Socket::open(&Address::parse(&address.to_string()).unwrap()).unwrap_err();
        let own = format!("held by {} (", std::process::id());
        assert!(error.contains(&own) && error.contains(&address.to_string()), "{error}");
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let address = Address::parse(path.to_str().unwrap()).unwrap();
        let error = Socket::open(&address).unwrap_err();
        assert!(error.contains(&own) && error.contains(path.to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_socket_file_is_replaced_if_nobody_listens_and_removed_at_the_end() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.sock");
        let address = Address::parse(path.to_str().unwrap()).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        let socket = Socket::open(&address).unwrap();
        assert!(Socket::open(&address).is_err(), "somebody listens");
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "no socket").unwrap();
        assert!(Socket::open(&address).is_err(), "it is somebody's file");
        assert_eq!(fs::read_to_string(&path).unwrap(), "no socket");
        fs::remove_file(&path).unwrap();
        let socket = Socket::open(&address).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "somebody's").unwrap();
        drop(socket);
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");
    }
}
