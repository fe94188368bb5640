//! Servers: sockets that outlive them, readiness, handovers, and what one leaves for the next.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::load::{ask, free_address, under_load};
use super::support::{Session, Tree, descendants, eventually, is_alive, number};

/// A server on the socket that it is given. It answers each request with what `a` contained when
/// it was started and says READY=1 then, unless that is `fails` or `hangs`. Asked to stop, it
/// answers what it has accepted, and ends.
const SERVER: &str = r#"
import os, selectors, signal, socket, sys, time
text = open('a').read()
if text == 'fails': sys.exit(3)
if text == 'hangs': time.sleep(1000)
assert os.environ['LISTEN_PID'] == str(os.getpid()), 'LISTEN_PID'
assert os.environ['LISTEN_FDS'] == '1', 'LISTEN_FDS'
listener = socket.socket(fileno=3)
listener.setblocking(False)
wake, waker = socket.socketpair()
waker.setblocking(False)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.set_wakeup_fd(waker.fileno())
def notify(words):
    name = os.environ['NOTIFY_SOCKET'].replace('@', '\0', 1)
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(words.encode(), name)
os.write(1, f"serves {text} {os.environ['LISTEN_FDNAMES']} end\n".encode())
notify('READY=1')
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
selector.register(wake, selectors.EVENT_READ)
while True:
    ready = [key.fileobj for key, _ in selector.select()]
    if wake in ready: sys.exit(0)
    try: connection, _ = listener.accept()
    except BlockingIOError: continue
    connection.settimeout(10)
    connection.recv(1000)
    connection.sendall(text.encode())
    connection.close()
"#;

fn serve(tree: &Tree, options: &[&str]) -> Session {
    tree.write(".git/server.py", SERVER);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1ms"]).args(options);
    command.args(["--", "python3", ".git/server.py"]);
    Session::start(command)
}

#[test]
fn no_request_fails_over_20_handovers() {
    let tree = Tree::new(&[("a", "0")]);
    let address = free_address();
    let listen = format!("web={address}");
    let mut session = serve(&tree, &["--listen", &listen, "--ready", "notify", "--handover"]);
    session.wait_for("serves 0 web end");
    let failures = under_load(address, 2000, || {
        for n in 1..=20 {
            tree.save_by_rename("a", &n.to_string());
            session.wait_for(&format!("serves {n} web end"));
            session.wait_for("stopping the one before");
            session.wait_for("stopped after");
        }
    });
    assert_eq!(failures, [""; 0]);
    assert_eq!(session.terminate().code(), Some(0), "{}", session.output());
}

#[test]
fn no_connection_is_refused_over_20_restarts() {
    let tree = Tree::new(&[("a", "0")]);
    let address = free_address();
    let mut session = serve(&tree, &["--listen", &address.to_string()]);
    session.wait_for("serves 0 unknown end");
    let failures = under_load(address, 2000, || {
        for n in 1..=20 {
            // As a whole: one that starts between truncation and writing would serve nothing.
            tree.save_by_rename("a", &n.to_string());
            session.wait_for(&format!("serves {n} unknown end"));
        }
    });
    assert_eq!(failures, [""; 0]);
    // While nothing runs at all, too.
    tree.save_by_rename("a", "fails");
    session.wait_for("ended with status 3");
    let waiting = thread::spawn(move || ask(address));
    tree.save_by_rename("a", "again");
    assert_eq!(waiting.join().expect("a client").expect("an answer"), "again");
}

#[test]
fn the_old_one_stays_if_the_new_one_fails_or_is_not_ready_in_time() {
    let tree = Tree::new(&[("a", "one")]);
    let address = free_address();
    let options = ["--listen", &address.to_string(), "--ready", "notify", "--handover"];
    let mut session = serve(&tree, &[&options[..], &["--ready-timeout", "3s"]].concat());
    session.wait_for("serves one");
    // The first instance, too, has to be ready before it can be followed.
    session.wait_for("ready after");
    for (text, why) in [
        ("fails", "ended with status 3"),
        ("hangs", "in time (--ready-timeout): it has not sent READY=1"),
    ] {
        tree.save_by_rename("a", text);
        let line = session.wait_for("HANDOVER FAILED");
        assert!(line.contains(why), "{line}");
        assert_eq!(ask(address).expect("an answer"), "one");
    }
    tree.save_by_rename("a", "two");
    session.wait_for("stopping the one before");
    eventually("the new one", || ask(address).is_ok_and(|answer| answer == "two"));
}

#[test]
fn a_build_that_fails_hands_nothing_over_and_a_change_meanwhile_replaces_the_new_one() {
    let tree = Tree::new(&[("a", "one")]);
    let address = free_address();
    let address_text = address.to_string();
    let options = ["--listen", &*address_text, "--ready", "notify", "--handover"];
    let build = ["--build", "! grep -q wrong a"];
    let mut session = serve(&tree, &[&options[..], &build].concat());
    session.wait_for("ready after");
    tree.save_by_rename("a", "wrong");
    session.wait_for("BUILD FAILED");
    assert_eq!(ask(address).expect("an answer"), "one");
    assert_eq!(session.seen("starting python3"), 1, "{}", session.output());
    // One that is never ready gives way to the next.
    tree.save_by_rename("a", "hangs");
    session.wait_for("starting python3");
    tree.save_by_rename("a", "two");
    session.wait_for("serves two");
    session.wait_for("stopping the one before");
    eventually("the new one", || ask(address).is_ok_and(|answer| answer == "two"));
    let left = || descendants(session.pid().as_raw_nonzero().get()).len();
    // It and its keeper.
    eventually("the end of the others", || left() == 2);
    assert_eq!(session.terminate().code(), Some(0), "{}", session.output());
}

