//! `stakeout wait`, `diff` and `man`: verbs for scripts and for readers.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::skip::skip;
use super::support::{Session, Tree};

/// The status, and all that was written.
pub fn ask(tree: &Tree, words: &[&str]) -> (Option<i32>, String) {
    let output = tree.stakeout().args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn waiting(tree: &Tree, options: &[&str]) -> Session {
    let mut command = tree.stakeout();
    command.args(["wait", "--interval", "20ms"]).args(options);
    Session::start(command)
}

#[test]
fn waiting_ends_with_the_first_change_and_prints_it() {
    let tree = Tree::new(&[("a", "one"), ("b.log", ""), (".gitignore", "*.log\n")]);
    let mut session = waiting(&tree, &["--timeout", "60s"]);
    session.wait_for("waiting for a change of 2 files");
    tree.write("b.log", "no change");
    tree.write("a", "two");
    session.wait_for("modified a");
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
    let mut session = waiting(&tree, &["--json", "-w", "a"]);
    session.wait_for("waiting for a change of 1 file");
    tree.write("c", "elsewhere");
    tree.write("a", "three");
    session.wait_for(r#"{"kind":"modified","path":"a"}"#);
    assert_eq!(session.wait().code(), Some(0), "{}", session.output());
    assert_eq!(session.seen("kind"), 1);
}

#[test]
fn waiting_in_vain_ends_with_124_and_by_a_signal_at_once() {
    let tree = Tree::new(&[("a", "one")]);
    let (code, text) = ask(&tree, &["wait", "--timeout", "500ms"]);
    assert_eq!(code, Some(124), "{text}");
    // On a busy machine, the first look may take longer.
    let is_seen = text.contains("waiting for a change");
    let what = if is_seen { "nothing changed" } else { "the tree was not seen" };
    assert!(text.ends_with(&format!("stakeout: {what} within 500ms (--timeout)\n")), "{text}");
    let (code, text) = ask(&tree, &["wait", "-w", "nothing"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("cannot watch nothing: No such file"), "{text}");
    let mut session = waiting(&tree, &[]);
    session.wait_for("waiting for a change");
    assert_eq!(session.terminate().code(), None, "by the signal itself");
}

#[test]
fn a_tree_is_compared_with_what_it_was() {
    let tree = Tree::new(&[("src/a", "one"), ("src/b", "two"), ("src/run.sh", "three")]);
    tree.write("note.md", "not chosen");
    symlink("a", tree.path("src/link")).unwrap();
    let odd = OsStr::from_bytes(b"src/odd\xff\n");
    fs::write(tree.path("").join(odd), "odd").unwrap();
    let (code, text) = ask(&tree, &["scan", "--save", "before", "-i", "*.md"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(ask(&tree, &["diff", "before"]), (Some(0), String::new()));
    // A touch is no change, nor is what was left out.
    tree.write("src/a", "one");
    tree.write("note.md", "another");
    assert_eq!(ask(&tree, &["diff", "before"]), (Some(0), String::new()));
    fs::rename(tree.path("src/b"), tree.path("src/moved")).unwrap();
    tree.write("src/a", "six");
    fs::set_permissions(tree.path("src/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(tree.path("src/link")).unwrap();
    fs::remove_file(tree.path("").join(odd)).unwrap();
    tree.write("src/new", "new");
    let (code, text) = ask(&tree, &["diff", "before"]);
    assert_eq!(code, Some(1), "{text}");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        "created src/new",
        "modified src/a",
        "modified src/run.sh",
        "removed src/link",
        r"removed src/odd\xff\n",
        "renamed src/b → src/moved",
    ];
    assert_eq!(lines, expected);
    // Of a tree elsewhere, by its own paths.
    let copy = Tree::new(&[("src/a", "one")]);
    let before = tree.path("before");
    let (code, text) = ask(&copy, &["diff", "--json", before.to_str().unwrap(), "."]);
    assert_eq!(code, Some(1));
    assert!(text.contains(r#"{"kind":"removed","path":"src/b"}"#), "{text}");
    assert!(!text.contains("\"src/a\""), "{text}");
}

#[test]
fn what_is_no_scan_is_named() {
    let tree = Tree::new(&[("empty", ""), ("text", "hello\n"), ("a", "one")]);
    for file in ["nothing", "empty", "text", "."] {
        let (code, text) = ask(&tree, &["diff", file]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.starts_with("stakeout: ") && text.contains(file), "{text}");
    }
    assert_eq!(ask(&tree, &["scan", "--save", "saved"]).0, Some(0));
    let saved = fs::read_to_string(tree.path("saved")).unwrap();
    let (first, rest) = saved.split_once('\n').unwrap();
    for broken in ["{", "{}", r#"{"text":"a","digest":"xyz"}"#, r#"{"hex":"0"}"#] {
        tree.write("saved", &format!("{first}\n{broken}\n{rest}"));
        let (code, text) = ask(&tree, &["diff", "saved"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("saved:2 is damaged"), "{text}");
    }
    let (code, text) = ask(&tree, &["scan", "--save", "/proc/scan"]);
    assert_eq!(code, Some(125), "{text}");
    assert!(text.contains("cannot write the scan to /proc/scan: No such file or dir"), "{text}");
    assert!(text.contains("; may files be made in its directory?"), "{text}");
    assert!(!text.contains(".tmp"), "it names what nobody typed: {text}");
    let (_, text) = ask(&tree, &["diff", "none"]);
    let advice = "none: No such file or directory; write one by `stakeout scan --save none`";
    assert!(text.contains(advice), "{text}");
    let (_, text) = ask(&tree, &["-c", "none.toml", "--", "true"]);
    assert!(text.contains("none.toml: No such file or directory; `stakeout init`"), "{text}");
}

/// A page as mandoc(1) shows it, without bold; None where there is none.
fn shown(tree: &Tree, words: &[&str]) -> Option<String> {
    let (code, text) = ask(tree, words);
    assert_eq!(code, Some(0), "{text}");
    tree.write("page.1", &text);
    let mut command = Command::new("mandoc");
    command.args(["-T", "utf8", "-W", "error"]).arg(tree.path("page.1"));
    let output = command.output().ok()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    // Bold is written twice over.
    let mut plain = String::new();
    for character in String::from_utf8(output.stdout).unwrap().chars() {
        match character {
            '\u{8}' => _ = plain.pop(),
            character => plain.push(character),
        }
    }
    Some(plain)
}

#[test]
fn the_manual_is_one_that_man_can_show() {
    let tree = Tree::new(&[]);
    let Some(plain) = shown(&tree, &["man"]) else { return skip("needs mandoc") };
    for text in
        ["stakeout smoke [OPTIONS] --check", "STAKEOUT_INTERVAL", "Exit status: the program"]
    {
        assert!(plain.contains(text), "{text}: {plain}");
    }
    for verb in stakeout::cli::definitions().get_subcommands() {
        let name = verb.get_name();
        let plain = shown(&tree, &["man", name]).expect("it is there");
        assert!(plain.contains(&format!("stakeout {name}")), "{plain}");
    }
}

#[test]
fn each_verb_has_its_page() {
    let tree = Tree::new(&[]);
    let (code, page) = ask(&tree, &["man", "smoke"]);
    assert_eq!(code, Some(0), "{page}");
    for text in [r"stakeout\-smoke \- Start a program", r"check\-timeout", ".SH EXAMPLES"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(ask(&tree, &["man", "smok"]).0, Some(2));
}

#[test]
fn the_manual_has_every_option() {
    let tree = Tree::new(&[]);
    let (code, manual) = ask(&tree, &["man"]);
    assert_eq!(code, Some(0));
    let (_, help) = ask(&tree, &["--help"]);
    let options = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 4);
    for option in options.filter(|option| option.chars().all(|c| c.is_alphanumeric() || c == '-')) {
        let written = option.replace('-', r"\-");
        assert!(manual.contains(&written), "{option}");
    }
    assert!(manual.starts_with(".ie") || manual.starts_with(".TH"), "{}", &manual[..80]);
}
