//! Trust: on which mounts native events may be relied upon. It is learnt from what looking finds,
//! since a canary that is written here always makes an event, also where edits made on the other
//! side of a share make none. Pure.

use std::collections::BTreeMap;

use crate::scan::MountId;

/// How far a mount's events are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Not at all, for good: a share that drops events only in bursts works until it does not.
    None,
    /// They came so many times with what looking found.
    Agreed(u32),
    /// Enough to look only now and then.
    Full,
}

/// So many changes with an event make a mount trusted.
const ENOUGH: u32 = 3;

/// Whose word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Native events are hints where they can be expected; looking finds out how good they are.
    Auto,
    /// Looking alone.
    Poll,
    /// Native events are trusted everywhere, and looking is only a safety net.
    Native,
}

/// How the trust in a mount has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Changes made elsewhere are not expected to make events, by the type of the file system.
    Share,
    /// All changes so far came with an event.
    Trusted,
    /// A change came without one.
    Missed,
    /// It cannot be watched: a limit is reached.
    Unwatched,
}

/// What is known of each mount.
#[derive(Clone, Debug)]
pub struct Trusts {
    mode: Mode,
    mounts: BTreeMap<MountId, Trust>,
}

impl Trusts {
    /// No mounts yet.
    pub fn new(mode: Mode) -> Self {
        Self { mode, mounts: BTreeMap::new() }
    }

    /// A directory on this mount is known.
    pub fn met(&mut self, mount: MountId, is_local: bool) -> Option<Verdict> {
        if self.mounts.contains_key(&mount) {
            return None;
        }
        let (trust, verdict) = match self.mode {
            Mode::Native => (Trust::Full, None),
            Mode::Poll => (Trust::None, None),
            // What changes at the other end of a link makes no event here.
            Mode::Auto if mount == MountId::LINKS => (Trust::None, None),
            Mode::Auto if is_local => (Trust::Agreed(0), None),
            Mode::Auto => (Trust::None, Some(Verdict::Share)),
        };
        self.mounts.insert(mount, trust);
        verdict
    }

    /// A look found a change there, of which an event had told, or not.
    pub fn changed(&mut self, mount: MountId, was_told: bool) -> Option<Verdict> {
        let trust = self.mounts.get_mut(&mount).filter(|_| self.mode == Mode::Auto)?;
        match (*trust, was_told) {
            (Trust::None, _) | (Trust::Full, true) => None,
            (Trust::Agreed(times), true) if times + 1 < ENOUGH => {
                *trust = Trust::Agreed(times + 1);
                None
            }
            (Trust::Agreed(_), true) => {
                *trust = Trust::Full;
                Some(Verdict::Trusted)
            }
            (_, false) => {
                *trust = Trust::None;
                Some(Verdict::Missed)
            }
        }
    }

    /// It cannot be watched.
    pub fn unwatched(&mut self, mount: MountId) -> Option<Verdict> {
        let before = self.mounts.insert(mount, Trust::None);
        (before != Some(Trust::None)).then_some(Verdict::Unwatched)
    }

    /// Whether events of this mount are asked for.
    pub fn wants_events(&self, is_local: bool) -> bool {
        match self.mode {
            Mode::Auto => is_local,
            Mode::Poll => false,
            Mode::Native => true,
        }
    }

    /// Whether changes there make no events that can be relied upon, so far.
    pub fn is_deaf(&self, mount: MountId) -> bool {
        self.mounts.get(&mount).is_none_or(|trust| *trust == Trust::None)
    }

    /// The mounts that have to be looked at again and again.
    pub fn untrusted(&self) -> impl Iterator<Item = MountId> {
        let untrusted = self.mounts.iter().filter(|(_, trust)| **trust != Trust::Full);
        untrusted.map(|(mount, _)| *mount)
    }

    /// Whether there is a mount that does not have to be.
    pub fn is_any_full(&self) -> bool {
        self.mounts.values().any(|trust| *trust == Trust::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: MountId = MountId(1);
    const SHARE: MountId = MountId(2);

    #[test]
    fn a_disk_is_trusted_after_enough_changes_that_were_told_of() {
        let mut trusts = Trusts::new(Mode::Auto);
        assert_eq!(trusts.met(DISK, true), None);
        let verdicts: Vec<_> = (0..4).map(|_| trusts.changed(DISK, true)).collect();
        assert_eq!(verdicts, [None, None, Some(Verdict::Trusted), None]);
        assert!(trusts.is_any_full());
    }

    #[test]
    fn one_missed_change_is_enough_to_lose_it_for_good() {
        let mut trusts = Trusts::new(Mode::Auto);
        trusts.met(DISK, true);
        (0..5).for_each(|_| _ = trusts.changed(DISK, true));
        assert_eq!(trusts.changed(DISK, false), Some(Verdict::Missed));
        assert!((0..100).all(|_| trusts.changed(DISK, true).is_none()));
        assert!(trusts.is_deaf(DISK));
    }

    #[test]
    fn a_share_is_never_trusted_and_said_to_be_one_once() {
        let mut trusts = Trusts::new(Mode::Auto);
        trusts.met(DISK, true);
        assert_eq!(trusts.met(SHARE, false), Some(Verdict::Share));
        assert_eq!(trusts.met(SHARE, false), None);
        (0..100).for_each(|_| _ = trusts.changed(SHARE, true));
        assert_eq!(trusts.untrusted().collect::<Vec<_>>(), [DISK, SHARE]);
    }

    #[test]
    fn what_the_user_chose_is_not_revised() {
        for (mode, is_full) in [(Mode::Native, true), (Mode::Poll, false)] {
            let mut trusts = Trusts::new(mode);
            assert_eq!(trusts.met(SHARE, false), None);
            for was_told in [true, false, true, true, true] {
                assert_eq!(trusts.changed(SHARE, was_told), None);
            }
            assert_eq!(trusts.is_any_full(), is_full);
        }
    }

    #[test]
    fn what_cannot_be_watched_is_looked_at() {
        let mut trusts = Trusts::new(Mode::Native);
        trusts.met(DISK, true);
        assert_eq!(trusts.unwatched(DISK), Some(Verdict::Unwatched));
        assert_eq!(trusts.unwatched(DISK), None);
        assert!(!trusts.is_any_full());
    }
}
