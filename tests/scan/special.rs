//! FIFOs, sockets and devices: no entries, and never opened. Opening one may hang for ever, or do
//! something to it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::skip::skip;
use super::support::Watched;

/// What is opened in a directory, by whomever.
struct Opens(OwnedFd);

impl Opens {
    fn of(directory: &Path) -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&inotify, directory, WatchFlags::OPEN).unwrap();
        Self(inotify)
    }

    /// The names of those that were since the last call, without directories.
    fn names(&self) -> Vec<String> {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.0, &mut buffer);
        let mut names = Vec::new();
        while let Ok(event) = reader.next() {
            assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW));
            if !event.events().contains(ReadFlags::ISDIR) {
                names.extend(event.file_name().map(|name| name.to_str().unwrap().to_owned()));
            }
        }
        names
    }
}

fn open_at_once(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[test]
fn fifos_and_sockets_are_no_entries_and_never_opened() {
    let mut tree = Watched::new(&[("a", "1"), ("b", "1")]);
    let opens = Opens::of(&tree.path(""));
    let mode = Mode::from_raw_mode(0o600);
    mknodat(CWD, tree.path("fifo"), FileType::Fifo, mode, 0).unwrap();
    let socket = UnixListener::bind(tree.path("socket")).unwrap();
    socket.set_nonblocking(true).unwrap();
    assert_eq!(tree.changes(), [""; 0]);
    // They may take the place of a file between two looks.
    tree.rename("fifo", "a");
    tree.rename("socket", "b");
    assert_eq!(tree.changes(), ["removed a", "removed b"]);
    assert_eq!(tree.scanner.look().troubles, []);
    assert_eq!(opens.names(), [""; 0]);
    // A socket is connected to, not opened.
    assert_eq!(socket.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(open_at_once(&tree.path("a")).unwrap());
    assert_eq!(opens.names(), ["a"], "it would have been seen");
}

#[test]
fn devices_are_no_entries_and_never_opened() {
    let mut tree = Watched::new(&[("a", "1")]);
    let opens = Opens::of(&tree.path(""));
    // /dev/null, and a number for local use (devices.txt) that no driver has.
    let devices = [
        ("char", FileType::CharacterDevice, makedev(1, 3)),
        ("block", FileType::BlockDevice, makedev(254, 77)),
    ];
    for (name, kind, number) in devices {
        if let Err(error) = mknodat(CWD, tree.path(name), kind, Mode::from_raw_mode(0o600), number)
        {
            return skip(&format!("mknod(2) needs root: {error}"));
        }
    }
    assert_eq!(tree.scanner.look().troubles, []);
    assert_eq!(tree.changes(), [""; 0]);
    // One may take the place of a file between two looks.
    tree.rename("char", "a");
    assert_eq!(tree.changes(), ["removed a"]);
    assert_eq!(tree.scanner.look().troubles, []);
    assert_eq!(opens.names(), [""; 0]);
    match open_at_once(&tree.path("a")) {
        Ok(_) => assert_eq!(opens.names(), ["a"], "it would have been seen"),
        Err(error) => skip(&format!("devices cannot be opened here: {error}")),
    }
}
