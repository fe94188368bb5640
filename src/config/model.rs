//! What a configuration file says, whichever language it is written in.

use std::ops::Range;

use super::keys::Key;

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What is watched, and how.
    pub watch: Vec<Setting>,
    /// What browsers see.
    pub proxy: Vec<Setting>,
    /// What is shown.
    pub output: Vec<Setting>,
    /// What runs, in the order of the file.
    pub services: Vec<Service>,
    /// What changes lead to, in the order of the file: the first that matches decides.
    pub rules: Vec<Rule>,
}

/// A value for an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub key: &'static Key,
    /// The value, as it could be typed.
    pub given: Given,
    /// Where it is written.
    pub place: Place,
}

/// One text, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A value, or a line for a shell.
    One(String),
    /// The items of a list, or the words of a command.
    Many(Vec<String>),
}

/// A program that is kept running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, and where that is written.
    pub name: Named<String>,
    /// How it is built, run and stopped.
    pub settings: Vec<Setting>,
    /// Which services have to be ready before it starts.
    pub depends_on: Vec<Named<String>>,
    /// Whether all others stop when it fails.
    pub essential: Option<Named<bool>>,
    /// Which changes are its own; empty means all.
    pub filter: Vec<Setting>,
}

/// What some changes lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, and where that is written.
    pub name: Named<String>,
    /// Which paths it is about, by globs as in .gitignore.
    pub globs: Vec<String>,
    /// Which kinds of changes it is about.
    pub kinds: Vec<Kind>,
    /// What they lead to.
    pub action: Action,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A path that was not there.
    Create,
    /// Another content.
    Modify,
    /// A path that is gone.
    Remove,
    /// The same content under another path.
    Rename,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Restarts a service, or all of them.
    Restart(Option<Named<String>>),
    /// Starts another instance of a service, or of each, beside the one that runs.
    Handover(Option<Named<String>>),
    /// Sends a service, or all of them, a signal.
    Signal(String, Option<Named<String>>),
    /// Runs a command by a shell.
    Run(String),
    /// Tells browsers to load the page again.
    ReloadBrowser,
    /// Does nothing.
    Ignore,
}

/// Something with the place where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T> {
    /// What is written there.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// Which bytes of the text something is. All places are equal: two files that say the same in
/// different places say the same.
#[derive(Clone, Debug)]
pub struct Place(pub Range<usize>);

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Kind {
    /// All kinds, by the names that they have in a file.
    pub const ALL: [(&str, Kind); 4] = [
        ("create", Kind::Create),
        ("modify", Kind::Modify),
        ("remove", Kind::Remove),
        ("rename", Kind::Rename),
    ];
}

impl Action {
    /// The names that actions have in a file.
    pub(super) const NAMES: [&str; 6] =
        ["restart", "handover", "signal", "run", "reload-browser", "ignore"];

    /// Which of them it is.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Action::Restart(_) => "restart",
            Action::Handover(_) => "handover",
            Action::Signal(..) => "signal",
            Action::Run(_) => "run",
            Action::ReloadBrowser => "reload-browser",
            Action::Ignore => "ignore",
        }
    }

    /// The service that it is about, if it is about one.
    pub fn service(&self) -> Option<&Named<String>> {
        match self {
            Action::Restart(to) | Action::Handover(to) | Action::Signal(_, to) => to.as_ref(),
            Action::Run(_) | Action::ReloadBrowser | Action::Ignore => None,
        }
    }
}

impl Setting {
    /// The values that the option gets.
    pub fn values(&self) -> &[String] {
        match &self.given {
            Given::One(value) => std::slice::from_ref(value),
            Given::Many(values) => values,
        }
    }
}
