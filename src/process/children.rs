//! The children: the instances that were started, their process groups, and the one place that
//! reaps.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc;
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, set_child_subreaper, test_kill_process_group, wait};

use super::Program;
use super::spawn::{Outcome, Spawned, spawn};
use crate::engine::{Event, Exit, Instance, NotStarted};

/// All instances of which a process may be left.
#[derive(Debug)]
pub struct Children {
    instances: BTreeMap<Instance, Group>,
    /// To the thread that waits until a program is executed: on a dead mount that is for ever,
    /// and must not hold up this thread.
    outcomes: mpsc::Sender<(Instance, Outcome)>,
}

/// An instance's process group.
#[derive(Debug)]
struct Group {
    /// The leader's pid, which is the group's id for as long as the group has members.
    leader: Pid,
    is_executed: bool,
    exit: Option<Exit>,
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
}

impl Children {
    /// No children yet. From here on, what descends from us and loses its parent becomes our
    /// child (prctl(2), PR_SET_CHILD_SUBREAPER), as it does for PID 1 anyway. `send` is told,
    /// from a thread of its own, of each program whether it was executed.
    ///
    /// # Errors
    /// When that thread cannot be made.
    pub fn new(send: impl Fn(Executed) + Send + 'static) -> io::Result<Self> {
        // Only kernels before 3.4 do not know it.
        _ = set_child_subreaper(Some(rustix::process::getpid()));
        let (outcomes, pending) = mpsc::channel::<(Instance, Outcome)>();
        thread::Builder::new().name("exec".into()).spawn(move || {
            for (instance, outcome) in pending {
                send(Executed { instance, result: outcome.wait() });
            }
        })?;
        Ok(Self { instances: BTreeMap::new(), outcomes })
    }

    /// Starts `program` as this instance, and gives its pid.
    ///
    /// # Errors
    /// When no process can be made.
    pub fn start(&mut self, instance: Instance, program: &Program) -> io::Result<Pid> {
        let Spawned { pid, outcome } = spawn(program)?;
        self.instances.insert(instance, Group { leader: pid, is_executed: false, exit: None });
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
        events.extend(self.gone());
        events
    }

    /// The pid of an instance's first process.
    pub fn leader(&self, instance: Instance) -> Option<Pid> {
        self.instances.get(&instance).map(|group| group.leader)
    }

    /// Asks all processes of an instance to stop. Stopped ones (SIGSTOP) are continued, since
    /// they would not see the signal before.
    pub fn stop(&self, instance: Instance, signal: i32) {
        self.signal(instance, signal);
        self.signal(instance, libc::SIGCONT);
    }

    /// Kills all processes of an instance.
    pub fn kill(&self, instance: Instance) {
        self.signal(instance, libc::SIGKILL);
    }

    fn signal(&self, instance: Instance, signal: i32) {
        if let Some(group) = self.instances.get(&instance) {
            // SAFETY: a plain system call. ESRCH means all gone, which the next reaping finds
            // out; EPERM a changed user, which is reported as unkillable when time is up.
            unsafe { libc::kill(-group.leader.as_raw_nonzero().get(), signal) };
        }
    }

    /// Reaps whatever has ended, without waiting. To be called on SIGCHLD, and now and then
    /// while an instance is stopping: a group may lose its last member without our being told.
    pub fn reap(&mut self) -> Reaped {
        let mut reaped = Reaped::default();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let exit = match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Exit::Code(code),
                        (_, Some(signal)) => Exit::Signal(signal),
                        // Neither: stopped or continued, which was not asked for.
                        _ => continue,
                    };
                    let mut groups = self.instances.iter_mut();
                    match groups.find(|(_, group)| group.leader == pid && group.exit.is_none()) {
                        Some((&instance, group)) => {
                            group.exit = Some(exit);
                            if group.is_executed {
                                reaped.events.push(Event::Exited(instance, exit));
                            }
                        }
                        None => reaped.orphans += 1,
                    }
                }
                Err(Errno::INTR) => continue,
                // Nothing has ended, or (ECHILD) there is no child.
                Ok(None) | Err(_) => break,
            }
        }
        reaped.events.extend(self.gone());
        reaped
    }

    /// Forgets the groups that have no member left. Not before it is known whether their
    /// program was executed: that event comes first.
    fn gone(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.instances.retain(|&instance, group| {
            let is_gone = group.is_executed
                && group.exit.is_some()
                && test_kill_process_group(group.leader) == Err(Errno::SRCH);
            if is_gone {
                events.push(Event::Gone(instance));
            }
            !is_gone
        });
        events
    }
}
