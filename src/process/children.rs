//! The children: the instances that were started, and everything that descends from them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, getpid, set_child_subreaper};

use super::Program;
use super::descendants::{Process, descendants};
use super::reaper::{self, Change, Next};
use super::spawn::{Outcome, Spawned, spawn};
use crate::engine::{Event, Exit, Instance, NotStarted};

/// All instances of which a process may be left. There is one at a time, so that whatever
/// descends from us is the current one's.
#[derive(Debug)]
pub struct Children {
    instances: BTreeMap<Instance, Group>,
    /// To the thread that waits until a program is executed: on a dead mount that is for ever,
    /// and must not hold up this thread.
    outcomes: mpsc::Sender<(Instance, Outcome)>,
    /// Children that were here before us, as after `sh -c 'job & exec stakeout'`; by pid and
    /// start.
    strangers: BTreeSet<(i32, u64)>,
}

/// An instance's process group.
#[derive(Debug)]
struct Group {
    /// The leader's pid, which is the group's id for as long as the group has members.
    leader: Pid,
    is_executed: bool,
    exit: Option<Exit>,
    /// Whether nothing of it may live on. What is found of it later is killed then, too.
    is_killed: bool,
}

/// Whether an instance's program was executed.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// Which.
    pub instance: Instance,
    /// Why not, if it was not.
    pub result: Result<(), NotStarted>,
}

/// What reaping gave.
#[derive(Debug, Default)]
pub struct Reaped {
    /// What the engine has to know.
    pub events: Vec<Event>,
    /// How many processes were reaped that are nobody's any more.
    pub orphans: usize,
    /// Instances whose first process was stopped, and by which signal.
    pub stopped: Vec<(Instance, i32)>,
}

/// How often killing looks again at once. What starts processes faster than that is killed the
/// next time.
const KILL_ROUNDS: usize = 64;

impl Children {
    /// No children yet. From here on, what descends from us and loses its parent becomes our
    /// child (prctl(2), PR_SET_CHILD_SUBREAPER), as it does for PID 1 anyway. `send` is told,
    /// from a thread of its own, of each program whether it was executed.
    ///
    /// # Errors
    /// When that thread cannot be made.
    pub fn new(send: impl Fn(Executed) + Send + 'static) -> io::Result<Self> {
        // Only kernels before 3.4 do not know it.
        _ = set_child_subreaper(Some(getpid()));
        let (outcomes, pending) = mpsc::channel::<(Instance, Outcome)>();
        thread::Builder::new().name("exec".into()).spawn(move || {
            for (instance, outcome) in pending {
                send(Executed { instance, result: outcome.wait() });
            }
        })?;
        let strangers = descendants().unwrap_or_default();
        let strangers = strangers.iter().map(|process| (process.pid, process.started));
        Ok(Self { instances: BTreeMap::new(), outcomes, strangers: strangers.collect() })
    }

    /// Starts `program` as this instance, and gives its pid.
    ///
    /// # Errors
    /// When no process can be made.
    pub fn start(&mut self, instance: Instance, program: &Program) -> io::Result<Pid> {
        let Spawned { pid, outcome } = spawn(program)?;
        let group = Group { leader: pid, is_executed: false, exit: None, is_killed: false };
        self.instances.insert(instance, group);
        self.outcomes.send((instance, outcome)).expect("the exec thread ends after us");
        Ok(pid)
    }

    /// Takes note of whether a program was executed; gives the events that were waiting for it.
    pub fn executed(&mut self, executed: Executed) -> Vec<Event> {
        let Executed { instance, result } = executed;
        let Some(group) = self.instances.get_mut(&instance) else { return Vec::new() };
        if let Err(why) = result {
            // The child is on its way out; `reap` takes it as an orphan.
            self.instances.remove(&instance);
            return vec![Event::NotStarted(instance, why)];
        }
        group.is_executed = true;
        let mut events = vec![Event::Started(instance)];
        events.extend(group.exit.map(|exit| Event::Exited(instance, exit)));
        events.extend(self.gone(reaper::next()));
        events
    }

    /// The pid of an instance's first process.
    pub fn leader(&self, instance: Instance) -> Option<Pid> {
        self.instances.get(&instance).map(|group| group.leader)
    }

    /// Everything of the program that still lives; none where /proc does not tell.
    pub fn alive(&self) -> Option<Vec<Process>> {
        let is_ours = |process: &Process| {
            !process.is_dead() && !self.strangers.contains(&(process.pid, process.started))
        };
        Some(descendants()?.into_iter().filter(is_ours).collect())
    }

