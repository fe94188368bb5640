//! What `stakeout scan --list` names is what git would add: `git ls-files -co --exclude-standard`.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::skip::skip;
use proptest::prelude::*;
use stakeout::scan::{Plan, Root, Scanner, Selection};

type Paths = BTreeSet<OsString>;

/// Git as it is without what a user or a machine has configured; `None` where it is missing,
/// which is a failure where all tests have to run.
fn git(at: &Path, words: &[&str]) -> Option<Output> {
    let output = Command::new("git")
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", at)
        .env("XDG_CONFIG_HOME", at)
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.quotePath=false"])
        .args(words)
        .output();
    match output {
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "git {words:?}: {error}");
            Some(output)
        }
        Err(error) => {
            skip(&format!("needs git: {error}"));
            None
        }
    }
}

fn paths(output: &Output) -> Paths {
    let paths = output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| OsString::from_vec(path.to_vec())).collect()
}

/// What git would add, nested repositories (which it names with a slash) left out.
fn by_git(at: &Path) -> Paths {
    let words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let mut all = paths(&git(at, &words).unwrap());
    all.retain(|path| !path.as_bytes().ends_with(b"/"));
    all
}

fn by_stakeout(at: &Path) -> Paths {
    let stakeout = Command::new(env!("CARGO_BIN_EXE_stakeout"))
        .current_dir(at)
        .args(["scan", "--list", "--null"])
        .output()
        .unwrap();
    assert!(stakeout.status.success(), "{}", String::from_utf8_lossy(&stakeout.stderr));
    paths(&stakeout)
}

