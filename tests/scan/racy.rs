//! Edits that leave the stamp as it is, as one within the timestamp granule of another does.
//!
//! Recent kernels give times so fine that this cannot be made to happen by being quick. Writing
//! through a shared mapping makes it certain: the kernel changes the times at the first write to
//! a page, and not at the next ones.

use std::fs::File;
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, SystemTime};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::support::Watched;

const LENGTH: usize = 3;

/// A file of three bytes that is written through a mapping.
struct Mapped(NonNull<u8>);

impl Mapped {
    fn new(path: &Path) -> Self {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let flags = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, wherever the kernel puts it.
        let start =
            unsafe { mmap(std::ptr::null_mut(), LENGTH, flags, MapFlags::SHARED, &file, 0) };
        Self(NonNull::new(start.unwrap().cast()).unwrap())
    }

    fn write(&self, content: &[u8; LENGTH]) {
        // SAFETY: the mapping is LENGTH bytes long and lives as long as self; nobody truncates
        // the file.
        unsafe { self.0.as_ptr().cast::<[u8; LENGTH]>().write_volatile(*content) };
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: made by mmap in `new`, and not used after.
        _ = unsafe { munmap(self.0.as_ptr().cast(), LENGTH) };
    }
}

fn touch(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
}

#[test]
fn an_edit_right_after_a_look_that_leaves_the_stamp_the_same_is_found() {
    let mut tree = Watched::new(&[("a", "one")]);
    let file = Mapped::new(&tree.path("a"));
    file.write(b"two");
    touch(&tree.path("a"));
    tree.scanner.look();
    tree.forget_changes();
    let before = std::fs::metadata(tree.path("a")).unwrap();
    file.write(b"six");
    let after = std::fs::metadata(tree.path("a")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap(), "it left the stamp the same");
    assert_eq!(tree.changes(), ["modified a"]);
}

#[test]
fn an_edit_right_after_the_first_look_that_leaves_the_stamp_the_same_is_found() {
    let mut tree = Watched::new(&[("a", "one"), ("b", "old")]);
    let file = Mapped::new(&tree.path("a"));
    file.write(b"two");
    touch(&tree.path("a"));
    tree.replace_scanner();
    tree.scanner.look();
    assert!(tree.scanner.read_recent() > 0);
    tree.forget_changes();
    file.write(b"six");
    while tree.scanner.read_baseline() {}
    assert_eq!(tree.changes(), ["modified a"]);
}
