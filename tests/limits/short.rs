//! Descriptors that run short.

use std::fs::{self, File};

use super::limited;
use super::support::Watched;

#[test]
fn descriptors_that_run_short_hide_no_change() {
    let _alone = limited();
    let paths: Vec<String> = (0..600).map(|n| format!("{}/{}/{n}/a", n % 5, n % 25)).collect();
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, "one")).collect();
    let mut tree = Watched::new(&files);
    tree.replace_scanner();
    assert_eq!(tree.scanner.look().troubles, [], "one look opens hundreds at a time");
    tree.renew(false);
    let held = fs::read_dir("/proc/self/fd").unwrap().count();
    assert!((200..300).contains(&held), "{held} are open, of which half may be");
    tree.write(&paths[599], "two");
    fs::rename(tree.path("3/3"), tree.path("3/4")).unwrap();
    let changes = tree.changes();
    assert!(changes.contains(&format!("modified {}", paths[599])), "{changes:?}");
    assert_eq!(changes.len(), 1 + 24, "{changes:?}");

    // Somebody else in this process needs all that are left, and gets what is held.
    let mut others: Vec<File> = Vec::new();
    others.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
    let names = ["0/0/0/b", "1/1/1/b", "4/24/24/b", "4/24/599/b"];
    // Writing takes one for a moment.
    others.pop();
    names.iter().for_each(|name| tree.write(name, "new"));
    others.extend(File::open("/dev/null"));
    let changes = tree.changes();
    assert_eq!(changes, names.map(|name| format!("created {name}")));
    assert!(File::open("/dev/null").is_ok(), "there are some again");
}
