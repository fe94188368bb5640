//! A load: requests at a steady rate, whatever becomes of those before.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often there is a request.
const PERIOD: Duration = Duration::from_micros(2500);

/// Clients that ask at once at the most; a request that waits holds up no other.
const CLIENTS: usize = 32;

/// An address on which nobody listens, until somebody does.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// One request, which HTTP understands, and its answer.
pub fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks while `during` runs, and until there were so many requests; gives the failures.
pub fn under_load(address: SocketAddr, least: u32, during: impl FnOnce()) -> Vec<String> {
    let (is_over, asked, began) = (AtomicBool::new(false), AtomicU32::new(0), Instant::now());
    let client = || {
        let mut failures = Vec::new();
        loop {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            if number >= least && is_over.load(Ordering::Relaxed) {
                return failures;
            }
            thread::sleep((began + PERIOD * number).saturating_duration_since(Instant::now()));
            match ask(address) {
                Ok(answer) if !answer.is_empty() => {}
                other => failures.push(format!("request {number}: {other:?}")),
            }
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        // Also when `during` fails: the scope waits for the clients.
        let end = SetOnDrop(&is_over);
        during();
        drop(end);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    })
}
