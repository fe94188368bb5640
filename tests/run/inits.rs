//! tini and dumb-init beside stakeout as PID 1: what each of them makes of the same program. The
//! table in docs/init.md says where stakeout differs, and why.

use std::process::Command;

use super::pid1::in_namespace;
use super::skip::skip;
use super::support::Tree;

const STAKEOUT: &[&str] = &[env!("CARGO_BIN_EXE_stakeout"), "--no-watch", "-q", "--"];

/// A program as a shell script, the status with which it ends all, and what is said meanwhile.
const ALIKE: [(&str, i32, &str); 9] = [
    ("exit 7", 7, ""),
    ("kill -KILL $$", 137, ""),
    ("kill -TERM 1; exec sleep 1000", 143, ""),
    ("trap 'echo heard; exit 5' TERM; kill -TERM 1; while :; do sleep 0.01; done", 5, "heard"),
    ("trap 'echo heard; exit 5' INT; kill -INT 1; while :; do sleep 0.01; done", 5, "heard"),
    ("trap 'echo heard; exit 6' HUP; kill -HUP 1; while :; do sleep 0.01; done", 6, "heard"),
    ("trap 'echo heard; exit 6' USR1; kill -USR1 1; while :; do sleep 0.01; done", 6, "heard"),
    // All of the group gets it.
    (
        "sh -c \"trap 'echo heard; exit' USR1; : > up; while :; do sleep 0.01; done\" & child=$!; \
         until [ -e up ]; do sleep 0.01; done; rm up; trap 'wait $child; exit 3' USR1; \
         kill -USR1 1; while :; do sleep 0.01; done",
        3,
        "heard",
    ),
    // Orphans are reaped.
    (
        "for n in 1 2 3; do (sleep 0 & :); done; \
         while grep -qs '^State:.Z' /proc/[0-9]*/status; do sleep 0.01; done; echo reaped",
        0,
        "reaped",
    ),
];

/// The status, and all that was said, of an init that runs these words; none if it is not here.
fn run(tree: &Tree, init: &[&str], words: &[&str]) -> Option<(Option<i32>, String)> {
    let mut outer = in_namespace()?;
    // A shell has what runs in its background ignore SIGINT; tini and what it starts would as well.
    outer.args(["env", "--default-signal=INT,QUIT"]);
    outer.args(init).args(words).current_dir(tree.path(""));
    let output = outer.output().expect("unshare(1)");
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

fn is_there(init: &str) -> bool {
    let is_there = Command::new(init).arg("--version").output().is_ok();
    if !is_there {
        skip(&format!("needs {init}"));
    }
    is_there
}

#[test]
fn programs_fare_as_under_tini_and_dumb_init() {
    let inits = [STAKEOUT, &["tini", "-g", "--"], &["dumb-init", "--"]];
    for init in inits.into_iter().filter(|init| init == &STAKEOUT || is_there(init[0])) {
        for (script, status, says) in ALIKE {
            let tree = Tree::new(&[]);
            let Some((code, said)) = run(&tree, init, &["sh", "-c", script]) else { return };
            assert_eq!(code, Some(status), "{init:?} {script}: {said}");
            assert!(said.contains(says), "{init:?} {script}: {said}");
        }
    }
}

#[test]
fn what_cannot_be_run_ends_as_under_tini() {
    let tree = Tree::new(&[("plain", "text")]);
    for (name, status) in [("./nope", 127), ("./plain", 126)] {
        for init in [STAKEOUT, &["tini", "--"]] {
            if init != STAKEOUT && !is_there(init[0]) {
                continue;
            }
            let Some((code, said)) = run(&tree, init, &[name]) else { return };
            assert_eq!(code, Some(status), "{init:?} {name}: {said}");
        }
        // Which has a status of its own for that.
        if is_there("dumb-init") {
            let Some((code, _)) = run(&tree, &["dumb-init", "--"], &[name]) else { return };
            assert_eq!(code, Some(2));
        }
    }
}

#[test]
fn only_stakeout_lets_a_daemon_end_in_order() {
    let script = "(setsid sh -c \"trap 'echo farewell; exit' TERM; : > up; \
                  while :; do sleep 0.01; done\" &); until [ -e up ]; do sleep 0.01; done; exit 4";
    for (init, waits) in [(STAKEOUT, true), (&["tini", "-g", "--"], false)] {
        if init != STAKEOUT && !is_there(init[0]) {
            continue;
        }
        let tree = Tree::new(&[]);
        let Some((code, said)) = run(&tree, init, &["sh", "-c", script]) else { return };
        assert_eq!((code, said.contains("farewell")), (Some(4), waits), "{init:?}: {said}");
    }
}
