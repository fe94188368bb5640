//! Addresses as they are typed: where browsers come in, and where the program listens.

use std::fmt;
use std::path::PathBuf;

/// `LISTEN=UPSTREAM`: what comes in here is passed on there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `HOST:PORT` to listen on.
    pub listen: String,
    /// Where the program listens.
    pub upstream: Upstream,
}

/// Where a program listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Upstream {
    /// `HOST:PORT`; the name is looked up for each connection.
    Tcp(String),
    /// A socket file.
    Unix(PathBuf),
}

/// The host where none is named: nothing but this machine reaches it.
const HERE: &str = "127.0.0.1";

impl Route {
    /// Reads `[HOST:]PORT=[HOST:]PORT` or `[HOST:]PORT=unix:PATH`.
    ///
    /// # Errors
    /// A sentence that says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((listen, upstream)) = text.split_once('=') else {
            return Err(format!(
                "`{text}` has no `=`; write LISTEN=UPSTREAM, for example 8080=3000: browsers come \
                 to port 8080, and the program listens on 3000"
            ));
        };
        let (listen, upstream) = (parse_listen(listen)?, Upstream::parse(upstream)?);
        match &upstream {
            Upstream::Tcp(address) if is_same(&listen, address) => {
                Err(format!("`{text}` would pass requests on to itself; give two ports"))
            }
            _ => Ok(Self { listen, upstream }),
        }
    }
}

/// Whether what is sent to `upstream` comes in at `listen`, as far as the words tell.
fn is_same(listen: &str, upstream: &str) -> bool {
    const THIS: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
    let parts = |address: &str| {
        address.rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned()))
    };
    let (Some((here, port)), Some((there, other))) = (parts(listen), parts(upstream)) else {
        return false;
    };
    let is_all = ["0.0.0.0", "[::]"].contains(&here.as_str()) || THIS.contains(&here.as_str());
    port == other && (here == there || is_all && THIS.contains(&there.as_str()))
}

/// Reads `[HOST:]PORT`, on this machine's loopback unless a host is named.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_listen(text: &str) -> Result<String, String> {
    let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let (host, port) = text.rsplit_once(':').unwrap_or((HERE, text));
    let is_bare_v6 = host.contains(':') && !host.starts_with('[');
    match port.parse::<u16>() {
        Ok(port) if !host.is_empty() && !is_bare_v6 => Ok(format!("{host}:{port}")),
        _ => Err(format!(
            "`{text}` is no address; write PORT or HOST:PORT, for example 8080, 0.0.0.0:8080 or \
             [::1]:8080"
        )),
    }
}

impl Upstream {
    fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("`unix:` needs the path of a socket".into()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => match parse_listen(text)? {
                address if address.ends_with(":0") => {
                    Err(format!("`{text}` is no port that a program listens on"))
                }
                address => Ok(Self::Tcp(address)),
            },
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_it_is_this_machine() {
        let route = Route::parse("8080=3000").unwrap();
        assert_eq!(route.listen, "127.0.0.1:8080");
        assert_eq!(route.upstream.to_string(), "127.0.0.1:3000");
        let route = Route::parse("[::]:80=api:3000").unwrap();
        assert_eq!((route.listen.as_str(), &*route.upstream.to_string()), ("[::]:80", "api:3000"));
        let route = Route::parse("0.0.0.0:0=unix:/run/a=b.sock").unwrap();
        assert_eq!(route.upstream, Upstream::Unix("/run/a=b.sock".into()));
        assert_eq!(parse_listen("http://localhost:9/").unwrap(), "localhost:9");
    }

    #[test]
    fn what_is_no_address_is_told() {
        for text in [
            "8080",
            "8080=",
            "=3000",
            "a=b",
            "80800=1",
            "::1=2",
            "1=unix:",
            "8=0",
            "8=8",
            "0.0.0.0:8=8",
            "8=localhost:8",
        ] {
            assert!(Route::parse(text).is_err(), "{text}");
        }
        assert!(Route::parse("8080").unwrap_err().contains("LISTEN=UPSTREAM"));
    }
}
