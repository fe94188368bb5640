//! A witness of what is done to a share, who judges each look at it: what could not be asked is
//! neither gone nor changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stakeout::scan::Look;
use stakeout::tree::{Digest, Entry};

use super::share::Share;

/// What is at a path, as far as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A file without a digest is one that could not be read since it was found.
    File {
        is_executable: bool,
        digest: Option<Digest>,
    },
    Link(PathBuf),
}

impl State {
    fn is_unread(&self) -> bool {
        matches!(self, State::File { digest: None, .. })
    }

    /// Whether a look may have found this where that is.
    fn may_be(&self, that: &State) -> bool {
        match (self, that) {
            (
                State::File { is_executable, digest: None },
                State::File { is_executable: that, .. },
            ) => is_executable == that,
            _ => self == that,
        }
    }
}

pub type States = BTreeMap<PathBuf, State>;

/// What a reader finds in the tree at `root`.
pub fn truth(root: &Path) -> States {
    let walk = walkdir::WalkDir::new(root).into_iter();
    let files = walk.map(Result::unwrap).filter(|entry| !entry.file_type().is_dir());
    let state = |entry: walkdir::DirEntry| {
        let path = entry.path();
        let state = match entry.path_is_symlink() {
            true => State::Link(fs::read_link(path).unwrap()),
            false => State::File {
                is_executable: entry.metadata().unwrap().permissions().mode() & 0o100 != 0,
                digest: Some(Digest::of(&fs::read(path).unwrap())),
            },
        };
        (path.strip_prefix(root).unwrap().to_path_buf(), state)
    };
    files.map(state).collect()
}

/// What a look shows of the tree at `root`.
fn shown(look: &Look, root: &Path) -> States {
    let state = |entry: &Entry| match entry {
        Entry::File(file) => {
            State::File { is_executable: file.stamp.is_executable(), digest: file.digest }
        }
        Entry::Link(link) => State::Link(link.target.to_path_buf()),
    };
    let entries = look.snapshot.entries();
    entries.map(|(p, entry)| (p.strip_prefix(root).unwrap().to_path_buf(), state(&entry))).collect()
}

/// What a look at a share may show.
pub struct Witness<'a> {
    share: &'a Share,
    /// What the look before showed.
    before: States,
    /// What was there at each moment since.
    since: Vec<States>,
}

impl<'a> Witness<'a> {
    /// Of a share that was seen as it is.
    pub fn new(share: &'a Share) -> Self {
        let now = truth(&share.behind(""));
        Self { share, before: now.clone(), since: vec![now] }
    }

    /// Something was done to it.
    pub fn take_note(&mut self) {
        self.since.push(truth(&self.share.behind("")));
    }

    /// Each path has to be shown as it was before, or as it was at some moment since; and what was
    /// read once is not unread again.
    pub fn judge(&mut self, look: &Look) {
        let now = shown(look, self.share.path());
        let all = self.since.iter().chain([&self.before, &now]);
        for path in all.flat_map(BTreeMap::keys).collect::<BTreeSet<_>>() {
            let (is, was) = (now.get(path), self.before.get(path));
            let is_forgotten =
                is.is_some_and(State::is_unread) && was.is_some_and(|was| !was.is_unread());
            let has_been = |then: &States| match (is, then.get(path)) {
                (Some(is), Some(then)) => is.may_be(then),
                (is, then) => is == then,
            };
            assert!(
                is == was || !is_forgotten && self.since.iter().any(has_been),
                "{path:?} is shown as {is:?}, was as {was:?}, and since there was {:?}; {:?}",
                self.since.iter().map(|then| then.get(path)).collect::<Vec<_>>(),
                look.troubles
            );
        }
        self.pass(look);
    }

    /// Takes a look for what it shows.
    pub fn pass(&mut self, look: &Look) {
        self.since = vec![truth(&self.share.behind(""))];
        self.before = shown(look, self.share.path());
    }
}
