//! A probe: what says that a program is ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, thread};

use regex::Regex;

use super::http::{Url, connect};

/// How it is found out.
#[derive(Clone, Debug)]
pub enum Probe {
    /// Somebody listens there.
    Tcp(Vec<String>),
    /// A request there is answered with 2xx or 3xx.
    Http(Box<Http>),
    /// This command, run by a shell, ends with 0.
    Exec(String),
    /// A line of the program's output matches.
    Log(Regex),
    /// The program says so itself (sd_notify(3)).
    Notify,
}

/// Where to send a request.
#[derive(Clone, Debug)]
pub struct Http(Url);

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// A probe that goes on until this is dropped.
#[derive(Debug)]
pub struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Probe {
    /// Reads `tcp:[HOST:]PORT`, `http://…`, `exec:CMD`, `log:REGEX` or `notify`.
    ///
    /// # Errors
    /// A sentence that says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "notify" if rest.is_empty() => Ok(Probe::Notify),
            "tcp" => tcp(rest).ok_or_else(|| {
                format!(
                    "`{text}` is no address; write tcp:PORT or tcp:HOST:PORT, for example tcp:8080"
                )
            }),
            "http" | "https" => Ok(Probe::Http(Box::new(Http(Url::parse(text)?)))),
            "exec" if !rest.trim().is_empty() => Ok(Probe::Exec(rest.to_owned())),
            "log" if !rest.is_empty() => {
                let regex = Regex::new(rest);
                // The first lines show where; what counts is the last.
                let reason = |error: regex::Error| {
                    let text = error.to_string();
                    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
                };
                let wrong = |error| format!("`{rest}` is no regular expression: {}", reason(error));
                regex.map(Probe::Log).map_err(wrong)
            }
            _ => Err(format!(
                "`{text}` says nothing of readiness; write tcp:PORT, http://HOST:PORT/PATH, \
                 exec:COMMAND, log:REGEX or notify"
            )),
        }
    }

    /// Whether it asks a network address, which an instance that is to be replaced answers as well.
    pub fn asks_an_address(&self) -> bool {
        matches!(self, Probe::Tcp(_) | Probe::Http(_))
    }

    /// Asks once, for the probes that ask.
    fn is_ready(&self) -> bool {
        match self {
            Probe::Tcp(addresses) => addresses.iter().any(|address| connect(address).is_ok()),
            Probe::Http(http) => http.0.is_well().unwrap_or(false),
            Probe::Exec(_) | Probe::Log(_) | Probe::Notify => false,
        }
    }
}

fn tcp(text: &str) -> Option<Probe> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    Some(Probe::Tcp(match host {
        // Not localhost: a container without /etc/hosts does not know it.
        "" => vec![format!("127.0.0.1:{port}"), format!("[::1]:{port}")],
        host if host.contains(':') && !host.starts_with('[') => return None,
        host => vec![format!("{host}:{port}")],
    }))
}

/// Asks again and again, from a thread of its own, and calls `report` when the answer is yes. Only
/// for [`Probe::Tcp`] and [`Probe::Http`].
///
/// # Errors
/// When the thread cannot be made.
pub fn watch(probe: Probe, report: impl FnOnce() + Send + 'static) -> io::Result<Watch> {
    let is_over = Arc::new(AtomicBool::new(false));
    let watch = Watch(Arc::clone(&is_over));
    thread::Builder::new().name("ready".into()).spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            if probe.is_ready() {
                if !is_over.load(Ordering::Relaxed) {
                    report();
                }
                return;
            }
            thread::sleep(PAUSE);
        }
    })?;
    Ok(watch)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn probes_are_read() {
        let ports = |text| match Probe::parse(text) {
            Ok(Probe::Tcp(addresses)) => addresses,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(ports("tcp:80"), ["127.0.0.1:80", "[::1]:80"]);
        assert_eq!(ports("tcp:db:5432"), ["db:5432"]);
        assert_eq!(ports("tcp:[::1]:80"), ["[::1]:80"]);
        assert!(matches!(Probe::parse("notify"), Ok(Probe::Notify)));
        assert!(matches!(Probe::parse("exec:a b: c"), Ok(Probe::Exec(text)) if text == "a b: c"));
        assert!(matches!(Probe::parse("log:up: \\d+"), Ok(Probe::Log(_))));
        assert!(matches!(Probe::parse("http://a:80/x"), Ok(Probe::Http(_))));
        for text in [
            "",
            "tcp",
            "tcp:",
            "tcp:x",
            "tcp:0",
            "tcp:::1:80",
            "exec:",
            "log:",
            "log:(",
            "https://a/",
            "http://",
            "udp:80",
            "notify:x",
        ] {
            assert!(Probe::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_ready_once_somebody_listens() {
        // A port that is free, until we listen there ourselves.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (sender, reports) = mpsc::channel();
        let probe = Probe::Tcp(vec![address.to_string()]);
        let _watch = watch(probe, move || sender.send(()).unwrap()).unwrap();
        assert!(reports.try_recv().is_err());
        let _listener = TcpListener::bind(address).unwrap();
        reports.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