    /// Asks all processes of an instance to stop. Stopped ones (SIGSTOP) are continued, since
    /// they would not see the signal before.
    pub fn stop(&self, instance: Instance, signal: i32) {
        let Some(group) = self.instances.get(&instance) else { return };
        let alive = self.alive();
        group.signal(signal, alive.as_deref());
        group.signal(libc::SIGCONT, alive.as_deref());
    }

    /// Passes a signal on to an instance's process group, as a terminal would.
    pub fn signal(&self, instance: Instance, signal: i32) {
        if let Some(group) = self.instances.get(&instance) {
            group.signal_members(signal, self.alive().as_deref());
        }
    }

    /// Kills all processes of an instance, and those that they start meanwhile.
    pub fn kill(&mut self, instance: Instance) {
        if let Some(group) = self.instances.get_mut(&instance) {
            group.is_killed = true;
        }
        self.kill_again();
    }

    /// Kills what is left of a killed instance.
    fn kill_again(&self) {
        let mut killed = BTreeSet::new();
        for group in self.instances.values().filter(|group| group.is_killed) {
            for _ in 0..KILL_ROUNDS {
                let alive = self.alive();
                group.signal(libc::SIGKILL, alive.as_deref());
                let alive = alive.unwrap_or_default();
                let pids = alive.iter().map(|process| (process.pid, process.started));
                // Those of the round before take a moment to vanish.
                if pids.filter(|pid| killed.insert(*pid)).count() == 0 {
                    break;
                }
            }
        }
    }

    /// Reaps whatever has ended, without waiting. To be called on SIGCHLD, and now and then
    /// while an instance is being killed: what it started meanwhile is killed, too.
    pub fn reap(&mut self) -> Reaped {
        let mut reaped = Reaped::default();
        let next = loop {
            let pid = match reaper::next() {
                Next::Child(pid) => pid,
                next => break next,
            };
            let mut groups = self.instances.iter_mut();
            let group = groups.find(|(_, group)| group.leader == pid && group.exit.is_none());
            match (reaper::take(pid), group) {
                (Some(Change::Ended(exit)), Some((&instance, group))) => {
                    group.exit = Some(exit);
                    if group.is_executed {
                        reaped.events.push(Event::Exited(instance, exit));
                    }
                }
                (Some(Change::Ended(_)), None) => reaped.orphans += 1,
                (Some(Change::Stopped(signal)), Some((&instance, _))) => {
                    reaped.stopped.push((instance, signal));
                }
                (Some(Change::Stopped(_) | Change::Continued) | None, _) => {}
            }
        };
        reaped.events.extend(self.gone(next));
        self.kill_again();
        reaped
    }

    /// Forgets the instances of which nothing is left. Not before it is known whether their
    /// program was executed: that event comes first.
    fn gone(&mut self, next: Next) -> Vec<Event> {
        let is_over = |group: &Group| group.is_executed && group.exit.is_some();
        if !self.instances.values().any(is_over) || !self.is_nothing_left(next) {
            return Vec::new();
        }
        let mut events = Vec::new();
        self.instances.retain(|&instance, group| {
            if is_over(group) {
                events.push(Event::Gone(instance));
            }
            !is_over(group)
        });
        events
    }

    /// Whether no process of ours is left. The kernel knows for certain, since whoever loses its
    /// parent becomes our child: without children there are no descendants.
    fn is_nothing_left(&self, next: Next) -> bool {
        let is_empty = || self.alive().is_some_and(|alive| alive.is_empty());
        match next {
            Next::NoChildren => true,
            _ if self.strangers.is_empty() => false,
            // One reading of /proc may miss who is just being born while its parent dies.
            _ => is_empty() && is_empty(),
        }
    }
}

impl Group {
    /// Sends a signal to the whole group and to everyone `alive` who has left it.
    fn signal(&self, signal: i32, alive: Option<&[Process]>) {
        self.signal_members(signal, alive);
        let escaped = alive.unwrap_or_default().iter().filter(|process| !self.has(process));
        escaped.for_each(|process| process.signal(signal));
    }

    /// Sends a signal to the group, which the kernel does at once for all its members.
    fn signal_members(&self, signal: i32, alive: Option<&[Process]>) {
        // Once the leader was reaped and the last member is gone, the id may be another's.
        let is_there = self.exit.is_none()
            || alive.is_none_or(|alive| alive.iter().any(|process| self.has(process)));
        if is_there {
            // SAFETY: a plain system call. ESRCH means all gone, which the next reaping finds
            // out; EPERM a changed user, which is reported as unkillable when time is up.
            unsafe { libc::kill(-self.leader.as_raw_nonzero().get(), signal) };
        }
    }

    fn has(&self, process: &Process) -> bool {
        process.group == self.leader.as_raw_nonzero().get()
    }
}
