//! A web server on the socket that stakeout keeps open, so that no restart refuses anybody.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;
use std::{env, thread};

fn main() -> Result<()> {
    for client in listen()?.incoming() {
        thread::spawn(|| client.and_then(answer));
    }
    Ok(())
}

/// The protocol of sd_listen_fds(3): descriptor 3 is the first socket.
fn listen() -> Result<TcpListener> {
    match env::var("LISTEN_FDS") {
        // SAFETY: it is ours by that protocol, and nobody else here uses it.
        Ok(_) => Ok(unsafe { TcpListener::from_raw_fd(3) }),
        Err(_) => TcpListener::bind("0.0.0.0:8000"),
    }
}

fn answer(mut client: TcpStream) -> Result<()> {
    let lines = BufReader::new(client.try_clone()?).lines();
    lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
    let text = "hello from Rust\n";
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
    client.write_all((head + text).as_bytes())
}