fn write(path: &Path, text: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn patterns_of_every_kind_mean_what_they_mean_to_git() {
    let tree = tempfile::tempdir().unwrap();
    let at = tree.path();
    if git(at, &["init", "-q"]).is_none() {
        return;
    }
    write(
        &at.join(".gitignore"),
        b"*.log\n!keep.log\n/anchored\nsub/only\n**/deep/*.x\nx/**/y\nend/**\n\\#hash\n\\!bang\n\
          spaces   \nkept\\ \ntab\t\n*.{js,ts}\n[[:upper:]]*\n[z-a]\nfoo[/]bar\na**b\nno/dir/\nCase\n\
          crlf\r\n!\n/\n//\nbad[\ndir/\n!dir/in\n",
    );
    write(&at.join("sub/.gitignore"), b"!*.log\nlocal\n/here\n");
    write(&at.join("sub/deeper/.gitignore"), b"*\n!.gitignore\n!x/\n");
    write(&at.join(".git/info/exclude"), b"excluded\n!sub/deeper/x/back\n");
    symlink(".gitignore", at.join("link")).unwrap();
    for path in [
        "a.log",
        "keep.log",
        "anchored",
        "q/anchored",
        "sub/only",
        "q/sub/only",
        "deep/a.x",
        "q/deep/a.x",
        "q/deep/r/a.x",
        "x/y",
        "x/1/y",
        "x/1/2/y",
        "end/1",
        "end/2/3",
        "end",
        "#hash",
        "!bang",
        "spaces",
        "kept ",
        "kept",
        "tab",
        "tab\t",
        "a.js",
        "a.{js,ts}",
        "Upper",
        "lower",
        "a",
        "z",
        "foo/bar",
        "ab",
        "axb",
        "a/xb",
        "no/dir/1",
        "q/no/dir/1",
        "case",
        "Case",
        "crlf",
        "bad[",
        "dir/in",
        "q/dir/in",
        "sub/a.log",
        "sub/local",
        "sub/q/local",
        "sub/here",
        "sub/q/here",
        "sub/deeper/1",
        "sub/deeper/x/1",
        "sub/deeper/x/back",
        "excluded",
        "q/excluded",
        "new\nline",
        "ümlaut",
        "-dash",
    ] {
        let path = at.join(path);
        // Some are files here and directories there.
        if fs::create_dir_all(path.parent().unwrap()).is_ok() {
            _ = fs::write(path, "");
        }
    }
    write(&at.join(OsStr::from_bytes(b"bytes\xff")), b"");
    assert_eq!(by_stakeout(at), by_git(at));
}

#[test]
fn a_nested_repository_has_its_own_rules_and_is_looked_into() {
    let tree = tempfile::tempdir().unwrap();
    let (at, nested) = (tree.path(), tree.path().join("nested"));
    if git(at, &["init", "-q"]).is_none() {
        return;
    }
    write(&at.join(".gitignore"), b"*.log\n");
    write(&nested.join(".gitignore"), b"*.tmp\n");
    ["a.log", "a.tmp", "b"].iter().for_each(|name| write(&nested.join(name), b""));
    write(&at.join("top"), b"");
    git(&nested, &["init", "-q"]).unwrap();
    assert_eq!(by_stakeout(&nested), by_git(&nested));
    let within = by_git(&nested).into_iter().map(|path| Path::new("nested").join(path).into());
    let all: Paths = by_git(at).into_iter().chain(within).collect();
    assert_eq!(by_stakeout(at), all);
}

#[test]
fn a_worktree_has_the_excludes_of_its_repository() {
    let tree = tempfile::tempdir().unwrap();
    let (at, other) = (tree.path().join("main"), tree.path().join("other"));
    fs::create_dir(&at).unwrap();
    if git(&at, &["init", "-q"]).is_none() {
        return;
    }
    write(&at.join("a"), b"");
    git(&at, &["add", "a"]).unwrap();
    git(&at, &["commit", "-q", "-m", "a"]).unwrap();
    git(&at, &["worktree", "add", "-q", "../other"]).unwrap();
    write(&at.join(".git/info/exclude"), b"secret\n");
    write(&other.join("secret"), b"");
    write(&other.join("b"), b"");
    assert_eq!(by_stakeout(&other), by_git(&other));
    assert!(!by_stakeout(&other).contains(OsStr::new("secret")));
}

#[test]
fn a_worktree_has_its_own_ignore_files_and_not_those_of_where_it_comes_from() {
    let tree = tempfile::tempdir().unwrap();
    let (at, other) = (tree.path().join("main"), tree.path().join("main/trees/other"));
    fs::create_dir(&at).unwrap();
    if git(&at, &["init", "-q"]).is_none() {
        return;
    }
    write(&at.join(".gitignore"), b"*.log\n");
    write(&at.join("sub/.gitignore"), b"local\n");
    git(&at, &["add", "-A"]).unwrap();
    git(&at, &["commit", "-q", "-m", "a"]).unwrap();
    git(&at, &["worktree", "add", "-q", "trees/other"]).unwrap();
    // What lies above the worktree is not for it, even if it is the repository's own.
    write(&at.join(".gitignore"), b"*.tmp\n");
    for name in ["a.log", "a.tmp", "sub/local", "sub/b", "trees/a"] {
        write(&at.join(name), b"");
        write(&other.join(name), b"");
    }
    assert_eq!(by_stakeout(&other), by_git(&other));
    let wanted = [".gitignore", "a.tmp", "sub/.gitignore", "sub/b", "trees/a"].map(OsString::from);
    assert_eq!(by_stakeout(&other), Paths::from(wanted));
    let within = by_git(&other).into_iter().map(|path| Path::new("trees/other").join(path).into());
    let all: Paths = by_git(&at).into_iter().chain(within).collect();
    assert_eq!(by_stakeout(&at), all);
}

/// On purpose, as docs/behaviour.md says: to git a file that it tracks is never ignored.
#[test]
fn a_tracked_file_that_is_ignored_is_left_out_unlike_with_git() {
    let tree = tempfile::tempdir().unwrap();
    let at = tree.path();
    if git(at, &["init", "-q"]).is_none() {
        return;
    }
    ["a.log", "b"].iter().for_each(|name| write(&at.join(name), b""));
    git(at, &["add", "-A"]).unwrap();
    write(&at.join(".gitignore"), b"*.log\n");
    let tracked = OsString::from("a.log");
    assert!(by_git(at).contains(&tracked));
    let mut wanted = by_git(at);
    wanted.remove(&tracked);
    assert_eq!(by_stakeout(at), wanted);
    // It can be taken back in.
    write(&at.join(".gitignore"), b"*.log\n!a.log\n");
    assert_eq!(by_stakeout(at), by_git(at));
}

#[test]
fn excludes_that_are_edited_hold_from_then_on() {
    let tree = tempfile::tempdir().unwrap();
    let at = tree.path();
    if git(at, &["init", "-q"]).is_none() {
        return;
    }
    write(&at.join(".git/info/exclude"), b"secret\n");
    for name in ["a", "secret", "sub/secret", "sub/log"] {
        write(&at.join(name), b"");
    }
    let plan = Plan::new(vec![Root::new(at)], Selection::new(&[], &[]).unwrap(), &[], true);
    let mut scanner = Scanner::new(plan.unwrap()).unwrap();
    let mut look = || -> (Paths, Vec<PathBuf>) {
        let look = scanner.look();
        assert_eq!(look.troubles, []);
        let below = |path: PathBuf| path.strip_prefix(at).unwrap().to_path_buf();
        let seen = look.snapshot.entries().map(|(path, _)| below(path).into_os_string());
        (seen.collect(), look.hidden.iter().map(|place| below(place.path())).collect())
    };
    assert_eq!(look(), (by_git(at), vec![]));
    for (lines, hidden) in [
        (&b"log\n"[..], &["sub/log"][..]),
        (b"/secret\nsub/\n", &["secret", "sub/secret"]),
        (b"", &[]),
    ] {
        write(&at.join(".git/info/exclude"), lines);
        let hidden: Vec<PathBuf> = hidden.iter().map(PathBuf::from).collect();
        assert_eq!(look(), (by_git(at), hidden), "{}", String::from_utf8_lossy(lines));
    }
    fs::remove_file(at.join(".git/info/exclude")).unwrap();
    write(&at.join("new"), b"");
    assert_eq!(look(), (by_git(at), vec![]));
}

/// Pieces that patterns and names are put together from: few, so that they meet.
fn pieces(from: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(from), 1..most).prop_map(|parts| parts.concat())
}

