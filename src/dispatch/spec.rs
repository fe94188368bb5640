//! What a service is told: what to run, when, and with what.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::smoke::Checks;
use super::steps::Step;
use crate::engine::Policy;
use crate::process::routing::Routing;
use crate::process::{Program, Socket};
use crate::ready::Probe;
use crate::scan::Filter;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Spec {
    /// What a configuration file calls it.
    pub key: String,
    /// All that such a file says of it: two that are equal run the same.
    pub says: String,
    /// What it is called, where there are several.
    pub name: Option<String>,
    /// The services that have to be ready before it starts, by their places in the list.
    pub needs: Vec<usize>,
    /// Whether all others stop when it has ended.
    pub is_essential: bool,
    /// Whether it is what a rule runs.
    pub is_rule: bool,
    /// Which changes are its own.
    pub filter: Filter,
    /// What signals mean to it.
    pub routing: Routing,
    /// The program; without one, changes are only shown, or built.
    pub program: Option<Program>,
    /// The program as it was typed, to be shown.
    pub command: Vec<OsString>,
    /// What is done on a change before the program is started anew.
    pub steps: Vec<Step>,
    /// When to start and to kill.
    pub policy: Policy,
    /// Sockets that every instance is given.
    pub sockets: Vec<Arc<Socket>>,
    /// How it is found out that the program is ready; otherwise it is as soon as it is executed.
    pub ready: Option<Probe>,
    /// What is run to find that out, for [`Probe::Exec`].
    pub probe: Option<Program>,
    /// Whether it can say how it is (sd_notify(3)).
    pub takes_notices: bool,
    /// What is checked once it is ready, and then it is over.
    pub checks: Option<Checks>,
    /// Whether the last lines that it writes are kept.
    pub keeps_output: bool,
    /// Whether what it writes to standard output is shown on standard error: ours is for a report.
    pub spares_stdout: bool,
    /// How often the program has to say that it is alive, if it has to.
    pub watchdog: Option<Duration>,
}
