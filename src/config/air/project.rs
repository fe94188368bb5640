//! What the values of an .air.toml mean for a project.

use std::ops::Range;
use std::time::Duration;

use super::super::keys::{OUTPUT, PROXY, SERVICE, WATCH};
use super::super::model::{Config, Given, Named, Place, Service, Setting};
use super::super::options::Options;
use super::super::problem::Problem;
use super::values::Values;
use super::{super::keys::Key, globs};

/// How the service is called.
const NAME: &str = "app";

/// The least that air takes for build.poll_interval.
const LEAST_INTERVAL: u64 = 500;

/// How long a request waits for the program, in milliseconds, where air is not told.
const AIR_WAITS: u64 = 5000;

pub(super) struct Project<'v, 'a> {
    pub(super) values: &'v mut Values<'a>,
    options: &'v Options,
    /// As paths are shown; empty where it is the working directory.
    pub(super) root: String,
    pub(super) tmp: String,
    pub(super) config: Config,
    service: Vec<Setting>,
    /// Which changes are the service's own, where rules are about others.
    pub(super) filter: Vec<Setting>,
}

impl<'v, 'a> Project<'v, 'a> {
    pub fn new(values: &'v mut Values<'a>, options: &'v Options) -> Self {
        let text = |name: &str, default: &str| {
            values.text(name).map_or(default.to_owned(), |given| given.value)
        };
        let root = globs::below("", &text("root", "."));
        let tmp = text("tmp_dir", "tmp");
        let (config, service, filter) = (Config::default(), Vec::new(), Vec::new());
        Self { values, options, root, tmp, config, service, filter }
    }

    pub fn config(mut self) -> Config {
        self.files();
        self.looking();
        self.building();
        self.running();
        self.stopping();
        self.showing();
        self.proxying();
        let name = Named { value: NAME.to_owned(), place: Place(0..0) };
        self.config.services.push(Service {
            name,
            settings: self.service,
            depends_on: Vec::new(),
            essential: None,
            filter: self.filter,
        });
        self.config
    }

    /// How it is looked for changes.
    fn looking(&mut self) {
        if let Some(poll) = self.values.flag("build.poll").filter(|poll| poll.value) {
            self.watch_one("mode", "poll".into(), poll.at);
            if let Some(interval) = self.values.number("build.poll_interval") {
                let interval_text = format!("{}ms", interval.value.max(LEAST_INTERVAL));
                self.watch_one("interval", interval_text, interval.at);
            }
        }
        if let Some(delay) = self.values.number("build.delay") {
            self.watch_one("debounce", format!("{}ms", delay.value), delay.at);
        }
    }

    fn building(&mut self) {
        let mut steps = self.values.texts("build.pre_cmd").map_or(Vec::new(), |given| given.value);
        let given = self.values.text("build.cmd");
        let at = given.as_ref().map_or(0..0, |given| given.at.clone());
        let command = given.map_or("go build -o ./tmp/main .".to_owned(), |given| given.value);
        steps.push(match command == "go build -o ./tmp/main ." {
            true => format!("go build -o ./{}/main .", globs::below("", &self.tmp)),
            false => command,
        });
        steps.retain(|step| !step.trim().is_empty());
        self.set("build", Given::Many(steps), at);
    }

    fn running(&mut self) {
        if !self.root.is_empty() {
            let at = self.values.text("root").map_or(0..0, |root| root.at);
            self.set("cwd", Given::One(self.root.clone()), at);
        }
        if let Some(files) = self.values.texts("env_files").filter(|files| !files.value.is_empty())
        {
            let optional = |file: &String| format!("-{}", globs::below(&self.root, file));
            self.set("env-file", Given::Many(files.value.iter().map(optional).collect()), files.at);
        }
        let arguments = self.values.texts("build.args_bin").map_or(Vec::new(), |given| given.value);
        let full = self.values.text("build.full_bin").filter(|full| !full.value.is_empty());
        let entry = self.values.texts("build.entrypoint").filter(|entry| !entry.value.is_empty());
        let (run, at) = match (full, entry) {
            (Some(full), _) => {
                let words = [full.value].into_iter().chain(arguments.iter().map(|a| quoted(a)));
                (Given::One(words.collect::<Vec<_>>().join(" ")), full.at)
            }
            (None, Some(entry)) => {
                let words: Vec<String> = entry.value.into_iter().chain(arguments).collect();
                (of_root_or_path(words), entry.at)
            }
            (None, None) => {
                let given = self.values.text("build.bin").filter(|bin| !bin.value.is_empty());
                let at = given.as_ref().map_or(0..0, |bin| bin.at.clone());
                let bin = given.map_or("./tmp/main".to_owned(), |bin| bin.value);
                let bin = match bin.as_str() {
                    "./tmp/main" => format!("./{}/main", globs::below("", &self.tmp)),
                    bin if !bin.contains('/') => format!("./{bin}"),
                    _ => bin,
                };
                (Given::Many([bin].into_iter().chain(arguments).collect()), at)
            }
        };
        self.set("run", run, at);
        if let Some(rerun) = self.values.flag("build.rerun") {
            let when = if rerun.value { "always" } else { "never" };
            self.set("restart", Given::One(when.into()), rerun.at);
        }
    }

