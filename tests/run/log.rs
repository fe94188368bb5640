//! The log: as JSON, as docs/events.md has it, and for people, with colours and times or without.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use stakeout::ui::Kind;

use super::support::{Session, Tree};

const COMMON: [&str; 5] = ["schema", "time", "level", "event", "message"];

/// The documented events, each with its fields.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../docs/events.md");
    let table = text.split("| event |").nth(1).expect("the table of events");
    let rows = table.lines().filter(|row| row.starts_with("| `"));
    let parts = rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|');
        let name = cells.next().unwrap().trim().trim_matches('`').to_owned();
        let fields = cells.nth(1).unwrap().split('`').skip(1).step_by(2);
        (name, fields.map(str::to_owned).collect())
    });
    parts.collect()
}

fn json(tree: &Tree, options: &[&str], script: &str) -> Session {
    tree.run(&[&["--log-format", "json", "--debounce", "1ms"], options].concat(), script)
}

/// The lines that are events, checked against what is documented.
fn events(session: &Session) -> Vec<Value> {
    let documented = documented();
    let output = session.output();
    let lines = output.lines().filter(|line| line.starts_with(r#"{"schema""#));
    let events = lines.map(|line| {
        let event: Value = serde_json::from_str(line).expect(line);
        let name = event["event"].as_str().unwrap();
        let fields = documented.get(name).unwrap_or_else(|| panic!("{name} is not documented"));
        for (key, _) in event.as_object().unwrap() {
            let is_known = COMMON.contains(&&**key) || fields.contains(key);
            assert!(is_known, "{key} of {name} is not documented: {line}");
        }
        assert!(COMMON.iter().all(|key| !event[key].is_null()), "{line}");
        event
    });
    events.collect()
}

fn of<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn every_event_is_documented_and_nothing_else_is() {
    let mut kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    kinds.sort_unstable();
    assert_eq!(documented().keys().map(String::as_str).collect::<Vec<_>>(), kinds);
}

#[test]
fn a_restart_is_told_as_json_with_every_state_on_its_way() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = json(&tree, &["--build", "echo \"q\\\"uote $(cat a)\""], "exec sleep 1000");
    session.wait_for("\"to\":\"ready\"");
    tree.save_by_rename("a", "two");
    session.wait_for("since_change_ms");
    session.wait_for("\"to\":\"ready\"");
    session.terminate();
    let events = events(&session);
    assert_eq!(of(&events, "watching")[0]["files"], 1);
    let changed = of(&events, "changed")[0];
    assert_eq!(changed["changes"][0]["kind"], "modified");
    assert_eq!(changed["changes"][0]["path"], "a");
    assert_eq!(of(&events, "output")[1]["message"], "q\"uote two");
    let restart = of(&events, "starting")[1];
    let part = |name: &str| restart[name].as_u64().unwrap_or_else(|| panic!("{name}: {restart}"));
    let parts = part("settle_ms") + part("build_ms") + part("stop_ms");
    // Each is cut to whole milliseconds.
    assert!(parts <= part("since_change_ms") + 3, "{restart}");
    assert_eq!((&restart["generation"], &events[0]["schema"]), (&1.into(), &1.into()));
    let states: Vec<_> = of(&events, "state").iter().map(|event| event["to"].clone()).collect();
    let is_in_order = |wanted: &[&str]| {
        let mut states = states.iter();
        wanted.iter().all(|wanted| states.any(|state| state == wanted))
    };
    let wanted = ["waiting", "starting", "ready", "stopping", "starting", "ready", "stopping"];
    assert!(is_in_order(&wanted), "{states:?}");
    for pair in of(&events, "state").windows(2) {
        assert_eq!(pair[0]["to"], pair[1]["from"], "a state was left out");
    }
}

#[test]
fn failures_are_told_as_json() {
    let tree = Tree::new(&[("a", "exit 3")]);
    let mut session = json(&tree, &["--build", "sh a", "--verbose"], "sh b; exit 5");
    session.wait_for("build_failed");
    tree.write("a", "");
    session.wait_for("\"event\":\"exited\"");
    session.wait_for("\"to\":\"failed\"");
    session.terminate();
    let events = events(&session);
    let failure = of(&events, "build_failed")[0];
    assert_eq!((&failure["level"], &failure["command"]), (&"problem".into(), &"sh a".into()));
    assert_eq!(of(&events, "exited")[0]["exit"], "status 5");
    assert_eq!(of(&events, "signal")[0]["signal"], "SIGTERM");
}

#[test]
fn a_quiet_log_has_only_what_is_wrong() {
    let tree = Tree::new(&[]);
    let mut session = json(&tree, &["--quiet", "--restart", "never"], "exit 5");
    session.wait_for("exited");
    session.terminate();
    assert!(events(&session).iter().all(|event| event["level"] == "problem"));
}

#[test]
fn noticing_is_measured_where_the_clock_is_ours() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = json(&tree, &[], "exec sleep 1000");
    session.wait_for("\"to\":\"ready\"");
    // At once: of two writes, the last may come after the first was noticed.
    tree.save_by_rename("a", "two");
    session.wait_for("since_change_ms");
    session.terminate();
    assert!(of(&events(&session), "starting")[1]["detect_ms"].is_u64());
    let mut session = json(&tree, &["--mode", "poll"], "exec sleep 1000");
    session.wait_for("\"to\":\"ready\"");
    tree.write("a", "three");
    session.wait_for("since_change_ms");
    session.terminate();
    assert!(of(&events(&session), "starting")[1]["detect_ms"].is_null());
}

