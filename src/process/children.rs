//! The children: the instances that were started, each behind its keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::iter;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process_group, set_child_subreaper};

use super::descendants::{Process, descendants};
use super::foreground::{Foreground, TYPED};
use super::group::Group;
use super::keeper::{Keeper, Order, Started, Word};
use super::reaper::{self, Change};
use super::signals;
use super::spawn::{Given, Input};
use super::{Program, Stdin};
use crate::engine::{Event, Exit, Instance};

/// All instances of which a process may be left.
#[derive(Debug)]
pub struct Children {
    instances: BTreeMap<Instance, Group>,
    /// Children that were here before us, as after `sh -c 'job & exec stakeout'`; by pid and
    /// start.
    strangers: BTreeSet<(i32, u64)>,
    foreground: Foreground,
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
    /// No children yet.
    ///
    /// # Errors
    /// When the sentinel's process cannot be made.
    pub fn new(stdin: Stdin) -> io::Result<Self> {
        // Should somebody kill a keeper, what it kept becomes ours. Only kernels before 3.4 do
        // not know it.
        _ = set_child_subreaper(Some(getpid()));
        let strangers = descendants(getpid()).unwrap_or_default();
        let strangers = strangers.iter().map(|process| (process.pid, process.started));
        let strangers = strangers.collect();
        Ok(Self { instances: BTreeMap::new(), strangers, foreground: Foreground::new(stdin)? })
    }

    /// From now on no program reads what is typed: we do.
    pub fn keep_input(&mut self) {
        self.foreground.keep_input();
    }

    /// Starts `program` as this instance, and gives its pid. Whether it was executed is an event
    /// that follows: on a dead mount that takes for ever.
    ///
    /// # Errors
    /// When no process can be made.
    pub fn start(
        &mut self,
        instance: Instance,
        program: &Program,
        given: Given<'_>,
    ) -> io::Result<Pid> {
        let input = self.foreground.input(program.stdin);
        let Started { keeper, leader, gate } = Keeper::start(program, input, given)?;
        if input == Input::Terminal {
            self.foreground.was_taken(leader);
        }
        // Before it is executed, so that nothing can be typed that the sentinel misses.
        drop(gate);
        let wants_terminal = program.stdin == Stdin::Inherit;
        self.instances.insert(instance, Group::new(keeper, leader, wants_terminal));
        Ok(leader)
    }

    /// The pid of an instance's first process.
    pub fn leader(&self, instance: Instance) -> Option<Pid> {
        self.instances.get(&instance).map(|group| group.leader)
    }

    /// The instance that a process descends from, or is the first one of.
    pub fn owner(&self, pid: i32) -> Option<Instance> {
        let is_leader = |group: &Group| group.leader.as_raw_nonzero().get() == pid;
        let of_leader = self.instances.iter().find(|(_, group)| is_leader(group));
        let has = |group: &Group| {
            let descendants = descendants(group.keeper.pid()).unwrap_or_default();
            descendants.iter().any(|process| process.pid == pid)
        };
        let owner = of_leader.or_else(|| self.instances.iter().find(|(_, group)| has(group)));
        owner.map(|(&instance, _)| instance)
    }

    /// Everything of an instance that still lives; none where /proc does not tell.
    pub fn alive(&self, instance: Instance) -> Option<Vec<Process>> {
        self.instances.get(&instance).map_or(Some(Vec::new()), |group| self.alive_of(group))
    }

    fn alive_of(&self, group: &Group) -> Option<Vec<Process>> {
        let mut alive = match group.is_lost() {
            true => self.orphans()?,
            false => descendants(group.keeper.pid())?,
        };
        alive.retain(|process| !process.is_dead());
        Some(alive)
    }

    /// What descends from us and no keeper keeps: a keeper that was killed has left it.
    fn orphans(&self) -> Option<Vec<Process>> {
        let mut kept = BTreeSet::new();
        let keepers = self.instances.values().filter(|group| group.has_keeper);
        let ours = keepers.map(|group| group.keeper.pid()).chain(self.foreground.sentinel());
        for pid in ours {
            kept.insert(pid.as_raw_nonzero().get());
            kept.extend(descendants(pid)?.iter().map(|process| process.pid));
        }
        let mut orphans = descendants(getpid())?;
        orphans.retain(|process| {
            let is_stranger = self.strangers.contains(&(process.pid, process.started));
            !is_stranger && !kept.contains(&process.pid) && !process.is_dead()
        });
        Some(orphans)
    }

