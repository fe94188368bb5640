//! `stakeout man`: what man(1) reads, from the definitions of all options.

use clap::builder::PossibleValuesParser;
use clap::{Args, Command};

use super::{Failure, help, print_out, typed};

/// Print the manual page, in the language of man(1)
///
/// Without a verb it is that of stakeout itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stakeout man >/usr/share/man/man1/stakeout.1
  stakeout man smoke | man -l -")]
pub struct Manual {
    /// Whose: a verb of stakeout
    pub verb: Option<String>,
}

/// Lets only what is a verb be one.
pub fn define(manual: Command, definitions: &Command) -> Command {
    let verbs: Vec<_> = definitions.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    manual.mut_arg("verb", |arg| {
        arg.value_parser(PossibleValuesParser::new(verbs)).hide_possible_values(true)
    })
}

/// Prints a manual page.
pub fn manual(args: &Manual) -> Result<u8, Failure> {
    let definitions = definitions();
    let verb = args.verb.as_ref().and_then(|verb| definitions.find_subcommand(verb));
    let of = verb.unwrap_or(&definitions);
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(of.clone());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if verb.is_none() {
        text.extend(verbs(&definitions).into_bytes());
    }
    man.render_options_section(&mut text)?;
    let mut text = String::from_utf8(text)?;
    match verb.map(Command::get_after_help) {
        // It begins with a heading of its own.
        Some(Some(help)) => {
            let help = help.to_string();
            let examples = help.split_once('\n').map_or("", |(_, examples)| examples);
            text += &format!(".SH EXAMPLES\n.nf\n{}\n.fi\n", roff(examples));
        }
        Some(None) => {}
        None => {
            text += &format!(".SH EXAMPLES\n.nf\n{}.fi\n.SH NOTES\n", roff(&help::examples()));
            text += &roff(help::MORE).replace("\n\n", "\n.PP\n");
            text.push('\n');
        }
    }
    if verb.is_some() {
        text += ".SH SEE ALSO\nstakeout(1)\n";
    }
    print_out(&text)?;
    Ok(0)
}

/// The verbs by topic, each with its usage. All of their options are in pages of their own.
fn verbs(definitions: &Command) -> String {
    let mut text = ".SH VERBS\n\\fBstakeout man VERB\\fR tells more of each.\n".to_owned();
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

/// The definitions, complete, under the name that is typed.
pub fn definitions() -> Command {
    let mut definitions = typed::definitions().name("stakeout");
    definitions.build();
    definitions
}
