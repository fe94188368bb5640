//! The ground that benches stand on: generated trees, and the floors that a scanner is measured
//! against, written as plainly as they can be.

use std::ffi::{CString, OsStr};
use std::fs;
use std::hint::black_box;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::process::{Resource, getrlimit};
use stakeout::scan::{Plan, Root, Scanner, Selection};

/// So many files lie in one directory, as in the source trees that were looked at (9 to 14).
pub const FILES_PER_DIRECTORY: usize = 12;

/// A tree of `files` small files at `root`, three directories deep. What is there is kept, so
/// that a large one is made once.
pub fn make_tree(root: &Path, files: usize) -> io::Result<()> {
    let is_made = root.join(".made");
    if is_made.exists() {
        return Ok(());
    }
    for (directory, first) in (0..files).step_by(FILES_PER_DIRECTORY).enumerate() {
        let path = root.join(format!(
            "package_{:03}/module_{:02}/part_{}",
            directory / 100,
            directory / 10 % 10,
            directory % 10
        ));
        fs::create_dir_all(&path)?;
        for file in first..files.min(first + FILES_PER_DIRECTORY) {
            let text = format!("pub fn number_{file}() -> usize {{\n    {file}\n}}\n");
            fs::write(path.join(format!("source_{file}.rs")), text.repeat(1 + file % 40))?;
        }
    }
    fs::write(is_made, "")
}

/// The floor of a rescan: each file of a known tree is asked for by one `fstatat(2)` relative to
/// its open directory, by one thread, and nothing is compared or kept.
pub struct Floor {
    directories: Vec<(PathBuf, Vec<CString>)>,
    /// All of them, or none where they are too many. A directory that was opened just before is
    /// still in the processor's cache, which makes this a tenth or more cheaper than it is from
    /// look to look.
    held: Vec<OwnedFd>,
}

impl Floor {
    pub fn new(root: &Path) -> io::Result<Self> {
        let mut directories = Vec::new();
        let mut pending = vec![root.to_path_buf()];
        while let Some(path) = pending.pop() {
            let mut names = Vec::new();
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                match entry.file_type()?.is_dir() {
                    true => pending.push(entry.path()),
                    false => names.push(CString::new(entry.file_name().as_bytes())?),
                }
            }
            directories.push((path, names));
        }
        let is_held = directories.len() <= most_open();
        let held = if is_held { open(&directories) } else { Vec::new() };
        Ok(Self { directories, held })
    }

    /// Asks for all files, and gives how long that took by `clock`; opening is not counted.
    pub fn rescan(&self, clock: impl Fn(&dyn Fn()) -> Duration) -> Duration {
        if !self.held.is_empty() {
            return clock(&|| ask(&self.held, &self.directories));
        }
        let batches = self.directories.chunks(most_open());
        batches
            .map(|batch| {
                let opened = open(batch);
                clock(&|| ask(&opened, batch))
            })
            .sum()
    }
}

/// So many directories are held open, or opened at a time. The scanner has half of what a process
/// may open.
fn most_open() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 15);
    usize::try_from(limit / 2).map_or(1, |half| half.saturating_sub(64).max(1))
}

fn open(directories: &[(PathBuf, Vec<CString>)]) -> Vec<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &Path| openat(CWD, path, flags, Mode::empty()).expect("a directory");
    directories.iter().map(|(path, _)| open(path)).collect()
}

fn ask(opened: &[OwnedFd], directories: &[(PathBuf, Vec<CString>)]) {
    for (directory, (_, names)) in opened.iter().zip(directories) {
        for name in names {
            _ = black_box(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW));
        }
    }
}

/// The floor of a first snapshot: a walk on all threads that lists every directory, asks for each
/// file's stamp, and keeps nothing. Gives how many files there are.
pub fn bare_walk(root: &Path) -> usize {
    let Ok(entries) = fs::read_dir(root) else { return 0 };
    let (mut directories, mut files) = (Vec::<PathBuf>::new(), 0);
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            directories.push(entry.path());
        } else {
            // Relative to the directory, as std does it.
            _ = black_box(entry.metadata());
            files += 1;
        }
    }
    files + directories.par_iter().map(|path| bare_walk(path)).sum::<usize>()
}

/// The floor of hashing: every file read into memory and hashed, on all threads.
pub fn bare_hash(root: &Path) -> usize {
    let files: Vec<PathBuf> = walkdir::WalkDir::new(root)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files
        .par_iter()
        .filter(|path| fs::read(path).is_ok_and(|bytes| black_box(blake3::hash(&bytes)) != [0; 32]))
        .count()
}

/// A scanner on everything in a tree, ignore files honoured as users have it.
pub fn scanner(root: &Path) -> Scanner {
    let everything = Selection::new(&[], &[]).expect("no globs, no errors");
    let root = Root::new(Path::new(OsStr::from_bytes(root.as_os_str().as_bytes())));
    let plan = Plan::new(vec![root], everything, &[], true).expect("no globs, no errors");
    Scanner::new(plan).expect("threads")
}
