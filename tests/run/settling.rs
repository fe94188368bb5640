//! However a program writes a file, whatever it makes and removes beside it: one save is one change
//! set and one restart, and what is started never sees half of it. With the program itself where
//! it is installed, and otherwise with the calls that it is known to make.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{Session, Tree};

/// A way to save a file, given as its path and new content.
type Save = fn(&Path, &str);

const SAVES: [(&str, Save); 18] = [
    ("vim", |path, text| vim(path, text, "set backupcopy=auto")),
    ("vim, by renaming", |path, text| vim(path, text, "set backupcopy=no")),
    ("vim, in place", |path, text| vim(path, text, "set backupcopy=yes")),
    ("vim's calls", |path, text| {
        let probe = path.with_file_name("4913");
        drop(File::create(&probe).unwrap());
        fs::remove_file(probe).unwrap();
        fs::rename(path, beside(path, "", "~")).unwrap();
        write_synced(path, text);
        fs::remove_file(beside(path, "", "~")).unwrap();
    }),
    ("VS Code", |path, text| fs::write(path, text).unwrap()),
    ("VS Code, a slow one", |path, text| {
        let mut file = File::create(path).unwrap();
        pause(50);
        file.write_all(text.as_bytes()).unwrap();
    }),
    ("JetBrains", |path, text| {
        let (new, old) = (beside(path, "", "___jb_tmp___"), beside(path, "", "___jb_old___"));
        write_synced(&new, text);
        fs::rename(path, &old).unwrap();
        fs::rename(&new, path).unwrap();
        fs::remove_file(old).unwrap();
    }),
    ("emacs", |path, text| {
        let (lock, autosaved) = (beside(path, ".#", ""), beside(path, "#", "#"));
        symlink("me@host.4711:1795496033", &lock).unwrap();
        fs::write(&autosaved, text).unwrap();
        pause(30);
        fs::rename(path, beside(path, "", "~")).unwrap();
        write_synced(path, text);
        fs::remove_file(lock).unwrap();
        fs::remove_file(autosaved).unwrap();
    }),
    ("gedit", |path, text| {
        let new = path.with_file_name(".goutputstream-1A2B3C");
        write_synced(&new, text);
        fs::rename(new, path).unwrap();
    }),
    ("nano", |path, text| {
        let lock = beside(path, ".", ".swp");
        fs::write(&lock, "b0nano").unwrap();
        fs::write(path, text).unwrap();
        fs::remove_file(lock).unwrap();
    }),
    ("sed -i", |path, text| {
        let replace = format!("s/.*/{text}/");
        run(Command::new("sed").args(["-i", &replace]).arg(path));
    }),
    ("mv", |path, text| {
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("new"), text).unwrap();
        run(Command::new("mv").arg(elsewhere.path().join("new")).arg(path));
    }),
    ("rsync", |path, text| rsync(path, text, &[])),
    ("rsync --inplace", |path, text| rsync(path, text, &["--inplace"])),
    ("rsync's calls", |path, text| {
        let new = beside(path, ".", ".x7Yz1Q");
        let mut file = File::create(&new).unwrap();
        for part in [&text[..2], &text[2..]] {
            file.write_all(part.as_bytes()).unwrap();
            pause(40);
        }
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        fs::rename(new, path).unwrap();
    }),
    ("a formatter that rewrites what was saved", |path, text| {
        fs::write(path, format!("{text};")).unwrap();
        pause(80);
        fs::write(path, text).unwrap();
    }),
    ("removing and making again", |path, text| {
        fs::remove_file(path).unwrap();
        pause(50);
        write_synced(path, text);
    }),
    ("a slow download", |path, text| {
        let mut file = OpenOptions::new().write(true).truncate(true).open(path).unwrap();
        for byte in text.bytes() {
            pause(60);
            file.write_all(&[byte]).unwrap();
        }
    }),
];

/// The path of what lies next to a file, called like it with something around its name.
fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let name = path.file_name().unwrap().to_str().unwrap();
    path.with_file_name(format!("{before}{name}{after}"))
}

fn write_synced(path: &Path, text: &str) {
    let mut file = File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_all().unwrap();
}

fn rsync(path: &Path, text: &str, options: &[&str]) {
    if !exists("rsync") {
        return save_by_rename(path, text);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("new"), text).unwrap();
    // Of one size, so that by times alone it would be left as it is.
    let mut rsync = Command::new("rsync");
    run(rsync.arg("--checksum").args(options).arg(elsewhere.path().join("new")).arg(path));
}

/// Lets time pass inside of a save; shorter than what settling waits for.
fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

fn vim(path: &Path, text: &str, option: &str) {
    if !exists("vim") {
        return save_by_rename(path, text);
    }
    let replace = format!("%s/.*/{text}/");
    let mut vim = Command::new("vim");
    vim.args(["-u", "NONE", "-N", "-es", "-c", option, "-c", &replace, "-c", "wq"]);
    run(vim.arg(path));
}

fn save_by_rename(path: &Path, text: &str) {
    write_synced(&beside(path, "", "~"), text);
    fs::rename(beside(path, "", "~"), path).unwrap();
}

