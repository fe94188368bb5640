//! What an instance is given besides its program: listening sockets, descriptors that the one before
//! has stored, and where to send notices.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, getrlimit};

use crate::engine::Instance;
use crate::process::Socket;

/// Descriptors that may be stored, and the part of those that may be open: up to half of these are
/// directories that are held, and the rest is for all else.
const STORE: usize = 512;
const STORE_PART: usize = 4;

/// What instances are given.
#[derive(Debug, Default)]
pub(super) struct Supply {
    sockets: Vec<Arc<Socket>>,
    store: Vec<Stored>,
    /// As NOTIFY_SOCKET has it, where there is one.
    notify: Option<String>,
    /// How often an instance has to say that it is alive, if it has to.
    watchdog: Option<Duration>,
    /// Of those that run, how often each has to say so, and by when.
    fed: BTreeMap<Instance, Fed>,
}

/// A watchdog.
#[derive(Clone, Copy, Debug, Default)]
struct Fed {
    every: Option<Duration>,
    until: Option<Instant>,
}

impl Fed {
    fn new(every: Option<Duration>) -> Self {
        Self { every, until: every.map(|every| Instant::now() + every) }
    }
}

/// A descriptor that a program has stored for the instance after it.
#[derive(Debug)]
struct Stored {
    name: String,
    descriptor: OwnedFd,
    /// Whether it is forgotten when its other end is closed.
    is_polled: bool,
}

impl Supply {
    pub(super) fn new(sockets: Vec<Arc<Socket>>, watchdog: Option<Duration>) -> Self {
        Self { sockets, watchdog, ..Self::default() }
    }

    /// Notices can be sent there.
    pub(super) fn notices(&mut self, notify: String) {
        self.notify = Some(notify);
    }

    /// The variables that tell an instance of it.
    pub(super) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut variables = Vec::new();
        if let Some(notify) = &self.notify {
            variables.push(("NOTIFY_SOCKET", notify.into()));
        }
        if let (Some(_), Some(watchdog)) = (&self.notify, self.watchdog) {
            variables.push(("WATCHDOG_USEC", watchdog.as_micros().to_string().into()));
        }
        variables
    }

    /// What an instance finds from descriptor 3 on, by name.
    pub(super) fn descriptors(&mut self) -> Vec<(&str, BorrowedFd<'_>)> {
        self.store.retain(|stored| !stored.is_polled || !has_hung_up(&stored.descriptor));
        let sockets = self.sockets.iter().map(|socket| (socket.name.as_str(), socket.as_fd()));
        let stored = self.store.iter().map(|it| (it.name.as_str(), it.descriptor.as_fd()));
        sockets.chain(stored).collect()
    }

    /// Stores descriptors; says whether there was room. One that is there already is not stored
    /// twice (sd_pid_notify_with_fds(3)).
    pub(super) fn store(&mut self, name: &str, new: Vec<OwnedFd>, is_polled: bool) -> bool {
        for descriptor in new {
            if self.store.iter().any(|stored| is_same(&stored.descriptor, &descriptor)) {
                continue;
            }
            if self.store.len() >= self.most_stored() {
                return false;
            }
            self.store.push(Stored { name: name.to_owned(), descriptor, is_polled });
        }
        true
    }

    /// How many descriptors may be stored.
    pub(super) fn most_stored(&self) -> usize {
        let most = getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok());
        most.map_or(STORE, |most| STORE.min(most / STORE_PART))
    }

    /// Takes over what was stored with another.
    pub(super) fn inherit(&mut self, other: &mut Self) {
        self.store.append(&mut other.store);
    }

    /// Forgets the descriptors of this name.
    pub(super) fn remove(&mut self, name: &str) {
        self.store.retain(|stored| stored.name != name);
    }

    /// This instance is there, and may say something. It has not to, before it is fed.
    pub(super) fn began(&mut self, instance: Instance) {
        self.fed.insert(instance, Fed { every: self.watchdog, until: None });
    }

    /// It is executed, or says that it lives.
    pub(super) fn feed(&mut self, instance: Instance) {
        if let Some(fed) = self.fed.get_mut(&instance) {
            *fed = Fed::new(fed.every);
        }
    }

    /// From now on it has to say so this often, or never if that is zero. This holds for this
    /// instance alone, as with systemd.
    pub(super) fn feed_every(&mut self, instance: Instance, every: Duration) {
        if let Some(fed) = self.fed.get_mut(&instance) {
            *fed = Fed::new(Some(every).filter(|every| !every.is_zero()));
        }
    }

    /// By when somebody has to say that it is alive.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.fed.values().filter_map(|fed| fed.until).min()
    }

    /// An instance that did not say so in time, once.
    pub(super) fn hung(&mut self, now: Instant) -> Option<Instance> {
        let mut fed = self.fed.iter_mut();
        let late = fed.find(|(_, fed)| fed.until.is_some_and(|until| until <= now));
        late.map(|(&instance, fed)| {
            fed.until = None;
            instance
        })
    }

    /// This instance is over.
    pub(super) fn gone(&mut self, instance: Instance) {
        self.fed.remove(&instance);
    }
}

