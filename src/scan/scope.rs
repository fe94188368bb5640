//! A scope: which of the known directories a look asks.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::forest::{DirId, Forest};
use super::mount::Mount;
use super::plan::Root;

/// Which mount a directory lies on, as its kernel numbers them; 0 for all of them where it does
/// not (Linux before 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountId(pub u64);

impl MountId {
    /// Where links are followed, what counts changes elsewhere, and no event tells of it: wherever
    /// they lie, links are on a mount of their own.
    pub const LINKS: Self = Self(u64::MAX);
}

/// What to look at. What is outside counts as it was known.
#[derive(Clone, Debug)]
pub enum Scope {
    /// The whole tree.
    Everything,
    /// The directories on these mounts, and these directories. Those that are not known are
    /// passed over.
    Part {
        /// All of what lies on them.
        mounts: BTreeSet<MountId>,
        /// As paths to show, without what is below them.
        dirs: BTreeSet<Arc<Path>>,
    },
}

/// A known directory, as who watches it needs it.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    /// The path that is shown.
    pub path: &'a Arc<Path>,
    /// Where its root is: an absolute path.
    pub root: &'a Path,
    /// The path from there.
    pub below: &'a Path,
    /// The mount that it lies on.
    pub mount: MountId,
    /// Which directory it was when it was last listed, by device and inode.
    pub is_now: (u32, u64),
    /// Whether that is a file system of this kernel: all changes of it pass through here.
    pub is_local: bool,
    /// Whether it stands for a root that is a single file, which `root` leads to.
    pub is_single: bool,
}

impl Scope {
    /// The ids of the directories in it, sorted by path.
    pub(super) fn ids<'a>(&self, dirs: &'a Forest) -> Cow<'a, [DirId]> {
        let Scope::Part { mounts, dirs: paths } = self else { return dirs.order().into() };
        let is_on = |id: &DirId| dirs.get(*id).is_some_and(|dir| mounts.contains(&dir.heard_on()));
        let mut ids: Vec<DirId> = match mounts.is_empty() {
            true => Vec::new(),
            false => dirs.order().iter().copied().filter(is_on).collect(),
        };
        ids.extend(paths.iter().filter_map(|path| dirs.at(path)));
        ids.sort_unstable();
        ids.dedup();
        ids.into()
    }
}

impl Forest {
    /// The directories that may change, as they were known when the last look ended.
    pub(super) fn directories<'a>(
        &'a self,
        roots: &'a [Root],
    ) -> impl Iterator<Item = Directory<'a>> {
        let known = self.order().iter().filter_map(|id| self.get(*id));
        // Of what could not be opened yet it is not known where it lies.
        let listed = known.filter_map(|dir| Some((dir, dir.stamp?)));
        let real = listed.filter(|(dir, _)| dir.mount != Mount::Pseudo);
        real.map(|(dir, stamp)| Directory {
            path: &dir.path,
            root: &roots[dir.root()].path,
            below: dir.below(),
            mount: dir.heard_on(),
            is_now: (stamp.device, stamp.inode),
            is_local: dir.mount == Mount::Local,
            is_single: dir.single.is_some(),
        })
    }

    /// The directories that are not entered, since the kernel makes up what is in them.
    pub(super) fn made_up(&self) -> impl Iterator<Item = &Arc<Path>> {
        let known = self.order().iter().filter_map(|id| self.get(*id));
        known.filter(|dir| dir.mount == Mount::Pseudo).map(|dir| &dir.path)
    }
}
