//! `stakeout scan`: look at a tree once, and print what is in it.

use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use rustix::termios::isatty;
use serde::Serialize;

use super::choice::Choice;
use super::{Failure, saved, setup};
use crate::scan::{Plan, Scanner, Trouble, reason, reference};
use crate::tree::{Digest, Entry, Snapshot, diff};
use crate::ui::{Level, Log, Progress, Reached, Style, describe, looking, text};

/// Something in the tree could not be read, or the verification failed.
const INCOMPLETE: u8 = 1;

/// Scan a tree once: how many files and bytes it has, and its digest.
///
/// The digest depends on paths, contents, executable bits and link targets only, so that a host
/// and a container can be compared.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stakeout scan                             is it the same tree on the host and in the container?
  stakeout scan --list -e rs | head         which files count
  stakeout scan --save before; make; stakeout diff before")]
pub struct Scan {
    /// The directory or file to scan
    #[arg(default_value = ".")]
    pub path: PathBuf,

    /// Print the paths, one a line, instead of the digest
    #[arg(short, long)]
    pub list: bool,

    /// End the paths of --list with NUL instead of a newline
    #[arg(short = '0', long = "null", requires = "list", conflicts_with = "json")]
    pub null: bool,

    /// Print JSON; with --list, one object a line
    #[arg(long)]
    pub json: bool,

    /// Read the tree a second time the plain, slow way, and fail if that finds anything else
    #[arg(long, conflicts_with = "list")]
    pub verify: bool,

    /// Write what the tree is to this file as well, for `stakeout diff`
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub save: Option<PathBuf>,

    // The last, since what follows would be under its heading.
    #[command(flatten)]
    pub choice: Choice,
}

/// Scans and prints; gives the status to exit with.
pub fn scan(args: &Scan) -> Result<u8, Failure> {
    let began = Instant::now();
    let mut plan = whole(&args.path, &args.choice)?;
    // The file of an earlier scan, to be replaced by this one.
    let before = args.save.as_ref().and_then(|file| file.metadata().ok());
    plan.own_output.extend(before.map(|it| (it.dev(), it.ino())));
    let mut scanner = Scanner::new(plan.clone())?;
    let progress = progress(&scanner)?;
    let troubles = scanner.look().troubles;
    let reads = !args.list || args.json;
    if reads {
        while scanner.read_baseline() {}
    }
    progress.end();
    let snapshot = scanner.snapshot();
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = match (args.list, args.json) {
        (true, json) => list(&mut out, snapshot, args, json),
        (false, json) => {
            let summary = Summary::new(&args.path, snapshot, began.elapsed(), &troubles);
            summary.print(&mut out, json)
        }
    };
    match printed.and_then(|()| out.flush()) {
        // Whoever reads has enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
        other => other?,
    }
    for trouble in &troubles {
        complain(trouble);
    }
    let is_complete = troubles.is_empty() && (!reads || all_read(snapshot, &args.path));
    let is_verified = !args.verify || verify(&plan, snapshot)?;
    if let (Some(file), true) = (&args.save, is_complete && is_verified) {
        saved::save(file, snapshot, &args.choice)?;
    }
    Ok(if is_complete && is_verified { 0 } else { INCOMPLETE })
}

/// Shows how far a scanner has come, if that takes long and somebody sees it.
pub fn progress(scanner: &Scanner) -> io::Result<Progress> {
    let pulse = Arc::clone(scanner.pulse());
    shown(move |since| {
        let (found, read) = pulse.counts();
        looking(found, read, since)
    })
}

/// Shows how far something has come since now, if that takes long and somebody sees it.
pub fn shown(reach: impl Fn(Instant) -> Reached + Send + 'static) -> io::Result<Progress> {
    let since = Instant::now();
    let log = Log::new(Level::Event, Style::Human { colour: false, time: false, width: 0 })?;
    Ok(log.progress(move || reach(since)))
}

/// What to scan for all of a tree, whatever lies around it.
pub fn whole(path: &Path, choice: &Choice) -> Result<Plan, Failure> {
    let unscannable = match path.metadata() {
        Ok(metadata) if metadata.is_dir() || metadata.is_file() => None,
        Ok(_) => Some("it is neither a directory nor a file".to_owned()),
        Err(error) => Some(reason(&error)),
    };
    if let Some(reason) = unscannable {
        let path = text::path(path);
        return Err(Failure::usage(anyhow!("cannot scan {path}: {reason}; is it mistyped?")));
    }
    let mut plan = setup::plan(&[path.to_owned()], choice, &[]).map_err(Failure::usage)?;
    // Paths are relative to what is scanned, so that it matters not where that lies.
    plan.roots[0].label = PathBuf::new();
    plan.ignore_files_above = false;
    plan.hash_limit = None;
    Ok(plan)
}

