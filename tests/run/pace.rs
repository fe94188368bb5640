//! How often it looks where nothing tells of edits: as often as the budget allows, and more often
//! where something changed lately.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Session, Tree, eventually};

/// So large that a look costs some milliseconds.
fn large_tree() -> Tree {
    let tree = Tree::new(&[]);
    for n in 0..4096 {
        tree.write(&format!("dir{}/f{n}", n % 64), "x");
    }
    tree
}

/// Looks by polling within so much of one core.
fn start(tree: &Tree, budget: &str) -> Session {
    let mut command = tree.stakeout();
    command.args(["-v", "--mode", "poll", "--debounce", "10ms", "--cpu-budget", budget]);
    command.args(["--", "sleep", "1000"]);
    Session::start(command)
}

/// The interval in milliseconds, once it was chosen, and how often was looked so far.
fn paces(tree: &Tree) -> (Option<u64>, u64) {
    let output = tree.stakeout().args(["status", "--json"]).output().expect("an answer");
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let watching = &status["watching"];
    (watching["interval_ms"].as_u64(), watching["looks"].as_u64().expect("a count"))
}

#[test]
fn a_smaller_budget_has_it_look_less_often() {
    let [small, large] = [large_tree(), large_tree()];
    let (mut thrifty, mut lavish) = (start(&small, "0.1%"), start(&large, "50%"));
    for session in [&mut thrifty, &mut lavish] {
        session.wait_for("looking every ");
        session.wait_until_settled();
    }
    let [(long, began), (short, began_too)] = [&small, &large].map(paces);
    let (long, short) = (long.expect("an interval"), short.expect("an interval"));
    assert!(long >= 3 * short, "{long} ms and {short} ms");
    eventually("ten looks", || paces(&large).1 >= began_too + 10);
    let looks = paces(&small).1 - began;
    assert!(looks < 5, "{looks} looks in the time of ten");
}

#[test]
fn where_something_changed_lately_the_next_edit_is_noticed_at_once() {
    let tree = large_tree();
    let mut session = start(&tree, "0.1%");
    session.wait_for("looking every ");
    session.wait_until_settled();
    let (interval, _) = paces(&tree);
    let interval = Duration::from_millis(interval.expect("an interval"));
    assert!(interval >= Duration::from_secs(1), "{interval:?}");
    let mut edit = |round| {
        tree.save_by_rename("dir7/f7", &format!("{round}"));
        session.wait_for("modified dir7/f7");
    };
    edit(0);
    // Each of these would have to wait for the next look at everything.
    let began = Instant::now();
    for round in 1..=6 {
        edit(round);
    }
    assert!(began.elapsed() < 3 * interval, "{:?} of {interval:?} each", began.elapsed());
}