    fn stopping(&mut self) {
        let Some(interrupt) = self.values.flag("build.send_interrupt") else { return };
        let signal = if interrupt.value { "SIGINT" } else { "SIGKILL" };
        self.set("stop-signal", Given::One(signal.into()), interrupt.at);
        if let Some(delay) = self.values.duration("build.kill_delay").filter(|_| interrupt.value) {
            self.set("stop-timeout", Given::One(written(delay.value)), delay.at);
        }
    }

    fn showing(&mut self) {
        let flags = [
            ("screen.clear_on_rebuild", "clear"),
            ("log.silent", "quiet"),
            ("log.time", "log-time"),
        ];
        for (name, key) in flags {
            if let Some(flag) = self.values.flag(name).filter(|flag| flag.value) {
                let setting =
                    self.setting(OUTPUT, key, Given::One(flag.value.to_string()), flag.at);
                self.config.output.extend(setting);
            }
        }
    }

    /// What browsers see. air's proxy is reached from everywhere.
    fn proxying(&mut self) {
        let Some(enabled) = self.values.flag("proxy.enabled").filter(|it| it.value) else { return };
        let port = |name| self.values.number(name).map_or(0, |port| port.value);
        let [listen, upstream] = ["proxy.proxy_port", "proxy.app_port"].map(port);
        let wait = self.values.number("proxy.app_start_timeout");
        let (wait, at) = wait.map_or((AIR_WAITS, 0..0), |wait| (wait.value, wait.at));
        let route = Given::Many(vec![format!("0.0.0.0:{listen}={upstream}")]);
        let wait = Given::One(format!("{wait}ms"));
        for (key, given, at) in [("routes", route, enabled.at), ("wait", wait, at)] {
            let setting = self.setting(PROXY, key, given, at);
            self.config.proxy.extend(setting);
        }
    }

    pub(super) fn watch(&mut self, key: &str, values: Vec<String>, at: Range<usize>) {
        if !values.is_empty() {
            let setting = self.setting(WATCH, key, Given::Many(values), at);
            self.config.watch.extend(setting);
        }
    }

    pub(super) fn watch_one(&mut self, key: &str, value: String, at: Range<usize>) {
        let setting = self.setting(WATCH, key, Given::One(value), at);
        self.config.watch.extend(setting);
    }

    fn set(&mut self, key: &str, given: Given, at: Range<usize>) {
        if given != Given::Many(Vec::new()) {
            let setting = self.setting(SERVICE, key, given, at);
            self.service.extend(setting);
        }
    }

    /// A setting, if the option takes its values.
    pub(super) fn setting(
        &mut self,
        keys: &'static [Key],
        key: &str,
        given: Given,
        at: Range<usize>,
    ) -> Option<Setting> {
        let key = Key::find(keys, key)?;
        let setting = Setting { key, given, place: Place(at.clone()) };
        for value in setting.values() {
            if let Err(refusal) = self.options.check(key.option, value) {
                let what = format!("cannot use {value:?}: {}", refusal.why);
                self.values.problems.push(Problem::new(&at, what));
            }
        }
        Some(setting)
    }
}

/// A command whose first word is looked for in the root, and then in PATH.
fn of_root_or_path(words: Vec<String>) -> Given {
    match words.first() {
        Some(first) if !first.contains('/') => {
            let here = quoted(&format!("./{first}"));
            let first = quoted(first);
            let arguments: String = words[1..].iter().map(|a| format!(" {}", quoted(a))).collect();
            Given::One(format!("exec \"$(command -v {here} || echo {first})\"{arguments}"))
        }
        _ => Given::Many(words),
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn written(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