    /// Asks all processes of an instance to stop. Stopped ones (SIGSTOP) are continued, since
    /// they would not see the signal before.
    pub fn stop(&mut self, instance: Instance, signal: i32) {
        let alive = self.alive(instance);
        let Some(group) = self.instances.get_mut(&instance) else { return };
        group.is_explained |= TYPED.contains(&signal);
        group.signal(signal, alive.as_deref());
        group.signal(libc::SIGCONT, alive.as_deref());
    }

    /// Passes a signal on to an instance's process group, as a terminal would.
    pub fn signal(&mut self, instance: Instance, signal: i32) {
        let alive = self.alive(instance);
        if let Some(group) = self.instances.get_mut(&instance) {
            group.is_explained |= TYPED.contains(&signal);
            group.signal_members(signal, alive.as_deref());
        }
    }

    /// Kills all processes of an instance, and those that they start meanwhile.
    pub fn kill(&mut self, instance: Instance) {
        if let Some(group) = self.instances.get_mut(&instance) {
            group.is_killed = true;
            group.keeper.order(Order::Kill);
        }
        if self.has_terminal(instance) {
            self.foreground.recall_sentinel();
        }
        self.kill_again();
    }

    /// Whether this process is our sentinel: what it sends was typed at the terminal.
    pub fn is_sentinel(&self, pid: Pid) -> bool {
        self.foreground.sentinel() == Some(pid)
    }

    /// How long what was typed may take to be told of, where something can be typed.
    pub fn sentinel_takes(&self) -> Option<Duration> {
        self.foreground.sentinel_takes()
    }

    /// Whether what the sentinel tells was not yet told of. To be called once for each telling.
    pub fn is_news(&mut self, signal: i32) -> bool {
        self.foreground.is_news(signal)
    }

    /// Whether an instance was put into the terminal's foreground.
    pub fn has_terminal(&self, instance: Instance) -> bool {
        self.leader(instance).is_some_and(|leader| self.foreground.is(leader))
    }

    /// The instance that has the terminal, if one of its processes is stopped. Its first one may
    /// not be, nor ever: while it forks a child by vfork(2) it waits for that child, and if
    /// Ctrl-Z falls into that, for ever.
    pub fn half_stopped(&self) -> Option<Instance> {
        let (instance, group) = self.in_foreground()?;
        let alive = self.alive_of(group)?;
        let is_stopped = alive.iter().any(|process| group.has(process) && process.state == 'T');
        is_stopped.then_some(instance)
    }

    /// Whether a process of an instance is stopped at this moment. What its keeper said may be
    /// old: meanwhile somebody may have continued it.
    pub fn is_stopped(&self, instance: Instance) -> bool {
        // Without /proc, its keeper has to be believed.
        let is_stopped = |alive: Vec<Process>| alive.iter().any(|process| process.state == 'T');
        self.alive(instance).is_none_or(is_stopped)
    }

    fn in_foreground(&self) -> Option<(Instance, &Group)> {
        let has_terminal = |(instance, _): &(&Instance, &Group)| self.has_terminal(**instance);
        self.instances.iter().find(has_terminal).map(|(&instance, group)| (instance, group))
    }

    /// Stops us after an instance that was stopped by Ctrl-Z, and goes on with both when somebody
    /// continues us; at once where nobody could.
    pub fn suspend(&mut self, instance: Instance) {
        self.foreground.take_back();
        signals::suspend_job();
        self.resume();
        // Not by way of the keeper: when we return, nothing is stopped by this Ctrl-Z any more, and
        // a signal that comes late would undo the next one. Its group is there: it was stopped
        // until now.
        if let Some(leader) = self.leader(instance) {
            _ = kill_process_group(leader, Signal::CONT);
        }
    }

    /// Gives what is up the terminal, if a shell has just brought us to its foreground. Says
    /// whether it had it already.
    pub fn resume(&mut self) -> bool {
        let leader =
            self.instances.values().find(|group| group.wants_terminal && group.exit.is_none());
        leader.map(|group| group.leader).is_some_and(|leader| self.foreground.give(leader))
    }

