//! A shelf: a table of descriptors beside the process's own, in which directories are held open by
//! threads that have no other.
//!
//! RLIMIT_NOFILE limits each table by itself (getrlimit(2)), and close_range(2) gives a thread one of
//! its own (CLOSE_RANGE_UNSHARE, Linux 5.9), which the threads that it starts share with it. So the
//! directories of a large tree can be held where few files may be open, as in many a container; and
//! to start a program, for which the table of the thread that starts it is copied, takes no longer.
//!
//! A descriptor of a shelf means something else, or nothing, to all other threads: so it is kept as
//! [`Shelved`], which lends it to the shelf's own threads alone. Whoever looks for what is open finds
//! these under `/proc/PID/task/TID/fd`.

use std::cell::RefCell;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::effort::Clocks;

/// A descriptor table and the threads that have it.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) pool: ThreadPool,
    table: Arc<Table>,
}

/// A descriptor that is open in the table of a shelf. It may be dropped by any thread.
#[derive(Debug)]
pub(super) struct Shelved {
    descriptor: RawFd,
    table: Arc<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// How many descriptors are open in it, those that were returned included.
    open: AtomicUsize,
    /// What is not needed any more, to be closed by a thread that has the table.
    returned: Mutex<Vec<RawFd>>,
}

thread_local! {
    /// The table that this thread has, if that is a shelf's.
    static HERE: RefCell<Option<Arc<Table>>> = const { RefCell::new(None) };
}

impl Shelf {
    /// An empty one, called `number`, with so many threads, which take part in these clocks; `None`
    /// where the kernel, or what confines us, allows none.
    pub(super) fn new(number: usize, threads: usize, clocks: &Clocks) -> Option<Self> {
        let table = Arc::<Table>::default();
        let (joined, its) = (clocks.clone(), Arc::clone(&table));
        let start = move || {
            leave_table().then_some(())?;
            let builder = ThreadPoolBuilder::new().num_threads(threads);
            let builder = builder.thread_name(move |index| format!("shelf-{number}-{index}"));
            let builder = builder.start_handler(move |_| {
                joined.join();
                HERE.set(Some(Arc::clone(&its)));
            });
            builder.build().ok()
        };
        let starter = thread::Builder::new().name("shelf".into()).spawn(start).ok()?;
        Some(Self { pool: starter.join().ok()??, table })
    }

    /// Whether this is open in its table.
    pub(super) fn has(&self, shelved: &Shelved) -> bool {
        Arc::ptr_eq(&self.table, &shelved.table)
    }

    /// How many descriptors are kept on it.
    pub(super) fn len(&self) -> usize {
        self.table.open.load(Ordering::Relaxed)
    }

    /// Closes what was returned.
    pub(super) fn tidy(&self) {
        let returned = std::mem::take(&mut *self.table.returned());
        if returned.is_empty() {
            return;
        }
        self.table.open.fetch_sub(returned.len(), Ordering::Relaxed);
        self.pool.install(|| {
            // SAFETY: it is open in the table that this thread has, and it is nobody's: it was
            // returned by the Shelved that owned it, when that was dropped.
            let own = |descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) };
            returned.into_iter().map(own).for_each(drop);
        });
    }
}

impl Shelved {
    /// Keeps on the shelf what one of its threads, this one, has opened.
    ///
    /// # Safety
    /// It is open in the table of this thread, which is a shelf's.
    ///
    /// # Panics
    /// When this thread has no shelf.
    pub(super) unsafe fn new(opened: OwnedFd) -> Self {
        let table = HERE.with_borrow(Option::clone).expect("a thread of a shelf");
        table.open.fetch_add(1, Ordering::Relaxed);
        Self { descriptor: opened.into_raw_fd(), table }
    }

    /// Lends the descriptor, on a thread of its shelf.
    pub(super) fn with<T>(&self, use_it: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
        let is_here = |table: &Option<Arc<Table>>| {
            table.as_ref().is_some_and(|table| Arc::ptr_eq(table, &self.table))
        };
        HERE.with_borrow(is_here).then(|| {
            // SAFETY: it is open in the table that this thread has, and is until `self` is dropped.
            // It can be handed to other threads only while `use_it` goes on, that is to those of
            // the pool that this thread is of, which have the same table.
            use_it(unsafe { BorrowedFd::borrow_raw(self.descriptor) })
        })
    }
}

impl Drop for Shelved {
    fn drop(&mut self) {
        self.table.returned().push(self.descriptor);
    }
}

impl Table {
    fn returned(&self) -> MutexGuard<'_, Vec<RawFd>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives this thread a table of its own, with the standard streams and nothing else in it.
fn leave_table() -> bool {
    const FIRST: libc::c_uint = 3;
    // SAFETY: nothing is closed but copies in a new table, and this thread has no descriptor of
    // which it could be a copy: it has just begun, and owns and borrows none.
    unsafe {
        libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE)
            == 0
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, pipe};

    use super::*;
    use crate::scan::open;

    fn shelf() -> Shelf {
        Shelf::new(0, 2, &Clocks::default()).expect("Linux 5.9")
    }

    fn top() -> Shelved {
        let opened = fs::File::open("/").unwrap();
        // SAFETY: it was just opened, by a shelf's thread.
        unsafe { Shelved::new(opened.into()) }
    }

    fn open_here() -> usize {
        fs::read_dir("/proc/thread-self/fd").unwrap().count()
    }

    #[test]
    fn a_descriptor_is_for_the_threads_of_its_shelf_alone() {
        let (shelf, other) = (shelf(), shelf());
        let wanted = open::stamp(fs::File::open("/").unwrap()).unwrap();
        let shelved = shelf.pool.install(top);
        let stamp = || shelved.with(|held| open::stamp(held).unwrap());
        assert_eq!(stamp(), None);
        assert_eq!(other.pool.install(stamp), None);
        assert_eq!(shelf.pool.broadcast(|_| stamp()), [Some(wanted); 2]);
        assert!(shelf.has(&shelved) && !other.has(&shelved));
    }

    #[test]
    fn what_is_dropped_by_others_is_closed_on_the_shelf() {
        let shelf = shelf();
        let before = shelf.pool.install(open_here);
        let all: Vec<Shelved> = shelf.pool.install(|| (0..9).map(|_| top()).collect());
        assert_eq!((shelf.len(), shelf.pool.install(open_here)), (9, before + 9));
        drop(all);
        shelf.tidy();
        assert_eq!((shelf.len(), shelf.pool.install(open_here)), (0, before));
    }

    #[test]
    fn nothing_that_the_process_has_open_stays_open_on_it() {
        let (mut reader, writer) = pipe().unwrap();
        let _shelf = shelf();
        drop(writer);
        let mut text = Vec::new();
        reader.read_to_end(&mut text).expect("its end, though the shelf is there");
    }
}
