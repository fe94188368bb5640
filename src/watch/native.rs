//! Native events: which directories inotify(7) watches, and of which of them events told. They are
//! only hints: they say where to look, and the look decides.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::inotify::{self, WatchFlags};
use rustix::io::Errno;

use super::bell::Bell;
use super::queue::{Queue, keep_empty};
use super::{Mode, Trusts};
use crate::scan::{Directory, Scanner};

/// Everything that may change what a look finds. Reading and opening are not in it, so that our
/// own looks make no events. Writing through a mapping shows only as the file is closed.
const EVENTS: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Where something may have changed.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// In these directories, as events told.
    pub(super) dirs: BTreeSet<Arc<Path>>,
    /// In these, of which no event need have told: their watches are new, or what was found there
    /// proves nothing yet.
    pub(super) untold: BTreeSet<Arc<Path>>,
    /// There were more events than the kernel keeps (IN_Q_OVERFLOW): it may be anywhere.
    pub(super) everywhere: bool,
}

/// A watch on a directory.
#[derive(Debug)]
struct Watch {
    number: i32,
    /// Which directory it was then, by device and inode.
    was: (u32, u64),
}

/// Watches on directories.
#[derive(Debug)]
pub(super) struct Native {
    queue: Arc<Queue>,
    /// One watch may stand for several paths, where a directory is mounted twice.
    paths: HashMap<i32, Vec<Arc<Path>>>,
    watches: HashMap<Arc<Path>, Watch>,
    /// Whether a directory was lost that may be there again under its path.
    is_stale: bool,
}

/// What came of watching what is known now.
#[derive(Debug, Default)]
pub(super) struct Synced {
    /// Directories that are watched from now on. What came into them before has made no event.
    pub(super) new: BTreeSet<Arc<Path>>,
    /// Why some could not be, as a limit on watches is reached.
    pub(super) refused: Option<Errno>,
}

