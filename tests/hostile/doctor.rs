//! `stakeout doctor` on a share that lies, and on one that does not answer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::session::{Session, Tree};
use super::share::{Faults, Op, Share};

fn doctor(options: &[&str], roots: &[&Path]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    command.args(["doctor", "--json"]).args(options);
    for root in roots {
        command.arg("-w").arg(root);
    }
    let output = command.output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

fn has(report: &Value, level: &str, text: &str) -> bool {
    let mut findings = report["findings"].as_array().unwrap().iter();
    findings.any(|it| it["level"] == level && it["text"].as_str().unwrap().contains(text))
}

#[test]
fn a_share_is_well_unless_events_are_insisted_upon() {
    let Some(share) = Share::mount() else { return };
    (0..12).for_each(|n| share.write(&format!("src/{n}"), "x"));
    let (code, report) = doctor(&[], &[share.path()]);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(has(&report, "ok", "is on a share"), "{report:#}");
    let mount = &report["mounts"][0];
    assert!(mount["type"].as_str().unwrap().starts_with("fuse"), "{mount}");
    assert_eq!((&mount["local"], &mount["files"]), (&false.into(), &12.into()));
    assert_eq!(mount["directory_times"], "not_relied_upon");
    let (code, report) = doctor(&["--mode", "native"], &[share.path()]);
    assert_eq!(code, Some(1), "{report:#}");
    assert!(has(&report, "fail", "with --mode native they are found after up to 10s"));
}

#[test]
fn what_a_share_lies_about_is_measured() {
    let Some(share) = Share::mount() else { return };
    (0..12).for_each(|n| share.write(&format!("{n}"), "x"));
    share.set(Faults { unstable_inodes: true, ..Faults::default() });
    let (_, report) = doctor(&[], &[share.path()]);
    assert_eq!(report["mounts"][0]["inodes_last"], false, "{report:#}");
    share.set(Faults { latency: Duration::from_millis(20), ..Faults::default() });
    let (_, report) = doctor(&[], &[share.path()]);
    let stat = report["mounts"][0]["stat_uncached_seconds"].as_f64();
    assert!(stat.is_some_and(|stat| stat >= 0.02), "{report:#}");
    assert_eq!(report["mounts"][0]["inodes_last"], true, "{report:#}");
}

#[test]
fn a_directory_of_a_share_that_cannot_be_read_is_named() {
    let Some(share) = Share::mount() else { return };
    share.write("good/a", "one");
    share.write("bad/b", "two");
    let (ops, only) = (vec![Op::Opendir], Some(PathBuf::from("bad")));
    share.set(Faults { errors: Some((ops, libc::EIO)), only, ..Faults::default() });
    let (code, report) = doctor(&[], &[share.path()]);
    assert_eq!(code, Some(1));
    assert!(has(&report, "fail", "/bad cannot be read: Input/output error"), "{report:#}");
}

#[test]
fn a_share_that_does_not_answer_is_named_and_the_rest_is_measured() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("b"), "two").unwrap();
    share.set(Faults { hangs: true, ..Faults::default() });
    // That it ends at all, with the share as it is, is what counts most here.
    let (code, report) = doctor(&[], &[share.path(), other.path()]);
    share.set(Faults::default());
    assert_eq!(code, Some(1), "{report:#}");
    assert!(has(&report, "fail", "does not answer"), "{report:#}");
    let states: Vec<&Value> = report["roots"].as_array().unwrap().iter().collect();
    assert_eq!((&states[0]["state"], &states[1]["state"]), (&"silent".into(), &"answers".into()));
    assert_eq!(report["mounts"][0]["files"], 1);
}

#[test]
fn how_far_it_has_come_is_shown_on_a_terminal() {
    let Some(share) = Share::mount() else { return };
    share.write("a", "one");
    // The first look asks more often than once, and takes longer than a second for it.
    share.set(Faults { latency: Duration::from_millis(400), ..Faults::default() });
    let elsewhere = Tree::new(&[]);
    let mut command = elsewhere.stakeout();
    command.env("TERM", "xterm").args(["doctor", "--color", "never", "-w"]).arg(share.path());
    let (mut session, _keyboard) = Session::at_terminal(&command);
    let line = session.wait_for("an edit is seen");
    assert!(line.contains("\r\x1b[?7lstakeout: looking at the tree: "), "{line:?}");
    assert!(line.contains("lstakeout: looking again, to measure: 1 file ("), "{line:?}");
    assert!(line.rsplit("\r\x1b[J").next().unwrap().starts_with("on "), "{line:?}");
    assert!(session.wait().success());
}
