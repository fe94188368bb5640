//! Listing a directory: which names in it count, and what they are.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::check::{SHARE_CHUNK, is_gone};
use super::follow::leads_back;
use super::forest::Forest;
use super::known::KnownDir;
use super::mount::Mount;
use super::open::{Access, Freshness, Links};
use super::plan::Plan;
use super::pulse::Asking;
use super::rules::{Rules, Source, Unreadable};
use super::scope::MountId;
use super::stem::{Paths, Stem};
use super::{Trouble, Verb, content, names, open};
use crate::tree::{Link, Place, Stamp};

/// What is in a directory.
#[derive(Debug)]
pub(super) struct Listing {
    /// The directory's own stamp, from before its names were read.
    pub(super) stamp: Stamp,
    pub(super) mount: Mount,
    pub(super) mount_id: MountId,
    pub(super) names: u64,
    pub(super) rules: Arc<Rules>,
    pub(super) sources: Vec<Source>,
    pub(super) entries: Vec<(OsString, Found)>,
    pub(super) children: Vec<Child>,
    /// Whether there are links among the entries, that are followed or could be.
    pub(super) has_links: bool,
    /// Names that were known, are still there, and are left out by the rules now.
    pub(super) hidden: HashSet<OsString>,
    /// Entries that could not be asked; or that vanished meanwhile, which is no trouble but
    /// needs another listing.
    pub(super) troubles: Vec<Trouble>,
    pub(super) is_complete: bool,
}

/// A directory that was found.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: OsString,
    /// The stamp that it has now, where it was known.
    pub(super) stamp: Option<Stamp>,
    /// That of the link that leads to it.
    pub(super) link: Option<Box<Stamp>>,
}

/// An entry that was found.
#[derive(Debug)]
pub(super) enum Found {
    File(Stamp),
    Link(Link),
    /// It is there, but what it is could not be asked.
    Unknown,
}

/// Why a directory was not listed.
#[derive(Debug)]
pub(super) enum Unlisted {
    /// It is not there, or not a directory.
    Lost,
    /// It cannot be read.
    Failed(Trouble),
}

/// What listing needs to know besides the directory itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) plan: &'a Plan,
    pub(super) dirs: &'a Forest,
    /// The root's directory.
    pub(super) root: &'a OwnedFd,
    /// The absolute path of that directory.
    pub(super) base: &'a Path,
    /// The directory above, unless it is the root's.
    pub(super) parent: Option<&'a KnownDir>,
    /// The rules of the directory above.
    pub(super) above: &'a Arc<Rules>,
    /// Absolute paths of other roots, which are scanned for themselves, and where links are followed
    /// what all roots are called.
    pub(super) other_roots: &'a HashSet<PathBuf>,
    /// To be told of each answer.
    pub(super) asking: &'a Asking<'a>,
}

impl Surroundings<'_> {
    fn knows_child(&self, dir: &KnownDir, name: &OsStr) -> bool {
        self.dirs.child_called(dir, name).is_some()
    }
}

/// A directory that is being listed.
pub(super) struct Lister<'a> {
    pub(super) around: Surroundings<'a>,
    pub(super) known: &'a KnownDir,
    pub(super) directory: OwnedFd,
    pub(super) listing: Listing,
    /// Names on a share that are still to be asked for.
    unasked: Vec<OsString>,
}

/// Lists the directory `known` anew, and gives it as it was opened for that.
pub(super) fn list(
    around: Surroundings<'_>,
    known: &KnownDir,
) -> Result<(Listing, OwnedFd), Unlisted> {
    let mut lister = Lister::open(around, known)?;
    if known.single.is_some() {
        lister.single();
    } else if lister.listing.mount != Mount::Pseudo {
        lister.all()?;
    }
    Ok((lister.listing, lister.directory))
}

fn unlisted(known: &KnownDir, verb: Verb, error: Errno) -> Unlisted {
    match is_gone(error) {
        true => Unlisted::Lost,
        false => Unlisted::Failed(Trouble::new(&*known.path, verb, error)),
    }
}

