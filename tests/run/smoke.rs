//! `stakeout smoke`: what it runs, when it gives up, and which status it ends with.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::support::{Session, Tree, eventually, is_alive, number};

/// Runs a smoke test to its end; gives the status and all that was written.
fn smoke(tree: &Tree, options: &[&str], script: &str) -> (Option<i32>, String) {
    let mut session = started(tree, options, script);
    let status = session.wait();
    (status.code(), session.output())
}

fn started(tree: &Tree, options: &[&str], script: &str) -> Session {
    let mut command = tree.stakeout();
    command.args(["smoke", "--control", "off"]).args(options);
    Session::start({
        command.args(["--", "sh", "-c", script]);
        command
    })
}

/// Runs one that is to print JSON: the status, all that it printed, and what standard error says.
fn json(tree: &Tree, options: &[&str], script: &str) -> (Option<i32>, Value, String) {
    let mut command = tree.stakeout();
    command.args(["smoke", "--control", "off", "--json"]).args(options);
    let output = command.args(["--", "sh", "-c", script]).output().expect("stakeout to run");
    let [printed, said] =
        [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    let json = serde_json::from_str(&printed);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {printed:?}")), said)
}

/// Becomes ready when the file `up` is there, which it makes.
const SERVER: &str = "echo serving >up; echo the server says this; exec sleep 1000";
const UP: [&str; 2] = ["--ready", "exec:test -s up"];

#[test]
fn checks_run_in_order_beside_the_program_which_is_stopped_then() {
    let tree = Tree::new(&[]);
    let options = [&UP[..], &["--check", "cat up >>log", "--check", "echo second >>log"]].concat();
    let script = format!("echo pid $$ end; (setsid sleep 1000 & echo daemon $! end); {SERVER}");
    let (status, output) = smoke(&tree, &options, &script);
    assert_eq!(status, Some(0), "{output}");
    assert_eq!(fs::read_to_string(tree.path("log")).unwrap(), "serving\nsecond\n");
    assert!(output.contains("smoke test passed, 2 checks"), "{output}");
    for word in ["pid ", "daemon "] {
        let line = output.lines().find(|line| line.starts_with(word)).expect("a line");
        assert!(!is_alive(number(line, word)), "{line}");
    }
}

#[test]
fn the_first_check_that_fails_gives_the_status_and_all_are_run() {
    let tree = Tree::new(&[]);
    let checks = ["--check", "exit 5", "--check", "kill -9 $$", "--check", "echo last >>log"];
    let report = tree.path("report.xml");
    let more = ["--junit", report.to_str().unwrap(), "-q"];
    let (status, json, said) = json(&tree, &[&UP[..], &checks, &more].concat(), SERVER);
    assert_eq!(status, Some(5), "{said}");
    assert_eq!(fs::read_to_string(tree.path("log")).unwrap(), "last\n");
    assert_eq!(json["passed"], false);
    assert_eq!(json["checks"][1]["status"], 128 + 9);
    assert_eq!(json["checks"][2]["status"], 0);
    assert_eq!(json["output"][0], "the server says this");
    let xml = fs::read_to_string(report).unwrap();
    assert!(xml.contains("tests=\"4\" failures=\"2\""), "{xml}");
    let documented = include_str!("../../docs/ci.md");
    for name in
        json.as_object().unwrap().keys().chain(json["checks"][0].as_object().unwrap().keys())
    {
        assert!(documented.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn what_is_printed_is_json_and_nothing_else_whatever_is_written() {
    let tree = Tree::new(&[]);
    let options = [&UP[..], &["--check", "echo the check says this"]].concat();
    let (status, json, said) = json(&tree, &options, &format!("echo more >&2; {SERVER}"));
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(json["checks"][0]["output"][0], "the check says this");
    let shown: Vec<&str> = said.lines().collect();
    for line in ["the server says this", "more"] {
        assert!(shown.contains(&line), "{said}");
    }
}

#[test]
fn a_program_that_never_gets_ready_is_given_up() {
    let tree = Tree::new(&[]);
    let report = tree.path("report.xml");
    let options = ["--ready", "exec:false", "--timeout", "1s", "--check", "echo no >>log"];
    let options = [&options[..], &["--junit", report.to_str().unwrap()]].concat();
    let (status, output) = smoke(&tree, &options, SERVER);
    assert_eq!(status, Some(124), "{output}");
    assert!(output.contains("NOT READY in time (--timeout): false ended with"), "{output}");
    let last = "FAILED: the program was not ready in time: false ended with status 1";
    assert!(output.contains(last), "{output}");
    // So that one sees why.
    assert!(output.contains("  the server says this"), "{output}");
    assert!(!tree.path("log").exists());
    let xml = fs::read_to_string(report).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"1\" skipped=\"1\""), "{xml}");
    assert!(xml.contains("<testcase name=\"echo no &gt;&gt;log\"><skipped/>"), "{xml}");
    let took = xml.split("becomes ready\" time=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(took.parse::<f64>().unwrap() >= 0.5, "{xml}");
}

#[test]
fn a_program_that_ends_too_early_gives_its_status() {
    let tree = Tree::new(&[]);
    let options = ["--ready", "exec:false", "--check", "true"];
    assert_eq!(smoke(&tree, &options, "exit 9").0, Some(9));
    // Success it is not.
    assert_eq!(smoke(&tree, &options, "exit 0").0, Some(1));
    let options = [&UP[..], &["--check", "rm up; sleep 1000"]].concat();
    let script = "echo serving >up; while test -e up; do sleep 0.01; done; exit 7";
    let (status, output) = smoke(&tree, &options, script);
    assert_eq!(status, Some(7), "{output}");
    assert!(output.contains("ended before all checks were done"), "{output}");
}

#[test]
fn a_quiet_log_shows_what_a_check_wrote_only_if_it_fails() {
    let tree = Tree::new(&[]);
    let checks = ["--check", "echo well", "--check", "echo oh >&2; exit 5", "-q"];
    let (status, output) = smoke(&tree, &[&UP[..], &checks].concat(), SERVER);
    assert_eq!(status, Some(5), "{output}");
    let quoted = output.find("| oh").expect("what the check wrote");
    assert!(quoted < output.find("CHECK FAILED").unwrap(), "{output}");
    assert!(!output.contains("| well"), "{output}");
}

#[test]
fn a_check_that_hangs_is_killed() {
    let tree = Tree::new(&[]);
    let hangs = ["--check", "echo pid $$ end; exec sleep 1000", "--check-timeout", "200ms"];
    let (status, output) = smoke(&tree, &[&UP[..], &hangs].concat(), SERVER);
    assert_eq!(status, Some(124), "{output}");
    let line = output.lines().find(|line| line.contains("| pid ")).expect("a line");
    assert!(!is_alive(number(line, "pid ")));
}

#[test]
fn a_program_that_ignores_the_stop_does_not_fail_what_passed() {
    let tree = Tree::new(&[]);
    let mut command = tree.stakeout();
    command.env("STAKEOUT_STOP_TIMEOUT", "100ms").env("STAKEOUT_READY", "exec:test -e up");
    command.args(["smoke", "--control", "off", "--check", "true", "--", "sh", "-c"]);
    command.arg("trap '' TERM; : >up; while :; do sleep 0.05; done");
    let mut session = Session::start(command);
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
    assert!(session.output().contains("killing it"));
}

#[test]
fn a_signal_ends_it_with_all_that_it_has_started() {
    let tree = Tree::new(&[]);
    let check = "echo checking as $$ end; exec sleep 1000";
    let mut session = started(&tree, &[&UP[..], &["--check", check]].concat(), SERVER);
    let pid = number(&session.wait_for("| checking as"), "as ");
    session.signal(Signal::TERM);
    assert_eq!(session.wait().code(), Some(128 + 15), "{}", session.output());
    eventually("the check's end", || !is_alive(pid));
}

#[test]
fn the_status_is_that_of_a_signal_whatever_the_program_makes_of_it() {
    // As servers do that end in order, and as one that does not hear it.
    for trap in ["exit 0", ""] {
        let tree = Tree::new(&[]);
        let script = format!("trap '{trap}' INT TERM; : >up; while :; do sleep 0.05; done");
        let mut command = tree.stakeout();
        command.env("STAKEOUT_STOP_TIMEOUT", "200ms").args(["smoke", "--control", "off"]);
        command.args([
            "--ready",
            "exec:test -e up",
            "--check",
            "echo checking $((6 * 7)); exec sleep 1000",
        ]);
        command.args(["--", "sh", "-c", &script]);
        let (mut session, mut keyboard) = Session::at_terminal(&command);
        session.wait_for("checking 42");
        keyboard.type_in("\x03");
        assert_eq!(session.wait().code(), Some(128 + 2), "{}", session.output());
        assert!(
            session.output().contains("FAILED: it was ended by SIGINT"),
            "{}",
            session.output()
        );
        let (mut session, _keyboard) = Session::at_terminal(&command);
        session.wait_for("checking 42");
        assert_eq!(session.terminate().code(), Some(128 + 15), "{}", session.output());
    }
}

#[test]
fn a_build_comes_first_and_its_failure_is_told() {
    let tree = Tree::new(&[]);
    let mut command = tree.stakeout();
    const BUILD: &str = "echo no rule; exit 3";
    command.env("STAKEOUT_BUILD", BUILD).args(["smoke", "--control", "off"]).args(UP);
    command.args(["--check", "true", "--", "sleep", "1000"]);
    let mut session = Session::start(command);
    assert_eq!(session.wait().code(), Some(3), "{}", session.output());
    assert!(session.output().contains("; ending with status 3"), "{}", session.output());
    let said = "FAILED: the build failed: echo no rule; exit 3 ended with status 3\n\
                the build wrote last:\n  no rule";
    assert!(session.output().contains(said), "{}", session.output());
    let mut command = tree.stakeout();
    command.env("STAKEOUT_BUILD", BUILD).args(["smoke", "--control", "off", "--json"]).args(UP);
    let output = command.args(["--check", "true", "--", "true"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["failure"], "the build failed: echo no rule; exit 3 ended with status 3");
    assert_eq!(json["output"], serde_json::json!(["no rule"]));
}

#[test]
fn what_is_missing_is_said() {
    let tree = Tree::new(&[]);
    let (status, output) = smoke(&tree, &["--check", "true"], "true");
    assert_eq!(status, Some(2));
    assert!(output.contains("Give --ready"), "{output}");
    let (status, output) = smoke(&tree, &["--ready", "maybe", "--check", "true"], "true");
    assert_eq!(status, Some(2));
    assert!(output.contains("says nothing of readiness"), "{output}");
    assert_eq!(smoke(&tree, &["--ready", "exec:true"], "true").0, Some(2));
}

#[test]
fn a_program_that_crashes_gives_the_status_of_its_signal() {
    let tree = Tree::new(&[]);
    let options = ["--ready", "exec:false", "--check", "true"];
    let (status, output) = smoke(&tree, &options, "echo last words; kill -SEGV $$");
    assert_eq!(status, Some(128 + 11), "{output}");
    assert!(output.contains("  last words"), "{output}");
    // Once is enough: nothing is started again.
    assert_eq!(output.matches("starting sh").count(), 1, "{output}");
}

#[test]
fn a_report_goes_to_what_is_no_file_and_through_a_link() {
    let tree = Tree::new(&[("real.xml", "old")]);
    std::os::unix::fs::symlink("real.xml", tree.path("link.xml")).unwrap();
    let run = |junit: &str| {
        let options = [&UP[..], &["--check", "true", "-q", "--junit", junit]].concat();
        smoke(&tree, &options, SERVER)
    };
    assert_eq!(run("link.xml").0, Some(0));
    assert!(fs::read_link(tree.path("link.xml")).is_ok());
    assert!(fs::read_to_string(tree.path("real.xml")).unwrap().contains("<testsuite"));
    let (status, output) = run("/dev/stdout");
    assert_eq!(status, Some(0), "{output}");
    assert!(output.contains("<testsuite"), "{output}");
    let (status, output) = run("/dev/full");
    assert_eq!(status, Some(125), "{output}");
    assert!(output.contains("cannot write /dev/full: No space left"), "{output}");
    assert!(!fs::metadata("/dev/full").unwrap().is_file());
}

#[test]
fn the_reports_can_be_read_whatever_was_written() {
    let tree = Tree::new(&[]);
    let odd = r#"printf '\000\001\033[31m\377\376 ]]> <&"\047 \357\277\277 \302\205\r\n'"#;
    let report = tree.path("report.xml");
    let more = ["--check", odd, "--check", "exit 1 # <&\"", "-q", "--junit"];
    let options = [&UP[..], &more, &[report.to_str().unwrap()]].concat();
    let (status, json, said) = json(&tree, &options, &format!("{odd}; {SERVER}"));
    assert_eq!(status, Some(1), "{said}");
    let written = json["checks"][0]["output"][0].as_str().expect("text");
    assert!(written.contains("]]> <&\"' "), "{written:?}");
    let parse = r#"import sys, xml.etree.ElementTree as x; s = x.parse(sys.argv[1]).getroot()
print(s.tag, len(s), s.get('failures'), s[1][0].tag, ']]> <&"' in s[1][0].text)"#;
    let parsed = Command::new("python3").args(["-c", parse]).arg(report).output().unwrap();
    let text = String::from_utf8([parsed.stdout, parsed.stderr].concat()).unwrap();
    assert_eq!(text, "testsuite 3 1 system-out True\n");
}
