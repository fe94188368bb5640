//! Checking a known directory: the steady state, one `fstatat(2)` for each entry and no more.

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::io::Errno;

use super::known::KnownDir;
use super::mount::Mount;
use super::rules::{self, RULE_FILES};
use super::{Trouble, Verb, list, open};

/// What a check found.
#[derive(Debug)]
pub(super) enum Check {
    /// The names are the same.
    Seen(Seen),
    /// The names, their kinds or the rules for them may be others: list it.
    List,
    /// It is not there, or not a directory: its parent has to be listed.
    Lost,
    /// It cannot be read: what was known of it stands.
    Failed(Trouble),
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
    /// Whether there is nothing to do about it.
    pub(super) fn is_nothing(&self) -> bool {
        self.touched.is_empty() && self.troubles.is_empty() && !self.proven
    }
}

/// Asks whether anything in `known` was touched since it was listed. `root` is its root's
/// directory.
pub(super) fn check(root: impl AsFd, known: &KnownDir, now: Instant) -> Check {
    let Some(listed) = known.stamp.filter(|_| !known.must_list) else { return Check::List };
    let failed = |verb, error| Check::Failed(Trouble::new(&*known.path, verb, error));
    let directory = match open::directory(root, known.below()) {
        Ok(directory) => directory,
        Err(error) if is_gone(error) => return Check::Lost,
        Err(error) => return failed(Verb::Open, error),
    };
    let mut seen = Seen::default();
    if known.single.is_none() {
        match open::stamp(&directory) {
            Ok(stamp) if stamp == listed => {}
            // It is not entered, whatever is in it.
            Ok(stamp) if known.mount == Mount::Pseudo && stamp.device == listed.device => {
                return Check::Seen(Seen::default());
            }
            Ok(_) => return Check::List,
            Err(error) => return failed(Verb::Stat, error),
        }
        seen.proven = known.racy_until.is_some_and(|due| due <= now);
        if seen.proven && !known.sources.is_empty() {
            return Check::List;
        }
        if seen.proven || !known.mount.keeps_directory_times() {
            match list::fingerprint(&directory) {
                Ok(names) if names == known.names => {}
                Ok(_) => return Check::List,
                Err(error) => return failed(Verb::List, error),
            }
        }
        for (kind, stamp) in &known.sources {
            match rules::stamp_of(&directory, RULE_FILES[*kind]) {
                Ok(now) if now == *stamp => {}
                Ok(_) => return Check::List,
                Err(error) => {
                    let path = known.path.join(RULE_FILES[*kind]);
                    seen.troubles.push(Trouble::new(path, Verb::Stat, error));
                }
            }
        }
    }
    for (index, (name, entry)) in known.contents.iter().enumerate() {
        match open::stamp_at(&directory, known.name_on_disk(name)) {
            Ok(stamp) if stamp == *entry.stamp() => {}
            Ok(stamp) if open::kind(&stamp) == open::kind(entry.stamp()) => {
                seen.touched.push(index);
            }
            Ok(_) | Err(Errno::NOENT) => return Check::List,
            Err(error) => {
                seen.troubles.push(Trouble::new(known.path.join(name), Verb::Stat, error));
            }
        }
    }
    Check::Seen(seen)
}

/// Whether an error says that there is no such directory (any more), rather than that it could
/// not be asked.
pub(super) fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}
