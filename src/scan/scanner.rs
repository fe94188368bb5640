//! The scanner: known directories in a flat array, and the look that brings them up to date.
//!
//! A look goes through these steps, each spread over the threads of a rayon pool:
//! 1. `check` every known directory: one `fstatat(2)` for each entry;
//! 2. `list` those that were touched, and then what is new in them;
//! 3. read (`touched`) the entries whose stamp is another or not yet proven ("racy");
//! 4. put a new snapshot together that shares every unchanged directory with the old one.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::effort::{Clocks, own_time};
use super::forest::{DirId, Forest};
use super::inodes::Inodes;
use super::known::KnownDir;
use super::mounts::Mounts;
use super::pulse::Pulse;
use super::racy::Racy;
use super::root::KnownRoot;
use super::scope::{Directory, MountId, Scope};
use super::shelves::Shelves;
use super::touched::Progress;
use super::way::{limit, most_held};
use super::{Plan, Trouble, Verb, baseline::Baseline};
use crate::tree::{Place, Snapshot};

/// Deeper directories are not entered: a file system made up by a program may have no end.
pub(super) const LONGEST_PATH: usize = 16 * 1024;

/// More threads gain little, and a container may allow few (docker's --pids-limit).
pub(super) const MOST_THREADS: usize = 8;

/// The threads for a share: they wait for answers more than they compute.
const SHARE_THREADS: usize = 16;

/// Takes snapshots of a tree, each at the cost of what changed since the one before.
#[derive(Debug)]
pub struct Scanner {
    pub(super) plan: Plan,
    pub(super) pool: ThreadPool,
    pub(super) clocks: Clocks,
    pub(super) roots: Vec<KnownRoot>,
    pub(super) dirs: Forest,
    pub(super) racy: Racy,
    pub(super) baseline: Baseline,
    pub(super) inodes: Inodes,
    pub(super) pulse: Arc<Pulse>,
    pub(super) mounts: Mounts,
    /// How often directories came or went.
    pub(super) tidied: u64,
    pub(super) is_first: bool,
    /// How many directories may be held open.
    pub(super) most_held: usize,
    /// Where more are held.
    pub(super) shelves: Shelves,
    /// When shares are to be asked again for what this kernel remembers.
    pub(super) doubts: Instant,
    /// Whether the pool has more threads than there are cores.
    pub(super) is_wide: bool,
    pub(super) snapshot: Snapshot,
    /// The directories in which something is known that the snapshot does not have.
    pub(super) unpublished: Vec<DirId>,
}

/// What one look found.
#[derive(Debug)]
pub struct Look {
    /// The tree as far as it could be read; what could not, as it was known before.
    pub snapshot: Snapshot,
    /// What is still there but, by a changed ignore file, not part of the tree any more.
    pub hidden: Vec<Place>,
    /// What could not be read.
    pub troubles: Vec<Trouble>,
    /// How many files were read.
    pub read: usize,
}

