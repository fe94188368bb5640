//! A tee: what a program writes goes where it would have gone without, and each line is looked at
//! on the way.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use regex::bytes::Regex;
use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::ui::write_all;

/// A line is looked at up to here.
const LONGEST: usize = 64 * 1024;

/// Makes a pipe for a program to write into, and a thread that passes on to `target` what comes,
/// for as long as somebody can write. `report` is called when a line matches for the first time.
///
/// # Errors
/// When the pipe or the thread cannot be made, or the expression does not fit bytes.
pub fn tee(
    expression: &str,
    target: impl AsFd + Send + 'static,
    report: impl FnOnce() + Send + 'static,
) -> io::Result<OwnedFd> {
    let regex = Regex::new(expression).map_err(io::Error::other)?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    thread::Builder::new().name("tee".into()).spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        let mut line = Vec::new();
        let mut report = Some(report);
        loop {
            let count = match read(&reader, &mut buffer[..]) {
                Err(Errno::INTR) => continue,
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            // Nobody may read there any more; the program goes on all the same.
            _ = write_all(&target, &buffer[..count]);
            for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
                if report.is_none() {
                    break;
                }
                if line.len() < LONGEST {
                    line.extend(part);
                }
                if part.ends_with(b"\n") {
                    if regex.is_match(line.trim_ascii_end()) {
                        report.take().into_iter().for_each(|report| report());
                    }
                    line.clear();
                }
            }
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
    fn a_line_is_found_and_everything_is_passed_on() {
        let (mut screen, target) = std::io::pipe().unwrap();
        let (sender, reports) = mpsc::channel();
        let writer = tee("^listening on \\d+$", target, move || sender.send(()).unwrap()).unwrap();
        for text in ["a\nnot listening on 1\nlisten", "ing on", " 80\r\nb"] {
            write(&writer, text.as_bytes()).unwrap();
        }
        reports.recv().unwrap();
        drop(writer);
        let mut all = String::new();
        screen.read_to_string(&mut all).unwrap();
        assert_eq!(all, "a\nnot listening on 1\nlistening on 80\r\nb");
    }
}
