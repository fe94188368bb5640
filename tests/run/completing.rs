//! `stakeout completions`: what shells offer.

use std::process::{Command, Stdio};

use super::skip::skip;
use super::support::Tree;
use super::verbs::ask;

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
        try stakeout --mode ""
        try stakeout diff ""
        try stakeout scan --list ""
        try stakeout scan --l
        try stakeout doctor --mode ""
        try stakeout -- scan --l"#;
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_stakeout")]).current_dir(tree.path(""));
    let output = command.output().expect("bash");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("-F _stakeout stakeout"), "{text}");
    assert_eq!(
        lines[1..],
        [
            "restart resume",
            "--interval",
            "--wait",
            "auto poll native",
            // Where nothing is offered, bash itself offers files.
            "",
            "",
            "--list",
            "auto poll native",
            "",
        ],
        "{text}"
    );
}

/// What fish offers for a line, without descriptions; None where there is no fish.
fn offered_by_fish(tree: &Tree, line: &str) -> Option<Vec<String>> {
    let script = "source completions; complete -C $argv[1]";
    let mut command = Command::new("fish");
    command.args(["--no-config", "-c", script, line]).current_dir(tree.path(""));
    let output = command.env("HOME", tree.path("")).output().ok()?;
    let text = String::from_utf8(output.stdout).expect("text");
    Some(text.lines().map(|line| line.split('\t').next().unwrap_or(line).to_owned()).collect())
}

#[test]
fn fish_completes_verbs_options_and_values() {
    let tree = Tree::new(&[("a.py", "")]);
    tree.write("completions", &ask(&tree, &["completions", "fish"]).1);
    for (line, expected) in [
        ("stakeout resta", &["restart"][..]),
        ("stakeout --mode ", &["auto", "native", "poll"]),
        ("stakeout -e rs --log-format ", &["human", "json"]),
        ("stakeout doctor --mode ", &["auto", "native", "poll"]),
        ("stakeout completions ", &["bash", "elvish", "fish", "powershell", "zsh"]),
        ("stakeout scan --li", &["--list"]),
        ("stakeout man smo", &["smoke"]),
        ("stakeout -- python3 a.", &["a.py"]),
        ("stakeout -- scan --li", &[]),
    ] {
        let Some(mut offered) = offered_by_fish(&tree, line) else {
            return skip("needs fish");
        };
        offered.sort_unstable();
        assert_eq!(offered, expected, "{line}");
    }
}

/// Has zsh complete the line at its first prompt, and writes what is offered into a file.
const ZSHRC: &str = r#"
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' matcher-list ''
source ./completions
compadd() {
    # Some only ask what would match, for themselves.
    if [[ ${@[1,(i)(-|--)]} != *-[ADO]\ * ]]; then
        local -a hits
        builtin compadd -O hits "$@"
        print -rl -- $hits >>offered
    fi
    builtin compadd "$@"
}
bindkey '^I' complete-word
zle-line-init() {
    BUFFER=$LINE CURSOR=$#BUFFER
    zle complete-word
    exit
}
zle -N zle-line-init
"#;

/// The words that zsh offers for a line; None where there is no zsh.
fn offered_by_zsh(tree: &Tree, line: &str) -> Option<Vec<String>> {
    tree.write(".zshrc", ZSHRC);
    tree.write("offered", "");
    let script = "zmodload zsh/zpty && zpty shell zsh -d -i && while zpty -r shell; do :; done";
    let mut command = Command::new("zsh");
    command.args(["-f", "-c", script]).current_dir(tree.path("")).stdin(Stdio::null());
    command.env("ZDOTDIR", tree.path("")).env("LINE", line).env("TERM", "xterm");
    let output = command.output().ok()?;
    assert!(output.status.success() || output.stderr.is_empty(), "{output:?}");
    let offered = std::fs::read_to_string(tree.path("offered")).expect("text");
    let mut words: Vec<_> = offered.split_whitespace().map(str::to_owned).collect();
    words.sort_unstable();
    words.dedup();
    Some(words)
}

#[test]
fn zsh_completes_verbs_options_and_values() {
    let tree = Tree::new(&[("a.py", "")]);
    tree.write("completions", &ask(&tree, &["completions", "zsh"]).1);
    for (line, expected) in [
        ("stakeout resta", &["restart"][..]),
        ("stakeout --mode ", &["auto", "native", "poll"]),
        ("stakeout scan --l", &["--list"]),
        ("stakeout status --ch", &["--check"]),
        ("stakeout -e rs wait --tim", &["--timeout"]),
        ("stakeout diff a", &["a.py"]),
        ("stakeout man smo", &["smoke"]),
        ("stakeout -- python3 a.", &["a.py"]),
    ] {
        let Some(offered) = offered_by_zsh(&tree, line) else { return skip("needs zsh") };
        assert_eq!(offered, expected, "{line}");
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
            Err(_) if shell != "bash" => skip(&format!("needs {shell}")),
            Err(error) => panic!("{error}"),
        }
    }
    let (code, text) = ask(&tree, &["completions", "basch"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("bash"), "{text}");
}