fn any_lines() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "a",
        "b",
        "c",
        "*",
        "**",
        "/",
        "/",
        "**/",
        "/**",
        "?",
        "[ab]",
        "[!a]",
        "[a-c]",
        "[^b]*",
        "[[:lower:]]",
        "[]",
        "[a",
        "\\a",
        "\\*",
        "\\",
        " ",
        "\\ ",
        "!",
        "#",
        "{a,b}",
        "\t",
        "-]",
        "[b-",
        "***",
        "*a",
        "[/]",
        "[:]",
        "[[:",
        "\r",
    ];
    prop::collection::vec(pieces(PARTS, 7), 1..6).prop_map(|lines| lines.join("\n"))
}

fn any_path() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &["a", "b", "c", "ab", "*", " ", "{a,b}", "A", "\\", "[a"];
    let name = || pieces(PARTS, 3);
    prop::collection::vec(name(), 1..5).prop_map(|names| names.join("/"))
}

/// How many trees: more by hand, with PROPTEST_CASES.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(64), failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_patterns_mean_what_they_mean_to_git(
        ignores in prop::collection::vec((prop_oneof![Just(""), Just("a/"), Just("a/b/")], any_lines()), 1..4),
        files in prop::collection::vec(any_path(), 1..24),
    ) {
        let tree = tempfile::tempdir().unwrap();
        let at = tree.path();
        if git(at, &["init", "-q"]).is_some() {
            for (directory, lines) in &ignores {
                write(&at.join(directory).join(".gitignore"), lines.as_bytes());
            }
            for path in &files {
                let path = at.join(path);
                if fs::create_dir_all(path.parent().unwrap()).is_ok() {
                    _ = fs::write(path, "");
                }
            }
            prop_assert_eq!(by_stakeout(at), by_git(at));
        }
    }
}
