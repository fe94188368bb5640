//! A known directory: what a scanner keeps of each directory from one look to the next.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::forest::DirId;
use super::mount::Mount;
use super::rules::{Rules, Source};
use super::scope::MountId;
use super::shelf::Shelved;
use crate::tree::{Dir, Stamp};

/// Small, since a large tree has a hundred thousand of them.
#[derive(Debug)]
pub(super) struct KnownDir {
    /// Which root it is under, as an index.
    root: u32,
    /// Where in `path` the part below the root begins, in bytes.
    below_from: u32,
    /// The path as it is shown: the root's label and what is below.
    pub(super) path: Arc<Path>,
    pub(super) parent: Option<DirId>,
    /// Where it was reached by a link that is followed: the link's own stamp.
    pub(super) link: Option<Box<Stamp>>,
    /// Whether what is in it may change elsewhere, as there are links among its entries.
    pub(super) has_links: bool,
    /// The directories in it, sorted by name, see [`Forest::child_called`].
    ///
    /// [`Forest::child_called`]: super::forest::Forest::child_called
    pub(super) children: Box<[DirId]>,
    /// For a root that is a single file: its name on disk. Its entry's name is empty then.
    pub(super) single: Option<Box<OsString>>,
    pub(super) contents: Arc<Dir>,
    /// The directory's own stamp when it was last listed; `None` before the first time.
    pub(super) stamp: Option<Stamp>,
    /// Set where the last listing was not complete.
    pub(super) must_list: bool,
    pub(super) mount: Mount,
    /// Which mount it was listed on, see [`stamp_and_mount`](super::open::stamp_and_mount).
    pub(super) mount_id: MountId,
    /// The directory itself, where it is held open from look to look, see [`way`](super::way).
    pub(super) held: Option<OwnedFd>,
    /// The same, where it is held on a shelf.
    pub(super) shelved: Option<Shelved>,
    /// A fingerprint of all names and kinds in it, left-out ones too.
    pub(super) names: u64,
    /// Until then its stamp proves nothing, see [`Mount::granule`].
    pub(super) racy_until: Option<Instant>,
    /// The rules for the names in it.
    pub(super) rules: Arc<Rules>,
    pub(super) sources: Box<[Source]>,
}

impl KnownDir {
    /// A root's top directory; `single` is set where the root is a file in it.
    pub(super) fn top(
        root: usize,
        label: &Path,
        single: Option<OsString>,
        rules: Arc<Rules>,
    ) -> Self {
        let below_from = label.as_os_str().len();
        Self::new(small(root), label.into(), small(below_from), None, single, rules)
    }

    /// The directory called `name` in `self`, whose own index is `id`.
    pub(super) fn child(&self, id: DirId, name: &OsStr) -> Self {
        let path = self.path.join(name);
        // The separator that now follows the label does not belong to the part below.
        let grown = path.as_os_str().len() - name.len();
        let below_from = if self.parent.is_none() { small(grown) } else { self.below_from };
        Self::new(self.root, path.into(), below_from, Some(id), None, Arc::clone(&self.rules))
    }

    fn new(
        root: u32,
        path: Arc<Path>,
        below_from: u32,
        parent: Option<DirId>,
        single: Option<OsString>,
        rules: Arc<Rules>,
    ) -> Self {
        Self {
            root,
            path,
            below_from,
            parent,
            children: Box::default(),
            link: None,
            has_links: false,
            single: single.map(Box::new),
            contents: Arc::default(),
            stamp: None,
            must_list: true,
            mount: Mount::Foreign,
            mount_id: MountId(0),
            held: None,
            shelved: None,
            names: 0,
            racy_until: None,
            rules,
            sources: Box::default(),
        }
    }

    /// How long after a stamp in it was seen an edit may still leave that very stamp, see
    /// [`Mount::granule`]. What a link leads to may lie on another file system.
    pub(super) fn granule(&self, stamp: &Stamp) -> Duration {
        let is_elsewhere = |own: Stamp| self.has_links && own.device != stamp.device;
        match self.stamp.is_some_and(is_elsewhere) {
            true => Mount::COARSEST,
            false => self.mount.granule(stamp),
        }
    }

    /// Whose events tell of changes in it.
    pub(super) fn heard_on(&self) -> MountId {
        if self.has_links || self.link.is_some() { MountId::LINKS } else { self.mount_id }
    }

    /// Which root it is under, as an index.
    pub(super) fn root(&self) -> usize {
        self.root as usize
    }

    /// What it is called in the directory above.
    pub(super) fn name(&self) -> &OsStr {
        let path = self.path.as_os_str().as_encoded_bytes();
        let slash = path.iter().rposition(|&byte| byte == b'/');
        os_str(&path[slash.map_or(0, |slash| slash + 1)..])
    }

    /// The path relative to the root; empty for the root itself.
    pub(super) fn below(&self) -> &Path {
        let bytes = self.path.as_os_str().as_encoded_bytes();
        Path::new(os_str(&bytes[self.below_from as usize..]))
    }

    /// The name on disk of the entry called `name`.
    pub(super) fn name_on_disk<'a>(&'a self, name: &'a OsStr) -> &'a OsStr {
        self.single.as_ref().map_or(name, |single| single)
    }
}

/// A number of roots, or the length of a path.
fn small(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than 4 billion")
}

fn os_str(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_below_the_root_starts_after_the_label() {
        for (label, shown) in [("", "a/b"), ("src", "src/a/b"), ("/", "/a/b"), ("../x", "../x/a/b")]
        {
            let top = KnownDir::top(0, Path::new(label), None, Rules::none());
            assert_eq!(top.below(), Path::new(""));
            let child = top.child(0, OsStr::new("a")).child(1, OsStr::new("b"));
            assert_eq!(&*child.path, Path::new(shown));
            assert_eq!(child.below(), Path::new("a/b"), "{label}");
            assert_eq!(child.name(), "b");
        }
    }
}
