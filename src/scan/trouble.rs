//! A trouble: something that could not be read, so that the last known state of it stands.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Opening a root or a directory.
    Open,
    /// Listing a directory.
    List,
    /// Asking for an entry's stamp.
    Stat,
    /// Reading a file's content or a link's target.
    Read,
    /// Entering a directory that lost its contents together with its file system.
    Enter,
}

/// One failure to read. It never means that something was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trouble {
    /// What could not be read.
    pub path: PathBuf,
    /// What was tried.
    pub verb: Verb,
    /// The error, as `errno(3)`.
    pub errno: i32,
}

impl Trouble {
    pub(super) fn new(path: impl Into<PathBuf>, verb: Verb, errno: Errno) -> Self {
        Self { path: path.into(), verb, errno: errno.raw_os_error() }
    }

    /// Whether it is our own want of a descriptor, and not the fault of what could not be read.
    pub(super) fn is_lack_of_descriptors(&self) -> bool {
        self.errno == Errno::MFILE.raw_os_error() || self.is_lack_of_files()
    }

    /// Whether the whole machine has as many files open as it may.
    pub(super) fn is_lack_of_files(&self) -> bool {
        self.errno == Errno::NFILE.raw_os_error()
    }

    /// Why, in the words of the C library.
    pub fn reason(&self) -> String {
        if self.verb == Verb::Enter {
            return "it is empty and on another file system than before, so its volume seems to \
                    be unmounted"
                .into();
        }
        reason(&io::Error::from_raw_os_error(self.errno))
    }
}

/// An error's text without the "(os error 5)" that std appends and that tells a person nothing.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Open => "open",
            Verb::List => "list",
            Verb::Stat => "stat",
            Verb::Read => "read",
            Verb::Enter => "enter",
        })
    }
}
