//! stakeout's own pages: what they say, and to whom.

use std::net::TcpListener;

use crate::address;
use crate::client::{Answer, Client, get, request};
use crate::support::{Session, Tree, eventually};

fn start(options: &[&str], command: &[&str]) -> (Tree, Session, std::net::SocketAddr) {
    let tree = Tree::new(&[("a", "1")]);
    let mut stakeout = tree.stakeout();
    stakeout.args(["--control", "off", "--interval", "20ms", "--debounce", "1ms", "--http", "0"]);
    stakeout.args(options).arg("--").args(command);
    let mut session = Session::start(stakeout);
    let address = address(&mut session, "shows how stakeout is");
    (tree, session, address)
}

fn post(address: std::net::SocketAddr, path: &str, lines: &[&str]) -> Answer {
    let mut client = Client::new(address);
    client.send(request("POST", path, lines));
    client.answer(true)
}

/// The token in the page.
fn token(address: std::net::SocketAddr) -> String {
    let page = get(address, "/", &[]).text();
    let token = page.split("name=\"token\" content=\"").nth(1).and_then(|it| it.split('"').next());
    token.expect("a token").to_owned()
}

#[test]
fn whether_it_is_well_and_ready_is_told() {
    let (tree, mut session, address) =
        start(&["--ready", "exec:test -e .git/ready"], &["sleep", "1000"]);
    session.wait_for("starting");
    assert_eq!(get(address, "/healthz", &[]).status, 200);
    let answer = get(address, "/readyz", &[]);
    assert_eq!((answer.status, answer.text().as_str()), (503, "starting (generation 0)\n"));
    tree.write(".git/ready", "");
    session.wait_for("ready after");
    assert_eq!(get(address, "/readyz", &[]).status, 200);
    let status: serde_json::Value =
        serde_json::from_slice(&get(address, "/__stakeout/status.json", &[]).body).expect("JSON");
    assert_eq!((&status["state"], &status["watching"]["files"]), (&"ready".into(), &1.into()));
}

#[test]
fn what_was_counted_can_be_scraped() {
    let (tree, mut session, address) =
        start(&["--build", "! grep bad a", "--ready", "exec:true"], &["sleep", "1000"]);
    session.wait_for("ready after");
    tree.save_by_rename("a", "2");
    session.wait_for("ready after");
    tree.save_by_rename("a", "bad");
    session.wait_for("BUILD FAILED");
    let text = get(address, "/metrics", &[]).text();
    for line in [
        "stakeout_ready 1",
        "stakeout_generations_total 2",
        "stakeout_builds_total{result=\"done\"} 2",
        "stakeout_builds_total{result=\"failed\"} 1",
        "stakeout_restarts_total{cause=\"change\"} 1",
        "stakeout_restart_seconds_count 1",
        "stakeout_restart_seconds_bucket{le=\"+Inf\"} 1",
        "stakeout_files 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("stakeout_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn events_come_as_they_happen() {
    let (tree, mut session, address) = start(&[], &["sleep", "1000"]);
    let mut client = Client::new(address);
    client.send(request("GET", "/events", &[]));
    client.head().expect("an answer");
    eventually("it to run", || get(address, "/readyz", &[]).status == 200);
    tree.save_by_rename("a", "2");
    let mut kinds = Vec::new();
    while !kinds.contains(&"starting".to_owned()) {
        let chunk = client.chunk().expect("a chunk").expect("another event");
        let text = String::from_utf8(chunk).expect("text");
        let Some(json) = text.strip_prefix("data: ") else { continue };
        let event: serde_json::Value = serde_json::from_str(json).expect("JSON");
        if kinds.iter().any(|it| it == "changed") || event["event"] == "changed" {
            kinds.push(event["event"].as_str().expect("a kind").to_owned());
        }
    }
    for kind in ["changed", "state", "stopped"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind} in {kinds:?}");
    }
    assert_eq!(session.terminate().code(), Some(143));
}

#[test]
fn nothing_is_changed_without_the_token_of_our_own_page() {
    let (_tree, mut session, address) = start(&[], &["sleep", "1000"]);
    session.wait_for("starting");
    for lines in [&[][..], &["x-stakeout-token: x"]] {
        assert_eq!(post(address, "/restart", lines).status, 403);
    }
    let token = format!("x-stakeout-token: {}", token(address));
    for lines in [[&*token, "origin: http://evil.example"], [&*token, "host: evil.example"]] {
        assert_eq!(post(address, "/restart", &lines).status, 403, "{lines:?}");
    }
    assert_eq!(get(address, "/restart", &[&token]).status, 404);
    assert_eq!(session.seen("asked to restart"), 0);
    assert_eq!(post(address, "/restart", &[&token, "origin: http://localhost"]).status, 202);
    session.wait_for("asked to restart");
    session.wait_for("starting");
    let answer = post(address, "/build", &[&token]);
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(post(address, "/nothing", &[&token]).status, 404);
}

#[test]
fn who_calls_us_by_a_strange_name_sees_nothing() {
    let (_tree, _session, address) = start(&["--allow-host", "app.test"], &["sleep", "1000"]);
    for path in ["/", "/status.json", "/events", "/live", "/metrics", "/client.js"] {
        let answer = get(address, path, &["host: evil.example:80"]);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("--allow-host evil.example"), "{}", answer.text());
    }
    assert_eq!(get(address, "/", &["host: app.test"]).status, 200);
    assert_eq!(get(address, "/nothing", &[]).status, 404);
}

#[test]
fn an_address_that_is_taken_is_named_with_who_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let tree = Tree::new(&[]);
    for options in
        [["--http".to_owned(), address.clone()], ["--proxy".to_owned(), format!("{address}=1")]]
    {
        let mut command = tree.stakeout();
        let output = command.args(options).args(["--", "true"]).output().expect("stakeout");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
        assert!(said.contains(&format!("held by {}", std::process::id())), "{said}");
    }
}

#[test]
fn a_mistyped_address_is_a_mistake() {
    let tree = Tree::new(&[]);
    for (options, words) in [
        (["--proxy", "8080"], "LISTEN=UPSTREAM"),
        (["--proxy", "8080=8080"], "itself"),
        (["--http", "x"], "no address"),
        (["--proxy-wait", "5"], "unit"),
    ] {
        let mut command = tree.stakeout();
        let output = command.args(options).args(["--", "true"]).output().expect("stakeout");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