/// Whether a program is here. Where all tests have to run, it has to be.
fn exists(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    let exists = command.status().is_ok_and(|status| status.success());
    assert!(exists || std::env::var_os("CI_ALL_TESTS").is_none(), "{program} is missing");
    exists
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a program that is everywhere");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Saves in each way, one after the other.
fn every_save_restarts_once(options: &[&str]) {
    let tree = Tree::new(&[("src/app.txt", "first\n"), ("src/other.txt", "x")]);
    let mut command = tree.stakeout();
    command.args(["-v", "--debounce", "400ms"]).args(options);
    command.args(["--", "sh", "-c", "echo shows $(cat src/app.txt); exec sleep 1000"]);
    let mut session = Session::start(command);
    session.wait_until_settled();
    for (number, (name, save)) in SAVES.into_iter().enumerate() {
        let text = format!("text{number:02}");
        save(&tree.path("src/app.txt"), &text);
        session.wait_for_all(&["settled in", "shows text"]);
        let line = session.said("settled in");
        assert!(line.contains("modified src/app.txt (settled"), "{name}: {line}");
        assert_eq!(session.said("shows text"), format!("shows {text}"), "{name}");
    }
    tree.write("src/other.txt", "y");
    session.wait_for_all(&["settled in", "shows text"]);
    let line = session.said("settled in");
    assert!(line.contains("modified src/other.txt (settled"), "{line}");
    session.terminate();
    assert_eq!(session.seen("settled in"), SAVES.len() + 1, "{}", session.output());
    // What ran at first, and what ran again after the other file's change.
    assert_eq!(session.seen("shows text"), SAVES.len() + 1, "{}", session.output());
    assert_eq!(session.seen("shows first"), 1, "{}", session.output());
}

#[test]
fn every_save_restarts_once_by_events() {
    every_save_restarts_once(&["--interval", "1h"]);
}

#[test]
fn every_save_restarts_once_by_polling() {
    every_save_restarts_once(&["--mode", "poll", "--interval", "10ms"]);
}

#[test]
fn every_save_restarts_once_by_default() {
    every_save_restarts_once(&[]);
}

/// Those that take no time but for what the machine makes of it.
const QUICK: [&str; 7] = ["vim's calls", "VS Code", "JetBrains", "gedit", "nano", "sed -i", "mv"];

/// With nothing chosen, a save that is over before the quiet period is one change set. How long it
/// took is measured, and what a busy machine has drawn out proves nothing: it is done again.
#[test]
fn a_quick_save_restarts_once_at_the_default_debounce() {
    let tree = Tree::new(&[("src/app.txt", "first\n")]);
    let mut command = tree.stakeout();
    command.args(["-v", "--", "sh", "-c", "echo shows $(cat src/app.txt); exec sleep 1000"]);
    let mut session = Session::start(command);
    session.wait_until_settled();
    // What the program shows may come before what led to it is told: that is, once it is told of each
    // start.
    let settled = |session: &mut Session| {
        let is_shown = |line: &&str| line.starts_with("shows");
        let shown = session.output().lines().filter(is_shown).count();
        while session.seen("executed after") < shown {
            session.wait_for("executed after");
        }
        session.seen("settled in")
    };
    let mut number = 0;
    for (name, save) in SAVES.into_iter().filter(|(name, _)| QUICK.contains(name)) {
        let is_proven = (0..50).any(|_| {
            number += 1;
            let text = format!("text{number:03}");
            let before = settled(&mut session);
            let began = Instant::now();
            save(&tree.path("src/app.txt"), &text);
            let is_quick = began.elapsed() < Duration::from_millis(90);
            session.wait_for(&format!("shows {text}"));
            let made = settled(&mut session) - before;
            assert!(!is_quick || made == 1, "{name}: {}", session.output());
            is_quick
        });
        assert!(is_proven, "{name} takes longer than the quiet period, again and again");
    }
    session.terminate();
    assert_eq!(session.seen("removed"), 0, "{}", session.output());
}

/// Runs git without what the user's own configuration says.
fn git(tree: &Tree, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false"]);
    git.args(["-c", "core.hooksPath=/dev/null"]).args(words).current_dir(tree.path(""));
    run(&mut git);
}

#[test]
fn a_checkout_of_another_branch_restarts_once_and_there_and_back_not_at_all() {
    let tree = Tree::new(&[("a", "one"), ("end", "")]);
    let write = |text: &str| {
        (0..300).for_each(|n| tree.write(&format!("dir{}/file{n}", n % 17), text));
        tree.write("a", text);
    };
    git(&tree, &["init", "-q", "-b", "main"]);
    write("one");
    git(&tree, &["add", "-A"]);
    git(&tree, &["commit", "-q", "-m", "one"]);
    git(&tree, &["checkout", "-q", "-b", "topic"]);
    write("two");
    fs::remove_dir_all(tree.path("dir16")).unwrap();
    git(&tree, &["add", "-A"]);
    git(&tree, &["commit", "-q", "-m", "two"]);
    for options in [&["--interval", "1h"][..], &["--mode", "poll", "--interval", "10ms"]] {
        let mut command = tree.stakeout();
        command.args(["-v", "--debounce", "500ms"]).args(options);
        command.args(["--", "sh", "-c", "echo shows $(cat a); exec sleep 1000"]);
        let mut session = Session::start(command);
        session.wait_until_settled();
        git(&tree, &["checkout", "-q", "main"]);
        session.wait_for_all(&["settled in", "shows one"]);
        git(&tree, &["checkout", "-q", "topic"]);
        session.wait_for_all(&["settled in", "shows two"]);
        git(&tree, &["checkout", "-q", "main"]);
        git(&tree, &["checkout", "-q", "topic"]);
        // Told of in order: if that counted, this would come later.
        let end = format!("{options:?}");
        tree.write("end", &end);
        let line = session.wait_for("settled in");
        assert!(line.contains("modified end (settled"), "{line}");
        session.terminate();
        assert_eq!(session.seen("settled in"), 3, "{}", session.output());
    }
}
