//! Edits that leave the stamp as it is, as one within the timestamp granule of another does.
//!
//! Recent kernels give times so fine that this cannot be made to happen by being quick. Writing
//! through a shared mapping makes it certain: the kernel changes the times at the first write to
//! a page, and not at the next ones.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, Instant, SystemTime};

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

/// Within the shortest granule that a local file system is taken to have.
const GRANULE: Duration = Duration::from_millis(95);

/// Does it until it was done within a granule, however busy the machine is: what is edited later
/// may go unseen, as stamps are proven then.
fn within_a_granule(tree: &mut Watched, mut edit: impl FnMut(&mut Watched, &Mapped)) {
    let until = Instant::now() + Duration::from_secs(600);
    loop {
        let file = Mapped::new(&tree.path("a"));
        file.write(b"two");
        touch(&tree.path("a"));
        let began = Instant::now();
        edit(tree, &file);
        if began.elapsed() < GRANULE {
            return;
        }
        assert!(Instant::now() < until, "this machine is too busy");
        drop(file);
        tree.write("a", "one");
    }
}

/// Edits the file and leaves its stamp as it is.
fn edit_unseen(tree: &Watched, file: &Mapped) {
    let stamp = || {
        let metadata = std::fs::metadata(tree.path("a")).unwrap();
        (metadata.modified().unwrap(), metadata.ctime_nsec(), metadata.len())
    };
    let before = stamp();
    file.write(b"six");
    assert_eq!(before, stamp());
}

#[test]
fn an_edit_right_after_two_looks_that_leaves_the_stamp_the_same_is_found() {
    let mut tree = Watched::new(&[("a", "one")]);
    within_a_granule(&mut tree, |tree, file| {
        tree.scanner.look();
        tree.forget_changes();
        // It finds the same stamp, which is no proof yet.
        assert_eq!(tree.scanner.look().troubles, []);
        edit_unseen(tree, file);
    });
    assert_eq!(tree.changes(), ["modified a"]);
}

#[test]
fn an_edit_right_after_the_first_look_that_leaves_the_stamp_the_same_is_found() {
    let mut tree = Watched::new(&[("a", "one"), ("b", "old")]);
    within_a_granule(&mut tree, |tree, file| {
        tree.replace_scanner();
        tree.scanner.look();
        assert!(tree.scanner.read_recent() > 0);
        tree.forget_changes();
        assert_eq!(tree.scanner.look().troubles, []);
        edit_unseen(tree, file);
    });
    while tree.scanner.read_baseline() {}
    assert_eq!(tree.changes(), ["modified a"]);
}
