//! Keys: what is typed while no program reads from the terminal, and what each asks for.

use rustix::stdio::stderr;
use rustix::termios::isatty;

use super::{Dispatcher, Message};
use crate::control::{Answer, Ask, Status};
use crate::process::{Keyboard, Typed};
use crate::ui::{Kind, Line};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Restart,
    Build,
    /// To let changes wait, or to go on with them.
    Pause,
    Status,
    Clear,
    Quit,
    Help,
}

/// So many may be typed before they are read. More at once was pasted.
const TYPED: usize = 3;

/// What was typed. What was pasted, or begins with ESC as an arrow key does, means nothing.
fn keys(typed: &[u8]) -> impl Iterator<Item = Key> {
    let is_typed = typed.len() <= TYPED && !typed.contains(&b'\x1b');
    typed.iter().filter(move |_| is_typed).filter_map(|byte| key(*byte))
}

fn key(byte: u8) -> Option<Key> {
    Some(match byte.to_ascii_lowercase() {
        b'r' => Key::Restart,
        b'b' => Key::Build,
        b'p' => Key::Pause,
        b's' => Key::Status,
        b'c' => Key::Clear,
        b'q' => Key::Quit,
        b'h' | b'?' => Key::Help,
        _ => return None,
    })
}

const HELP: &str = "r restart, b do what a change leads to, p pause or resume watching, s status, \
                    c clear, q quit, h help";

impl Dispatcher {
    /// Reads keys from now on, if there is a terminal to read them from and to see what comes of it.
    pub(super) fn read_keys(&mut self) -> std::io::Result<()> {
        let Some(mut keyboard) = Keyboard::new().filter(|_| isatty(stderr())) else {
            return Ok(());
        };
        let sender = self.shared.sender.clone();
        keyboard.listen(move |typed| sender.send(Message::Typed(typed)).is_ok())?;
        keyboard.take();
        self.shared.children.keep_input();
        self.keyboard = Some(keyboard);
        Ok(())
    }

    /// Says that there are keys.
    pub(super) fn say_keys(&self) {
        if self.keyboard.is_some() {
            self.shared.log.write(Line::event(Kind::Keys, "press h for help"));
        }
    }

    /// Does what was typed.
    pub(super) fn take_keys(&mut self, typed: Typed) {
        match typed {
            Typed::Foreground => self.keyboard.iter_mut().for_each(Keyboard::take),
            Typed::Bytes(bytes) => keys(&bytes).for_each(|key| self.press(key)),
        }
    }

    fn press(&mut self, key: Key) {
        let ask = match key {
            Key::Restart => Ask::Restart,
            Key::Build => Ask::Build,
            Key::Pause if self.status().all.paused => Ask::Resume,
            Key::Pause => Ask::Pause,
            Key::Status => Ask::Status,
            Key::Quit => Ask::Stop,
            Key::Clear => return self.shared.log.clear_screen(),
            Key::Help => return self.shared.log.answer(Line::event(Kind::Keys, HELP)),
        };
        match self.answer(&ask.into()) {
            Answer::Refused(why) => self.shared.log.answer(Line::problem(Kind::Asked, why)),
            Answer::Status(status) => self.say_status(&status),
            Answer::Done | Answer::BuildOutput(_) => {}
        }
    }

    fn say_status(&self, status: &Status) {
        let lines = status.lines();
        if self.shared.log.style().is_json() {
            // It has no value that JSON does not know.
            let value = serde_json::to_value(status).unwrap_or_default();
            let line = Line::event(Kind::Status, lines.join("\n"));
            return self.shared.log.answer(line.with("status", value));
        }
        for line in lines {
            self.shared.log.answer(Line::event(Kind::Status, line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_one_byte_in_either_case() {
        let meant = [
            ("r", Key::Restart),
            ("b", Key::Build),
            ("p", Key::Pause),
            ("s", Key::Status),
            ("c", Key::Clear),
            ("q", Key::Quit),
            ("h", Key::Help),
            ("?", Key::Help),
            ("Q", Key::Quit),
        ];
        for (typed, expected) in meant {
            assert_eq!(keys(typed.as_bytes()).collect::<Vec<_>>(), [expected], "{typed}");
        }
        assert_eq!(keys(b"pq").collect::<Vec<_>>(), [Key::Pause, Key::Quit]);
    }

    #[test]
    fn what_is_pasted_or_comes_from_other_keys_means_nothing() {
        for typed in ["", "x", "\n", "\x04", "\x1b", "\x1b[C", "\x1bOP", "quit", "ü"] {
            assert_eq!(keys(typed.as_bytes()).count(), 0, "{typed:?}");
        }
    }
}
