//! What was typed, turned into what it means: compiled globs, services, when to look.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use anyhow::{anyhow, bail};
use rustix::fs::FileType;
use rustix::{stdio, termios};

use super::args::{self, Cli};
use super::browsers::Browsers;
use super::choice::{Choice, split_list};
use super::{commands, on_change};
use crate::control::Server;
use crate::dispatch::{Setup, Shown, Spec, Web};
use crate::engine::{OnBusy, OnChange, Policy, Restart};
use crate::process::routing::Routing;
use crate::process::{Address, Program, Socket, Stdin, listen_tcp};
use crate::ready::Probe;
use crate::scan::{Filter, GlobError, Plan, Root, Selection};
use crate::watch::{Interval, Mode, Timing};
use crate::web;

/// What to scan, of these roots. `outputs` is left out as well.
pub fn plan(roots: &[PathBuf], choice: &Choice, outputs: &[String]) -> Result<Plan, GlobError> {
    let items = |lists: &[String]| lists.iter().flat_map(|l| split_list(l)).collect::<Vec<_>>();
    let selection = Selection::new(&items(&choice.exts), &items(&choice.filter))?;
    let roots = roots.iter().map(|path| Root::new(path)).collect();
    let ignored = [items(&choice.ignore), items(outputs)].concat();
    let mut plan = Plan::new(roots, selection, &ignored, !choice.no_ignore)?;
    plan.follow_symlinks = choice.follow_symlinks;
    plan.own_output = [stdio::stdout(), stdio::stderr()].into_iter().filter_map(file).collect();
    Ok(plan)
}

/// Which file a descriptor is redirected to, by device and inode, if it is one.
fn file(output: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let stat = rustix::fs::fstat(output).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    is_file.then_some((stat.st_dev, stat.st_ino))
}

/// A service: its options, and what only a file can say of it.
#[derive(Debug)]
pub struct Run {
    pub cli: Cli,
    /// What it is called, where there are several.
    pub name: Option<String>,
    /// Which ones have to be ready before it starts, by their places.
    pub needs: Vec<usize>,
    pub is_essential: bool,
    pub filter: Filter,
    /// What the file calls it.
    pub key: String,
    /// All that the file says of it.
    pub says: String,
}

/// The sockets that are open, so that nothing is opened twice.
#[derive(Debug, Default)]
pub struct Sockets(BTreeMap<String, Weak<Socket>>);

/// What to do, as far as it is not the plan. `cli` is what holds for all services.
pub fn setup(
    cli: &Cli,
    runs: &[Run],
    sockets: &mut Sockets,
    control: Option<Server>,
) -> anyhow::Result<Setup> {
    let services = specs(runs, sockets)?;
    if cli.runs.is_some() {
        match services.as_slice() {
            [only] if only.program.is_some() || !only.steps.is_empty() => {}
            [_] => bail!("--runs has nothing to count; give a command, or --build"),
            _ => bail!("--runs counts the runs of one service; here are several"),
        }
    }
    Ok(Setup {
        exits_on_change: cli.exit_on_change,
        keys: keys(cli, &services),
        services,
        rules: Vec::new(),
        timing: timing(cli),
        shown: shown(cli, runs),
        control,
        web: None,
        follow: None,
    })
}

/// What browsers are shown, if an address is given for that.
pub fn web(cli: &Cli, runs: &[Run]) -> anyhow::Result<Option<Web>> {
    let Browsers { proxy, proxy_wait, proxy_service, http, allow_host } = &cli.browsers;
    if proxy.is_empty() && http.is_none() {
        return Ok(None);
    }
    if let Some(name) = proxy_service
        && !runs.iter().any(|run| run.key == *name)
    {
        let names: Vec<&str> = runs.iter().map(|run| run.key.as_str()).collect();
        bail!("--proxy-service: there is no service {name:?}, but {}", names.join(", "));
    }
    let open = |address: &String| listen_tcp(address).map_err(|error| anyhow!(error));
    let proxies = proxy.iter().map(|route| Ok((open(&route.listen)?, route.upstream.clone())));
    Ok(Some(Web {
        setup: web::Setup {
            proxies: proxies.collect::<anyhow::Result<_>>()?,
            pages: http.as_ref().map(open).transpose()?,
            patience: *proxy_wait,
            hosts: allow_host.clone(),
        },
        service: proxy_service.clone().filter(|_| runs.len() > 1),
    }))
}

