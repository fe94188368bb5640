//! What the rules of a configuration file mean: compiled globs, prepared commands.

use anyhow::{Context, bail};

use super::args::Cli;
use super::setup::{self, Run};
use crate::config::{Action, Named, Rule as Written};
use crate::dispatch::{Effect, Rule};
use crate::engine::OnChange;
use crate::process::signals;
use crate::scan::Filter;

/// The rules. `cli` is what their commands are run as.
///
/// # Errors
/// When a glob cannot be understood, or a service cannot do what a rule wants of it.
pub fn rules(written: &[Written], runs: &[Run], cli: &Cli) -> anyhow::Result<Vec<Rule>> {
    let compile = |rule: &Written| {
        let name = &rule.name.value;
        compile(rule, runs, cli).with_context(|| format!("[rule.{name}] cannot be followed"))
    };
    written.iter().map(compile).collect()
}

fn compile(rule: &Written, runs: &[Run], cli: &Cli) -> anyhow::Result<Rule> {
    let (excluded, included): (Vec<_>, Vec<_>) =
        rule.globs.iter().cloned().partition(|glob| glob.starts_with('!'));
    let excluded: Vec<String> = excluded.iter().map(|glob| glob[1..].to_owned()).collect();
    let place = |service: &Option<Named<String>>| {
        service.as_ref().and_then(|name| runs.iter().position(|run| run.key == name.value))
    };
    let effect = match &rule.action {
        Action::Restart(service) => Effect::Act(OnChange::Restart, place(service)),
        Action::Handover(service) => {
            let which = place(service);
            let handed = runs.iter().enumerate().filter(|(it, _)| which.is_none_or(|at| at == *it));
            for (_, run) in handed {
                setup::check_handover(&run.cli, "a handover")?;
            }
            Effect::Act(OnChange::Handover, which)
        }
        Action::Signal(signal, service) => {
            let Ok(signal) = signals::parse(signal) else { bail!("there is no signal {signal}") };
            Effect::Act(OnChange::Signal(signal), place(service))
        }
        Action::Run(command) => {
            Effect::Run(Box::new(setup::of_rule(cli, &rule.name.value, command)?))
        }
        Action::ReloadBrowser if cli.browsers.proxy.is_empty() => {
            bail!("no browser could be told: give `routes` in [proxy], for example \"8080=3000\"")
        }
        Action::ReloadBrowser => Effect::Reload,
        Action::Ignore => Effect::Ignore,
    };
    Ok(Rule {
        name: rule.name.value.clone(),
        filter: Filter::new(&[], &included, &excluded)?,
        kinds: rule.kinds.clone(),
        effect,
    })
}
