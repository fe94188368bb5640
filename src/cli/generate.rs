//! `stakeout completions` and `stakeout man`: what shells and man(1) read, from the definitions of
//! all options.

use clap::Args;
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
    let mut text = Vec::new();
    clap_mangen::Man::new(definitions().after_help(help::examples())).render(&mut text)?;
    print_out(&String::from_utf8(text)?)?;
    Ok(0)
}

fn definitions() -> clap::Command {
    let mut definitions = typed::definitions().name("stakeout");
    definitions.build();
    definitions
}