/// Whether to read keys: where no program reads from the terminal, unless they were asked for. A
/// plain init has little use for them, and who reads JSON does not sit at the terminal.
fn keys(cli: &Cli, services: &[Spec]) -> bool {
    let is_read = services.iter().filter_map(|spec| spec.program.as_ref());
    let is_read = is_read.map(Program::stdin).any(|stdin| stdin == Stdin::Inherit);
    let is_fit = !is_read && !cli.no_watch && !cli.output.is_json();
    !cli.output.no_keys && (is_fit || cli.output.keys)
}

/// What is shown.
pub fn shown(cli: &Cli, runs: &[Run]) -> Shown {
    let names = runs.iter().filter_map(|run| run.name.as_deref());
    Shown {
        level: cli.output.level(),
        style: cli.output.style().of_services(names),
        clear: cli.output.clear && termios::isatty(stdio::stderr()),
    }
}

/// When to look.
pub fn timing(cli: &Cli) -> Timing {
    let interval = cli.interval.map_or(Interval::Budget(cli.cpu_budget), Interval::Fixed);
    let mode = match cli.mode {
        args::Mode::Auto => Mode::Auto,
        args::Mode::Poll => Mode::Poll,
        args::Mode::Native => Mode::Native,
    };
    Timing { mode, interval, debounce: cli.debounce, max_wait: cli.max_wait }
}

/// What each service is.
pub fn specs(runs: &[Run], sockets: &mut Sockets) -> anyhow::Result<Vec<Spec>> {
    runs.iter().map(|run| spec(run, sockets)).collect()
}

fn spec(run: &Run, sockets: &mut Sockets) -> anyhow::Result<Spec> {
    let cli = &run.cli;
    let command = commands::command(cli)?;
    // To be shown in a browser.
    let keeps_output = !cli.browsers.proxy.is_empty();
    let program = match command.is_empty() {
        true if cli.no_watch => bail!("--no-watch has nothing to run; put a command after `--`"),
        true => None,
        // Its lines are marked or kept, so it writes into a pipe as a step does.
        false if run.name.is_some() || keeps_output => {
            Some(commands::program(cli, &command)?.with(&commands::colours())?)
        }
        false => Some(commands::program(cli, &command)?),
    };
    if cli.on_change.handover {
        check_handover(cli, "--handover")?;
    }
    let steps = commands::steps(cli)?;
    // Who has the terminal ends all by Ctrl-C.
    let reads = program.as_ref().is_some_and(|program| program.stdin() == Stdin::Inherit);
    Ok(Spec {
        key: run.key.clone(),
        says: run.says.clone(),
        name: run.name.clone(),
        needs: run.needs.clone(),
        is_essential: run.is_essential || reads,
        is_rule: false,
        filter: run.filter.clone(),
        routing: routing(cli),
        sockets: sockets.open(cli)?,
        ready: cli.serving.ready.clone(),
        probe: commands::probe(cli)?,
        takes_notices: takes_notices(cli),
        watchdog: cli.serving.watchdog,
        checks: None,
        keeps_output,
        spares_stdout: false,
        policy: Policy {
            exit_with_child: cli.exit_with_child || cli.no_watch || run.is_essential,
            ..policy(cli, program.is_some(), steps.len())
        },
        program,
        command,
        steps,
    })
}

fn routing(cli: &Cli) -> Routing {
    Routing {
        map: cli.map_signal.iter().copied().collect(),
        stop: cli.stop_signal,
        // Fails where there is no controlling terminal (tty(4)).
        has_terminal: File::open("/dev/tty").is_ok(),
    }
}

/// The roots: what was asked for, each once, or the working directory.
pub fn roots(cli: &Cli) -> Vec<PathBuf> {
    each_once(&cli.watch)
}

/// Each of these paths once, or the working directory if there are none.
pub fn each_once(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !roots.iter().any(|root| Root::new(root).label == Root::new(path).label) {
            roots.push(path.clone());
        }
    }
    if roots.is_empty() {
        roots.push(Path::new(".").to_path_buf());
    }
    roots
}

