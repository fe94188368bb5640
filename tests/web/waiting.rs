//! A program that comes and goes behind the proxy: requests wait, and what went wrong is shown.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::address;
use crate::client::{Client, PAGE, get, request};
use crate::support::{Session, Tree, eventually};

/// Serves what `a` contained when it was started, and counts what is posted into `posts`. With
/// `fails` in `a` it ends, with something to say.
pub const SERVER: &str = r#"
import http.server, os, sys
text = open('a').read()
if text == 'fails':
    print('\033[31mit cannot be\033[0m <b>', flush=True)
    sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    # Head and body are sent at once, or not at all if it is ended before.
    wbufsize = -1
    def do_GET(self):
        body = f'<!doctype html><html><head></head><body>{text}</body></html>'.encode()
        self.send_response(200)
        self.send_header('content-type', 'text/html')
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        with open('.git/posts', 'ab') as posts: posts.write(body + b'\n')
        if self.path == '/die':
            print('last words', flush=True)
            os._exit(7)
        if self.path == '/page':
            self.send_response(200)
            self.send_header('content-type', 'text/html')
            self.send_header('content-length', '6')
            self.end_headers()
            return self.wfile.write(b'posted')
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1000
Server(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

/// stakeout with a server on a port that nobody else has, behind the proxy.
pub fn serve(tree: &Tree, options: &[&str]) -> (Session, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port().to_string();
    drop(free);
    tree.write(".git/server.py", SERVER);
    let mut command = tree.stakeout();
    command.args(["--control", "off", "--interval", "20ms", "--debounce", "1ms"]);
    command.env("PORT", &port).args(["--proxy", &format!("0={port}")]).args(options);
    command.args(["--", "python3", ".git/server.py"]);
    let mut session = Session::start(command);
    let address = address(&mut session, "shows what listens");
    (session, address)
}

/// A build that waits for a file that is not watched, and fails if `a` says so.
const BUILD: &str = "until [ -e .git/go ]; do sleep .02; done; \
    if grep -q bad a; then printf '\\033[31merror\\033[0m: <bad>\\n'; exit 4; fi";

fn wait_for_page(address: SocketAddr, text: &str) {
    let text = format!("<body>{text}<");
    eventually(&text, || get(address, "/", &[PAGE]).text().contains(&text));
}

/// What pages are told now.
fn scene(address: SocketAddr) -> serde_json::Value {
    let mut client = Client::new(address);
    client.send(request("GET", "/__stakeout/live", &[]));
    client.head().expect("an answer");
    next_scene(&mut client)
}

fn next_scene(client: &mut Client) -> serde_json::Value {
    loop {
        let chunk = client.chunk().expect("a chunk").expect("another event");
        let text = String::from_utf8(chunk).expect("text");
        if let Some(json) = text.strip_prefix("data: ") {
            return serde_json::from_str(json).expect("JSON");
        }
    }
}

#[test]
fn requests_wait_while_it_is_built_and_started() {
    let tree = Tree::new(&[("a", "first")]);
    let (mut session, address) = serve(&tree, &["--build", BUILD]);
    session.wait_for("building");
    let waiting = thread::spawn(move || get(address, "/", &[PAGE]));
    eventually("the build to be seen", || scene(address)["doing"] == "building");
    assert!(!waiting.is_finished());
    tree.write(".git/go", "");
    let answer = waiting.join().expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("<body>first"), "{answer:?}");
}

#[test]
fn a_build_that_fails_at_first_is_a_page_until_it_does_not() {
    let tree = Tree::new(&[("a", "bad"), (".git/go", "")]);
    let (mut session, address) = serve(&tree, &["--build", BUILD]);
    session.wait_for("BUILD FAILED");
    let answer = get(address, "/", &[PAGE]);
    assert_eq!(answer.status, 502);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains("<span class=\"f1\">error</span>: &lt;bad&gt;"), "{text}");
    assert!(text.contains("/__stakeout/client.js") && text.contains("status 4"), "{text}");
    let answer = get(address, "/", &["accept: application/json"]);
    assert_eq!(answer.status, 502);
    let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(json["error"], "build_failed");
    assert_eq!(json["output"][0], "error: <bad>");
    let page = scene(address)["page"].clone();
    tree.save_by_rename("a", "good");
    wait_for_page(address, "good");
    assert_ne!(scene(address)["page"], page, "that page is loaded again");
}

