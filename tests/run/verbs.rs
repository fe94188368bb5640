//! `stakeout wait`, `diff`, `completions` and `man`: verbs for scripts and for shells.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::support::{Session, Tree};

/// The status, and all that was written.
fn ask(tree: &Tree, words: &[&str]) -> (Option<i32>, String) {
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

fn skip(what: &str, tool: &str) {
    assert!(std::env::var_os("CI_ALL_TESTS").is_none(), "no {tool} here");
    eprintln!("skipped: {what}: needs {tool}");
}

#[test]
fn bash_completes_verbs_options_and_values() {
    let tree = Tree::new(&[]);
    let script = r#"
        source <("$0" completions bash)
        complete -p stakeout
        try() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _stakeout stakeout "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[*]}"
        }
        try stakeout re
        try stakeout --inter
        try stakeout status --wa
        try stakeout --mode """#;
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_stakeout")]).current_dir(tree.path(""));
    let output = command.output().expect("bash");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("-F _stakeout stakeout"), "{text}");
    assert_eq!(
        lines[1..],
        ["restart resume", "--interval", "--wait", "auto poll native"],
        "{text}"
    );
}

#[test]
fn the_manual_is_one_that_man_can_show() {
    let tree = Tree::new(&[]);
    let (code, text) = ask(&tree, &["man"]);
    assert_eq!(code, Some(0), "{text}");
    tree.write("stakeout.1", &text);
    let mut command = Command::new("mandoc");
    command.args(["-T", "utf8", "-W", "error"]).arg(tree.path("stakeout.1"));
    let Ok(output) = command.output() else { return skip("the manual", "mandoc") };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    // Bold is written twice over.
    let shown = String::from_utf8(output.stdout).unwrap();
    let mut plain = String::new();
    for character in shown.chars() {
        match character {
            '\u{8}' => _ = plain.pop(),
            character => plain.push(character),
        }
    }
    for text in
        ["stakeout smoke [OPTIONS] --check", "STAKEOUT_INTERVAL", "Exit status: the program"]
    {
        assert!(plain.contains(text), "{text}: {plain}");
    }
}

#[test]
fn shells_can_read_their_completions() {
    let tree = Tree::new(&[]);
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let (code, text) = ask(&tree, &["completions", shell]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("smoke") && text.contains("cpu-budget"), "{text}");
        tree.write("completions", &text);
        let mut command = Command::new(shell);
        command.args(check).arg(tree.path("completions")).stdin(Stdio::null());
        match command.output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
            Err(_) if shell != "bash" => skip(&format!("{shell}'s completions"), shell),
            Err(error) => panic!("{error}"),
        }
    }
    let (code, text) = ask(&tree, &["completions", "basch"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("bash"), "{text}");
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
