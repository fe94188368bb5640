//! A command's output: what a step of a build writes, read by a thread and passed on in chunks.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, pipe_with};

/// What comes out.
#[derive(Debug)]
pub enum Chunk {
    /// This was written.
    Bytes(Vec<u8>),
    /// Everything was read that was written before [`Output::drain`].
    Drained,
}

/// The reading side of a command's output.
#[derive(Debug)]
pub struct Output {
    /// Closed when what was written so far is wanted.
    drain: Option<OwnedFd>,
}

/// So much is read at once.
const CHUNK: usize = 16 * 1024;

impl Output {
    /// Makes a pipe to write into, and a thread that reads it and calls `send` until it is closed
    /// by all who have it, or `send` says that nobody listens.
    ///
    /// # Errors
    /// When a pipe or a thread cannot be made.
    pub fn new(send: impl Fn(Chunk) -> bool + Send + 'static) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let (drained, drain) = pipe_with(PipeFlags::CLOEXEC)?;
        thread::Builder::new()
            .name("output".into())
            .spawn(move || pass_on(&reader, Some(drained), send))?;
        Ok((Self { drain: Some(drain) }, writer))
    }

    /// Asks for [`Chunk::Drained`]. The command's first process has ended; others of it may go on
    /// and write more, which is passed on, too.
    pub fn drain(&mut self) {
        self.drain = None;
    }
}

fn pass_on(reader: &OwnedFd, mut drain: Option<OwnedFd>, send: impl Fn(Chunk) -> bool) {
    let mut buffer = vec![0; CHUNK];
    loop {
        if let Some(asked) = &drain {
            let mut sources =
                [PollFd::new(reader, PollFlags::IN), PollFd::new(asked, PollFlags::IN)];
            _ = poll(&mut sources, None);
            if sources[0].revents().is_empty() && !is_ready(reader) {
                drain = None;
                if !send(Chunk::Drained) {
                    return;
                }
                continue;
            }
        }
        match read(reader, &mut buffer[..]) {
            Err(Errno::INTR) => {}
            Ok(0) | Err(_) => break,
            Ok(count) => {
                if !send(Chunk::Bytes(buffer[..count].to_vec())) {
                    return;
                }
            }
        }
    }
    if drain.is_some() {
        send(Chunk::Drained);
    }
}

fn is_ready(reader: &OwnedFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let reader = reader.as_fd();
    poll(&mut [PollFd::from_borrowed_fd(reader, PollFlags::IN)], Some(&now)) == Ok(1)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_was_written_before_the_drain_comes_before_its_end() {
        let (sender, chunks) = mpsc::channel();
        let (mut output, writer) = Output::new(move |chunk| sender.send(chunk).is_ok()).unwrap();
        let mut written = 0;
        for _ in 0..100 {
            written += rustix::io::write(&writer, &[b'x'; 200]).unwrap();
        }
        output.drain();
        let mut read = 0;
        while let Chunk::Bytes(bytes) = chunks.recv().unwrap() {
            read += bytes.len();
        }
        assert_eq!(read, written);
        // A daemon that the command has left behind.
        rustix::io::write(&writer, b"later").unwrap();
        assert!(matches!(chunks.recv().unwrap(), Chunk::Bytes(bytes) if bytes == b"later"));
        drop(writer);
        assert!(chunks.recv().is_err());
    }

    #[test]
    fn the_end_of_the_output_drains_it() {
        let (sender, chunks) = mpsc::channel();
        let (_output, writer) = Output::new(move |chunk| sender.send(chunk).is_ok()).unwrap();
        rustix::io::write(&writer, b"all").unwrap();
        drop(writer);
        assert!(matches!(chunks.recv().unwrap(), Chunk::Bytes(bytes) if bytes == b"all"));
        assert!(matches!(chunks.recv().unwrap(), Chunk::Drained));
        assert!(chunks.recv().is_err());
    }
}