/// Whether the other end of a pipe or socket is closed.
fn has_hung_up(descriptor: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(descriptor, PollFlags::empty())];
    let ended = PollFlags::HUP | PollFlags::ERR;
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
        && asked[0].revents().intersects(ended)
}

/// Whether both are the same open file (kcmp(2)); not known on kernels without that call.
fn is_same(one: &OwnedFd, other: &OwnedFd) -> bool {
    use std::os::fd::AsRawFd;
    const KCMP_FILE: i32 = 0;
    let (one, other) = (one.as_raw_fd(), other.as_raw_fd());
    // SAFETY: plain system calls on open descriptors.
    unsafe {
        let pid = libc::getpid();
        libc::syscall(libc::SYS_kcmp, pid, pid, KCMP_FILE, one, other) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_by_name_until_it_hangs_up_or_is_removed() {
        let mut supply = Supply::new(Vec::new(), None);
        let names = |supply: &mut Supply| {
            supply.descriptors().iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()
        };
        let pipe = || -> (OwnedFd, OwnedFd) {
            let (reader, writer) = std::io::pipe().unwrap();
            (reader.into(), writer.into())
        };
        let ((a, a_other), (b, b_other), (c, _c_other)) = (pipe(), pipe(), pipe());
        assert!(supply.store("a", vec![a.try_clone().unwrap(), a], true), "twice the same");
        assert!(supply.store("b", vec![b], false));
        assert!(supply.store("c", vec![c], true));
        assert_eq!(names(&mut supply), ["a", "b", "c"]);
        supply.remove("c");
        drop((a_other, b_other));
        assert_eq!(names(&mut supply), ["b"], "which is not polled");
    }

    #[test]
    fn there_is_a_limit() {
        let mut supply = Supply::new(Vec::new(), None);
        let one = || std::fs::File::open("/dev/null").unwrap().into();
        for n in 0..supply.most_stored() {
            assert!(supply.store("x", vec![one()], true), "{n}");
        }
        assert!(!supply.store("x", vec![one()], true));
    }

    #[test]
    fn who_is_not_heard_in_time_hangs_once() {
        let mut supply = Supply::new(Vec::new(), Some(Duration::from_secs(1)));
        supply.feed(Instance(1));
        assert_eq!(supply.deadline(), None, "it does not run");
        supply.began(Instance(1));
        assert_eq!(supply.deadline(), None, "it is not executed");
        supply.feed(Instance(1));
        let until = supply.deadline().unwrap();
        assert_eq!(supply.hung(until - Duration::from_nanos(1)), None);
        assert_eq!(supply.hung(until), Some(Instance(1)));
        assert_eq!((supply.hung(until), supply.deadline()), (None, None));
        supply.began(Instance(2));
        supply.feed(Instance(2));
        supply.gone(Instance(1));
        assert!(supply.deadline().is_some(), "each for itself");
        supply.gone(Instance(2));
        assert_eq!(supply.deadline(), None);
    }

    #[test]
    fn how_often_an_instance_wants_to_be_heard_is_its_own() {
        let mut supply = Supply::new(Vec::new(), Some(Duration::from_secs(3600)));
        supply.began(Instance(1));
        supply.feed_every(Instance(1), Duration::from_millis(1));
        assert!(supply.deadline().unwrap() < Instant::now() + Duration::from_secs(60));
        supply.feed_every(Instance(1), Duration::ZERO);
        assert_eq!(supply.deadline(), None);
        supply.began(Instance(2));
        supply.feed(Instance(2));
        assert!(supply.deadline().unwrap() > Instant::now() + Duration::from_secs(60));
    }
}
