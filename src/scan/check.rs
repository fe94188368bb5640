//! Checking a known directory: the steady state, one `fstatat(2)` for each entry and no more.

use std::ops::Range;
use std::time::Instant;

use rayon::prelude::*;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::follow::leads_back;
use super::forest::Forest;
use super::inodes::Inodes;
use super::known::KnownDir;
use super::mount::Mount;
use super::pulse::Pulse;
use super::rules::{self, RULE_FILES};
use super::way::{Reached, Way};
use super::{Trouble, Verb, names, open};

/// What a check found. Small, since one look may find something in all of a large tree.
#[derive(Debug)]
pub(super) enum Check {
    /// Nothing is another.
    Same,
    /// The same, and a racy listing has now been proven.
    Proven,
    /// The names are the same.
    Seen(Box<Seen>),
    /// The names, their kinds or the rules for them may be others: list it.
    List,
    /// It is not there, or not a directory: its parent has to be listed.
    Lost,
    /// It cannot be read: what was known of it stands.
    Failed(Box<Trouble>),
}

/// What became of the entries of a directory whose names are the same.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The entries with another stamp, as indices into the directory's contents.
    pub(super) touched: Vec<usize>,
    /// Whether a racy listing has now been proven.
    pub(super) proven: bool,
    /// Entries that could not be asked.
    pub(super) troubles: Vec<Trouble>,
}

impl Seen {
    /// Takes what was seen of the entries that follow.
    fn add(&mut self, part: Seen) {
        self.touched.extend(part.touched);
        self.troubles.extend(part.troubles);
    }
}

impl From<Seen> for Check {
    fn from(seen: Seen) -> Self {
        match seen.touched.is_empty() && seen.troubles.is_empty() {
            true if seen.proven => Check::Proven,
            true => Check::Same,
            false => Check::Seen(Box::new(seen)),
        }
    }
}

/// Entries that one thread asks for at a time, of a directory that has more.
const CHUNK: usize = 64;

/// The same on a share, where each takes long.
pub(super) const SHARE_CHUNK: usize = 8;

/// What a check needs to know besides the directory itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) dirs: &'a Forest,
    pub(super) inodes: &'a Inodes,
    pub(super) pulse: &'a Pulse,
    pub(super) now: Instant,
    /// Whether nothing was mounted or unmounted since the look before.
    pub(super) same_mounts: bool,
    /// Whether one thread does all, outside of the pool.
    pub(super) is_alone: bool,
}

impl Asker<'_> {
    /// Asks whether anything in `known` was touched since it was listed.
    pub(super) fn check(self, way: Way<'_>, known: &KnownDir) -> Check {
        let Some(listed) = known.stamp.filter(|_| !known.must_list) else { return Check::List };
        let asking = self.pulse.ask(known.root());
        let failed = |verb, error| Check::Failed(Trouble::new(&*known.path, verb, error).into());
        let (reached, stamp) = match way.reach(known, self.same_mounts) {
            Ok(reached) => reached,
            Err(error) if is_gone(error) => return Check::Lost,
            Err(error) => return failed(Verb::Open, error),
        };
        let mut seen = Seen::default();
        if known.single.is_none() {
            // It is not entered, whatever is in it.
            if known.mount == Mount::Pseudo && stamp.device == listed.device {
                return Check::Same;
            }
            if !self.inodes.same(&stamp, &listed) {
                return Check::List;
            }
            seen.proven = known.racy_until.is_some_and(|due| due <= self.now);
            if seen.proven && !known.sources.is_empty() {
                return Check::List;
            }
            if seen.proven || !known.mount.keeps_directory_times() {
                match reached
                    .for_listing()
                    .and_then(|listed| names::fingerprint(listed, known.mount))
                {
                    Ok(names) if names == known.names => {}
                    Ok(_) => return Check::List,
                    Err(error) => return failed(Verb::List, error),
                }
            }
            for (kind, stamp) in &known.sources {
                // A link is no rule file, wherever it leads.
                match rules::found(reached.stamp_of_link(RULE_FILES[*kind])) {
                    Ok(now) if self.inodes.same_if_any(now.as_ref(), stamp.as_ref()) => {}
                    Ok(_) => return Check::List,
                    Err(error) => {
                        let path = known.path.join(RULE_FILES[*kind]);
                        seen.troubles.push(Trouble::new(path, Verb::Stat, error));
                    }
                }
            }
        }
        asking.answered();
        let chunk = if known.mount == Mount::Local { CHUNK } else { SHARE_CHUNK };
        let entries = known.contents.len();
        let is_same = if entries <= chunk || self.is_alone {
            self.ask(&reached, known, 0..entries, &mut seen)
        } else {
            let starts = (0..entries).into_par_iter().step_by(chunk);
            let asked = starts.map(|start| {
                let _asking = self.pulse.ask(known.root());
                let mut seen = Seen::default();
                let range = start..(start + chunk).min(entries);
                self.ask(&reached, known, range, &mut seen).then_some(seen)
            });
            let parts: Option<Vec<Seen>> = asked.collect();
            parts.map(|parts| parts.into_iter().for_each(|part| seen.add(part))).is_some()
        };
        if is_same { seen.into() } else { Check::List }
    }

    /// Asks for these entries; `false` as soon as one is gone or of another kind.
    fn ask(
        self,
        reached: &Reached<'_>,
        known: &KnownDir,
        range: Range<usize>,
        seen: &mut Seen,
    ) -> bool {
        for index in range {
            let asked = match &known.single {
                Some(on_disk) => reached.stamp_of(on_disk.as_os_str()),
                None => reached.stamp_of(known.contents.c_name(index)),
            };
            let before = known.contents.stamp(index);
            let is_link = open::kind(&before) == FileType::Symlink;
            let asked = match asked {
                // A link that is followed no further than this.
                Ok(stamp) if is_link && leads_back(self.dirs, known, &stamp) => {
                    reached.stamp_of_link(known.contents.c_name(index))
                }
                asked => asked,
            };
            match asked {
                Ok(stamp) if self.inodes.same(&stamp, &before) => {}
                Ok(stamp) if open::kind(&stamp) == open::kind(&before) => {
                    seen.touched.push(index);
                }
                Ok(_) | Err(Errno::NOENT) => return false,
                Err(error) => {
                    let path = known.path.join(known.contents.name(index));
                    seen.troubles.push(Trouble::new(path, Verb::Stat, error));
                }
            }
        }
        true
    }
}

/// Whether an error says that there is no such directory (any more), rather than that it could
/// not be asked.
pub(super) fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}
