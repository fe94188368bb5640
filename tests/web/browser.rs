//! A real browser, without a hand on it: chromedriver drives a headless Chromium. Where they are
//! missing these tests say that they are skipped, unless CI_ALL_TESTS is set: then they fail.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::client::Client;
use crate::skip::skip;
use crate::support::{Tree, eventually};
use crate::waiting::serve;

/// A browser with one window.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// None where there is none.
    fn open() -> Option<Self> {
        if let Err(error) = Command::new("chromedriver").arg("--version").output() {
            skip(&format!("needs chromedriver: {error}"));
            return None;
        }
        // A browser is many processes; however this ends, none of them is left.
        let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
        command.args(["--no-watch", "--control", "off", "--", "chromedriver", "--port=0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().expect("stakeout");
        let output = BufReader::new(driver.stdout.take().expect("its output"));
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let rest = line.split("started successfully on port ").nth(1)?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let profile = tempfile::tempdir().expect("a directory");
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("a port")));
        let mut browser = Self { driver, address, session: String::new(), _profile: profile };
        let directory = format!("--user-data-dir={}", browser._profile.path().display());
        let session = browser.ask(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--disable-dev-shm-usage", directory,
            ] } } } }),
        );
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        Some(browser)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut client = Client::new(self.address);
        let body = body.to_string();
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ));
        let answer = client.answer(true);
        let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(answer.status, 200, "{path}: {value}");
        value["value"].clone()
    }

    fn go_to(&self, url: &str) {
        self.ask("POST", &format!("/session/{}/url", self.session), &json!({ "url": url }));
    }

    /// What a script gives back.
    fn run(&self, script: &str) -> Value {
        let path = format!("/session/{}/execute/sync", self.session);
        self.ask("POST", &path, &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script gives something back that is not false.
    fn wait_for(&self, what: &str, script: &str) {
        eventually(what, || self.run(script) == true);
    }

    /// Keeps what is to be seen among the test's output.
    fn picture(&self, name: &str) {
        let path = format!("/session/{}/screenshot", self.session);
        let mut client = Client::new(self.address);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address));
        let answer = client.answer(true);
        let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let directory = concat!(env!("CARGO_TARGET_TMPDIR"), "/screenshots");
        fs::create_dir_all(directory).expect("a directory");
        let bytes = from_base64(value["value"].as_str().expect("a picture"));
        fs::write(format!("{directory}/{name}.png"), bytes).expect("a file");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        // Whatever is left of the browser ends with what has started it.
        _ = self.driver.kill();
        _ = self.driver.wait();
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: u8| DIGITS.iter().position(|it| *it == byte);
    let digits: Vec<usize> = text.bytes().map_while(digit).collect();
    let group = |group: &[usize]| {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        [16, 8, 0].map(|shift| (bits >> shift) as u8)[..group.len() * 3 / 4].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}

const OVERLAY: &str =
    "return document.querySelector('stakeout-failure')?.shadowRoot.textContent ?? ''";

#[test]
fn a_page_shows_what_was_saved_and_what_went_wrong_without_a_hand_on_it() {
    let Some(browser) = Browser::open() else { return };
    let tree = Tree::new(&[("a", "first")]);
    let build = "if grep -q bad a; then printf '\\033[31merror\\033[0m: it is bad\\n'; exit 4; fi";
    let (mut session, address) = serve(&tree, &["--build", build]);
    session.wait_for("starting");
    browser.go_to(&format!("http://{address}/"));
    browser.wait_for("the page", "return document.body.textContent === 'first'");
    tree.save_by_rename("a", "second");
    browser.wait_for("what was saved", "return document.body.textContent === 'second'");
    tree.save_by_rename("a", "bad");
    session.wait_for("BUILD FAILED");
    eventually("the failure", || {
        browser.run(OVERLAY).as_str().is_some_and(|it| it.contains("error: it is bad"))
    });
    assert_eq!(browser.run("return document.body.textContent"), "second", "it is over the page");
    browser.picture("overlay");
    tree.save_by_rename("a", "third");
    browser.wait_for("the mended page", "return document.body.textContent === 'third'");
    assert_eq!(browser.run(OVERLAY), "");
}

#[test]
fn a_page_about_a_failure_becomes_the_page_when_it_is_mended() {
    let Some(browser) = Browser::open() else { return };
    let tree = Tree::new(&[("a", "fails")]);
    let (mut session, address) = serve(&tree, &[]);
    session.wait_for("ended with status 3");
    browser.go_to(&format!("http://{address}/"));
    browser.wait_for(
        "the failure",
        "return document.querySelector('pre').textContent.includes('it cannot be')",
    );
    browser.picture("crash");
    tree.save_by_rename("a", "mended");
    browser.wait_for("the mended page", "return document.body.textContent === 'mended'");
}

#[test]
fn a_page_about_a_failure_follows_the_next_one() {
    let Some(browser) = Browser::open() else { return };
    let tree = Tree::new(&[("a", "bad 1")]);
    let build = "if grep bad a; then exit 4; fi";
    let (mut session, address) = serve(&tree, &["--build", build]);
    session.wait_for("BUILD FAILED");
    browser.go_to(&format!("http://{address}/"));
    const OUTPUT: &str = "return document.querySelector('pre')?.textContent.trim() ===";
    browser.wait_for("the failure", &format!("{OUTPUT} 'bad 1'"));
    tree.save_by_rename("a", "bad 2");
    browser.wait_for("the next one", &format!("{OUTPUT} 'bad 2'"));
    tree.save_by_rename("a", "good");
    browser.wait_for("the page", "return document.body.textContent === 'good'");
}

#[test]
fn what_answers_a_form_is_not_sent_again_unasked() {
    let Some(browser) = Browser::open() else { return };
    let tree = Tree::new(&[("a", "first")]);
    let (mut session, address) = serve(&tree, &[]);
    session.wait_for("starting");
    browser.go_to(&format!("http://{address}/"));
    browser.run(
        "const form = document.createElement('form'); form.method = 'POST'; form.action = '/page'; \
         document.body.append(form); form.submit()",
    );
    browser.wait_for("the answer", "return document.body.textContent === 'posted'");
    browser.wait_for("the script", "return window.__stakeout === true");
    tree.save_by_rename("a", "second");
    browser.wait_for(
        "the word of it",
        "return document.querySelector('stakeout-badge')?.shadowRoot.textContent \
         .includes('load the page again') === true",
    );
    let posts = fs::read_to_string(tree.path(".git/posts")).expect("posts");
    assert_eq!(posts.lines().count(), 1, "{posts:?}");
}

#[test]
fn new_style_sheets_leave_the_page_as_it_is() {
    let Some(browser) = Browser::open() else { return };
    let tree = Tree::new(&[("site.css", "p { color: rgb(1, 2, 3) }"), ("index.html", "")]);
    tree.write(
        "index.html",
        "<!doctype html><html><head><link rel=stylesheet href=site.css></head><body><p>x</p></body></html>",
    );
    // Serves files as they are, and need not be restarted for them.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port().to_string();
    drop(free);
    tree.write(
        "stakeout.toml",
        &format!(
            "[watch]\ninterval = '20ms'\n\
             [service.web]\nrun = 'exec python3 -m http.server --bind 127.0.0.1 {port}'\n\
             [rule.files]\nmatch = ['*.css', '*.html']\naction = 'reload-browser'\n\
             [proxy]\nroutes = '0={port}'\n"
        ),
    );
    let mut command = tree.stakeout();
    command.args(["--control", "off"]);
    let mut session = crate::support::Session::start(command);
    let address = crate::address(&mut session, "shows what listens");
    session.wait_for("starting");
    browser.go_to(&format!("http://{address}/"));
    const COLOUR: &str = "return getComputedStyle(document.querySelector('p')).color ===";
    browser.wait_for("the styles", &format!("{COLOUR} 'rgb(1, 2, 3)'"));
    browser.run("window.kept = 'state'");
    // It listens only once it was loaded.
    browser.wait_for("the script", "return window.__stakeout === true");
    tree.save_by_rename("site.css", "p { color: rgb(4, 5, 6) }");
    browser.wait_for("the new styles", &format!("{COLOUR} 'rgb(4, 5, 6)'"));
    assert_eq!(browser.run("return window.kept"), "state");
    assert_eq!(browser.run("return document.querySelectorAll('link').length"), 1);
    let page = fs::read_to_string(tree.path("index.html")).expect("a page");
    tree.save_by_rename("index.html", &page.replace('x', "y"));
    browser.wait_for("the new page", "return document.querySelector('p').textContent === 'y'");
}

#[test]
fn how_stakeout_is_can_be_seen_and_changed() {
    let Some(browser) = Browser::open() else { return };
    let tree = Tree::new(&[("a", "first")]);
    let (mut session, address) = serve(&tree, &["--build", "echo built"]);
    session.wait_for("starting");
    browser.go_to(&format!("http://{address}/__stakeout/"));
    browser
        .wait_for("the state", "return document.getElementById('state').textContent === 'ready'");
    browser.run("document.querySelector('[data-ask=restart]').click()");
    session.wait_for("asked to restart");
    session.wait_for("starting");
    tree.save_by_rename("a", "second");
    session.wait_for("starting");
    browser.wait_for(
        "the restarts",
        "return document.querySelectorAll('#restarts tr').length === 3 \
         && document.getElementById('output').textContent === 'built\\n'",
    );
    browser.run("document.querySelector('[data-ask=pause]').click()");
    browser.wait_for(
        "the pause",
        "return document.getElementById('state').textContent === 'ready, paused'",
    );
    browser.picture("status");
}