#[test]
fn what_keys_ask_for_is_told_as_json_as_well() {
    let tree = Tree::new(&[]);
    let mut command = tree.stakeout();
    command.args(["--log-format", "json", "--keys", "--", "sleep", "1000"]);
    let (mut session, mut keyboard) = Session::at_terminal(&command);
    session.wait_for(r#""to":"ready""#);
    keyboard.type_in("s");
    session.wait_for(r#""event":"status""#);
    keyboard.type_in("h");
    session.wait_for("r restart");
    keyboard.type_in("q");
    session.wait();
    let events = events(&session);
    assert_eq!(of(&events, "status")[0]["status"]["state"], "ready");
    assert_eq!(of(&events, "keys").len(), 2);
}

fn coloured(tree: &Tree, options: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command: Command = tree.stakeout();
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).args(options);
    command.args(["--no-watch", "--", "sh", "-c", "exit 3"]);
    let output = command.output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn colours_are_for_terminals_or_for_who_asks() {
    let tree = Tree::new(&[]);
    let has_colours = |options: &[&str], variables: &[(&str, &str)]| {
        coloured(&tree, options, variables).contains("\u{1b}[36mstakeout:\u{1b}[0m ")
    };
    assert!(!has_colours(&[], &[]));
    assert!(has_colours(&["--color", "always"], &[]));
    assert!(has_colours(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!has_colours(&[], &[("CLICOLOR_FORCE", "0")]));
    assert!(!has_colours(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!has_colours(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    for force in ["", "0"] {
        let mut command = tree.stakeout();
        command.env_remove("NO_COLOR").env("TERM", "xterm").env("CLICOLOR_FORCE", force);
        command.args(["--no-watch", "--", "true"]);
        let (mut session, _keyboard) = Session::at_terminal(&command);
        session.wait_for("\u{1b}[36mstakeout:\u{1b}[0m ");
    }
    for (force, expected) in [("1", true), ("0", false)] {
        let mut command = tree.stakeout();
        command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", force).arg("--help");
        let help = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(help.contains('\u{1b}'), expected, "{force}");
    }
}

#[test]
fn each_line_has_its_time_if_that_is_wanted() {
    let tree = Tree::new(&[]);
    let output = coloured(&tree, &["--log-time"], &[]);
    for line in output.lines() {
        let time = line.split(' ').next().unwrap();
        let shape = time.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    }
    assert!(!output.is_empty());
}
