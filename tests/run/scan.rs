//! `stakeout scan`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::support::Tree;

struct Ran {
    status: Option<i32>,
    out: Vec<u8>,
    err: String,
}

fn scan(tree: &Tree, words: &[&str]) -> Ran {
    let output = tree.stakeout().arg("scan").args(words).output().expect("stakeout to run");
    Ran {
        status: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn summary(tree: &Tree, words: &[&str]) -> serde_json::Value {
    let ran = scan(tree, &[&["--json"], words].concat());
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    serde_json::from_slice(&ran.out).expect("JSON")
}

fn sample(order: &[usize]) -> Tree {
    let files = [("a", "one"), ("dir/b", "two"), ("dir/deep/c", ""), ("tool", "#!/bin/sh\n")];
    let tree = Tree::new(&[]);
    for &index in order {
        tree.write(files[index].0, files[index].1);
    }
    fs::set_permissions(tree.path("tool"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("a", tree.path("link")).unwrap();
    tree
}

#[test]
fn a_tree_with_its_links_followed_is_as_a_copy_of_what_they_lead_to() {
    let (tree, outside) = (sample(&[0, 1, 2, 3]), Tree::new(&[("far/deep/x", "x")]));
    symlink(outside.path("far"), tree.path("far")).unwrap();
    symlink("../far/deep/x", tree.path("dir/x")).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let mut cp = std::process::Command::new("cp");
    cp.arg("-rL").arg(tree.path(".")).arg(copy.path());
    assert!(cp.status().unwrap().success());
    let copied = summary(&tree, &[copy.path().to_str().unwrap()]);
    let followed = summary(&tree, &["--follow-symlinks"]);
    assert_eq!((&followed["digest"], &followed["links"]), (&copied["digest"], &0.into()));
    assert_ne!(summary(&tree, &[])["digest"], copied["digest"]);
    assert_eq!(scan(&tree, &["--follow-symlinks", "--verify"]).status, Some(0));
    assert_eq!(scan(&tree, &["--follow-symlinks", "--save", "saved"]).status, Some(0));
    outside.write("far/deep/x", "y");
    let output = tree.stakeout().args(["diff", "saved"]).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines, "modified dir/x\nmodified far/deep/x\n");
}

#[test]
fn the_digest_is_the_same_wherever_the_content_is() {
    let (one, other) = (sample(&[0, 1, 2, 3]), sample(&[3, 2, 1, 0]));
    let digest = |tree: &Tree, path: &str| summary(tree, &[path])["digest"].clone();
    let first = digest(&one, ".");
    assert_eq!(first, digest(&other, other.path("").to_str().unwrap()));
    // The documented format, so that it stays the same between versions, too.
    assert_eq!(first, "876b4c63038e1f02d67518d5519b592ad4e24681ab0607d65c4be161829450e8");
    fs::set_permissions(other.path("tool"), PermissionsExt::from_mode(0o644)).unwrap();
    assert_ne!(first, digest(&other, "."));
}

#[test]
fn the_summary_counts() {
    let tree = sample(&[0, 1, 2, 3]);
    let found = summary(&tree, &["--verify"]);
    assert_eq!((&found["files"], &found["links"]), (&4.into(), &1.into()));
    assert_eq!((&found["bytes"], &found["unreadable"]), (&16.into(), &0.into()));
    let text = String::from_utf8(scan(&tree, &[]).out).unwrap();
    assert!(text.contains("files   4 and 1 link\nbytes   16 (16 B)\n"), "{text}");
}

#[test]
fn the_list_is_sorted_by_bytes_and_takes_any_name() {
    let tree = Tree::new(&[("a/b", ""), ("a-c", ""), ("new\nline", ""), (".hidden", "")]);
    let listed = scan(&tree, &["--list", "-0"]).out;
    assert_eq!(String::from_utf8(listed).unwrap(), ".hidden\0a-c\0a/b\0new\nline\0");
    let listed = scan(&tree, &["--list", "--json"]).out;
    let lines: Vec<serde_json::Value> =
        listed.split(|b| *b == b'\n').flat_map(serde_json::from_slice).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3]["path"], "new\nline");
}

#[test]
fn choosing_files_works_as_in_watching() {
    let tree = Tree::new(&[("a.rs", ""), ("b.py", ""), ("gen/c.rs", ""), (".gitignore", "gen/")]);
    let list = |words: &[&str]| {
        String::from_utf8(scan(&tree, &[&["-l"], words].concat()).out).unwrap().replace('\n', " ")
    };
    assert_eq!(list(&[]), ".gitignore a.rs b.py ");
    assert_eq!(list(&["-e", "rs"]), "a.rs ");
    assert_eq!(list(&["-e", "rs", "--no-ignore"]), "a.rs gen/c.rs ");
    assert_eq!(list(&["-i", "*.rs"]), ".gitignore b.py ");
    assert_eq!(list(&["b.py"]), "b.py ");
}

#[test]
fn the_environment_of_a_container_does_not_change_the_digest() {
    let tree = sample(&[0, 1, 2, 3]);
    let mut command = tree.stakeout();
    let output = command.args(["scan", "--json"]).env("STAKEOUT_EXTS", "py").output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["digest"], summary(&tree, &[])["digest"]);
}

#[test]
fn what_lies_above_does_not_change_the_digest() {
    let (alone, inside) = (sample(&[0, 1, 2, 3]), Tree::new(&[(".git/HEAD", "")]));
    inside.write(".gitignore", "b\n");
    for file in ["dir/b", "dir/deep/c"] {
        inside.write(file, &fs::read_to_string(alone.path(file)).unwrap());
    }
    assert_eq!(summary(&inside, &["dir"])["digest"], summary(&alone, &["dir"])["digest"]);
}

#[test]
fn a_verified_scan_may_write_into_the_tree_that_it_scans() {
    let tree = sample(&[0, 1, 2, 3]);
    let out = fs::File::create(tree.path("out")).unwrap();
    let mut command = tree.stakeout();
    let output = command.args(["scan", "--verify"]).stdout(out).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let tree = Tree::new(&[]);
    for n in 0..5000 {
        tree.write(&format!("some-rather-long-name-{n}"), "");
    }
    let mut command = tree.stakeout();
    let mut child =
        command.args(["scan", "--list"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
