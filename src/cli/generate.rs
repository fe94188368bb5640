//! `stakeout completions` and `stakeout man`: what shells and man(1) read, from the definitions of
//! all options.

use clap::Args;
use clap_complete::Shell;

use super::{Failure, args, print_out};

/// Print completions for a shell.
///
/// For bash: stakeout completions bash > /usr/share/bash-completion/completions/stakeout
#[derive(Debug, Args)]
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
    clap_mangen::Man::new(definitions()).render(&mut text)?;
    print_out(&String::from_utf8(text)?)?;
    Ok(0)
}

fn definitions() -> clap::Command {
    let mut definitions = args::definitions().name("stakeout");
    definitions.build();
    definitions
}
