//! The children: the instances that were started, and everything that descends from them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, getpid, set_child_subreaper};

use super::descendants::{Process, descendants};
use super::reaper::{self, Change, Next};
use super::sentinel::Sentinel;
use super::signals;
use super::spawn::{Input, Outcome, Spawned, spawn};
use super::terminal::Terminal;
use super::{Program, Stdin};
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
    /// What our standard input is, if the program is to have it.
    terminal: Option<Terminal>,
    /// While the program has the terminal.
    sentinel: Option<Sentinel>,
    /// A signal that was taken for typed, of which the sentinel has yet to tell.
    foreseen: Option<i32>,
    /// When the sentinel told of something last.
    typed: Option<Instant>,
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
    /// Whether it may die by SIGINT or SIGQUIT since we sent that.
    is_explained: bool,
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

/// What somebody at a terminal types to end a program.
const TYPED: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// How far the sentinel's word and the end that it explains may be apart.
const SENTINEL_TAKES: Duration = Duration::from_secs(1);

/// How often killing looks again at once. What starts processes faster than that is killed the
/// next time.
const KILL_ROUNDS: usize = 64;

impl Children {
    /// No children yet. From here on, what descends from us and loses its parent becomes our
    /// child (prctl(2), PR_SET_CHILD_SUBREAPER), as it does for PID 1 anyway. `send` is told,
    /// from a thread of its own, of each program whether it was executed.
    ///
    /// # Errors
    /// When that thread or process cannot be made.
    pub fn new(stdin: Stdin, send: impl Fn(Executed) + Send + 'static) -> io::Result<Self> {
        // Only kernels before 3.4 do not know it.
        _ = set_child_subreaper(Some(getpid()));
        let (outcomes, pending) = mpsc::channel::<(Instance, Outcome)>();
        thread::Builder::new().name("exec".into()).spawn(move || {
            for (instance, outcome) in pending {
                send(Executed { instance, result: outcome.wait() });
            }
        })?;
        let strangers = descendants(|_| false).unwrap_or_default();
        let strangers = strangers.iter().map(|process| (process.pid, process.started));
        let strangers = strangers.collect();
        let terminal = if stdin == Stdin::Inherit { Terminal::new() } else { None };
        let sentinel = terminal.as_ref().map(|_| Sentinel::new()).transpose()?;
        Ok(Self {
            instances: BTreeMap::new(),
            outcomes,
            strangers,
            terminal,
            sentinel,
            foreseen: None,
            typed: None,
        })
    }

    /// Starts `program` as this instance, and gives its pid.
    ///
    /// # Errors
    /// When no process can be made.
    pub fn start(&mut self, instance: Instance, program: &Program) -> io::Result<Pid> {
        let input = match (program.stdin, &self.terminal) {
            (Stdin::Null, _) => Input::Null,
            (Stdin::Inherit, None) => Input::Inherit,
            (Stdin::Inherit, Some(terminal)) if terminal.is_ours() => Input::Terminal,
            // Reading from it in the background would stop the program by SIGTTIN.
            (Stdin::Inherit, Some(_)) => Input::Null,
        };
        let Spawned { pid, outcome, gate } = spawn(program, input)?;
        if input == Input::Terminal {
            self.foreseen = None;
            self.terminal.iter_mut().for_each(|terminal| terminal.gave(pid));
            self.post_sentinel(pid);
        }
        // Before it is executed, so that nothing can be typed that the sentinel misses.
        drop(gate);
        let group = Group::new(pid);
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
            self.restore_terminal();
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
        let sentinel = self.sentinel.as_ref().map(|it| it.pid().as_raw_nonzero().get());
        let is_spared = |process: &Process| {
            let is_stranger = self.strangers.contains(&(process.pid, process.started));
            is_stranger || sentinel == Some(process.pid)
        };
        let mut alive = descendants(is_spared)?;
        alive.retain(|process| !process.is_dead());
        Some(alive)
    }

    /// Asks all processes of an instance to stop. Stopped ones (SIGSTOP) are continued, since
    /// they would not see the signal before.
    pub fn stop(&mut self, instance: Instance, signal: i32) {
        let alive = self.alive();
        let Some(group) = self.instances.get_mut(&instance) else { return };
        group.is_explained |= TYPED.contains(&signal);
        group.signal(signal, alive.as_deref());
        group.signal(libc::SIGCONT, alive.as_deref());
    }

