//! Findings: what the facts mean for somebody who waits for an edit to be noticed. Pure.

use std::time::Duration;

use serde::Serialize;

use super::facts::{Facts, Machine, Mount, Root, RootState, Tried};
use super::pace::{Pace, Seen};
use crate::ui::text;
use crate::watch::{Mode, SAFETY_NET};

/// The version of the JSON. It changes when a name or a meaning does.
const SCHEMA: u32 = 1;

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warn,
    /// Changes would be missed, or found very late.
    Fail,
}

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How good it is.
    pub level: Level,
    /// What it is about.
    pub topic: &'static str,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Everything: facts and what they mean.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of these names.
    pub schema: u32,
    /// Of stakeout.
    pub version: &'static str,
    /// The worst of the findings.
    pub status: Level,
    /// What was found.
    pub findings: Vec<Finding>,
    /// How soon an edit is seen on each mount, in their order.
    pub seen: Vec<Seen>,
    /// How much of one core looking takes, in percent.
    pub cpu_percent: f64,
    /// What was measured.
    #[serde(flatten)]
    pub facts: Facts,
    /// What is around.
    pub machine: Machine,
}

/// Says what the facts mean.
pub fn assess(facts: Facts, machine: Machine) -> Report {
    let pace = Pace::of(&facts);
    let configured = facts.chosen.configuration.iter();
    let mut findings: Vec<Finding> =
        configured.map(|file| finding(Level::Ok, "options", format!("{file} counts"))).collect();
    findings.extend(facts.roots.iter().map(|root| of_root(root, &facts)));
    findings.extend(facts.mounts.iter().flat_map(|mount| of_mount(mount, &facts)));
    findings.extend(unreadable(&facts));
    findings.extend(not_entered(&facts));
    if !facts.mounts.is_empty() {
        findings.push(pace.finding(&facts));
        findings.push(events(&facts));
    }
    findings.push(open_files(&facts, &machine));
    findings.extend(surroundings(&machine));
    Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        status: findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok),
        findings,
        seen: facts.mounts.iter().map(|mount| pace.seen(mount, &facts)).collect(),
        cpu_percent: (pace.percent() * 100.0).round() / 100.0,
        facts,
        machine,
    }
}

pub(super) fn number_of(directories: usize) -> String {
    match directories {
        1 => "1 directory".to_owned(),
        more => format!("{} directories", text::grouped(more as u64)),
    }
}

pub(super) fn finding(level: Level, topic: &'static str, text: impl Into<String>) -> Finding {
    Finding { level, topic, text: text.into(), advice: None }
}

