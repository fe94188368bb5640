//! Writing what people read, to descriptors that others may have set up in their own way.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, write};

/// Writes all of it, also where a program that shares the pipe has made it non-blocking.
///
/// # Errors
/// When nobody reads there any more, for example.
pub fn write_all(target: impl AsFd, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match write(&target, text) {
            Ok(written) => text = &text[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&target, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
