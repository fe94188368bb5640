//! A web server to try stakeout on: it answers every request with the greeting below.
//!
//!     cargo run -- -w examples/hello -- cargo run --quiet --example hello
//!
//! Then open the address that it prints, change the greeting, save, and open it again.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

const GREETING: &str = "Hello! Change me in examples/hello/main.rs and save.";

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "7878".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("hello: open http://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        // A client that went away is no reason to stop.
        _ = stream.and_then(answer);
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    for line in BufReader::new(&stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let length = GREETING.len() + 1;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{GREETING}\n"
    )
}
