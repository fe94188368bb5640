//! `stakeout init`: writes a stakeout.toml to begin with.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::{Failure, typed};
use crate::config::{Options, Problems, air, detect, find, write};
use crate::ui::text;

/// Write a stakeout.toml for what is here.
///
/// Known by their files are projects in Go, Rust, Java, PHP, Ruby, Python, JavaScript, C and C++,
/// and what CMake and make build.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write what this .air.toml means
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Write over a stakeout.toml that is there
    #[arg(long)]
    force: bool,
}

const FILE: &str = "stakeout.toml";

/// Writes it.
pub fn init(args: &Args) -> Result<u8, Failure> {
    let (text, what) = match &args.from {
        Some(file) => (from_air(file)?, format!("as {} has it", text::path(file))),
        None => {
            let project = detect::detect(Path::new("."));
            let what = project.as_ref().map(|project| format!("for {}", project.what));
            let what = what.unwrap_or("in which `run` has to be written still".into());
            (write::beginning(project.as_ref()), what)
        }
    };
    let other = ["stakeout.yaml", "stakeout.yml"].into_iter().find(|it| Path::new(it).exists());
    if let Some(other) = other.filter(|_| !args.force) {
        return Err(Failure::usage(anyhow!(
            "there is a {other}, which a {FILE} would take the place of; write one with --force, or \
             look at it with `stakeout config`"
        )));
    }
    // A new file, unless it was said that it may be an old one: nobody's work is written over.
    let mut options = File::options();
    match args.force {
        true => options.write(true).create(true).truncate(true),
        false => options.write(true).create_new(true),
    };
    let file = options.open(FILE).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(anyhow!(
            "there is a {FILE} already; write over it with --force, or look at it with `stakeout \
             config`"
        )),
        _ => anyhow!("cannot write {FILE}: {error}").into(),
    });
    file?.write_all(text.as_bytes()).with_context(|| format!("cannot write {FILE}"))?;
    _ = writeln!(io::stderr(), "stakeout: wrote {FILE}, {what}");
    Ok(0)
}

/// What an .air.toml means, as a stakeout.toml.
fn from_air(file: &Path) -> Result<String, Failure> {
    let shown = text::path(file);
    let text = find::text(file).with_context(|| format!("cannot read {shown}"));
    let text = text.map_err(Failure::usage)?;
    let options = Options::new(typed::definitions());
    let import = match air::import(&text, &options) {
        Ok(import) => import,
        Err(list) => {
            return Err(Failure::usage(Problems { file: file.to_owned(), text, list }));
        }
    };
    let mut head = format!("# Written from {shown} by `stakeout init`.\n");
    for key in &import.passed_over {
        head += &format!("# Passed over, since it has no meaning here: {key}\n");
    }
    Ok(head + &write::document(&import.config, &options))
}
