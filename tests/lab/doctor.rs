//! `stakeout doctor` says what a share is like.

use std::thread;

use serde_json::Value;

use super::share::Share;

#[test]
fn the_doctor_expects_no_events_and_measures_how_slow_and_coarse_a_share_is() {
    // The seconds that a request takes at least, and those by which a file's times step.
    let shares = [("docker-desktop", 0.0005, 0.0), ("slow", 0.003, 0.0), ("sshfs", 0.001, 0.8)];
    thread::scope(|scope| {
        for (preset, latency, step) in shares {
            let files = [("a", "one"), ("src/b", "one")];
            let Some(share) = Share::up(&[&format!("preset={preset}")], &files) else { return };
            scope.spawn(move || examine(&share, latency, step));
        }
    });
}

fn examine(share: &Share, latency: f64, step: f64) {
    let output = share.stakeout(&["doctor", "--json", "--scratch"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut missing = vec![
        "(fuse.labshare) is on a share: edits made on the other side make no events",
        "nothing that is watched is local, so none can be expected",
    ];
    for finding in report["findings"].as_array().unwrap() {
        missing.retain(|text| !finding["text"].as_str().unwrap().contains(text));
    }
    assert_eq!(missing, [""; 0], "{report:#}");
    let mount = &report["mounts"][0];
    let took = mount["stat_uncached_seconds"].as_f64();
    assert!(took.is_some_and(|took| took >= latency), "{report:#}");
    let stepped = mount["tried"]["written"]["time_step_seconds"].as_f64();
    assert!(stepped.is_some_and(|stepped| stepped >= step), "{report:#}");
}
