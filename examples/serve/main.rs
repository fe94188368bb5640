//! A server in Rust that is replaced without a failed request, by the crates `listenfd` and
//! `sd-notify`:
//!
//!     cargo build --example serve
//!     stakeout --listen 8080 --ready notify --handover -- target/debug/examples/serve

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process;

use listenfd::ListenFd;
use rustix::event::{PollFd, PollFlags, poll};
use sd_notify::NotifyState;
use signal_hook::consts::SIGTERM;

fn main() -> io::Result<()> {
    let listener = ListenFd::from_env().take_tcp_listener(0)?;
    let listener = listener.ok_or_else(|| io::Error::other("start this with stakeout --listen"))?;
    // While there are two, the other one may be faster to accept.
    listener.set_nonblocking(true)?;
    let (end, signal) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, signal)?;
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status("accepts connections")])?;
    loop {
        let mut sources = [PollFd::new(&listener, PollFlags::IN), PollFd::new(&end, PollFlags::IN)];
        // The signal itself interrupts it.
        _ = poll(&mut sources, None);
        if !sources[1].revents().is_empty() {
            // What is not accepted yet is the next one's.
            return Ok(());
        }
        // A client that went away is no reason to stop.
        _ = listener.accept().and_then(|(stream, _)| answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let mut request = [0; 4096];
    _ = stream.read(&mut request)?;
    let body = format!("hello from {}\n", process::id());
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
