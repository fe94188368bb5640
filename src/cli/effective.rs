//! The effective configuration: what was typed, over the environment, over a file, over defaults.
//!
//! A file's values become the defaults of the options, so clap finds the strongest one and knows
//! where it came from.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::parser::ValueSource;

use super::Failure;
use super::args::{Cli, Input};
use super::choice::split_list;
use super::setup::Run;
use super::typed::{self, Typed};
use crate::config::air::{self, Import};
use crate::config::{
    self, Config, Given, Language, Options, Place, Problems, Service, Setting, find,
};
use crate::scan::{Filter, GlobError, reason};
use crate::ui::text;

/// A configuration file that was read.
#[derive(Debug)]
pub struct Source {
    /// As it is called from the directory that we work in.
    pub file: PathBuf,
    /// The directory above that it was found in, if we work there now.
    pub moved_to: Option<PathBuf>,
    /// Where we were, relative to that.
    moved_from: PathBuf,
    pub text: String,
    pub config: Config,
    /// Keys of air that have no meaning here.
    pub passed_over: Vec<String>,
}

impl Source {
    /// The file that these options mean, if there is one. Where it was found in a directory above,
    /// that becomes the working directory: it is the project's.
    pub fn read(cli: &Cli) -> Result<Option<Self>, Failure> {
        let (file, moved_to, moved_from) = match &cli.config {
            Some(file) => (file.clone(), None, PathBuf::new()),
            None => {
                // Without one, paths are found all the same, and this is no place to complain.
                let Ok(here) = std::env::current_dir() else { return Ok(None) };
                // air's file is for what air would run.
                let Some(found) = find::find(&here, cli.command.is_empty()) else {
                    return Ok(None);
                };
                let moved_from = here.strip_prefix(&found.directory).unwrap_or(Path::new(""));
                let is_above = !moved_from.as_os_str().is_empty();
                if is_above {
                    std::env::set_current_dir(&found.directory).with_context(|| {
                        format!("cannot work in {}", text::path(&found.directory))
                    })?;
                }
                (found.file, is_above.then_some(found.directory), moved_from.to_owned())
            }
        };
        let shown = text::path(&file);
        let text = find::text(&file).map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            let advice = if is_missing { "; `stakeout init` writes one" } else { "" };
            let reason = reason(&error);
            Failure::usage(anyhow!("cannot read the configuration file {shown}: {reason}{advice}"))
        })?;
        Self::understand(file, moved_to, moved_from, text).map(Some)
    }

    /// The same file, with this text now.
    pub fn with(&self, text: String) -> Result<Self, Failure> {
        let Self { file, moved_to, moved_from, .. } = self;
        Self::understand(file.clone(), moved_to.clone(), moved_from.clone(), text)
    }

    fn understand(
        file: PathBuf,
        moved_to: Option<PathBuf>,
        moved_from: PathBuf,
        text: String,
    ) -> Result<Self, Failure> {
        let options = Options::new(typed::definitions());
        let read = match find::is_air(&file) {
            true => air::import(&text, &options),
            false => config::read(&text, Language::of(&file), &options)
                .map(|config| Import { config, passed_over: Vec::new() }),
        };
        match read {
            Ok(Import { config, passed_over }) => {
                Ok(Self { file, moved_to, moved_from, text, config, passed_over })
            }
            Err(list) => Err(Failure::usage(Problems { file, text, list })),
        }
    }

    /// The options with what the file says of a service, and of everything else, as defaults.
    pub fn complete(
        &self,
        words: &[OsString],
        typed: &Typed,
        service: Option<&Service>,
    ) -> Result<Typed, Failure> {
        let options = Options::new(typed::definitions());
        let settings = self.settings(service).filter(|setting| {
            // What was typed puts away what cannot be together with it.
            let is_against = |option: &str| options.conflict(option, setting.key.option);
            !typed.options().any(is_against)
        });
        let mut defaults: Vec<(&str, &[String])> =
            settings.map(|setting| (setting.key.option, setting.values())).collect();
        // Of several, one at most can read what is typed, so it is none if none is named.
        let none = ["null".to_owned()];
        let reads = |service: &Service| service.settings.iter().any(|it| it.key.option == "stdin");
        if self.config.services.len() > 1 && service.is_some_and(|service| !reads(service)) {
            defaults.push(("stdin", &none));
        }
        let mut complete = typed::parse(words, &defaults).map_err(Failure::usage)?;
        let cli = &mut complete.cli;
        let is_typed = |option: &str| typed.options().any(|name| name == option);
        let run = service.into_iter().flat_map(|service| &service.settings);
        let mut run = run.filter(|setting| setting.key.option == "command");
        if !is_typed("command") && run.any(|run| matches!(run.given, Given::One(_))) {
            cli.is_line = true;
        }
        let typed_paths =
            [(is_typed("watch"), &mut cli.watch), (is_typed("env_file"), &mut cli.env_file)];
        let directory = cli.workdir.iter_mut().filter(|_| is_typed("workdir"));
        let paths = typed_paths.into_iter().filter(|(is_typed, _)| *is_typed);
        for path in paths.flat_map(|(_, paths)| paths).chain(directory) {
            // They mean what they meant where they were typed.
            *path = match path.as_os_str().as_bytes() {
                // Of a file of variables that need not be there.
                [b'-', rest @ ..] => {
                    let mut optional = OsString::from("-");
                    optional.push(self.moved_from.join(OsStr::from_bytes(rest)));
                    optional.into()
                }
                _ => self.moved_from.join(&*path),
            };
        }
        Ok(complete)
    }

    /// Several services, each with its options.
    pub fn runs(
        &self,
        words: &[OsString],
        typed: &Typed,
        services: &[Service],
    ) -> Result<Vec<Run>, Failure> {
        let mut runs = Vec::new();
        for service in services {
            let cli = self.complete(words, typed, Some(service))?.cli;
            let place = |name: &str| services.iter().position(|it| it.name.value == name);
            runs.push(Run {
                cli,
                name: Some(service.name.value.clone()),
                needs: service.depends_on.iter().filter_map(|name| place(&name.value)).collect(),
                is_essential: is_essential(service),
                filter: filter(service).map_err(Failure::usage)?,
                key: service.name.value.clone(),
                says: says_of(service, true),
            });
        }
        let reads = |run: &&Run| matches!(run.cli.stdin, Input::Inherit);
        let readers: Vec<_> = runs.iter().filter(reads).filter_map(|it| it.name.clone()).collect();
        match readers.as_slice() {
            [] | [_] => Ok(runs),
            several => Err(Failure::usage(anyhow!(
                "only one service can read what is typed, not {}: leave `stdin = \"inherit\"` to \
                 one of them",
                several.join(" and ")
            ))),
        }
    }

    /// What the file says of a service and of everything else.
    pub fn settings<'a>(
        &'a self,
        service: Option<&'a Service>,
    ) -> impl Iterator<Item = &'a Setting> {
        let Config { watch, proxy, output, .. } = &self.config;
        let general = watch.iter().chain(proxy).chain(output);
        general.chain(service.into_iter().flat_map(|service| &service.settings))
    }

    /// Globs for the file itself, where it may be below what is watched: as it is shown there,
    /// which depends on how that was typed.
    pub fn globs(&self) -> Vec<String> {
        let file = self.file.strip_prefix(".").unwrap_or(&self.file);
        let absolute = std::path::absolute(file).ok();
        let is_special = |character: char| "*?[]{}\\!#, ".contains(character);
        let glob = |file: &Path| {
            let escaped = file.to_str()?.trim_start_matches('/').chars().flat_map(|character| {
                is_special(character).then_some('\\').into_iter().chain([character])
            });
            Some(format!("/{}", escaped.collect::<String>()))
        };
        [Some(file), absolute.as_deref()].into_iter().flatten().filter_map(glob).collect()
    }

    /// The line that something is written in.
    pub fn line(&self, place: &Place) -> usize {
        let before = self.text.as_bytes().iter().take(place.0.start);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    /// What of an .air.toml does nothing here, in one sentence.
    pub fn warning(&self) -> Option<String> {
        let file = text::path(&self.file);
        let keys = self.passed_over.join(", ");
        (!keys.is_empty()).then(|| format!("of {file}, this has no meaning here: {keys}"))
    }

    /// One sentence on what was read.
    pub fn sentence(&self) -> String {
        let file = text::path(&self.file);
        match &self.moved_to {
            Some(directory) => {
                format!("configured by {file} in {}, and works there", text::path(directory))
            }
            None => format!("configured by {file}"),
        }
    }
}

