//! Asking a web server whether it is well: one request, of which only the status is read.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::scan::reason;

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// `HOST:PORT`.
    pub(super) address: String,
    /// As the Host field has it.
    host: String,
    /// From the slash on.
    target: String,
}

/// How long each part of an attempt may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A status line that is longer is none (RFC 9112, section 3, wants 8,000 to be read).
const LONGEST: u64 = 8192;

impl Url {
    /// Reads `http://HOST[:PORT][/PATH]`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or_else(|| {
            format!("`{text}` is no http:// address; for https use exec:'curl -fsk …'")
        })?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(end);
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let port = host.rsplit_once(':').filter(|_| has_port).map(|(_, port)| port.parse::<u16>());
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
        if host.is_empty() || matches!(port, Some(Err(_))) || !is_plain(rest) || host.contains('@')
        {
            return Err(format!(
                "`{text}` is no address; write for example http://127.0.0.1:8080/health"
            ));
        }
        let target = target.split('#').next().unwrap_or_default();
        Ok(Self {
            address: if has_port { host.to_owned() } else { format!("{host}:80") },
            host: host.to_owned(),
            target: if target.starts_with('/') { target.to_owned() } else { format!("/{target}") },
        })
    }

    /// Asks once: whether the answer is 2xx or 3xx.
    ///
    /// # Errors
    /// What it was instead, in words.
    pub(super) fn ask(&self) -> Result<(), String> {
        match self.status() {
            Ok(Some(status)) if (200..400).contains(&status) => Ok(()),
            Ok(Some(status)) => Err(format!("{self} answered {status}")),
            Ok(None) => Err(format!("{self} answered, but not in HTTP")),
            Err(error) => Err(format!("{self}: {}", why(&error))),
        }
    }

    /// The status of an answer, if that is one.
    fn status(&self) -> io::Result<Option<u16>> {
        let mut stream = connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Self { host, target, .. } = self;
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: stakeout\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut line = Vec::new();
        if BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line);
        let status = line.strip_prefix("HTTP/").and_then(|rest| rest.split(' ').nth(1));
        Ok(status.and_then(|status| status.trim().parse().ok()))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host, self.target)
    }
}

/// Why there was no answer.
pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("no answer within {}s", PATIENCE.as_secs())
        }
        io::ErrorKind::UnexpectedEof => "it hung up without an answer".into(),
        _ => reason(error),
    }
}

/// Connects to the first of a name's addresses that answers.
pub(super) fn connect(address: &str) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn addresses_are_read() {
        let url = |text| Url::parse(text).map(|url| (url.address, url.host, url.target));
        let read = |a: &str, h: &str, t: &str| Ok((a.to_owned(), h.to_owned(), t.to_owned()));
        assert_eq!(url("http://a"), read("a:80", "a", "/"));
        assert_eq!(url("http://a:8080/x?y#z"), read("a:8080", "a:8080", "/x?y"));
        assert_eq!(url("http://[::1]:80?y"), read("[::1]:80", "[::1]:80", "/?y"));
        assert_eq!(url("http://[::1]/"), read("[::1]:80", "[::1]", "/"));
        for text in ["https://a", "http://", "http://a:b/", "http:///x", "http://a/\r\nX: y", "a"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_and_three_hundreds_are_well() {
        let answers = ["200 OK", "302 Found", "404 Not Found", "500 Oops", "nonsense", ""];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let text = format!("http://{}/x", listener.local_addr().unwrap());
        let serve = thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).unwrap() > 0);
                match answer {
                    "" => {}
                    "nonsense" => write!(stream, "{answer}\r\n").unwrap(),
                    answer => write!(stream, "HTTP/1.1 {answer}\r\n\r\n").unwrap(),
                }
            }
        });
        let url = Url::parse(&text).unwrap();
        let seen: Vec<_> = answers.iter().map(|_| url.ask().err()).collect();
        let why = |what: &str| Some(format!("{text}{what}"));
        let [missing, oops] = [why(" answered 404"), why(" answered 500")];
        let [odd, hung_up] =
            [why(" answered, but not in HTTP"), why(": it hung up without an answer")];
        assert_eq!(seen, [None, None, missing, oops, odd, hung_up]);
        serve.join().unwrap();
        // Nobody listens any more.
        assert_eq!(url.ask().err(), why(": Connection refused"));
    }
}