    /// Passes a signal on to an instance's process group, as a terminal would.
    pub fn signal(&mut self, instance: Instance, signal: i32) {
        let alive = self.alive();
        if let Some(group) = self.instances.get_mut(&instance) {
            group.is_explained |= TYPED.contains(&signal);
            group.signal_members(signal, alive.as_deref());
        }
    }

    /// Kills all processes of an instance, and those that they start meanwhile.
    pub fn kill(&mut self, instance: Instance) {
        if let Some(group) = self.instances.get_mut(&instance) {
            group.is_killed = true;
        }
        if let Some(sentinel) = &self.sentinel {
            sentinel.leave();
        }
        self.kill_again();
    }

    /// Whether this process is our sentinel: what it sends was typed at the terminal.
    pub fn is_sentinel(&self, pid: Pid) -> bool {
        self.sentinel.as_ref().is_some_and(|sentinel| sentinel.pid() == pid)
    }

    /// Whether what the sentinel tells was not yet told of. To be called once for each telling.
    pub fn is_news(&mut self, signal: i32) -> bool {
        self.typed = Some(Instant::now());
        self.foreseen.take() != Some(signal)
    }

    /// Whether an instance was put into the terminal's foreground.
    pub fn has_terminal(&self, instance: Instance) -> bool {
        let leader = self.leader(instance);
        let terminal = self.terminal.as_ref();
        leader.is_some_and(|leader| terminal.is_some_and(|it| it.was_given_to(leader)))
    }

    /// The instance that has the terminal, if one of its processes is stopped. Its first one may
    /// not be, nor ever: while it forks a child by vfork(2) it waits for that child, and if
    /// Ctrl-Z falls into that, for ever.
    pub fn half_stopped(&self) -> Option<Instance> {
        let (&instance, group) = self.instances.iter().next()?;
        let alive = self.alive()?;
        let is_stopped = alive.iter().any(|process| group.has(process) && process.state == 'T');
        (is_stopped && self.has_terminal(instance)).then_some(instance)
    }

    /// Stops us after an instance that was stopped by Ctrl-Z, and goes on with both when somebody
    /// continues us; at once where nobody could.
    pub fn suspend(&mut self, instance: Instance) {
        if let Some(terminal) = &mut self.terminal {
            terminal.take_back();
        }
        signals::suspend_job();
        self.resume();
        self.signal(instance, libc::SIGCONT);
    }

    /// Gives what is up the terminal, if a shell has just brought us to its foreground. Says
    /// whether it had it already.
    pub fn resume(&mut self) -> bool {
        let leader = self.instances.values().next().map(|group| group.leader);
        let (Some(leader), Some(terminal)) = (leader, &mut self.terminal) else { return false };
        let had_it = terminal.was_given_to(leader);
        if !had_it && terminal.give(leader) {
            self.post_sentinel(leader);
        }
        had_it
    }

    /// Posts the sentinel in a group. If the program killed it with its own group, by
    /// `kill -9 0` for example, another takes its place.
    fn post_sentinel(&mut self, group: Pid) {
        let is_posted = |it: &Sentinel| it.is_alive() && it.join(group).is_ok();
        if !self.sentinel.as_ref().is_some_and(is_posted) {
            // Without one Ctrl-C still reaches the program.
            self.sentinel = Sentinel::new().ok();
            _ = self.sentinel.as_ref().map(|sentinel| sentinel.join(group));
        }
    }

    fn restore_terminal(&mut self) {
        if let Some(sentinel) = &self.sentinel {
            sentinel.leave();
        }
        if let Some(terminal) = &mut self.terminal {
            terminal.restore();
        }
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
        let was_typed = self.typed.is_some_and(|typed| typed.elapsed() < SENTINEL_TAKES);
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
                    let has_terminal =
                        self.terminal.as_ref().is_some_and(|it| it.was_given_to(group.leader));
                    // It may be faster than the sentinel.
                    if let Exit::Signal(signal) = exit
                        && TYPED.contains(&signal)
                        && has_terminal
                        && !group.is_explained
                        && !was_typed
                    {
                        self.foreseen = Some(signal);
                        reaped.events.push(Event::Typed(signal));
                    }
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
        self.restore_terminal();
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
    fn new(leader: Pid) -> Self {
        Self { leader, is_executed: false, exit: None, is_killed: false, is_explained: false }
    }

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
