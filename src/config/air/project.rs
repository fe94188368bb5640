//! What the values of an .air.toml mean for a project.

use std::ops::Range;
use std::time::Duration;

use super::super::keys::{OUTPUT, SERVICE, WATCH};
use super::super::model::{Action, Config, Given, Kind, Named, Place, Rule, Service, Setting};
use super::super::options::Options;
use super::super::problem::Problem;
use super::super::value::Node;
use super::values::{self, Values};
use super::{super::keys::Key, globs};

/// How the service is called.
const NAME: &str = "app";

/// The least that air takes for build.poll_interval.
const LEAST_INTERVAL: u64 = 500;

pub(super) struct Project<'v, 'a> {
    values: &'v mut Values<'a>,
    options: &'v Options,
    /// As paths are shown; empty where it is the working directory.
    root: String,
    tmp: String,
    config: Config,
    service: Vec<Setting>,
}

impl<'v, 'a> Project<'v, 'a> {
    pub fn new(values: &'v mut Values<'a>, options: &'v Options) -> Self {
        let text = |name: &str, default: &str| {
            values.text(name).map_or(default.to_owned(), |given| given.value)
        };
        let root = globs::below("", &text("root", "."));
        let tmp = text("tmp_dir", "tmp");
        let (config, service) = (Config::default(), Vec::new());
        Self { values, options, root, tmp, config, service }
    }

    pub fn config(mut self) -> Config {
        self.files();
        self.looking();
        self.building();
        self.running();
        self.stopping();
        self.showing();
        self.rules();
        let name = Named { value: NAME.to_owned(), place: Place(0..0) };
        self.config.services.push(Service {
            name,
            settings: self.service,
            depends_on: Vec::new(),
            essential: None,
            filter: Vec::new(),
        });
        self.config
    }

    /// Which files count.
    fn files(&mut self) {
        let list = |values: &Values<'_>, name: &str, default: &[&str]| match values.texts(name) {
            Some(given) => (given.value, given.at),
            None => (default.iter().map(|&text| text.to_owned()).collect(), 0..0),
        };
        let (directories, directories_at) = list(self.values, "build.include_dir", &[]);
        let (files, files_at) = list(self.values, "build.include_file", &[]);
        let (exts, exts_at) =
            list(self.values, "build.include_ext", &["go", "tpl", "tmpl", "html"]);
        let default = ["assets", &self.tmp, "vendor", "testdata"];
        let (mut excluded, excluded_at) = list(self.values, "build.exclude_dir", &default);
        if excluded == ["assets", "tmp", "vendor", "testdata"] {
            excluded[1].clone_from(&self.tmp);
        }
        let testdata = self.values.text("testdata_dir").map(|given| given.value);
        excluded.push(self.tmp.clone());
        excluded.push(testdata.unwrap_or("testdata".into()));

        let is_all = exts.iter().any(|ext| ext == "*");
        let below = |path: &String| globs::below(&self.root, path);
        let files: Vec<String> = files.iter().map(below).collect();
        let mut paths: Vec<String> = directories.iter().map(below).collect();
        let mut exclude: Vec<String> = Vec::new();
        let excluded = excluded.iter().map(below).filter(|path| !path.is_empty());
        exclude.extend(excluded.map(|path| globs::directory(&path)));
        let excluded = self.values.texts("build.exclude_file").map_or(Vec::new(), |g| g.value);
        exclude.extend(excluded.iter().map(|path| globs::exactly(&below(path))));
        let (regexes, _) = list(self.values, "build.exclude_regex", &["_test.go"]);
        for regex in regexes.iter().filter(|regex| !regex.is_empty()) {
            match globs::of_regex(regex) {
                Some(globs) => exclude.extend(globs),
                None => self.values.pass_over(&format!("build.exclude_regex {regex:?}")),
            }
        }
        // Who names a file wants it, whatever .gitignore says of it.
        exclude.extend(files.iter().map(|path| format!("!{}", globs::exactly(path))));
        let mut unique: Vec<String> = Vec::new();
        for glob in exclude {
            if !unique.contains(&glob) {
                unique.push(glob);
            }
        }