impl<'a> Lister<'a> {
    fn open(around: Surroundings<'a>, known: &'a KnownDir) -> Result<Self, Unlisted> {
        let access = if known.single.is_some() { Access::Search } else { Access::List };
        let directory = open::directory(around.root, known.below(), access, around.plan.links())
            .map_err(|error| unlisted(known, Verb::Open, error))?;
        let (stamp, mount_id) = open::stamp_and_mount(&directory)
            .map_err(|error| unlisted(known, Verb::Stat, error))?;
        // Since the one above was listed, a link has come to lead elsewhere.
        let is_back = |above| leads_back(around.dirs, above, &stamp);
        if known.link.is_some() && around.parent.is_some_and(is_back) {
            return Err(Unlisted::Lost);
        }
        let is_on_device = |dir: &&KnownDir| dir.stamp.is_some_and(|at| at.device == stamp.device);
        let on_device = [Some(known), around.parent].into_iter().flatten().find(is_on_device);
        let listing = Listing {
            stamp,
            mount: on_device.map_or_else(|| Mount::of(&directory), |dir| dir.mount),
            mount_id,
            names: 0,
            rules: Arc::clone(around.above),
            sources: Vec::new(),
            entries: Vec::new(),
            children: Vec::new(),
            has_links: false,
            hidden: HashSet::new(),
            troubles: Vec::new(),
            is_complete: true,
        };
        Ok(Self { around, known, directory, listing, unasked: Vec::new() })
    }

    /// All that is in it and counts.
    fn all(&mut self) -> Result<(), Unlisted> {
        let found = self.names()?;
        let absolute = self.around.base.join(self.known.below());
        if self.around.plan.ignore_files {
            self.read_rules(&absolute, &found);
        }
        let shown = Stem::new(&self.known.path);
        let mut paths = Paths { absolute: Stem::new(&absolute), shown };
        for (name, kind) in found {
            self.add(&mut paths, name, kind);
        }
        self.ask_at_once();
        Ok(())
    }

    /// Asks for what was left to be asked, several at a time: on a share each takes long.
    fn ask_at_once(&mut self) {
        let names = std::mem::take(&mut self.unasked);
        let lister = &*self;
        let ask = |name: OsString| {
            let stamp = lister.stamp_of(&name);
            (name, stamp)
        };
        let asked: Vec<(OsString, Result<Stamp, Errno>)> =
            names.into_par_iter().with_min_len(SHARE_CHUNK).map(ask).collect();
        for (name, stamp) in asked {
            match stamp {
                Ok(stamp) => self.add_entry(name, stamp),
                Err(error) => self.fail(&name, Verb::Stat, error),
            }
        }
    }

    fn names(&mut self) -> Result<Vec<(OsString, FileType)>, Unlisted> {
        let Self { around, known, directory, listing, .. } = self;
        let mut found = Vec::new();
        names::for_each(directory, |name| {
            listing.names = names::add(listing.names, name.fingerprint(listing.mount));
            found.push((name.name.to_os_string(), name.kind));
            if listing.mount.is_share() {
                around.asking.answered();
            }
        })
        .map_err(|error| unlisted(known, Verb::List, error))?;
        let is_moved = known.stamp.is_some_and(|before| {
            before.device != listing.stamp.device || known.mount_id != listing.mount_id
        });
        if is_moved && found.is_empty() && !(known.contents.is_empty() && known.children.is_empty())
        {
            // A mount point whose volume is gone shows the empty directory below it.
            return Err(unlisted(known, Verb::Enter, Errno::NODEV));
        }
        Ok(found)
    }

    /// Where a rule file cannot be read, the rules that were known stand.
    fn read_rules(&mut self, absolute: &Path, names: &[(OsString, FileType)]) {
        let has = |wanted: &str| names.iter().any(|(name, _)| name == wanted);
        let before = self.known.stamp.map(|_| &self.known.rules);
        match Rules::read(self.around.above, &self.directory, absolute, has(".git"), has, before) {
            Ok((rules, sources)) => (self.listing.rules, self.listing.sources) = (rules, sources),
            Err(Unreadable { file, errno }) => {
                self.listing.troubles.push(Trouble::new(
                    self.known.path.join(file),
                    Verb::Read,
                    errno,
                ));
                self.listing.is_complete = false;
                if let Some(before) = before {
                    self.listing.rules = Arc::clone(before);
                }
            }
        }
    }

