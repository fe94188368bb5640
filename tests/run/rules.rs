//! Rules: what a change leads to by its path and kind.

use std::fs;

use super::support::{Session, Tree, eventually, read};

fn start(tree: &Tree, file: &str) -> Session {
    tree.write("stakeout.toml", file);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "-v"]);
    Session::start(command)
}

/// Says which run it is, and each SIGHUP.
const SERVER: &str = "run = \"trap 'echo reread $((40 + 2))' HUP; trap 'exit 0' TERM; \
                      echo runs $((40 + 2)); while :; do sleep 0.01; done\"\n";

fn with_server(rules: &str) -> String {
    format!("[service.web]\n{SERVER}{rules}")
}

#[test]
fn the_first_rule_that_matches_decides_and_the_rest_restarts() {
    let tree = Tree::new(&[("t/a.html", "1"), ("t/b.md", "1"), ("main.py", "1")]);
    let file = with_server(
        "[rule.docs]\nmatch = ['*.md']\naction = 'ignore'\n\
         [rule.templates]\nmatch = ['t/']\naction = 'signal'\nsignal = 'HUP'\n",
    );
    let mut session = start(&tree, &file);
    session.wait_for("runs 42");
    tree.save_by_rename("t/b.md", "2");
    session.wait_for("rule docs for 1 path: do nothing");
    tree.save_by_rename("t/a.html", "2");
    session.wait_for_all(&["rule templates for 1 path: send SIGHUP", "reread 42"]);
    assert_eq!(session.seen("runs 42"), 1, "{}", session.output());
    tree.save_by_rename("main.py", "2");
    session.wait_for("runs 42");
    session.terminate();
}

#[test]
fn a_rule_is_about_the_kinds_that_it_names() {
    let tree = Tree::new(&[("a", "1"), ("b", "2")]);
    let file =
        with_server("[rule.new]\nmatch = ['*']\nkinds = ['create', 'rename']\naction = 'ignore'\n");
    let mut session = start(&tree, &file);
    session.wait_until_settled();
    tree.write("c", "3");
    session.wait_for("created c");
    session.wait_for("rule new for 1 path: do nothing");
    fs::rename(tree.path("a"), tree.path("d")).unwrap();
    session.wait_for("rule new for 1 path: do nothing");
    assert_eq!(session.seen("starting"), 1, "{}", session.output());
    fs::remove_file(tree.path("b")).unwrap();
    session.wait_for("removed b");
    session.wait_for("starting");
    session.terminate();
}

#[test]
fn a_command_is_run_beside_what_runs_and_told_what_changed() {
    let tree = Tree::new(&[("web/a.css", "1"), ("main.py", "1")]);
    let out = tempfile::tempdir().unwrap();
    let file = with_server(&format!(
        "env = {{ OUT = '{}' }}\n\
         [rule.styles]\nmatch = ['*.css', '!web/old.css']\naction = 'run'\n\
         run = 'cat $STAKEOUT_CHANGES_FILE >> $OUT/seen; grep right web/a.css'\n",
        out.path().display()
    ));
    let mut session = start(&tree, &file);
    session.wait_for("runs 42");
    assert_eq!(read(&out.path().join("seen")), "", "not before a change");
    tree.save_by_rename("web/a.css", "wrong");
    session.wait_for("COMMAND FAILED");
    tree.save_by_rename("web/a.css", "right");
    session.wait_for("styles: done in");
    assert_eq!(read(&out.path().join("seen")), "web/a.css\nweb/a.css\n");
    assert_eq!(session.seen("runs 42"), 1, "{}", session.output());
    tree.save_by_rename("web/old.css", "");
    session.wait_for("runs 42");
    session.terminate();
}

#[test]
fn one_service_is_restarted_or_handed_over_where_the_rule_says_so() {
    let tree = Tree::new(&[("schema", "1"), ("code", "1")]);
    let service = "run = 'echo runs $((40 + 2)); exec sleep 1000'\n";
    let file = format!(
        "[service.api]\n{service}ready = 'log:runs 42'\n[service.web]\n{service}\
         [rule.schema]\nmatch = ['schema']\naction = 'restart'\nservice = 'web'\n\
         [rule.code]\nmatch = ['code']\naction = 'handover'\nservice = 'api'\n"
    );
    let mut session = start(&tree, &file);
    session.wait_for_all(&["api | runs 42", "web | runs 42"]);
    tree.save_by_rename("schema", "2");
    session.wait_for_all(&["rule schema for 1 path: restart web", "web | runs 42"]);
    tree.save_by_rename("code", "2");
    session.wait_for("rule code for 1 path: hand over api");
    session.wait_for("stopping the one before");
    assert_eq!((session.seen("api: starting"), session.seen("web: starting")), (2, 2));
    session.terminate();
}

#[test]
fn what_a_rule_runs_ends_with_the_rest() {
    let tree = Tree::new(&[("a", "1")]);
    let file = with_server(
        "[rule.slow]\nmatch = ['a']\naction = 'run'\nrun = 'echo $$ > pid; exec sleep 1000'\n\
         [watch]\nexclude = ['pid']\n",
    );
    let mut session = start(&tree, &file);
    session.wait_for("runs 42");
    tree.save_by_rename("a", "2");
    eventually("its start", || read(&tree.path("pid")).ends_with('\n'));
    let pid = read(&tree.path("pid")).trim().parse().unwrap();
    assert_eq!(session.terminate().code(), Some(0), "{}", session.output());
    assert!(!super::support::is_alive(pid));
}

#[test]
fn with_the_program_a_command_ends_too() {
    let tree = Tree::new(&[("a", "1")]);
    let file = "[service.web]\nrun = 'until test -e end; do sleep 0.01; done'\nexit-with-child = true\n\
                [rule.slow]\nmatch = ['a']\naction = 'run'\nrun = 'echo up; exec sleep 1000'\n\
                [watch]\nexclude = ['end']\n";
    let mut session = start(&tree, file);
    session.wait_for("starting");
    tree.save_by_rename("a", "2");
    session.wait_for("slow run | up");
    tree.write("end", "");
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
}

#[test]
fn other_rules_hold_as_soon_as_they_are_saved() {
    let tree = Tree::new(&[("a", "1")]);
    let rule = |action: &str| with_server(&format!("[rule.a]\nmatch = ['a']\naction = {action}\n"));
    let mut session = start(&tree, &rule("'ignore'"));
    session.wait_for("runs 42");
    tree.save_by_rename("stakeout.toml", &rule("'run'\nrun = 'echo ran $((40 + 2))'"));
    session.wait_for("the configuration file was read again");
    tree.save_by_rename("a", "2");
    session.wait_for("a run | ran 42");
    tree.save_by_rename("stakeout.toml", &rule("'signal'\nsignal = 'HUP'"));
    session.wait_for("the configuration file was read again");
    tree.save_by_rename("a", "3");
    session.wait_for("reread 42");
    tree.save_by_rename("stakeout.toml", &rule("'handover'"));
    session.wait_for("has to know when the new program can take over");
    assert_eq!(session.seen("starting"), 1, "{}", session.output());
    session.terminate();
}
