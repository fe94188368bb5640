//! A group: the processes of an instance, and what is known of them.

use rustix::process::Pid;

use super::descendants::Process;
use super::keeper::{Keeper, Order};
use crate::engine::{Exit, NotStarted};

/// An instance: its process group, and what else descends from it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) keeper: Keeper,
    /// The leader's pid, which is the group's id for as long as the group has members.
    pub(super) leader: Pid,
    pub(super) wants_terminal: bool,
    /// Whether it executed its program, once that is known.
    pub(super) executed: Option<Result<(), NotStarted>>,
    pub(super) exit: Option<Exit>,
    /// Whether its keeper is there. One that was killed has left us what it kept.
    pub(super) has_keeper: bool,
    /// Whether nothing of it is left.
    pub(super) is_empty: bool,
    /// Whether nothing of it may live on. What is found of it later is killed then, too.
    pub(super) is_killed: bool,
    /// Whether it may die by SIGINT or SIGQUIT since we sent that.
    pub(super) is_explained: bool,
}

impl Group {
    pub(super) fn new(keeper: Keeper, leader: Pid, wants_terminal: bool) -> Self {
        Self {
            keeper,
            leader,
            wants_terminal,
            executed: None,
            exit: None,
            has_keeper: true,
            is_empty: false,
            is_killed: false,
            is_explained: false,
        }
    }

    /// Whether its keeper was killed before it had nothing to keep any more.
    pub(super) fn is_lost(&self) -> bool {
        !self.has_keeper && !self.is_empty
    }

    pub(super) fn is_gone(&self) -> bool {
        !self.has_keeper && self.is_empty
    }

    /// Sends a signal to the whole group and to everyone `alive` who has left it.
    pub(super) fn signal(&self, signal: i32, alive: Option<&[Process]>) {
        self.signal_members(signal, alive);
        let escaped = alive.unwrap_or_default().iter().filter(|process| !self.has(process));
        escaped.for_each(|process| process.signal(signal));
    }

    /// Sends a signal to the group, which the kernel does at once for all its members.
    pub(super) fn signal_members(&self, signal: i32, alive: Option<&[Process]>) {
        match alive {
            // Without the leader the id may be another's, as soon as the last member is gone.
            Some(alive) if self.exit.is_some() => {
                let members = alive.iter().filter(|process| self.has(process));
                members.for_each(|process| process.signal(signal));
            }
            _ => self.keeper.order(Order::Signal(signal)),
        }
    }

    pub(super) fn has(&self, process: &Process) -> bool {
        process.group == self.leader.as_raw_nonzero().get()
    }
}
