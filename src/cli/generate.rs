//! `stakeout completions` and `stakeout man`: what shells and man(1) read, from the definitions of
//! all options.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Failure, help, print_out, typed};

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
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut definitions(), "stakeout", &mut text);
    print_out(&String::from_utf8(text)?)?;
    Ok(0)
}

/// Prints the manual page.
pub fn man() -> Result<u8, Failure> {
    let definitions = definitions();
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(definitions.clone());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    text.extend(verbs(&definitions).into_bytes());
    man.render_options_section(&mut text)?;
    let more = format!(".SH EXAMPLES\n.nf\n{}.fi\n.SH NOTES\n", roff(&help::examples()));
    text.extend(more.into_bytes());
    text.extend(roff(help::MORE).replace("\n\n", "\n.PP\n").into_bytes());
    text.push(b'\n');
    print_out(&String::from_utf8(text)?)?;
    Ok(0)
}

/// The verbs by topic, each with its usage. All of their options are in their own `--help`.
fn verbs(definitions: &Command) -> String {
    let mut text = ".SH VERBS\n\\fBstakeout VERB \\-\\-help\\fR tells more of each.\n".to_owned();
    for (topic, verbs) in help::topics(definitions) {
        text += &format!(".SS {}\n", roff(topic));
        for verb in verbs {
            let mut verb = verb.clone();
            let usage = verb.render_usage().to_string();
            let usage = usage.trim_start_matches("Usage: ");
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            text += &format!(".TP\n\\fB{}\\fR\n{}\n", roff(usage), roff(&about));
        }
    }
    text
}

/// Text in the language of man(1): with plain hyphens, and nothing that it would take for itself.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = text.lines().map(|line| match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    if text.ends_with('\n') { lines + "\n" } else { lines }
}

fn definitions() -> Command {
    let mut definitions = typed::definitions().name("stakeout");
    definitions.build();
    definitions
}