/// Says which files of the tree at `root` could not be read; whether there are none.
pub fn all_read(snapshot: &Snapshot, root: &Path) -> bool {
    let mut all = true;
    for (path, _) in snapshot.entries().filter(|(_, entry)| entry.is_unread()) {
        all = false;
        let path = if path.as_os_str().is_empty() { root.to_owned() } else { root.join(path) };
        let why = std::fs::File::open(&path).err();
        let why = why.map_or("it changed meanwhile".to_owned(), |error| reason(&error));
        _ = writeln!(io::stderr(), "stakeout: cannot read {}: {why}", text::path(&path));
    }
    all
}

/// Says what could not be read.
pub fn complain(trouble: &Trouble) {
    let Trouble { path, verb, .. } = trouble;
    let line = format!("cannot {verb} {}: {}", text::path(path), trouble.reason());
    _ = writeln!(io::stderr(), "stakeout: {line}");
}

fn verify(plan: &Plan, snapshot: &Snapshot) -> anyhow::Result<bool> {
    let reference = reference::read(plan)?;
    let changes = diff(snapshot, &reference);
    if !changes.is_empty() {
        let found = describe(&changes);
        _ = writeln!(io::stderr(), "stakeout: a plain walk finds another tree: {found}");
    }
    Ok(changes.is_empty())
}

#[derive(Serialize)]
struct Summary {
    path: String,
    files: usize,
    links: usize,
    bytes: u64,
    seconds: f64,
    /// None where something could not be read.
    digest: Option<String>,
    unreadable: usize,
}

impl Summary {
    fn new(path: &Path, snapshot: &Snapshot, took: Duration, troubles: &[Trouble]) -> Self {
        let is_link = |(_, entry): &(PathBuf, Entry)| matches!(entry, Entry::Link(_));
        let links = snapshot.entries().filter(is_link).count();
        let digest = snapshot.digest().filter(|_| troubles.is_empty());
        Self {
            path: path.to_string_lossy().into_owned(),
            files: snapshot.len() - links,
            links,
            bytes: snapshot.bytes(),
            seconds: took.as_secs_f64(),
            digest: digest.as_ref().map(Digest::to_string),
            unreadable: troubles.len(),
        }
    }

    fn print(&self, out: &mut impl Write, json: bool) -> io::Result<()> {
        if json {
            serde_json::to_writer(&mut *out, self)?;
            return writeln!(out);
        }
        let links = match self.links {
            0 => String::new(),
            links => format!(" and {}", text::count(links, "link")),
        };
        writeln!(out, "files   {}{links}", text::grouped(self.files as u64))?;
        writeln!(out, "bytes   {} ({})", text::grouped(self.bytes), text::bytes(self.bytes))?;
        writeln!(out, "time    {}", text::duration(Duration::from_secs_f64(self.seconds)))?;
        let digest = self.digest.as_deref().unwrap_or("unknown, since not everything was read");
        writeln!(out, "digest  {digest}")
    }
}

#[derive(Serialize)]
struct Item<'a> {
    /// The path; None where it is not UTF-8.
    path: Option<&'a str>,
    /// The path's bytes in hexadecimal where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    kind: &'static str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl<'a> Item<'a> {
    fn new(path: &'a Path, entry: &Entry) -> Self {
        let hex = || path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let (kind, digest, target) = match entry {
            Entry::File(file) => {
                let kind = if file.stamp.is_executable() { "executable" } else { "file" };
                (kind, file.digest.as_ref().map(Digest::to_string), None)
            }
            Entry::Link(link) => ("link", None, Some(link.target.to_string_lossy().into_owned())),
        };
        Self {
            path: path.to_str(),
            path_hex: path.to_str().is_none().then(hex),
            kind,
            size: entry.stamp().size,
            digest,
            target,
        }
    }
}

/// Prints the paths in the byte order of the whole path, as `LC_ALL=C sort` has it.
fn list(out: &mut impl Write, snapshot: &Snapshot, args: &Scan, json: bool) -> io::Result<()> {
    let mut entries: Vec<(PathBuf, Entry)> = snapshot.entries().collect();
    entries.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
    // A name could drive a terminal; a program is to get it as it is.
    let is_shown = !args.null && isatty(rustix::stdio::stdout());
    for (path, entry) in entries {
        // A single file that is scanned has no path below itself.
        let is_itself = path.as_os_str().is_empty();
        let path = if is_itself { args.path.as_path() } else { &path };
        if json {
            serde_json::to_writer(&mut *out, &Item::new(path, &entry))?;
            writeln!(out)?;
        } else if is_shown {
            writeln!(out, "{}", text::path(path))?;
        } else {
            out.write_all(path.as_os_str().as_bytes())?;
            out.write_all(if args.null { b"\0" } else { b"\n" })?;
        }
    }
    Ok(())
}
