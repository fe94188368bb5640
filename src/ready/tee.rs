//! A tee: what a program writes is shown, and each line is looked at on the way.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::ui::Screen;

/// A line is looked at up to here.
const LONGEST: usize = 64 * 1024;

/// Makes a pipe for a program to write into, and a thread that shows on `screen` what comes,
/// for as long as somebody can write. `look` is shown each line, without its end, until it says
/// that it has seen enough.
///
/// # Errors
/// When the pipe or the thread cannot be made.
pub fn tee(
    mut screen: Screen<impl AsFd + Send + 'static>,
    mut look: impl FnMut(&[u8]) -> bool + Send + 'static,
) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    thread::Builder::new().name("tee".into()).spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        let mut line = Vec::new();
        let mut is_looking = true;
        loop {
            let count = match read(&reader, &mut buffer[..]) {
                Err(Errno::INTR) => continue,
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            screen.write(&buffer[..count]);
            for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
                if !is_looking {
                    break;
                }
                if line.len() < LONGEST {
                    line.extend(part);
                }
                if part.ends_with(b"\n") {
                    is_looking = look(line.trim_ascii_end());
                    line.clear();
                }
            }
        }
        screen.finish();
        if is_looking && !line.is_empty() {
            look(line.trim_ascii_end());
        }
    })?;
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::mpsc;

    use rustix::io::write;

    use super::*;

    #[test]
    fn lines_are_shown_until_it_was_enough_and_everything_is_passed_on() {
        let (mut screen, target) = std::io::pipe().unwrap();
        let (sender, reports) = mpsc::channel();
        let look = move |line: &[u8]| {
            sender.send(String::from_utf8_lossy(line).into_owned()).unwrap();
            !line.starts_with(b"listening")
        };
        let writer = tee(Screen::new(target), look).unwrap();
        for text in ["a\nnot listening on 1\nlisten", "ing on", " 80\r\nb"] {
            write(&writer, text.as_bytes()).unwrap();
        }
        drop(writer);
        let mut all = String::new();
        screen.read_to_string(&mut all).unwrap();
        assert_eq!(all, "a\nnot listening on 1\nlistening on 80\r\nb");
        let seen: Vec<String> = reports.iter().collect();
        assert_eq!(seen, ["a", "not listening on 1", "listening on 80"]);
    }
}