        let mut include = Vec::new();
        match directories.is_empty() {
            true if !is_all => include = files.iter().map(|path| globs::exactly(path)).collect(),
            true => {}
            false => paths.extend(files),
        }
        if directories.is_empty() && !self.root.is_empty() {
            paths.push(self.root.clone());
        }
        self.watch("paths", paths, directories_at);
        if !is_all {
            let exts = exts.iter().map(|ext| ext.trim_start_matches('.').to_owned());
            self.watch("exts", exts.filter(|ext| !ext.is_empty()).collect(), exts_at);
        }
        self.watch("include", include, files_at);
        self.watch("exclude", unique, excluded_at);
        if let Some(follow) = self.values.flag("build.follow_symlink").filter(|f| f.value) {
            let place = Place(follow.at);
            self.config.follow_symlinks = Some(Named { value: follow.value, place });
        }
    }

    /// How it is looked for changes.
    fn looking(&mut self) {
        if let Some(poll) = self.values.flag("build.poll").filter(|poll| poll.value) {
            self.watch_one("mode", "poll".into(), poll.at);
            if let Some(interval) = self.values.milliseconds("build.poll_interval") {
                let interval_text = format!("{}ms", interval.value.max(LEAST_INTERVAL));
                self.watch_one("interval", interval_text, interval.at);
            }
        }
        if let Some(delay) = self.values.milliseconds("build.delay") {
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
        for (name, key) in [("screen.clear_on_rebuild", "clear"), ("log.silent", "quiet")] {
            if let Some(flag) = self.values.flag(name).filter(|flag| flag.value) {
                let setting =
                    self.setting(OUTPUT, key, Given::One(flag.value.to_string()), flag.at);
                self.config.output.extend(setting);
            }
        }
    }

    fn rules(&mut self) {
        for (index, rule) in self.values.rules().into_iter().enumerate() {
            if let Some(rule) = self.rule(index, rule) {
                self.config.rules.push(rule);
            }
        }
    }

    fn rule(&mut self, index: usize, rule: &Node) -> Option<Rule> {
        let texts = |key: &str| {
            let given = values::of_rule(rule, key).and_then(values::texts);
            given.map_or(Vec::new(), |given| given.value)
        };
        let directories = texts("include_dir");
        let exts = texts("include_ext");
        let files = texts("include_file");
        let below = |path: &String| globs::below(&self.root, path);
        let suffixes: Vec<String> = match exts.is_empty() || exts.iter().any(|ext| ext == "*") {
            true => vec!["**".into()],
            false => exts.iter().map(|ext| format!("*.{}", ext.trim_start_matches('.'))).collect(),
        };
        let mut matched: Vec<String> = Vec::new();
        match directories.is_empty() {
            true if !exts.is_empty() => matched = suffixes,
            true => {}
            false => {
                for directory in directories.iter().map(below) {
                    let globs = suffixes.iter().map(|suffix| match suffix.as_str() {
                        "**" => format!("{}**", globs::directory(&directory)),
                        suffix => format!("{}**/{suffix}", globs::directory(&directory)),
                    });
                    matched.extend(globs);
                }
            }
        }
        matched.extend(files.iter().map(|path| globs::exactly(&below(path))));
        for regex in texts("exclude_regex") {
            match globs::of_regex(&regex) {
                Some(globs) => matched.extend(globs.into_iter().map(|glob| format!("!{glob}"))),
                None => self.values.pass_over(&format!("build.rules.exclude_regex {regex:?}")),
            }
        }
        let command = values::of_rule(rule, "cmd").and_then(values::text);
        let mut missing = |what: &str| self.values.problems.push(Problem::new(&rule.at, what));
        if directories.is_empty() && exts.is_empty() && files.is_empty() {
            missing("a rule needs `include_dir`, `include_ext` or `include_file`");
        }
        let Some(command) = command else {
            missing("a rule needs `cmd`");
            return None;
        };
        let name = values::of_rule(rule, "name").and_then(values::text);
        let name = name.map(|name| name.value).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("rule-{}", index + 1));
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        Some(Rule {
            name: Named { value: name.chars().map(plain).collect(), place: Place(rule.at.clone()) },
            globs: matched,
            kinds: Kind::ALL.map(|(_, kind)| kind).to_vec(),
            action: Action::Run(command.value),
        })
    }

    fn watch(&mut self, key: &str, values: Vec<String>, at: Range<usize>) {
        if !values.is_empty() {
            let setting = self.setting(WATCH, key, Given::Many(values), at);
            self.config.watch.extend(setting);
        }
    }

    fn watch_one(&mut self, key: &str, value: String, at: Range<usize>) {
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
    fn setting(
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
