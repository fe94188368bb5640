//! Names of any bytes and lengths.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use stakeout::tree::{Change, diff};

use super::support::Watched;

#[test]
fn names_of_any_bytes_and_lengths_are_names() {
    let mut tree = Watched::new(&[]);
    // Some differ only in what is no text.
    let some: [&[u8]; 8] = [
        b"new\nline\xff\x1b[31m",
        b"new\nline\xfe\x1b[31m",
        b" ",
        b"-rf",
        b"...",
        b"~",
        b"\\",
        b"*",
    ];
    let mut names: Vec<OsString> = some.map(|name| OsString::from_vec(name.to_vec())).into();
    let all_bytes = (1..=u8::MAX).filter(|byte| *byte != b'/').collect();
    names.extend([OsString::from_vec(all_bytes), "x".repeat(255).into()]);
    names.sort();
    let root = tree.path("");
    let mut paths: Vec<PathBuf> = names.iter().map(|name| root.join(name)).collect();
    paths.extend(names.iter().map(|name| root.join("in").join(name).join(name)));
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "1").unwrap();
    }
    let mut before = tree.settle().snapshot;
    let seen: Vec<PathBuf> = before.entries().map(|(path, _)| path).collect();
    assert_eq!(seen, paths);
    for path in &paths {
        fs::write(path, "2").unwrap();
        let look = tree.scanner.look();
        match &diff(&before, &look.snapshot)[..] {
            [Change::Modified { place, .. }] => assert_eq!(place.path(), *path),
            changes => panic!("{path:?}: {changes:?}"),
        }
        before = look.snapshot;
    }
    for path in &paths {
        fs::remove_file(path).unwrap();
        let look = tree.scanner.look();
        match &diff(&before, &look.snapshot)[..] {
            [Change::Removed { place }] => assert_eq!(place.path(), *path),
            changes => panic!("{path:?}: {changes:?}"),
        }
        before = look.snapshot;
    }
    assert!(before.is_empty());
}

#[test]
fn paths_longer_than_one_system_call_takes_are_watched() {
    use rustix::fs::{CWD, Mode, OFlags};
    let mut tree = Watched::new(&[]);
    let name = "d".repeat(250);
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let mut at = rustix::fs::openat(CWD, tree.path(""), flags, Mode::empty()).unwrap();
    for _ in 0..40 {
        rustix::fs::mkdirat(&at, &name, Mode::from_raw_mode(0o755)).unwrap();
        at = rustix::fs::openat(&at, &name, flags, Mode::empty()).unwrap();
    }
    let create = OFlags::CREATE | OFlags::WRONLY;
    let mode = Mode::from_raw_mode(0o644);
    drop(rustix::fs::openat(&at, "file", create, mode).unwrap());
    let changes = tree.changes();
    assert_eq!(changes.len(), 1);
    assert!(changes[0].len() > 10_000, "{} bytes", changes[0].len());
    let file = rustix::fs::openat(&at, "file", OFlags::WRONLY, mode).unwrap();
    rustix::io::write(&file, b"edited").unwrap();
    assert!(tree.changes()[0].starts_with("modified "));
}