#[test]
fn a_build_that_fails_later_leaves_what_runs_and_is_told_over_it() {
    let tree = Tree::new(&[("a", "good"), (".git/go", "")]);
    let (_session, address) = serve(&tree, &["--build", BUILD]);
    wait_for_page(address, "good");
    let mut live = Client::new(address);
    live.send(request("GET", "/__stakeout/live", &[]));
    live.head().expect("an answer");
    tree.save_by_rename("a", "bad");
    let failed = loop {
        let scene = next_scene(&mut live);
        if !scene["failure"].is_null() {
            break scene;
        }
    };
    assert_eq!(failed["failure"]["lines"][0][0], serde_json::json!(["error", "f1"]));
    assert_eq!(failed["state"], "open");
    let answer = get(address, "/", &[PAGE]);
    assert_eq!((answer.status, answer.text().contains("<body>good")), (200, true), "P7");
    tree.save_by_rename("a", "better");
    let mended = loop {
        let scene = next_scene(&mut live);
        if scene["failure"].is_null() && scene["state"] == "open" {
            break scene;
        }
    };
    assert_ne!(mended["page"], failed["page"]);
}

#[test]
fn a_crash_is_shown_with_its_status_and_what_was_written_last() {
    let tree = Tree::new(&[("a", "fails")]);
    let (mut session, address) = serve(&tree, &[]);
    session.wait_for("ended with status 3");
    let answer = get(address, "/", &[PAGE]);
    let text = answer.text();
    assert_eq!(answer.status, 502);
    assert!(text.contains("status 3"), "{text}");
    assert!(text.contains("<span class=\"f1\">it cannot be</span> &lt;b&gt;"), "{text}");
    tree.save_by_rename("a", "mended");
    wait_for_page(address, "mended");
}

#[test]
fn a_request_that_the_program_dies_of_is_told_how_it_ended() {
    let tree = Tree::new(&[("a", "first")]);
    let (_session, address) = serve(&tree, &[]);
    wait_for_page(address, "first");
    let mut client = Client::new(address);
    client.send(request("POST", "/die", &["content-length: 0", "accept: text/html"]));
    let answer = client.answer(true);
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("ended with status 7"), "{}", answer.text());
    assert!(answer.text().contains("<pre>last words"), "{}", answer.text());
}

#[test]
fn who_calls_us_by_a_strange_name_is_not_told_what_was_written() {
    let tree = Tree::new(&[("a", "fails")]);
    let (mut session, address) = serve(&tree, &[]);
    session.wait_for("ended with status 3");
    let answer = get(address, "/", &[PAGE, "host: evil.example"]);
    assert_eq!(answer.status, 502);
    assert!(!answer.text().contains("it cannot be"), "{}", answer.text());
}

#[test]
fn waiting_has_an_end() {
    let tree = Tree::new(&[("a", "first")]);
    let (mut session, address) = serve(&tree, &["--build", BUILD, "--proxy-wait", "200ms"]);
    session.wait_for("building");
    let answer = get(address, "/", &[]);
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("still building after 200ms"), "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("1"));
    // While another is built, and that takes longer, there is still the one of before.
    tree.write(".git/go", "");
    wait_for_page(address, "first");
    fs::remove_file(tree.path(".git/go")).expect("a file");
    tree.save_by_rename("a", "second");
    session.wait_for("building");
    assert!(get(address, "/", &[PAGE]).text().contains("<body>first"));
    tree.write(".git/go", "");
    wait_for_page(address, "second");
}

#[test]
fn five_hundred_requests_over_restarts_are_all_answered() {
    const EACH: usize = 25;
    let tree = Tree::new(&[("a", "0")]);
    let (mut session, address) = serve(&tree, &[]);
    session.wait_for("starting");
    let is_restarted = AtomicBool::new(false);
    let (answered, restarts) = thread::scope(|scope| {
        let clients: Vec<_> = (0..500 / EACH)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::new(address);
                    // All of them last until it was restarted.
                    let mut left = EACH;
                    let mut answered = 0;
                    while left > 0 || !is_restarted.load(Ordering::Relaxed) {
                        let answer = client.get("/", &[]);
                        assert_eq!(answer.status, 200, "{answer:?}");
                        answered += 1;
                        left = left.saturating_sub(1);
                    }
                    answered
                })
            })
            .collect();
        let restarter = scope.spawn(|| {
            for number in 1..=3 {
                tree.save_by_rename("a", &number.to_string());
                session.wait_for("starting");
                wait_for_page(address, &number.to_string());
            }
            is_restarted.store(true, Ordering::Relaxed);
            3
        });
        let restarts = restarter.join().expect("restarts");
        let answered: usize =
            clients.into_iter().map(|client| client.join().expect("answers")).sum();
        (answered, restarts)
    });
    assert!(answered >= 500 && restarts == 3, "{answered} over {restarts}");
}