    /// Kills what is left of a killed instance. Its keeper does, too; this also reaches those
    /// whose parents cannot die.
    fn kill_again(&self) {
        let is_wanted = |group: &&Group| group.is_killed && !group.is_gone() || group.is_lost();
        for group in self.instances.values().filter(is_wanted) {
            let mut killed = BTreeSet::new();
            for _ in 0..KILL_ROUNDS {
                let alive = self.alive_of(group).unwrap_or_default();
                alive.iter().for_each(|process| process.signal(libc::SIGKILL));
                let pids = alive.iter().map(|process| (process.pid, process.started));
                // Those of the round before take a moment to vanish.
                if pids.filter(|pid| killed.insert(*pid)).count() == 0 {
                    break;
                }
            }
        }
    }

    /// Takes what keepers tell, and reaps whatever of our own has ended, without waiting. To be
    /// called on SIGCHLD, and now and then while an instance is being killed: what it started
    /// meanwhile is killed, too.
    pub fn reap(&mut self) -> Reaped {
        let mut reaped = Reaped::default();
        while let reaper::Next::Child(pid) = reaper::next() {
            let change = reaper::take(pid);
            let group = self.instances.values_mut().find(|group| group.keeper.pid() == pid);
            match (change, group) {
                (Some(Change::Ended(_)), Some(group)) => group.has_keeper = false,
                (Some(Change::Ended(_)), None) => reaped.orphans += 1,
                // It has work to do, whoever has stopped it.
                (Some(Change::Stopped(_)), Some(group)) => group.keeper.wake(),
                _ => {}
            }
        }
        let mut words = Vec::new();
        for (&instance, group) in &self.instances {
            words.extend(iter::from_fn(|| group.keeper.next()).map(|word| (instance, word)));
        }
        for (instance, word) in words {
            self.take(instance, word, &mut reaped);
        }
        self.look_for_lost(&mut reaped);
        self.kill_again();
        let ended = self.instances.iter().filter(|(_, group)| group.is_gone());
        let ended: Vec<Instance> = ended.map(|(&instance, _)| instance).collect();
        for instance in ended {
            self.forget(instance, &mut reaped.events);
        }
        reaped
    }

    fn take(&mut self, instance: Instance, word: Word, reaped: &mut Reaped) {
        let has_terminal = self.has_terminal(instance);
        let Some(group) = self.instances.get_mut(&instance) else { return };
        match word {
            Word::Executed => {
                group.executed = Some(Ok(()));
                reaped.events.push(Event::Started(instance));
            }
            // Told of when nothing is left.
            Word::NotExecuted(why) => group.executed = Some(Err(why)),
            Word::Exited(exit) => {
                group.exit = Some(exit);
                // It may be faster than the sentinel.
                if let Exit::Signal(signal) = exit
                    && has_terminal
                    && !group.is_explained
                    && self.foreground.foresees(signal)
                {
                    reaped.events.push(Event::Typed(signal));
                }
                reaped.events.push(Event::Exited(instance, exit));
            }
            Word::Stopped(signal) => reaped.stopped.push((instance, signal)),
            Word::Orphans(count) => reaped.orphans += usize::try_from(count).unwrap_or_default(),
            Word::Empty => group.is_empty = true,
            Word::Forked(_) | Word::NoProcess(_) => {}
        }
    }

    /// Takes over from keepers that were killed. Their leader dies with them.
    fn look_for_lost(&mut self, reaped: &mut Reaped) {
        // One reading of /proc may miss who is just being born while its parent dies.
        let is_left = || self.orphans().is_some_and(|orphans| !orphans.is_empty());
        if !self.instances.values().any(Group::is_lost) || is_left() || is_left() {
            return;
        }
        for (&instance, group) in self.instances.iter_mut().filter(|(_, it)| it.is_lost()) {
            group.is_empty = true;
            group.executed.get_or_insert(Ok(()));
            if group.exit.is_none() {
                let exit = Exit::Signal(libc::SIGKILL);
                group.exit = Some(exit);
                reaped.events.push(Event::Exited(instance, exit));
            }
        }
    }

    fn forget(&mut self, instance: Instance, events: &mut Vec<Event>) {
        let had_terminal = self.has_terminal(instance);
        let Some(group) = self.instances.remove(&instance) else { return };
        if had_terminal {
            self.foreground.restore();
        }
        events.push(match group.executed {
            Some(Err(why)) => Event::NotStarted(instance, why),
            Some(Ok(())) | None => Event::Gone(instance),
        });
    }
}
