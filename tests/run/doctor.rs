//! `stakeout doctor`: what it says of trees that are well and of trees that are not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stakeout::doctor::{Facts, Level, Machine, assess, sheet};

use super::skip::skip;
use super::support::{Session, Tree};

/// A machine as it is in a container.
fn machine() -> Machine {
    Machine {
        pid_1: false,
        pid_1_name: Some("stakeout".into()),
        proc: true,
        terminal: false,
        open_files: Some(1024),
        held_directories: 512,
    }
}

/// Another text than in the file is written there if `BLESS` is set, to be looked at.
#[test]
fn the_sheet_says_what_is_wrong_and_what_to_do() {
    let facts: Facts = serde_json::from_str(include_str!("doctor/facts.json")).unwrap();
    let report = assess(facts, machine());
    assert_eq!(report.status, Level::Fail);
    let text = sheet(&report, false);
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run/doctor/sheet.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(golden, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(golden).unwrap());
    let coloured = sheet(&report, true);
    assert!(coloured.contains("\x1b[32mok  \x1b[0m") && coloured.contains("\x1b[31mFAIL\x1b[0m"));
}

#[test]
fn what_is_said_in_json_can_be_read_again() {
    let text = include_str!("doctor/facts.json");
    let facts: Facts = serde_json::from_str(text).unwrap();
    let written = serde_json::to_value(assess(facts, machine())).unwrap();
    let expected: Value = serde_json::from_str(text).unwrap();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(written[name], *value, "{name}");
    }
    assert_eq!(written["schema"], 1);
    let again: Facts = serde_json::from_value(written).unwrap();
    assert_eq!(again.mounts.len(), 3);
}

