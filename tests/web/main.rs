//! The proxy and stakeout's own pages: with raw bytes, with programs that come and go, and with a
//! browser.

mod browser;
mod client;
mod hostile;
mod pages;
mod passing;
#[path = "../scan/skip.rs"]
mod skip;
#[allow(dead_code, reason = "the tests of runs use the rest")]
#[path = "../run/support.rs"]
mod support;
mod upstream;
mod waiting;

use std::net::SocketAddr;

use support::{Session, Tree};
use upstream::Upstream;

/// stakeout in front of something that listens, with no program of its own.
fn in_front_of(upstream: &Upstream, options: &[&str]) -> (Tree, Session, SocketAddr) {
    let tree = Tree::new(&[("a.txt", "1")]);
    let mut command = tree.stakeout();
    let route = format!("0={}", upstream.address);
    command.args(["--control", "off", "--interval", "20ms", "--proxy", &route]).args(options);
    let mut session = Session::start(command);
    let address = address(&mut session, "shows what listens");
    session.wait_for("watching");
    (tree, session, address)
}

/// The address in the line that says what is shown there.
fn address(session: &mut Session, what: &str) -> SocketAddr {
    let line = session.wait_for(what);
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("none in {line}"))
}
