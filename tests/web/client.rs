//! A client that sends bytes as they are, and reads an answer whole.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// However slow the machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection.
pub struct Client {
    reader: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Self { reader: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).expect("to be read");
    }

    /// Sends what may find nobody who reads it any more.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())
    }

    /// A GET with these lines besides, on a connection that goes on.
    pub fn get(&mut self, path: &str, lines: &[&str]) -> Answer {
        self.send(request("GET", path, lines));
        self.answer(true)
    }

    /// The next answer; without its body for a HEAD.
    pub fn answer(&mut self, has_body: bool) -> Answer {
        self.try_answer(has_body).expect("an answer")
    }

    pub fn try_answer(&mut self, has_body: bool) -> std::io::Result<Answer> {
        let head = self.head()?;
        let mut answer = Answer { status: 0, head, body: Vec::new() };
        let status = answer.head.split(' ').nth(1).and_then(|status| status.parse().ok());
        answer.status = status.unwrap_or_else(|| panic!("no status in {:?}", answer.head));
        let is_empty = [101, 204, 304].contains(&answer.status);
        if !has_body || is_empty {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|it| it.contains("chunked")) {
            while let Some(chunk) = self.chunk()? {
                answer.body.extend(chunk);
            }
        } else if let Some(length) = answer.header("content-length") {
            answer.body.resize(length.parse().expect("a length"), 0);
            self.reader.read_exact(&mut answer.body)?;
        } else {
            self.reader.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// The next head, up to its empty line.
    pub fn head(&mut self) -> std::io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head)? == 0 {
                let error = format!("the end after {head:?}");
                return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, error));
            }
        }
        Ok(head)
    }

    /// The next chunk of a body that comes in chunks; none at its end.
    pub fn chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16)
            .map_err(|_| std::io::Error::other(format!("no chunk: {line:?}")))?;
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    /// Bytes as they come.
    pub fn bytes(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        Some(lines.find(|(it, _)| it.eq_ignore_ascii_case(name))?.1.trim())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request without a body.
pub fn request(method: &str, path: &str, lines: &[&str]) -> String {
    let host = "host: localhost";
    let host = if lines.iter().any(|line| line.starts_with("host:")) { None } else { Some(host) };
    let lines: Vec<&str> = host.into_iter().chain(lines.iter().copied()).collect();
    format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"))
}

/// One GET on a connection of its own.
pub fn get(address: SocketAddr, path: &str, lines: &[&str]) -> Answer {
    Client::new(address).get(path, lines)
}

/// What a browser says when it wants to show a page.
pub const PAGE: &str = "sec-fetch-dest: document\r\naccept: text/html,*/*;q=0.8";