impl Native {
    /// No watches yet.
    ///
    /// # Errors
    /// `EMFILE` where this user has no instance left (fs.inotify.max_user_instances).
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self {
            queue: Arc::new(Queue::new()?),
            paths: HashMap::new(),
            watches: HashMap::new(),
            is_stale: false,
        })
    }

    /// Has events read from a thread of its own, which rings the bell where they are
    /// [awaited](Self::awaits). It ends with this, or when the queue is ended.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(super) fn receive(&self, bell: &Arc<Bell>) -> io::Result<Arc<Queue>> {
        keep_empty(Arc::clone(&self.queue), Arc::clone(bell))?;
        Ok(Arc::clone(&self.queue))
    }

    /// Whether it is watched.
    pub(super) fn watches(&self, dir: &Path) -> bool {
        self.watches.contains_key(dir)
    }

    /// Whether a directory may have to be watched anew.
    pub(super) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Watches these directories, and no others.
    pub(super) fn sync<'a>(&mut self, dirs: impl Iterator<Item = Directory<'a>>) -> Synced {
        self.is_stale = false;
        let dirs: HashMap<&Arc<Path>, Directory<'a>> = dirs.map(|dir| (dir.path, dir)).collect();
        // First: a directory that moved then gets a new watch, not its old one.
        let is_gone = |(path, watch): &(&Arc<Path>, &Watch)| {
            // A path may lead to another directory by a link, and nothing moved.
            dirs.get(path).is_none_or(|dir| dir.is_now != watch.was)
        };
        let gone: Vec<Arc<Path>> =
            self.watches.iter().filter(is_gone).map(|(path, _)| Arc::clone(path)).collect();
        gone.iter().for_each(|path| self.leave(path));
        let mut synced = Synced::default();
        for (path, dir) in dirs {
            if self.watches.contains_key(path) {
                continue;
            }
            match inotify::add_watch(
                self.queue.inotify(),
                path_on_disk(dir),
                EVENTS | WatchFlags::ONLYDIR,
            ) {
                Ok(number) => {
                    let watch = Watch { number, was: dir.is_now };
                    self.watches.insert(Arc::clone(path), watch);
                    self.paths.entry(number).or_default().push(Arc::clone(path));
                    synced.new.insert(Arc::clone(path));
                }
                Err(errno @ (Errno::NOSPC | Errno::NOMEM)) => {
                    synced.refused = Some(errno);
                    break;
                }
                // It is gone or cannot be read, which the next look sees, too.
                Err(_) => {}
            }
        }
        synced
    }

    /// The number of directories that are watched.
    pub(super) fn len(&self) -> usize {
        self.watches.len()
    }

    /// Takes all events that there are. `is_entry` says whether a name in a directory is known:
    /// writing to what is not (an ignored log file) is no hint.
    pub(super) fn take(&mut self, is_entry: impl Fn(&Path, &[u8]) -> bool) -> Hints {
        let told = self.queue.take();
        let mut hints = Hints { everywhere: told.everywhere, ..Hints::default() };
        let paths = |number: &i32| self.paths.get(number).into_iter().flatten();
        hints.dirs.extend(told.dirs.iter().flat_map(paths).cloned());
        for (number, names) in &told.written {
            let is_told = |dir: &&Arc<Path>| names.iter().any(|name| is_entry(dir, name));
            hints.dirs.extend(paths(number).filter(is_told).cloned());
        }
        if hints.dirs.is_empty() {
            // None of these is an entry, and that stays so until a look begins.
            self.queue.pass_over(told.written);
        }
        let left = told.left.iter().flat_map(|(number, has_moved)| {
            paths(number).map(|path| (Arc::clone(path), *has_moved))
        });
        let left: Vec<_> = left.collect();
        for (path, has_moved) in left {
            self.is_stale = true;
            self.leave(&path);
            if has_moved {
                // What is below went with it, without an event of its own.
                let is_below = |other: &&Arc<Path>| other.starts_with(&path);
                let below: Vec<_> = self.watches.keys().filter(is_below).cloned().collect();
                below.iter().for_each(|path| self.leave(path));
            }
        }
        hints
    }

    /// Has the bell rung as soon as there is something to take; `false` if there is already.
    pub(super) fn awaits(&self) -> bool {
        self.queue.awaits()
    }

    /// A look begins: what told nothing so far may tell something from now on.
    pub(super) fn reconsider(&self) {
        self.queue.reconsider();
    }

    fn leave(&mut self, path: &Path) {
        let Some(Watch { number, .. }) = self.watches.remove(path) else { return };
        let Some(paths) = self.paths.get_mut(&number) else { return };
        paths.retain(|other| **other != *path);
        if paths.is_empty() {
            self.paths.remove(&number);
            // It may have ended by itself.
            _ = inotify::remove_watch(self.queue.inotify(), number);
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.queue.end();
    }
}

/// What came of watching everything for events once, as `stakeout doctor` does.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// How many directories events are asked for.
    pub wanted: usize,
    /// For how many they can be had.
    pub watched: usize,
    /// Why not for the others, as `errno(3)`: `EMFILE` and `ENOSPC` are limits.
    pub refused: Option<i32>,
}

/// Watches all that `scanner` knows as it would be watched in this mode, and lets go of it again.
/// Shares are passed over: of them little can be expected, and they may not answer.
pub fn try_events(scanner: &Scanner, mode: Mode) -> Trial {
    let trusts = Trusts::new(mode);
    let is_wanted = |dir: &Directory<'_>| dir.is_local && trusts.wants_events(true);
    let wanted = || scanner.directories().filter(is_wanted);
    let count = wanted().count();
    match Native::new() {
        _ if count == 0 => Trial { wanted: 0, watched: 0, refused: None },
        Err(errno) => Trial { wanted: count, watched: 0, refused: Some(errno.raw_os_error()) },
        Ok(mut native) => {
            let refused = native.sync(wanted()).refused.map(Errno::raw_os_error);
            Trial { wanted: count, watched: native.len(), refused }
        }
    }
}

/// The directory to watch: for a root that is a single file the one that it is in, since a save
/// by renaming replaces the file. Not the path that is shown: the working directory may be
/// deleted and made again.
fn path_on_disk(dir: Directory<'_>) -> PathBuf {
    match dir.is_single {
        true => dir.root.parent().unwrap_or(dir.root).to_path_buf(),
        false => dir.root.join(dir.below),
    }
}
