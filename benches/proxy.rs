//! What the proxy costs a request: answers of 1 KiB, straight from a server and through the proxy,
//! by turns.
//!
//! `cargo bench --bench proxy`

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Connections that ask one request after the other.
const CONNECTIONS: usize = 8;

/// Requests on each of them, in each turn.
const REQUESTS: usize = 2_000;

const TURNS: usize = 5;

const SIZE: usize = 1024;

fn main() {
    let server = serve();
    let tree = tempfile::tempdir().expect("a directory");
    let (mut stakeout, proxy) = stand_before(server, tree.path());
    let (mut direct, mut proxied) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        direct.push(ask_all(server));
        proxied.push(ask_all(proxy));
    }
    stakeout.kill().and_then(|()| stakeout.wait()).expect("its end");
    println!("| | requests a second | median | 99 % within |");
    println!("|---|--:|--:|--:|");
    let direct = Turn::median(direct);
    let proxied = Turn::median(proxied);
    for (name, turn) in [("direct", &direct), ("through the proxy", &proxied)] {
        let Turn { rate, median, most } = turn;
        println!("| {name} | {rate:.0} | {median:.0?} | {most:.0?} |");
    }
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    println!(
        "| ratio | {:.2} | {:.2} | {:.2} |",
        proxied.rate / direct.rate,
        ratio(proxied.median, direct.median),
        ratio(proxied.most, direct.most)
    );
}

/// What came of all requests of a turn.
struct Turn {
    /// Answers a second.
    rate: f64,
    median: Duration,
    /// What 99 of 100 requests took at the most.
    most: Duration,
}

impl Turn {
    /// Of each figure the median.
    fn median(turns: Vec<Self>) -> Self {
        fn middle<T: Copy>(
            turns: &[Turn],
            of: impl Fn(&Turn) -> T,
            order: impl Fn(&T, &T) -> std::cmp::Ordering,
        ) -> T {
            let mut all: Vec<T> = turns.iter().map(of).collect();
            all.sort_by(order);
            all[all.len() / 2]
        }
        Self {
            rate: middle(&turns, |turn| turn.rate, f64::total_cmp),
            median: middle(&turns, |turn| turn.median, Ord::cmp),
            most: middle(&turns, |turn| turn.most, Ord::cmp),
        }
    }
}

/// A server that answers every request with as many bytes.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
    let answer = [head.into_bytes(), vec![b'x'; SIZE]].concat();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            _ = stream.set_nodelay(true);
            let answer = answer.clone();
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while read_head(&mut stream) && stream.get_mut().write_all(&answer).is_ok() {}
            });
        }
    });
    address
}

/// Reads up to an empty line; false at the end.
fn read_head(stream: &mut BufReader<TcpStream>) -> bool {
    let mut line = String::new();
    loop {
        line.clear();
        match stream.read_line(&mut line) {
            Ok(2) if line == "\r\n" => return true,
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

/// stakeout in front of the server.
fn stand_before(server: SocketAddr, tree: &std::path::Path) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    command.current_dir(tree).args(["--control", "off", "--proxy", &format!("0={server}")]);
    let mut stakeout = command.stderr(Stdio::piped()).spawn().expect("stakeout");
    let mut lines = BufReader::new(stakeout.stderr.take().expect("its log")).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.split("http://").nth(1)?.split(' ').next()?.parse().ok());
    thread::spawn(move || lines.for_each(drop));
    (stakeout, address.expect("its address"))
}

fn ask_all(address: SocketAddr) -> Turn {
    let began = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| thread::spawn(move || ask(address))).collect();
    let mut times: Vec<Duration> =
        clients.into_iter().flat_map(|client| client.join().expect("answers")).collect();
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort_unstable();
    Turn { rate, median: times[times.len() / 2], most: times[times.len() * 99 / 100] }
}

fn ask(address: SocketAddr) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    let mut body = vec![0; SIZE];
    let one = |_| {
        let began = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("to be read");
        assert!(read_head(&mut reader), "an answer");
        reader.read_exact(&mut body).expect("all of it");
        began.elapsed()
    };
    (0..REQUESTS).map(one).collect()
}