#[test]
fn unix_sockets_are_passed_and_removed() {
    let tree = Tree::new(&[("a", "one")]);
    let path = tree.path(".git/web.sock");
    let mut session = serve(&tree, &["--listen", path.to_str().expect("a path")]);
    session.wait_for("serves one");
    assert!(path.exists());
    session.terminate();
    assert!(!path.exists());
}

#[test]
fn each_probe_finds_out_when_the_program_is_ready() {
    let address = free_address();
    let probes = [
        format!("tcp:{address}"),
        format!("http://{address}/health"),
        "exec:[ -e .git/up ]".to_owned(),
        "log:^it is up$".to_owned(),
    ];
    for probe in probes {
        let tree = Tree::new(&[]);
        let script = format!(
            "import http.server, time\n\
             time.sleep(0.2)\n\
             class Handler(http.server.BaseHTTPRequestHandler):\n\
             \x20   def do_GET(self): self.send_response(204); self.end_headers()\n\
             \x20   def log_message(self, *args): pass\n\
             open('.git/up', 'w').close()\n\
             server = http.server.HTTPServer(('127.0.0.1', {}), Handler)\n\
             import os; os.write(1, b'it is up\\n')\n\
             server.serve_forever()\n",
            address.port()
        );
        tree.write(".git/program.py", &script);
        let mut session = tree.run(&["--ready", &probe], "exec python3 .git/program.py");
        session.wait_for("ready after");
        // Nothing listens and nothing is written before this.
        assert!(tree.path(".git/up").exists(), "{probe}");
        session.terminate();
    }
}

#[test]
fn nobody_asks_whether_what_has_ended_is_ready() {
    let tree = Tree::new(&[]);
    let probe = "exec:echo noise; sleep 4321";
    let mut session = tree.run(&["--ready", probe], "until [ -e .git/go ]; do sleep 0.01; done");
    let own = session.pid().as_raw_nonzero().get();
    // The program and the probe, a shell and what that runs each, behind a keeper each.
    eventually("the probe", || descendants(own).len() >= 5);
    tree.write(".git/go", "");
    session.wait_for("ended; waiting for a change");
    eventually("the end of the probe", || descendants(own).is_empty());
    assert_eq!(session.seen("noise"), 0, "{}", session.output());
}

#[test]
fn what_is_never_ready_is_told_of_and_goes_on() {
    let tree = Tree::new(&[]);
    let options = ["--ready", "exec:sleep 4321 & false", "--ready-timeout", "300ms"];
    let mut session = tree.run(&options, "echo pid $$ end; exec sleep 1000");
    let program = number(&session.wait_for("pid "), "pid ");
    session.wait_for("not ready in time");
    assert!(is_alive(program));
    assert_eq!(session.terminate().code(), Some(143), "{}", session.output());
}

#[test]
fn an_address_in_use_is_named_with_who_holds_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let tree = Tree::new(&[("a", "one")]);
    let mut session = serve(&tree, &["--listen", &address]);
    assert_eq!(session.wait().code(), Some(2), "{}", session.output());
    assert_eq!(session.seen(&format!("cannot listen on {address}")), 1, "{}", session.output());
    let holder = format!("it is held by {} (", std::process::id());
    assert_eq!(session.seen(&holder), 1, "{}", session.output());
}

#[test]
fn what_cannot_work_is_refused_before_anything_starts() {
    let tree = Tree::new(&[("a", "one")]);
    let cases: [&[&str]; 11] = [
        &["--ready", "udp:80"],
        &["--ready", "http://"],
        &["--ready", "http://127.0.0.1:99999/"],
        &["--ready", "https://localhost/"],
        &["--ready", "log:("],
        &["--listen", "nonsense"],
        &["--handover"],
        &["--handover", "--ready", "tcp:80"],
        &["--watchdog", "0s"],
        &["--ready-timeout", "0s"],
        &["--build", ""],
    ];
    for options in cases {
        let mut session = serve(&tree, options);
        assert_eq!(session.wait().code(), Some(2), "{options:?}: {}", session.output());
        // One sentence that says what is accepted.
        assert_eq!(session.seen("panicked") + session.seen("starting"), 0, "{}", session.output());
    }
}

#[test]
fn what_is_not_ready_in_time_is_told_with_what_was_seen_last() {
    let tree = Tree::new(&[]);
    // It answers whatever is asked for.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = format!("http://{}/x", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            _ = stream.read(&mut [0; 1024]);
            _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n");
        }
    });
    let cases = [
        (there.clone(), format!("{there} answered 404")),
        ("tcp:1".into(), "tcp:127.0.0.1:1: Connection refused".into()),
        ("exec:exit 7".into(), "exit 7 ended with status 7".into()),
        ("exec:sleep 1000".into(), "sleep 1000 has not ended yet".into()),
        ("log:up on \\d+".into(), "none of its lines matches up on \\d+".into()),
        ("notify".into(), "it has not sent READY=1".into()),
    ];
    let start = |(ready, seen): (String, String)| {
        let options = ["--control", "off", "--ready", &ready, "--ready-timeout", "3s"];
        (tree.run(&options, "exec sleep 1000"), seen)
    };
    let sessions: Vec<_> = cases.into_iter().map(start).collect();
    for (mut session, seen) in sessions {
        let line = session.wait_for("not ready in time");
        assert!(line.ends_with(&format!("(--ready-timeout), and goes on: {seen}")), "{line}");
    }
}
