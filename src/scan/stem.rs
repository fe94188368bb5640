//! A directory's path, and the paths of what is in it, one after the other.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Two paths of one directory, to be joined with names.
pub(super) struct Paths {
    pub(super) absolute: Stem,
    pub(super) shown: Stem,
}

/// A directory's path, to be joined with one name after another without a new allocation.
pub(super) struct Stem {
    path: Vec<u8>,
    length: usize,
}

impl Stem {
    pub(super) fn new(directory: &Path) -> Self {
        let mut path = directory.as_os_str().as_bytes().to_vec();
        if !path.is_empty() && !path.ends_with(b"/") {
            path.push(b'/');
        }
        Self { length: path.len(), path }
    }

    pub(super) fn join(&mut self, name: &OsStr) -> &Path {
        self.path.truncate(self.length);
        self.path.extend_from_slice(name.as_bytes());
        Path::new(OsStr::from_bytes(&self.path))
    }
}