/// All that a file says of a service, to be compared.
pub fn says_of(service: &Service, is_one_of_several: bool) -> String {
    let list = |settings: &[Setting]| -> Vec<String> {
        settings.iter().map(|it| format!("{} {:?}", it.key.name, it.given)).collect()
    };
    let essential = service.essential.as_ref().map(|it| it.value);
    format!(
        "{:?} {:?} {essential:?} {is_one_of_several}",
        list(&service.settings),
        list(&service.filter)
    )
}

/// Whether all end with it.
pub fn is_essential(service: &Service) -> bool {
    service.essential.as_ref().is_some_and(|essential| essential.value)
}

/// Which changes are a service's own.
pub fn filter(service: &Service) -> Result<Filter, GlobError> {
    let list = |option: &str| -> Vec<String> {
        let settings = service.filter.iter().filter(|setting| setting.key.option == option);
        settings.flat_map(Setting::values).flat_map(|list| split_list(list)).collect()
    };
    Filter::new(&list("exts"), &list("filter"), &list("ignore"))
}

impl Typed {
    /// The options that were given, on the command line or in the environment.
    fn options(&self) -> impl Iterator<Item = &str> {
        let is_typed = |id: &&clap::Id| {
            let source = self.matches.value_source(id.as_str());
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        self.matches.ids().filter(is_typed).map(clap::Id::as_str)
    }
}
