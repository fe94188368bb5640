//! `stakeout completions`: what clap_complete writes, mended where it does not fit a command line of
//! which the end, after `--`, is another one.

use std::fmt::Write as _;

use clap::builder::PossibleValue;
use clap::{Args, Command, ValueHint};
use clap_complete::Shell;

use super::{Failure, generate, print_out};

/// Print completions for a shell.
///
/// To have them in every new shell, write them where it looks for them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stakeout completions bash >/usr/share/bash-completion/completions/stakeout
  stakeout completions zsh >~/.zfunc/_stakeout     with fpath+=~/.zfunc before compinit
  stakeout completions fish >~/.config/fish/completions/stakeout.fish")]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

/// Prints them.
pub fn completions(args: &Completions) -> Result<u8, Failure> {
    let mut definitions = generate::definitions();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut definitions, "stakeout", &mut text);
    let text = String::from_utf8(text)?;
    let text = match args.shell {
        Shell::Bash => bash(&text, &definitions),
        Shell::Fish => fish(&text, &definitions),
        Shell::Zsh => zsh(&text),
        _ => text,
    };
    print_out(&text)?;
    Ok(0)
}

/// Where files can come, options are offered only for a `-`: all that they have in common is that,
/// so bash would write it. After `--` come files, which it offers where we have nothing.
fn bash(text: &str, definitions: &Command) -> String {
    const OPTIONS: &str = r#"compgen -W "${opts}" --"#;
    const CHOICE: &str = r#"    case "${cmd}" in"#;
    let before = r#"    [[ " ${COMP_WORDS[*]:0:COMP_CWORD} " == *" -- "* ]] && return 0
    local no='-*'
    [[ ${cur} == -* ]] && no='!*'

"#;
    let mut mended = text.replacen(CHOICE, &format!("{before}{CHOICE}"), 1);
    for verb in definitions.get_subcommands() {
        let mut words = verb.get_positionals();
        if !words.any(|word| word.get_value_hint() == ValueHint::AnyPath) {
            continue;
        }
        let start = format!("\n        stakeout__subcmd__{})\n", verb.get_name());
        let Some((above, rest)) = mended.split_once(&start) else { continue };
        let end = rest.find("\n            ;;\n").unwrap_or(rest.len());
        let (its, below) = rest.split_at(end);
        let its = its.replace(OPTIONS, r#"compgen -W "${opts}" -X "${no}" --"#);
        mended = format!("{above}{start}{its}{below}");
    }
    mended
}

/// An option that still lacks its value is none to `argparse`, so it is tried with one as well.
/// Values of words that are no options are left out altogether.
fn fish(text: &str, definitions: &Command) -> String {
    const PARSE: &str = "argparse -s (__fish_stakeout_global_optspecs) -- $cmd 2>/dev/null\n";
    let tries = format!(
        "contains -- -- $cmd\n    and return 1\n    {PARSE}    or {}",
        PARSE.replace("$cmd", "$cmd value")
    );
    let mut mended = text.replacen(PARSE, &tries, 1);
    for verb in definitions.get_subcommands() {
        for word in verb.get_positionals() {
            let values = word.get_value_parser().possible_values().into_iter().flatten();
            let names: Vec<String> = values.map(|it: PossibleValue| it.get_name().into()).collect();
            if !names.is_empty() {
                _ = writeln!(
                    mended,
                    "complete -c stakeout -n \"__fish_stakeout_using_subcommand {}\" -f -a \"{}\"",
                    verb.get_name(),
                    names.join(" ")
                );
            }
        }
    }
    mended
}

/// A verb is the first word, also where the command after `--` is counted as one before it. What
/// comes after `--` is completed as what it is.
fn zsh(text: &str) -> String {
    const CONTEXT: &str = "    local context curcontext=";
    let other = r#"    local dashes=${words[(i)--]}
    if (( dashes < CURRENT )); then
        shift $dashes words
        (( CURRENT -= dashes ))
        _normal
        return
    fi

"#;
    let is_command = |line: &&str| line.starts_with("'::command -- ");
    let lines: Vec<&str> = text.lines().filter(|line| !is_command(line)).collect();
    let text = lines.join("\n").replace("$line[2]", "$line[1]") + "\n";
    text.replacen(CONTEXT, &format!("{other}{CONTEXT}"), 1)
}