#[test]
fn what_is_posted_while_the_program_is_away_arrives_once() {
    let tree = Tree::new(&[("a", "first")]);
    let (mut session, address) = serve(&tree, &["--build", BUILD]);
    session.wait_for("building");
    let post = |number: usize| {
        thread::spawn(move || {
            let mut client = Client::new(address);
            let body = format!("number {number}");
            let length = format!("content-length: {}", body.len());
            client.send(request("POST", "/", &[&length]) + &body);
            client.answer(true).status
        })
    };
    let posts: Vec<_> = (0..20).map(post).collect();
    tree.write(".git/go", "");
    for post in posts {
        assert_eq!(post.join().expect("an answer"), 204);
    }
    let text = fs::read_to_string(tree.path(".git/posts")).expect("posts");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((lines.len(), text.lines().count()), (20, 20), "{text}");
}

#[test]
fn style_sheets_alone_are_loaded_again_alone() {
    let tree = Tree::new(&[("a", "first"), ("site.css", "p {}")]);
    let (mut session, address) = serve(&tree, &[]);
    session.wait_for("starting");
    eventually("it to be ready", || scene(address)["state"] == "open");
    let before = scene(address);
    tree.save_by_rename("site.css", "p { color: red }");
    session.wait_for("starting");
    eventually("new styles", || scene(address)["styles"] != before["styles"]);
    assert_eq!(scene(address)["page"], before["page"]);
    tree.save_by_rename("site.css", "p { color: blue }");
    tree.save_by_rename("a", "second");
    session.wait_for("starting");
    eventually("a new page", || scene(address)["page"] != before["page"]);
}

#[test]
fn a_rule_has_pages_loaded_again_and_nothing_restarted() {
    let tree = Tree::new(&[("a", "first"), ("page.html", "1"), (".git/server.py", SERVER)]);
    tree.write(
        "stakeout.toml",
        "[watch]\ninterval = '20ms'\n[service.web]\nrun = ['python3', '.git/server.py']\n\
         [rule.pages]\nmatch = ['*.html']\naction = 'reload-browser'\n\
         [proxy]\nroutes = ['0=1']\n",
    );
    let mut command = tree.stakeout();
    command.args(["--control", "off"]).env("PORT", "0");
    let mut session = Session::start(command);
    let address = address(&mut session, "shows what listens");
    session.wait_for("starting");
    eventually("it to be ready", || scene(address)["state"] == "open");
    let before = scene(address);
    tree.save_by_rename("page.html", "2");
    session.wait_for("rule pages for 1 path: have browsers load it again");
    eventually("a new page", || scene(address)["page"] != before["page"]);
    session.terminate();
    assert_eq!(session.seen("starting"), 1, "{}", session.output());
}

#[test]
fn a_program_that_listens_elsewhere_is_told_with_its_address() {
    let tree = Tree::new(&[("a", "first")]);
    let mut command = tree.stakeout();
    command.args(["--control", "off", "--proxy", "0=1", "--proxy-wait", "200ms"]);
    command.args(["--", "sleep", "1000"]);
    let mut session = Session::start(command);
    let address = address(&mut session, "shows what listens");
    session.wait_for("starting");
    // Before it is known to be executed, it is still starting after the 200 ms.
    eventually("it to be ready", || scene(address)["state"] == "open");
    let answer = get(address, "/", &[PAGE]);
    assert_eq!(answer.status, 504);
    let text = answer.text();
    assert!(text.contains("cannot be reached at 127.0.0.1:1: Connection refused"), "{text}");
    assert!(text.contains("data-waiting=\"listening\""), "{text}");
}
