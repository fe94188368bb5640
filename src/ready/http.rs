//! Asking a web server whether it is well: one request, of which only the status is read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

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
    /// When there is no answer, or none that can be understood.
    pub(super) fn is_well(&self) -> io::Result<bool> {
        let mut stream = connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Self { host, target, .. } = self;
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: stakeout\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
        let status = line.strip_prefix("HTTP/").and_then(|rest| rest.split(' ').nth(1));
        let status = status.and_then(|status| status.trim().parse::<u16>().ok());
        status.map(|status| (200..400).contains(&status)).ok_or(io::ErrorKind::InvalidData.into())
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
        let answers = ["200 OK", "302 Found", "404 Not Found", "500 Oops", "nonsense"];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let serve = thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).unwrap() > 0);
                write!(stream, "HTTP/1.1 {answer}\r\n\r\n").unwrap();
            }
        });
        let url = Url::parse(&url).unwrap();
        let well: Vec<_> = answers.iter().map(|_| url.is_well().ok()).collect();
        assert_eq!(well, [Some(true), Some(true), Some(false), Some(false), None]);
        serve.join().unwrap();
        assert!(url.is_well().is_err(), "nobody listens any more");
    }
}