/// What a rule runs: a service without a program, which builds on a change of its own. A change
/// while it runs lets it end first.
pub fn of_rule(cli: &Cli, name: &str, command: &str) -> anyhow::Result<Spec> {
    let filter = Filter::new(&[], &[], &[])?;
    Ok(Spec {
        key: name.to_owned(),
        says: format!("{command:?} {:?} {:?} {:?}", cli.workdir, cli.env, cli.env_file),
        name: Some(name.to_owned()),
        needs: Vec::new(),
        is_essential: false,
        is_rule: true,
        filter,
        routing: routing(cli),
        sockets: Vec::new(),
        ready: None,
        probe: None,
        takes_notices: false,
        watchdog: None,
        checks: None,
        keeps_output: false,
        spares_stdout: false,
        policy: Policy {
            on_busy: OnBusy::Queue,
            on_change: OnChange::Build,
            ready_timeout: None,
            postpone: true,
            exit_with_child: false,
            runs: None,
            ..policy(cli, false, 1)
        },
        program: None,
        command: Vec::new(),
        steps: vec![commands::step(cli, "run", command)?],
    })
}

impl Sockets {
    /// Opens what is to be listened on, unless it is open already.
    fn open(&mut self, cli: &Cli) -> anyhow::Result<Vec<Arc<Socket>>> {
        let mut open = |address: &Address| {
            let name = format!("{address:?}");
            if let Some(socket) = self.0.get(&name).and_then(Weak::upgrade) {
                return Ok(socket);
            }
            let socket = Arc::new(Socket::open(address).map_err(|error| anyhow!(error))?);
            self.0.insert(name, Arc::downgrade(&socket));
            Ok(socket)
        };
        cli.serving.listen.iter().map(&mut open).collect()
    }
}

/// A plain init leaves what is around it alone, unless it is asked to.
fn takes_notices(cli: &Cli) -> bool {
    let is_asked =
        matches!(cli.serving.ready, Some(Probe::Notify)) || cli.serving.watchdog.is_some();
    !cli.no_watch || is_asked
}

/// Whether one instance can take over from another, as `what` wants it.
pub fn check_handover(cli: &Cli, what: &str) -> anyhow::Result<()> {
    match &cli.serving.ready {
        None => bail!(
            "{what} has to know when the new program can take over; say how by --ready, for \
             example --ready notify"
        ),
        Some(probe) if probe.asks_an_address() => bail!(
            "--ready tcp: and http: are answered by the old program as well, so that they do not \
             tell when the new one can take over; use --ready notify, log: or exec:"
        ),
        Some(_) => Ok(()),
    }
}

fn policy(cli: &Cli, has_program: bool, steps: usize) -> Policy {
    let exit_with_child = cli.exit_with_child || cli.no_watch;
    let restart = match cli.restart {
        Some(args::Restart::Never) => Restart::Never,
        Some(args::Restart::OnCrash) => Restart::OnCrash,
        Some(args::Restart::OnFailure) => Restart::OnFailure,
        Some(args::Restart::Always) => Restart::Always,
        None if exit_with_child => Restart::Never,
        None => Restart::OnCrash,
    };
    Policy {
        has_program,
        steps,
        on_busy: match cli.on_change.on_busy {
            on_change::OnBusy::Cancel => OnBusy::Cancel,
            on_change::OnBusy::Queue => OnBusy::Queue,
            on_change::OnBusy::Ignore => OnBusy::Ignore,
        },
        on_change: match cli.on_change.signal {
            Some(signal) => OnChange::Signal(signal),
            None if !cli.on_change.reload.is_empty() => OnChange::Build,
            None if cli.on_change.handover => OnChange::Handover,
            None => OnChange::Restart,
        },
        ready_timeout: cli.serving.ready.is_some().then_some(cli.serving.ready_timeout),
        // Without watching, that change would never come.
        postpone: cli.postpone && !cli.no_watch,
        stop_signal: cli.stop_signal.unwrap_or(libc::SIGTERM),
        stop_timeout: cli.stop_timeout,
        restart,
        exit_with_child,
        runs: cli.runs,
    }
}
