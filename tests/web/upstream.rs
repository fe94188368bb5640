//! A server whose answers are bytes as they are given, and that keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

pub struct Upstream {
    pub address: SocketAddr,
    asked: Receiver<String>,
}

impl Upstream {
    /// Answers each request by what `answer` does with its head, its body read, and the connection;
    /// false ends that.
    pub fn new(
        answer: impl Fn(&str, &mut BufReader<TcpStream>) -> bool + Send + Clone + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, asked) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, answer) = (sender.clone(), answer.clone());
                thread::spawn(move || serve(stream, &sender, answer));
            }
        });
        Self { address, asked }
    }

    /// Answers every request with these bytes.
    pub fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |_, stream| stream.get_mut().write_all(&answer).is_ok())
    }

    /// Answers with a page.
    pub fn page(lines: &str, text: &str) -> Self {
        let length = text.len();
        Self::saying(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n{lines}\r\n{text}"
        ))
    }

    /// What it was asked next: the head of the request, and its body.
    pub fn asked(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(60)).expect("a request")
    }
}

fn serve(
    stream: TcpStream,
    sender: &Sender<String>,
    answer: impl Fn(&str, &mut BufReader<TcpStream>) -> bool,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).is_ok_and(|count| count > 0) {
                continue;
            }
            return;
        }
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let asked = head.clone() + &String::from_utf8_lossy(&body);
        // Nobody may want to know.
        _ = sender.send(asked);
        if !answer(&head, &mut stream) {
            return;
        }
    }
}
