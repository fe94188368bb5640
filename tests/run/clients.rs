//! Servers as others have written them, with nothing in them that knows stakeout: gunicorn, Python's
//! socket.fromfd, Node, and a Rust server with the crates `listenfd` and `sd-notify`. And the
//! examples of docs/serving.md.
//!
//! Where one is not there, its test says that it is skipped, unless CI_ALL_TESTS is set: then it
//! fails. `.ci/run` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::load::{free_address, under_load};
use super::skip::skip;
use super::support::{Session, Tree};

/// So many requests for each.
const REQUESTS: u32 = 600;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether a command can be run here; says so, or fails in CI, if not.
fn is_there(command: &mut Command) -> bool {
    let is_there = command.output().is_ok_and(|output| output.status.success());
    if !is_there {
        skip(&format!("{command:?} does not work here"));
    }
    is_there
}

fn run(tree: &Tree, options: &[&str], words: &[&str]) -> Session {
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1ms"]).args(options).arg("--").args(words);
    command.env("PYTHONPATH", project("target/clients"));
    Session::start(command)
}

/// Hands a server over again and again, under load. It becomes ready as `ready` finds out.
fn is_handed_over(tree: &Tree, ready: &str, words: &[&str]) {
    tree.write("a", "0");
    let address = free_address();
    let options = ["--listen", &address.to_string(), "--ready", ready, "--handover"];
    let mut session = run(tree, &options, words);
    session.wait_for("ready after");
    let failures = under_load(address, REQUESTS, || {
        for n in 1..=5 {
            tree.save_by_rename("a", &n.to_string());
            session.wait_for("stopping the one before");
            session.wait_for("stopped after");
        }
    });
    assert_eq!(failures, [""; 0], "{}", session.output());
    assert_eq!(session.seen("HANDOVER FAILED"), 0, "{}", session.output());
    session.terminate();
}

#[test]
fn gunicorn_is_handed_over() {
    let mut gunicorn = Command::new("python3");
    gunicorn.args(["-m", "gunicorn", "--version"]).env("PYTHONPATH", project("target/clients"));
    if !is_there(&mut gunicorn) {
        return;
    }
    let app = "import os\n\
        def app(environ, start_response):\n\
        \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
        \x20   return [b'hello from gunicorn']\n";
    let tree = Tree::new(&[(".git/app.py", app)]);
    let words =
        ["python3", "-m", "gunicorn", "--log-level", "error", "--pythonpath", ".git", "app:app"];
    is_handed_over(&tree, "notify", &words);
}

#[test]
fn node_is_handed_over() {
    if !is_there(Command::new("node").arg("--version")) {
        return;
    }
    let server = "const server = require('http').createServer((_, answer) => answer.end('hello'))\n\
        server.listen({ fd: 3 }, () => console.log('it listens'))\n\
        process.on('SIGTERM', () => server.close(() => process.exit(0)))\n";
    let tree = Tree::new(&[(".git/server.js", server)]);
    is_handed_over(&tree, "log:^it listens$", &["node", ".git/server.js"]);
}

#[test]
fn a_rust_server_is_handed_over() {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--example", "serve"]);
    assert!(build.current_dir(project("")).status().expect("cargo").success());
    // Beside the directory that this test lies in.
    let here = std::env::current_exe().expect("a path");
    let server = here.parent().and_then(Path::parent).expect("a directory").join("examples/serve");
    is_handed_over(&Tree::new(&[]), "notify", &[server.to_str().expect("a path")]);
}

fn example(name: &str) -> String {
    let path = project("examples/serving").join(name);
    path.into_os_string().into_string().expect("a path")
}

#[test]
fn the_handover_example_is_handed_over() {
    is_handed_over(&Tree::new(&[]), "notify", &["python3", &example("handover.py")]);
}

#[test]
fn no_connection_is_refused_by_the_listen_example() {
    let tree = Tree::new(&[("a", "0")]);
    let address = free_address();
    let options = ["--listen", &address.to_string()];
    let mut session = run(&tree, &options, &["python3", &example("listen.py")]);
    session.wait_for("listening as ");
    let failures = under_load(address, REQUESTS, || {
        for n in 1..=5 {
            tree.save_by_rename("a", &n.to_string());
            session.wait_for("listening as ");
        }
    });
    // It ends in the midst of an answer, for all that it knows of SIGTERM.
    let refused = failures.iter().filter(|failure| failure.contains("ConnectionRefused"));
    assert_eq!(refused.count(), 0, "{failures:?}");
}

#[test]
fn the_notify_example_says_how_it_is() {
    let tree = Tree::new(&[]);
    let options = ["--ready", "notify", "--watchdog", "2s"];
    let mut session = run(&tree, &options, &["python3", &example("notify.py")]);
    session.wait_for("the program says: loading the data");
    session.wait_for("ready after");
    session.wait_for("the program says: at work");
}

#[test]
fn the_fdstore_example_goes_on_counting() {
    let tree = Tree::new(&[("a", "0")]);
    let mut session = run(&tree, &[], &["python3", &example("fdstore.py")]);
    session.wait_for("started 1 times");
    for n in 2..=4 {
        tree.save_by_rename("a", &n.to_string());
        session.wait_for(&format!("started {n} times"));
    }
}