/// Runs it; gives its status and what it says as JSON.
fn doctor(command: &mut Command) -> (Option<i32>, Value) {
    let output = command.output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// The findings of this level.
fn findings(report: &Value, level: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let of_level = findings.filter(|finding| finding["level"] == level);
    of_level.map(|finding| finding["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_tree_that_is_well_has_nothing_to_mend() {
    let tree = Tree::new(&[("src/a", "one"), ("b.log", "x"), (".gitignore", "*.log\n")]);
    tree.write("node_modules/deep/er/index.js", "left out");
    let (code, report) = doctor(tree.stakeout().args(["doctor", "--json"]));
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["events"]["watched"], 2, "no watch on what is left out: {report:#}");
    assert_eq!(findings(&report, "fail"), [""; 0]);
    let mount = &report["mounts"][0];
    assert_eq!((mount["files"].as_u64(), mount["directories"].as_u64()), (Some(2), Some(2)));
    assert!(mount["stat_seconds"].is_f64(), "{mount}");
    assert_eq!(mount["inodes_last"], true);
    let text = tree.stakeout().args(["doctor"]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("an edit is seen") && !text.contains('\x1b'), "{text}");
}

#[test]
fn it_answers_for_the_options_the_variables_and_the_file() {
    let tree = Tree::new(&[("src/a.rs", "one"), ("src/b", "two"), ("other/c.rs", "three")]);
    tree.write("stakeout.toml", "[watch]\npaths = [\"src\"]\nmode = \"poll\"\n");
    let files = |report: &Value| report["mounts"][0]["files"].as_u64().unwrap();
    let (code, report) = doctor(tree.stakeout().args(["doctor", "--json"]));
    assert_eq!((code, files(&report)), (Some(0), 2), "{report:#}");
    assert_eq!(report["chosen"]["mode"], "poll");
    assert_eq!(report["chosen"]["configuration"], "stakeout.toml");
    // As it is typed to run it, with a word more.
    let words = ["doctor", "--json", "-e", "rs", "--interval", "3s", "--build", "make"];
    let command = ["--mode=auto", ".", "--", "./server", "--json"];
    let (_, report) = doctor(tree.stakeout().args(words).args(command));
    assert_eq!((files(&report), &report["chosen"]["mode"]), (2, &"auto".into()), "{report:#}");
    assert_eq!(report["chosen"]["interval_seconds"], 3.0);
    let with_variable = ["doctor", "--json", "-c", "/dev/null"];
    let mut command = tree.stakeout();
    let (_, report) = doctor(command.args(with_variable).env("STAKEOUT_WATCH", "src:other"));
    assert_eq!(report["roots"].as_array().unwrap().len(), 2, "{report:#}");
    for (words, expected) in [
        (&["doctor", "-w", "src", "other"][..], "cannot be used with"),
        (&["doctor", "--mode", "good"], "possible values: auto"),
        (&["doctor", "--no-watch", "--", "true"], "nothing is watched with --no-watch"),
        (&["doctor", "-c", "none.toml"], "cannot read the configuration file none.toml"),
    ] {
        let output = tree.stakeout().args(words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn what_would_be_missed_makes_its_status_1() {
    let tree = Tree::new(&[("a", "one"), ("closed/b", "two")]);
    let (code, report) = doctor(tree.stakeout().args(["doctor", "--json", "-w", "nothing"]));
    assert_eq!(code, Some(1));
    assert_eq!(findings(&report, "fail"), ["nothing cannot be watched: No such file or directory"]);
    fs::set_permissions(tree.path("closed"), Permissions::from_mode(0o000)).unwrap();
    let mut command = without_privileges(&tree);
    let (code, report) = doctor(command.args(["doctor", "--json"]));
    fs::set_permissions(tree.path("closed"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(findings(&report, "fail"), ["closed cannot be read: Permission denied"]);
}

/// stakeout without the right to read whatever it likes, which root has.
fn without_privileges(tree: &Tree) -> Command {
    let stakeout = tree.stakeout();
    if !rustix::process::geteuid().is_root() {
        return stakeout;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(stakeout.get_program());
    command.current_dir(tree.path(""));
    command
}

/// stakeout where so many directories may be watched, after what the script does; `$@` is it.
fn limited(tree: &Tree, watches: u32, script: &str, words: &[&str]) -> Command {
    let stakeout = tree.stakeout();
    let script = format!("echo {watches} > /proc/sys/user/max_inotify_watches && {script}");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--", "sh", "-c", &script, "sh"]);
    command.arg(stakeout.get_program()).args(words).current_dir(tree.path(""));
    command
}

/// Whether there are user namespaces, which have limits of their own.
fn can_be_limited(tree: &Tree) -> bool {
    let mut command = limited(tree, 2, "exec \"$@\"", &["doctor", "--json"]);
    let can_be = command.output().is_ok_and(|output| output.stderr.is_empty());
    if !can_be {
        skip("needs user namespaces");
    }
    can_be
}

#[test]
fn a_limit_on_watches_is_met_before_it_hurts() {
    let tree = Tree::new(&[("a", "one"), ("x/f", "one"), ("y/f", "one")]);
    if !can_be_limited(&tree) {
        return;
    }
    for (mode, level, code) in [("auto", "warn", 0), ("native", "fail", 1)] {
        let words = ["doctor", "--json", "--mode", mode];
        let (status, report) = doctor(&mut limited(&tree, 2, "exec \"$@\"", &words));
        assert_eq!(status, Some(code), "{report:#}");
        let found = findings(&report, level);
        assert!(found.iter().any(|it| it.starts_with("2 of 3 directories")), "{found:?}");
    }
}

/// Runs a stakeout until all of a tree is watched, and then what is typed, elsewhere.
const SCRIPT: &str = r#"
"$1" --control off -- sleep 1000 2>/dev/null &
until [ "$(cat /proc/$!/fdinfo/* 2>&1 | grep -c 'inotify wd')" = 3 ]; do
    kill -0 $! || exit
done
cd "$directory" && "$@"
status=$?
kill $!
wait
exit $status"#;

#[test]
fn what_a_stakeout_watches_that_runs_here_is_not_counted_against_it() {
    let tree = Tree::new(&[("a", "one"), ("x/f", "one"), ("y/f", "one")]);
    if !can_be_limited(&tree) {
        return;
    }
    let script = |directory: &Path| format!("directory={}{SCRIPT}", directory.display());
    let words = ["doctor", "--json", "--mode", "native"];
    let (status, report) = doctor(&mut limited(&tree, 4, &script(&tree.path("")), &words));
    assert_eq!(status, Some(0), "{report:#}");
    let found = findings(&report, "ok");
    let expected = "3 of 3 directories can be watched by inotify; the stakeout that runs here has 3 \
                    watches, others of this user have ";
    assert!(found.iter().any(|it| it.starts_with(expected)), "{found:?}");
    // It counts where another one is meant.
    let elsewhere = Tree::new(&[("x/f", "one"), ("y/f", "one")]);
    let (status, report) = doctor(&mut limited(&tree, 4, &script(&elsewhere.path("")), &words));
    assert_eq!(status, Some(1), "{report:#}");
}

#[test]
fn a_root_that_holds_everything_is_warned_of() {
    let tree = Tree::new(&[("a", "one")]);
    let mut command = tree.stakeout();
    command.env("HOME", tree.path("")).args(["doctor", "--json"]);
    let (code, report) = doctor(&mut command);
    assert_eq!(code, Some(0));
    let warned = findings(&report, "warn");
    assert!(warned[0].starts_with(". is a home directory"), "{warned:?}");
    // The whole file system, of which nothing counts.
    let mut command = tree.stakeout();
    command.args(["-w", "/", "-i", "/*", "--", "true"]);
    let mut session = Session::start(command);
    session.wait_for("stakeout: / is the whole file system");
    session.wait_for("watching / (0 files)");
    session.terminate();
    let mut command = tree.stakeout();
    command.env("HOME", tree.path("")).args(["--", "true"]);
    let mut session = Session::start(command);
    session.wait_for("stakeout: . is a home directory, with caches");
    session.terminate();
}

#[test]
fn a_trial_is_told_of_and_leaves_nothing_behind() {
    let tree = Tree::new(&[("a", "one")]);
    let (code, report) = doctor(tree.stakeout().args(["doctor", "--json", "--scratch"]));
    assert_eq!(code, Some(0), "{report:#}");
    let tried = &report["mounts"][0]["tried"]["written"];
    assert_eq!(tried["directory_times_change"], true, "{report:#}");
    let names: Vec<_> = fs::read_dir(tree.path("")).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// A pipe that nobody writes into stands for a file on a mount that is dead.
#[test]
fn a_configuration_that_does_not_answer_is_given_up() {
    let tree = Tree::new(&[("a", "one")]);
    let pipe = tree.path("pipe.toml");
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let output = tree.stakeout().args(["doctor", "-c", "pipe.toml"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the configuration file, does not answer"), "{said}");
}