impl Scanner {
    /// A scanner that has not looked yet.
    ///
    /// # Errors
    /// When no threads can be made.
    pub fn new(plan: Plan) -> Result<Self, ThreadPoolBuildError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (pool, clocks) = pool_of(cores.min(MOST_THREADS))?;
        Ok(Self {
            pulse: Arc::new(Pulse::new(plan.roots.len())),
            inodes: Inodes::default(),
            mounts: Mounts::watch(),
            tidied: 0,
            most_held: most_held(limit()),
            shelves: Shelves::default(),
            doubts: Instant::now() + plan.believe,
            is_wide: false,
            roots: plan.roots.iter().cloned().map(KnownRoot::new).collect(),
            plan,
            pool,
            clocks,
            dirs: Forest::default(),
            racy: Racy::default(),
            baseline: Baseline::default(),
            snapshot: Snapshot::default(),
            unpublished: Vec::new(),
            is_first: true,
        })
    }

    /// What is being watched.
    pub fn roots(&self) -> &[super::Root] {
        &self.plan.roots
    }

    /// Whether the roots answer, to be seen from another thread while this one waits for them.
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// What looking has used of the CPU so far, by the thread that asks and those that help it.
    pub fn cpu_time(&self) -> Duration {
        own_time() + self.clocks.time() + self.shelves.clocks.time()
    }

    /// The tree as it was last seen.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The known directories, sorted by path.
    pub fn directories(&self) -> impl Iterator<Item = Directory<'_>> {
        self.dirs.directories(&self.plan.roots)
    }

    /// The directories of file systems that the kernel makes up (`/proc` and the like), which are
    /// not entered.
    pub fn made_up(&self) -> impl Iterator<Item = &Arc<Path>> {
        self.dirs.made_up()
    }

    /// The mount that the directory shown as `path` lies on.
    pub fn mount_of(&self, path: &Path) -> Option<MountId> {
        self.dirs.get(self.dirs.at(path)?).map(KnownDir::heard_on)
    }

    /// A number that is another whenever other directories are known, or one is another now.
    pub fn tidied(&self) -> u64 {
        self.tidied
    }

    /// When the next stamp that proves nothing yet can be proven by another look; `None` once
    /// all are.
    pub fn next_proof(&self) -> Option<Instant> {
        let dirs = self.dirs.iter().filter_map(|dir| dir.racy_until);
        self.racy.next().into_iter().chain(dirs).min()
    }

    /// When all that proves nothing yet in the directory shown as `path` can be proven by another
    /// look at it; `None` once all is.
    pub fn proof_of(&self, path: &Path) -> Option<Instant> {
        let id = self.dirs.at(path)?;
        let dir = self.dirs.get(id)?;
        let incomplete = dir.must_list.then(Instant::now);
        self.racy.last_in(id).into_iter().chain(dir.racy_until).chain(incomplete).max()
    }

    /// Looks at the whole tree. The first look reads no content: its files have no digest until
    /// [`Scanner::read_baseline`] fills them in, or until they change.
    pub fn look(&mut self) -> Look {
        self.look_at(&Scope::Everything)
    }

    /// Looks at a part of the tree, and at what is new in it.
    pub fn look_at(&mut self, scope: &Scope) -> Look {
        let look = self.look_once(scope);
        if look.troubles.iter().any(Trouble::is_lack_of_files) {
            self.shelves.give_up(&mut self.dirs);
        }
        if self.dirs.held() == 0 || !look.troubles.iter().any(Trouble::is_lack_of_descriptors) {
            return look;
        }
        self.most_held = self.dirs.held() / 2;
        self.dirs.hold_at_most(self.most_held);
        self.dirs.iter().for_each(|dir| self.shelves.offer(dir));
        let mut again = self.look_once(scope);
        again.hidden.splice(..0, look.hidden);
        again.read += look.read;
        again
    }

    fn look_once(&mut self, scope: &Scope) -> Look {
        let now = Instant::now();
        let mut progress = Progress { troubles: self.open_roots(), ..Progress::default() };
        if self.is_first && self.is_any_on_share() {
            self.widen();
        }
        let mut queue = self.check_all(scope, now, &mut progress);
        let mut asked_again = HashSet::new();
        while !queue.is_empty() {
            queue = self.list_all(&queue, &mut asked_again, &mut progress);
        }
        self.recheck_racy(now, &mut progress);
        self.read_touched(now, &mut progress);
        self.commit(&mut progress);
        self.inodes.looked(&progress.flipped);
        if std::mem::take(&mut self.is_first) {
            self.baseline.begin(self.dirs.order());
            Self::trim();
        }
        self.close_roots();
        Look {
            snapshot: self.snapshot.clone(),
            hidden: progress.hidden,
            troubles: progress.troubles,
            read: progress.read,
        }
    }

    fn is_any_on_share(&self) -> bool {
        let asked = |(index, root): (usize, &KnownRoot)| {
            self.pulse.while_asking(index, || root.is_on_share())
        };
        self.roots.iter().enumerate().any(asked)
    }

    /// Takes as many threads as a share needs. Without them it works as well, only slower.
    pub(super) fn widen(&mut self) {
        if !self.is_wide {
            self.is_wide = true;
            if let Ok((pool, clocks)) = pool_of(SHARE_THREADS) {
                self.clocks = clocks;
                self.pool = pool;
            }
        }
    }

    /// Gives back what memory was needed only for a moment. After a look or a reading of very much
    /// it would be kept otherwise, for as long as the process lives.
    pub(super) fn trim() {
        #[cfg(target_env = "gnu")]
        // SAFETY: glibc's, thread-safe, and without an effect but on free memory.
        unsafe {
            libc::malloc_trim(0);
        }
    }

    /// A directory that is known to be there.
    pub(super) fn dir(&self, id: DirId) -> &KnownDir {
        self.dirs.get(id).expect("only live directories are asked for")
    }

    pub(super) fn dir_mut(&mut self, id: DirId) -> &mut KnownDir {
        self.dirs.get_mut(id).expect("only live directories are asked for")
    }

    /// Forgets a directory and all below it. Its entries count as removed, or, if `hide`, as
    /// never having been part of the tree.
    pub(super) fn remove(&mut self, id: DirId, hide: bool, progress: &mut Progress) {
        for (id, dir) in self.dirs.remove(id) {
            self.racy.remove_dir(id);
            progress.touched.remove(&id);
            if hide {
                let names = dir.contents.iter().map(|(name, _)| name.to_os_string());
                let places = names.map(|name| Place { dir: Arc::clone(&dir.path), name });
                progress.hidden.extend(places);
            }
        }
    }

    /// Opens every root for as long as it is being read; gives those that cannot be opened.
    pub(super) fn open_roots(&mut self) -> Vec<Trouble> {
        let (pulse, inodes) = (&self.pulse, &self.inodes);
        let opened = self.roots.iter_mut().enumerate().map(|(index, root)| {
            let _asking = pulse.ask(index);
            (root.open(inodes), &root.place.label)
        });
        let failed = opened.filter_map(|(opened, path)| Some((opened.err()?, path)));
        failed.map(|(error, path)| Trouble::new(path, Verb::Open, error)).collect()
    }

    /// Lets go of the roots, so that they can be unmounted between looks.
    pub(super) fn close_roots(&mut self) {
        self.roots.iter_mut().for_each(|root| root.now = None);
    }

    /// Finds out whether a root is still the one it was; gives its top directory where that is
    /// new.
    pub(super) fn refresh_root(&mut self, index: usize, progress: &mut Progress) -> Option<DirId> {
        let root = &mut self.roots[index];
        let asking = self.pulse.ask(index);
        let must_list = root.refresh(&self.inodes, self.plan.ignore_files_above);
        drop(asking);
        if must_list && self.roots.len() > 1 {
            // Where it was and where it is now may lie inside other roots.
            self.dirs.iter_mut().for_each(|dir| dir.must_list = true);
        }
        let root = &self.roots[index];
        let single = root.now.as_ref()?.single.clone();
        if let Some(id) = root.top {
            let top = self.dir_mut(id);
            if top.single.is_some() == single.is_some() {
                let single = single.map(Box::new);
                top.must_list |= must_list || top.single != single;
                top.single = single;
                return None;
            }
            // It was a file and is a directory, or the other way round.
            self.remove(id, false, progress);
        }
        let root = &mut self.roots[index];
        let top = KnownDir::top(index, &root.place.label, single, Arc::clone(&root.above));
        root.top = Some(self.dirs.insert(top));
        root.top
    }
}

/// Threads to scan with, and their clocks.
fn pool_of(threads: usize) -> Result<(ThreadPool, Clocks), ThreadPoolBuildError> {
    let clocks = Clocks::default();
    let joined = clocks.clone();
    let builder = ThreadPoolBuilder::new().num_threads(threads);
    let builder = builder.start_handler(move |_| joined.join());
    let pool = builder.thread_name(|index| format!("scan-{index}")).build()?;
    Ok((pool, clocks))
}
