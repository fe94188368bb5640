//! A limit on open files. In a process of its own, since the limit is the whole process's: tests that
//! ran beside this one would hit it.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::Watched;

#[allow(dead_code, reason = "the scan tests use the rest")]
#[path = "scan/support.rs"]
mod support;

#[test]
fn directories_are_watched_when_no_more_may_be_held_open() {
    let limit = Rlimit { current: Some(400), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
    let paths: Vec<String> = (0..600).map(|n| format!("{}/{}/{n}/a", n % 5, n % 25)).collect();
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, "one")).collect();
    let mut tree = Watched::new(&files);
    let held = fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(held < 300, "{held} are open, of which half may be");
    tree.write(&paths[599], "two");
    fs::rename(tree.path("3/3"), tree.path("3/4")).unwrap();
    let changes = tree.changes();
    assert!(changes.contains(&format!("modified {}", paths[599])), "{changes:?}");
    assert_eq!(changes.len(), 1 + 24, "{changes:?}");
}
