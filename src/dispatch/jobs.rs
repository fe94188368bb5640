//! Signals: what they mean to stakeout itself, and job control, by which a program is stopped and goes
//! on.

use std::time::{Duration, Instant};

use super::service::Service;
use super::{CHECK, Dispatcher, Message};
use crate::engine::{Event, Instance};
use crate::process::signals::{self, Received, Sender};
use crate::process::{Keyboard, STOP_TYPED};

/// How long after Ctrl-Z a program stops at the latest, or not at all.
const STOP_TAKES: Duration = Duration::from_secs(1);

impl Dispatcher {
    /// Does what a signal asks for.
    pub(super) fn take_signal(&mut self, received: Received) {
        let signal = received.signal;
        // The last two are what we may get for using the terminal ourselves.
        let is_our_own = [libc::SIGCHLD, libc::SIGTTIN, libc::SIGTTOU].contains(&signal);
        if is_our_own || self.is_typed(received) {
            return;
        }
        // What has the terminal was continued when we were; a second time would undo the next
        // Ctrl-Z.
        if signal == libc::SIGCONT && self.shared.children.resume() {
            return;
        }
        self.services.signalled(signal, &mut self.shared);
        if signal == libc::SIGTSTP {
            self.keyboard.iter_mut().for_each(Keyboard::leave);
            self.shared.log.leave();
            signals::suspend();
            self.shared.log.come_back();
            // Where nobody could continue us we were not stopped, and nobody continues the program.
            self.services.signalled(libc::SIGCONT, &mut self.shared);
        }
        if [libc::SIGTSTP, libc::SIGCONT].contains(&signal) {
            self.keyboard.iter_mut().for_each(Keyboard::take);
        }
    }

    /// Whether it was typed at the terminal that the program has.
    pub(super) fn is_typed(&self, received: Received) -> bool {
        let is_told = matches!(received.sender, Sender::Process(pid) if self.shared.children.is_sentinel(pid));
        // That the terminal is gone means us as well.
        is_told && received.signal != libc::SIGHUP
    }

    /// Takes a signal that was typed.
    pub(super) fn take_typed(&mut self, signal: i32) {
        match signal {
            STOP_TYPED => self.stop_typed = Some(Instant::now()),
            signal if self.shared.children.is_news(signal) => self.tell(Event::Typed(signal)),
            _ => {}
        }
    }

    /// Waits a moment, if a smoke test was cut short: the program may have ended by Ctrl-C, of which
    /// the sentinel, who may be slower, has not told.
    pub(super) fn hear_late(&mut self) {
        let Some(takes) = self.shared.children.sentinel_takes() else { return };
        if !self.services.iter().any(Service::is_smoke_cut) {
            return;
        }
        let until = Instant::now() + takes;
        let left = || until.saturating_duration_since(Instant::now());
        while let Ok(message) = self.messages.recv_timeout(left()) {
            if let Message::Signal(received) = message
                && self.is_typed(received)
                && received.signal != STOP_TYPED
            {
                let event = Event::Typed(received.signal);
                let members = self.services.members.iter_mut();
                return members.for_each(|it| it.service.abort_smoke(event, &mut self.shared));
            }
        }
    }

    /// The program was stopped, and goes on only when it is continued.
    pub(super) fn take_stop(&mut self, instance: Instance, signal: i32) {
        if !self.shared.children.is_stopped(instance) {
            return;
        }
        let is_stop = [libc::SIGTSTP, libc::SIGSTOP].contains(&signal);
        match is_stop && self.shared.children.has_terminal(instance) {
            true => self.suspend(instance),
            false => self.say_stopped(signal),
        }
    }

    /// Ctrl-Z was typed, and it was not yet told that the program stopped.
    pub(super) fn look_for_stop(&mut self) {
        match self.stop_typed {
            Some(typed) if typed.elapsed() > STOP_TAKES => self.stop_typed = None,
            Some(typed) if typed.elapsed() > CHECK => {
                if let Some(instance) = self.shared.children.half_stopped() {
                    self.suspend(instance);
                }
            }
            _ => {}
        }
    }

    fn suspend(&mut self, instance: Instance) {
        self.stop_typed = None;
        self.shared.log.leave();
        self.shared.children.suspend(instance);
        self.shared.log.come_back();
    }
}
