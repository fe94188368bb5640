//! A tree in a temporary directory and a scanner on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stakeout::scan::{Look, Plan, Root, Scanner, Selection, reference};
use stakeout::tree::{Change, Entry, Snapshot, diff};

/// A tree, a scanner on it, and the snapshot that changes are counted from.
pub struct Watched {
    root: PathBuf,
    // Kept for its destructor, which removes the tree.
    _directory: Option<tempfile::TempDir>,
    follows_links: bool,
    pub scanner: Scanner,
    base: Snapshot,
}

impl Watched {
    /// Watches a tree with these files, everything in it, from a state whose digests are known.
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self::with_rules(files, false)
    }

    /// The same with ignore files honoured.
    pub fn with_rules(files: &[(&str, &str)], ignore_files: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (path, text) in files {
            write(&directory.path().join(path), text);
        }
        let mut watched = Self::at(directory.path(), ignore_files);
        watched._directory = Some(directory);
        watched
    }

    /// Watches the tree that is at `root`, from a state whose digests are known.
    pub fn at(root: &Path, ignore_files: bool) -> Self {
        let scanner = Scanner::new(plan(root, ignore_files)).expect("threads");
        let root = root.to_path_buf();
        let base = Snapshot::default();
        let mut watched = Self { root, _directory: None, follows_links: false, scanner, base };
        watched.begin();
        watched
    }

    /// Watches the tree that is at `root`, following links.
    pub fn following(root: &Path) -> Self {
        let mut watched = Self::at(root, false);
        watched.follows_links = true;
        watched.renew(false);
        watched
    }

    /// Watches anew with a scanner whose threads are started here, as this thread's user.
    pub fn renew(&mut self, ignore_files: bool) {
        self.scanner = Scanner::new(self.plan(ignore_files)).expect("threads");
        self.begin();
    }

    /// Watches anew with a scanner that has not looked yet.
    pub fn replace_scanner(&mut self) {
        self.scanner = Scanner::new(self.plan(false)).expect("threads");
    }

    fn plan(&self, ignore_files: bool) -> Plan {
        let mut plan = plan(&self.root, ignore_files);
        plan.follow_symlinks = self.follows_links;
        plan
    }

    fn begin(&mut self) {
        self.scanner.look();
        while self.scanner.read_baseline() {}
        self.settle();
        self.forget_changes();
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).expect("a file to remove");
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("something to rename");
    }

    /// Looks until every stamp is proven.
    pub fn settle(&mut self) -> Look {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let look = self.scanner.look();
            let Some(due) = self.scanner.next_proof() else { return look };
            assert!(Instant::now() < until, "some stamps are never proven");
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Counts changes from the tree as it was last looked at.
    pub fn forget_changes(&mut self) {
        self.base = self.scanner.snapshot().clone();
    }

    /// What changed since the last call, one line each, as `created a`, `renamed a -> b`.
    pub fn changes(&mut self) -> Vec<String> {
        let look = self.settle();
        assert_eq!(look.troubles, [], "nothing here is unreadable");
        let changes = self.shown_by(&look);
        self.base = look.snapshot;
        changes
    }

    /// What a look shows to have changed since the last call of `changes`.
    pub fn shown_by(&self, look: &Look) -> Vec<String> {
        let changes = diff(&self.base, &look.snapshot);
        changes.iter().map(|change| self.describe(change)).collect()
    }

    fn describe(&self, change: &Change) -> String {
        let shown = |path: PathBuf| match path.strip_prefix(&self.root) {
            Ok(below) => below.display().to_string(),
            Err(_) => path.display().to_string(),
        };
        match change {
            Change::Created { place, .. } => format!("created {}", shown(place.path())),
            Change::Modified { place, .. } => format!("modified {}", shown(place.path())),
            Change::Removed { place } => format!("removed {}", shown(place.path())),
            Change::Renamed { from, to, .. } => {
                format!("renamed {} -> {}", shown(from.path()), shown(to.path()))
            }
        }
    }

    /// Asserts that the scanner knows just what a plain walk finds.
    pub fn assert_equals_reference(&mut self) {
        self.settle();
        let wanted = reference::read(&self.plan(false)).expect("a readable tree");
        let seen: Vec<(PathBuf, Entry)> = owned(self.scanner.snapshot());
        let wanted: Vec<(PathBuf, Entry)> = owned(&wanted);
        let paths = |list: &[(PathBuf, Entry)]| {
            list.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(paths(&seen), paths(&wanted));
        for ((path, seen), (_, wanted)) in seen.iter().zip(&wanted) {
            assert!(seen.same_content(wanted), "{}: {seen:?}, not {wanted:?}", path.display());
        }
    }
}

fn owned(snapshot: &Snapshot) -> Vec<(PathBuf, Entry)> {
    snapshot.entries().map(|(path, entry)| (path, entry.clone())).collect()
}

/// A plan for all that is in a tree.
pub fn plan(root: &Path, ignore_files: bool) -> Plan {
    let everything = Selection::new(&[], &[]).expect("no globs, no errors");
    Plan::new(vec![Root::new(root)], everything, &[], ignore_files).expect("no globs, no errors")
}

/// Writes a file, its directories made.
pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    fs::write(path, text).expect("a file");
}
