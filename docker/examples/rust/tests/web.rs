//! Asks the server that runs.

use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn it_answers() {
    let mut client = TcpStream::connect("127.0.0.1:8000").unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.contains("from Rust"), "{text}");
}