impl Finding {
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

fn of_root(root: &Root, facts: &Facts) -> Finding {
    let Root { path, state, too_broad } = root;
    let fail = |text: String| finding(Level::Fail, "root", text);
    match (state, too_broad) {
        (RootState::Silent, _) => {
            fail(format!("{path} does not answer, or what is mounted in it does not"))
                .advise("is its server gone, or the network? Nothing is seen until it answers")
        }
        (RootState::Unwatchable(reason), _) => fail(format!("{path} cannot be watched: {reason}"))
            .advise("is the volume mounted, and the path right?"),
        (RootState::Answers, _) if facts.not_entered.contains(path) => {
            fail(format!("{path} is made up by the kernel, so it is not looked at"))
                .advise("name a directory with files of yours")
        }
        (RootState::Answers, Some(warning)) => {
            let (what, advice) = warning.split_once("; ").unwrap_or((warning, ""));
            finding(Level::Warn, "root", format!("{path} {what}")).advise(advice)
        }
        (RootState::Answers, None) => finding(Level::Ok, "root", format!("{path} can be watched")),
    }
}

/// What is not as it should be on a mount, or worth knowing.
fn of_mount(mount: &Mount, facts: &Facts) -> Vec<Finding> {
    let Mount { path, kind, .. } = mount;
    let mut findings = Vec::new();
    let mut add = |finding| findings.push(finding);
    match mount.local {
        false if insists(facts) => add(finding(
            Level::Fail,
            "share",
            format!(
                "{path} ({kind}) is on a share: edits made on the other side make no events, and \
                 with --mode native they are found after up to {}",
                text::duration(SAFETY_NET)
            ),
        )
        .advise("leave --mode to auto, which looks again and again there")),
        false => add(finding(
            Level::Ok,
            "share",
            format!(
                "{path} ({kind}) is on a share: edits made on the other side make no events, so \
                 it is looked at again and again"
            ),
        )),
        true if kind == "overlay" => add(finding(
            Level::Ok,
            "overlay",
            format!(
                "{path}: edits beneath it, in a lower directory, make no events; the first one \
                 that is found is taken as a sign of that"
            ),
        )),
        true => {}
    }
    if let Some(step) = mount.time_steps.filter(|step| step.0 >= Duration::from_secs(1)) {
        add(finding(
            Level::Ok,
            "times",
            format!(
                "{path} keeps times in steps of {}: what changed is read once more after that",
                text::duration(step.0)
            ),
        ));
    }
    if !mount.inodes_last {
        add(finding(
            Level::Ok,
            "inodes",
            format!("{path}: a file's number changes by itself, so numbers are not gone by"),
        ));
    }
    match &mount.tried {
        Some(Tried::Written { time_step, directory_times_change }) => {
            let changes = if *directory_times_change { "changes" } else { "does not change" };
            let level = match mount.local && !directory_times_change {
                true => Level::Fail,
                false => Level::Ok,
            };
            let step = text::duration(time_step.0);
            add(finding(
                level,
                "trial",
                format!(
                    "{path}: a scratch file's times differ after {step}, and a new name {changes} \
                     its directory's (written and removed)"
                ),
            ));
        }
        Some(Tried::Failed(reason)) => add(finding(
            Level::Ok,
            "trial",
            format!("{path}: no scratch file can be written ({reason}), so times were not tried"),
        )),
        None => {}
    }
    findings
}

fn unreadable(facts: &Facts) -> Option<Finding> {
    let first = facts.unreadable.first()?;
    let more = match facts.unreadable.len() {
        1 => String::new(),
        more => format!(" and {} more", text::count(more - 1, "place")),
    };
    let text = format!("{}{more} cannot be read: {}", first.path, first.reason);
    let advice = "changes there are missed; run as a user who may read it, or leave it out by -i";
    Some(finding(Level::Fail, "unread", text).advise(advice))
}

fn not_entered(facts: &Facts) -> Option<Finding> {
    let is_root = |path: &&String| facts.roots.iter().any(|root| root.path == **path);
    let paths = facts.not_entered.iter().filter(|path| !is_root(path));
    let paths: Vec<&str> = paths.map(String::as_str).collect();
    let text = format!("made up by the kernel, and not entered: {}", paths.join(", "));
    (!paths.is_empty()).then(|| finding(Level::Ok, "left out", text))
}

/// What there is to say of native events and their limits.
fn events(facts: &Facts) -> Finding {
    let events = &facts.events;
    if events.wanted == 0 {
        let why = match facts.chosen.mode() {
            Mode::Poll => "--mode poll asks for none",
            _ => "nothing that is watched is local, so none can be expected",
        };
        return finding(Level::Ok, "events", why);
    }
    let number = |limit: Option<u64>| limit.map_or_else(|| "?".to_owned(), text::grouped);
    let in_use = format!(
        "others of this user have {} of {} watches and {} of {} instances",
        text::grouped(events.watches_in_use),
        number(events.max_user_watches),
        text::grouped(events.instances_in_use),
        number(events.max_user_instances),
    );
    let here = match events.watches_here {
        0 => String::new(),
        here => format!("the stakeout that runs here has {} watches, ", text::grouped(here)),
    };
    let had = format!(
        "{} of {} can be watched by inotify; {here}{in_use}",
        text::grouped(events.watched as u64),
        number_of(events.wanted),
    );
    let level = if insists(facts) { Level::Fail } else { Level::Warn };
    match events.errno {
        None => finding(Level::Ok, "events", had),
        Some(libc::EMFILE) => finding(level, "events", had).advise(
            "the limit on instances is reached; raise it by sysctl -w \
             fs.inotify.max_user_instances=1024, on the machine that runs the containers",
        ),
        Some(libc::ENOSPC) => finding(level, "events", had).advise(format!(
            "the limit on watches is reached; raise it by sysctl -w \
             fs.inotify.max_user_watches={}, on the machine that runs the containers",
            (events.wanted as u64 * 2).max(524_288)
        )),
        Some(errno) => finding(level, "events", had)
            .advise(crate::scan::reason(&std::io::Error::from_raw_os_error(errno))),
    }
}

/// Whether events are relied upon, whatever comes of it, and looking is but a safety net.
fn insists(facts: &Facts) -> bool {
    facts.chosen.mode() == Mode::Native && facts.chosen.interval.is_none()
}

fn open_files(facts: &Facts, machine: &Machine) -> Finding {
    let local = facts.mounts.iter().filter(|mount| mount.local);
    let directories: usize = local.map(|mount| mount.directories).sum();
    let Some(limit) = machine.open_files else {
        return finding(Level::Ok, "files", "as many files may be open as there are");
    };
    let line = format!("{} files may be open", text::grouped(limit));
    match directories > machine.held_directories {
        false => finding(Level::Ok, "files", line),
        true => finding(
            Level::Warn,
            "files",
            format!(
                "{line}, which is too few to hold {} directories",
                text::grouped(directories as u64)
            ),
        )
        .advise("raise it by ulimit -n, or docker's --ulimit nofile; looking is cheaper then"),
    }
}

/// What is around stakeout, wherever the tree lies.
fn surroundings(machine: &Machine) -> Vec<Finding> {
    let pid_1 = match (machine.pid_1, &machine.pid_1_name) {
        (true, _) => "this is PID 1: orphans are reaped".to_owned(),
        (false, Some(name)) => {
            format!("PID 1 is {name}; what the program leaves behind is reaped all the same")
        }
        (false, None) => "not PID 1; what the program leaves behind is reaped all the same".into(),
    };
    let mut findings = vec![finding(Level::Ok, "process", pid_1)];
    if !machine.proc {
        findings.push(
            finding(
                Level::Warn,
                "process",
                "there is no /proc, so what leaves the program's process group is not found",
            )
            .advise("mount it, if the program starts daemons"),
        );
    }
    let terminal = match machine.terminal {
        true => "standard input is one: the program reads what is typed",
        false => "standard input is none",
    };
    findings.push(finding(Level::Ok, "terminal", terminal));
    findings
}