    fn add(&mut self, paths: &mut Paths, name: OsString, kind: FileType) {
        let is_following = self.around.plan.links() == Links::Followed;
        let kind = match kind {
            FileType::Unknown if is_following => match self.itself(&name) {
                Some(stamp) => open::kind(&stamp),
                None => return,
            },
            kind => kind,
        };
        let follows = kind == FileType::Symlink && is_following;
        let place = (paths.absolute.join(&name), paths.shown.join(&name));
        let found = self.judge(place, &name, kind, follows);
        let Some((stamp, is_directory, left_out)) = found else { return };
        if left_out {
            if self.known.contents.index_of(&name).is_some()
                || self.around.knows_child(self.known, &name)
            {
                self.listing.hidden.insert(name);
            }
            return;
        }
        if is_directory {
            let links = self.around.plan.links();
            let is_known = self.around.knows_child(self.known, &name);
            let stamp = stamp.filter(|_| is_known).or_else(|| {
                // What cannot be asked now is listed, and then says why.
                is_known
                    .then(|| {
                        open::stamp_of_name(&self.directory, &*name, links, Freshness::Cached).ok()
                    })
                    .flatten()
            });
            let link = follows.then(|| open::stamp_at(&self.directory, &*name).ok()).flatten();
            let link = link.map(Box::new);
            self.listing.children.push(Child { name, stamp, link });
            return;
        }
        self.listing.has_links |= follows;
        if stamp.is_none() && self.listing.mount.is_share() {
            return self.unasked.push(name);
        }
        if let Some(stamp) = stamp.or_else(|| self.ask(&name)) {
            self.add_entry(name, stamp);
        }
    }

    /// What a name is and whether it is left out, if it is anything that counts.
    fn judge(
        &mut self,
        (absolute, shown): (&Path, &Path),
        name: &OsStr,
        kind: FileType,
        follows: bool,
    ) -> Option<(Option<Stamp>, bool, bool)> {
        let exclude = |rules: &Rules, is_directory| {
            rules.exclude(self.around.plan, absolute, shown, is_directory)
        };
        // What is left out whatever it is is not asked: a link may lead to where nothing answers.
        if follows && exclude(&self.listing.rules, true) && exclude(&self.listing.rules, false) {
            return Some((None, false, true));
        }
        let mut stamp = None;
        // Some file systems give no kind with the name.
        let kind = if follows {
            open::kind(stamp.insert(self.target(absolute, name)?))
        } else if kind == FileType::Unknown {
            open::kind(stamp.insert(self.ask(name)?))
        } else {
            kind
        };
        let is_directory = kind == FileType::Directory;
        if !is_directory && kind != FileType::RegularFile && kind != FileType::Symlink {
            return None;
        }
        let counts = is_directory || self.around.plan.selection.wants(shown);
        let is_root = self.around.other_roots.contains(absolute)
            || self.around.plan.follow_symlinks && self.around.other_roots.contains(shown);
        if !counts || is_root {
            return None;
        }
        Some((stamp, is_directory, exclude(&self.listing.rules, is_directory)))
    }

    /// The only entry of a root that is a single file. Rules do not apply: it was asked for.
    fn single(&mut self) {
        let name = OsString::new();
        if let Some(stamp) = self.ask(&name) {
            self.add_entry(name, stamp);
        }
    }

    fn add_entry(&mut self, name: OsString, stamp: Stamp) {
        if self.around.plan.own_output.contains(&(stamp.device.into(), stamp.inode)) {
            return;
        }
        match open::kind(&stamp) {
            FileType::RegularFile => self.listing.entries.push((name, Found::File(stamp))),
            FileType::Symlink => {
                match content::link(&self.directory, self.known.name_on_disk(&name), stamp) {
                    Ok(link) => self.listing.entries.push((name, Found::Link(link))),
                    Err(error) => self.fail(&name, Verb::Read, error),
                }
            }
            // It became something else since the names were read.
            _ => self.listing.is_complete = false,
        }
    }

    pub(super) fn ask(&mut self, name: &OsStr) -> Option<Stamp> {
        self.stamp_of(name).map_err(|error| self.fail(name, Verb::Stat, error)).ok()
    }

    fn stamp_of(&self, name: &OsStr) -> Result<Stamp, Errno> {
        let name = self.known.name_on_disk(name);
        let links = self.around.plan.links();
        let stamp = open::stamp_of_name(&self.directory, name, links, Freshness::Cached);
        if self.listing.mount.is_share() {
            self.around.asking.answered();
        }
        stamp
    }

    /// What is listed but cannot be asked stays what it was, if it was anything.
    pub(super) fn fail(&mut self, name: &OsStr, verb: Verb, error: Errno) {
        self.listing.is_complete = false;
        // Gone since the names were read; EINVAL is readlink's answer for what is no link now.
        if error == Errno::NOENT || error == Errno::INVAL && verb == Verb::Read {
            return;
        }
        let place = Place { dir: Arc::clone(&self.known.path), name: name.to_os_string() };
        self.listing.troubles.push(Trouble::new(place.path(), verb, error));
        if self.around.knows_child(self.known, name) {
            self.listing.children.push(Child { name: place.name, stamp: None, link: None });
        } else {
            self.listing.entries.push((place.name, Found::Unknown));
        }
    }
}
