//! The foreground: which instance has the terminal, and what was typed there.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::Stdin;
use super::sentinel::Sentinel;
use super::spawn::Input;
use super::terminal::Terminal;

/// The terminal, if there is one, and the sentinel in it.
#[derive(Debug)]
pub(super) struct Foreground {
    /// What our standard input is, if the program is to have it.
    terminal: Option<Terminal>,
    /// Whether we ourselves read what is typed, so that no program may.
    is_kept: bool,
    /// While the program has the terminal.
    sentinel: Option<Sentinel>,
    /// A signal that was taken for typed, of which the sentinel has yet to tell.
    foreseen: Option<i32>,
    /// When the sentinel told of something last.
    typed: Option<Instant>,
}

/// What somebody at a terminal types to end a program.
pub(super) const TYPED: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// How far the sentinel's word and the end that it explains may be apart.
const SENTINEL_TAKES: Duration = Duration::from_secs(1);

impl Foreground {
    /// Nobody has it yet.
    ///
    /// # Errors
    /// When the sentinel's process cannot be made.
    pub(super) fn new(stdin: Stdin) -> io::Result<Self> {
        let terminal = if stdin == Stdin::Inherit { Terminal::new() } else { None };
        let sentinel = terminal.as_ref().map(|_| Sentinel::new()).transpose()?;
        Ok(Self { terminal, is_kept: false, sentinel, foreseen: None, typed: None })
    }

    /// From now on no program reads what is typed: we do.
    pub(super) fn keep_input(&mut self) {
        self.is_kept = true;
    }

    /// What a program that is started now reads from.
    pub(super) fn input(&self, stdin: Stdin) -> Input {
        match (stdin, &self.terminal) {
            (Stdin::Null, _) => Input::Null,
            (Stdin::Inherit, _) if self.is_kept => Input::Null,
            (Stdin::Inherit, None) => Input::Inherit,
            (Stdin::Inherit, Some(terminal)) if terminal.is_ours() => Input::Terminal,
            // Reading from it in the background would stop the program by SIGTTIN.
            (Stdin::Inherit, Some(_)) => Input::Null,
        }
    }

    /// A group that was just started has put itself there.
    pub(super) fn was_taken(&mut self, leader: Pid) {
        self.foreseen = None;
        self.terminal.iter_mut().for_each(|terminal| terminal.gave(leader));
        self.post_sentinel(leader);
    }

    /// Puts a group there, if a shell has just brought us there. Says whether it was there already.
    pub(super) fn give(&mut self, leader: Pid) -> bool {
        let Some(terminal) = &mut self.terminal else { return false };
        let had_it = terminal.was_given_to(leader);
        if !had_it && terminal.give(leader) {
            self.post_sentinel(leader);
        }
        had_it
    }

    /// Whether this group was put there.
    pub(super) fn is(&self, leader: Pid) -> bool {
        self.terminal.as_ref().is_some_and(|terminal| terminal.was_given_to(leader))
    }

    /// Takes the terminal back from a group that was stopped.
    pub(super) fn take_back(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.take_back();
        }
    }

    /// Takes it back from a group that is gone, in the modes in which it was.
    pub(super) fn restore(&mut self) {
        self.recall_sentinel();
        if let Some(terminal) = &mut self.terminal {
            terminal.restore();
        }
    }

    /// Keeps the sentinel from what is sent to the group that is there.
    pub(super) fn recall_sentinel(&self) {
        if let Some(sentinel) = &self.sentinel {
            sentinel.leave();
        }
    }

    /// The sentinel, if there is one: what it sends was typed at the terminal.
    pub(super) fn sentinel(&self) -> Option<Pid> {
        self.sentinel.as_ref().map(Sentinel::pid)
    }

    /// How long what was typed may take to be told of, where something can be typed.
    pub(super) fn sentinel_takes(&self) -> Option<Duration> {
        self.sentinel.as_ref().map(|_| SENTINEL_TAKES)
    }

    /// Whether what the sentinel tells was not yet told of. To be called once for each telling.
    pub(super) fn is_news(&mut self, signal: i32) -> bool {
        self.typed = Some(Instant::now());
        self.foreseen.take() != Some(signal)
    }

    /// A group that is there died by a signal that nobody else has sent: whether that says that it
    /// was typed, of which the sentinel, who may be slower, has not told.
    pub(super) fn foresees(&mut self, signal: i32) -> bool {
        let was_told = self.typed.is_some_and(|typed| typed.elapsed() < SENTINEL_TAKES);
        let is_typed = TYPED.contains(&signal) && !was_told;
        if is_typed {
            self.foreseen = Some(signal);
        }
        is_typed
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
}
