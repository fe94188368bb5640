//! Following a configuration file: looking whether it says something else, and what.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;

use super::Failure;
use super::effective::Source;
use super::run::{Options, assemble, plan, rules};
use super::setup::{Sockets, shown, specs, timing};
use super::typed;
use crate::config::find;
use crate::dispatch::Configuration;
use crate::scan::{Scanner, reason};
use crate::ui::text;

/// A configuration file that is followed.
#[derive(Debug)]
pub struct Reload {
    words: Vec<OsString>,
    source: Source,
    /// What the file says of watching, with what else that depends on.
    watch: String,
    sockets: Sockets,
    /// As it was when it was read last, and as it was seen last.
    read: Option<Seen>,
    seen: Option<Seen>,
}

/// A file at one time: its text, and when it was saved, since saving it again has a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    text: Result<String, String>,
    saved: (i64, i64),
}

impl Reload {
    /// Follows a file of which this is in effect.
    pub fn new(words: Vec<OsString>, source: Source, options: &Options, sockets: Sockets) -> Self {
        let watch = about_watching(&source, options);
        let mut this = Self { words, source, watch, sockets, read: None, seen: None };
        let text = Ok(this.source.text.clone());
        this.read = Some(Seen { text, ..this.look() });
        this.seen.clone_from(&this.read);
        this
    }

    /// What it says now, if that is another than before. What was saved an instant ago may be half
    /// of it, so it has to be the same twice.
    pub fn next(&mut self) -> Option<Result<Configuration, String>> {
        let seen = self.look();
        let is_steady = self.seen.replace(seen.clone()).as_ref() == Some(&seen);
        if !is_steady || self.read.as_ref() == Some(&seen) {
            return None;
        }
        self.read = Some(seen.clone());
        let text = match seen.text {
            // What an editor leaves on a full disk is not meant.
            Ok(text) if text.trim().is_empty() => {
                return Some(Err(format!("{} is empty", text::path(&self.source.file))));
            }
            Ok(text) => text,
            Err(why) => return Some(Err(why)),
        };
        Some(self.read(text).map_err(|failure| format!("{:#}", failure.cause)))
    }

    fn look(&self) -> Seen {
        let file = &self.source.file;
        let shown = text::path(file);
        let metadata = file.metadata();
        let saved = metadata.as_ref().map_or((0, 0), |it| (it.mtime(), it.mtime_nsec()));
        let text = match metadata {
            // Reading from a pipe, for example, could take for ever.
            Ok(metadata) if !metadata.is_file() => Err(format!("{shown} is no file any more")),
            _ => find::text(file).map_err(|error| {
                format!("cannot read the configuration file {shown}: {}", reason(&error))
            }),
        };
        Seen { text, saved }
    }

    fn read(&mut self, text: String) -> Result<Configuration, Failure> {
        let source = self.source.with(text)?;
        let typed = typed::parse(&self.words, &[]).map_err(Failure::usage)?;
        let options = assemble(&self.words, &typed, Some(&source))?;
        let services = specs(&options.runs, &mut self.sockets).map_err(Failure::usage)?;
        let rules = rules(&source, &options).map_err(Failure::usage)?;
        let watch = about_watching(&source, &options);
        let scanner = match watch == self.watch {
            true => None,
            false => plan(&options, Some(&source))?.map(Scanner::new).transpose()?,
        };
        self.watch = watch;
        self.source = source;
        Ok(Configuration {
            services,
            rules,
            watch: scanner.map(|it| (it, timing(&options.general))),
            shown: shown(&options.general, &options.runs),
        })
    }
}

/// All that decides what is watched and how, to be compared.
fn about_watching(source: &Source, options: &Options) -> String {
    let settings = source.config.watch.iter().map(|setting| (setting.key.name, &setting.given));
    let settings: Vec<_> = settings.collect();
    let outputs = options.runs.iter().flat_map(|run| &run.cli.on_change.build_outputs);
    format!("{settings:?} {:?}", outputs.collect::<Vec<_>>())
}
