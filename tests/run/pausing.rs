//! Pausing: what waits, and what is left of it when it goes on.

use std::fs;

use super::control::{ask, started, status, wait_until_ready};
use super::support::{Tree, eventually};

#[test]
fn changes_wait_while_it_is_paused() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    session.wait_until_settled();
    wait_until_ready(&tree, &place);
    assert_eq!(ask(&tree, &place, &["pause"]).0, Some(0));
    tree.save_by_rename("a", "two");
    session.wait_for("modified a");
    // Were it acted on, that would have come before this is answered.
    let paused = status(&tree, &place);
    assert_eq!((&paused["paused"], &paused["generation"]), (&true.into(), &1.into()));
    assert_eq!(paused["program"]["restarts"]["by_change"], 0);
    assert_eq!(paused["state"], "ready");
    assert_eq!(ask(&tree, &place, &["resume"]).0, Some(0));
    session.wait_for("runs 42 as");
    assert_eq!(status(&tree, &place)["paused"], false);
}

#[test]
fn what_was_asked_for_while_it_was_paused_is_not_done_again() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let mut session = started(&tree, &place, &["--build", "grep -c . a"]);
    session.wait_for("runs 42 as");
    session.wait_until_settled();
    ask(&tree, &place, &["pause"]);
    tree.save_by_rename("a", "two");
    session.wait_for("modified a");
    ask(&tree, &place, &["build"]);
    session.wait_for("runs 42 as");
    ask(&tree, &place, &["resume"]);
    let known = status(&tree, &place);
    assert_eq!(known["building"], false, "{known}");
    // What was not built yet is, and not as if something had failed.
    ask(&tree, &place, &["pause"]);
    tree.save_by_rename("a", "three");
    session.wait_for("modified a");
    ask(&tree, &place, &["restart"]);
    session.wait_for("runs 42 as");
    ask(&tree, &place, &["resume"]);
    session.wait_for("runs 42 as");
    let restarts = &status(&tree, &place)["program"]["restarts"];
    let expected = serde_json::json!({ "by_change": 1, "by_failure": 0, "by_request": 2 });
    assert_eq!(restarts, &expected);
}

#[test]
fn what_was_undone_while_it_was_paused_leads_to_nothing() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    session.wait_until_settled();
    eventually("readiness", || status(&tree, &place)["state"] == "ready");
    let program = status(&tree, &place)["program"]["pid"].clone();
    ask(&tree, &place, &["pause"]);
    tree.save_by_rename("a", "two");
    session.wait_for("modified a");
    tree.write("b", "new");
    session.wait_for("created b");
    tree.save_by_rename("a", "one");
    session.wait_for("modified a");
    fs::remove_file(tree.path("b")).expect("a file");
    session.wait_for("removed b");
    ask(&tree, &place, &["resume"]);
    assert_eq!(status(&tree, &place)["program"]["pid"], program);
    // What runs now has read other content.
    ask(&tree, &place, &["pause"]);
    tree.save_by_rename("a", "two");
    session.wait_for("modified a");
    ask(&tree, &place, &["restart"]);
    session.wait_for("runs 42 as");
    eventually("readiness", || status(&tree, &place)["state"] == "ready");
    tree.save_by_rename("a", "one");
    session.wait_for("modified a");
    ask(&tree, &place, &["resume"]);
    session.wait_for("runs 42 as");
    let restarts = &status(&tree, &place)["program"]["restarts"];
    let expected = serde_json::json!({ "by_change": 1, "by_failure": 0, "by_request": 1 });
    assert_eq!(restarts, &expected);
}
