//! Which files count in an air project, and which rules are about some of them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::super::keys::FILTER;
use super::super::model::{Action, Given, Kind, Named, Place, Rule};
use super::super::problem::Problem;
use super::super::value::Node;
use super::project::Project;
use super::{globs, values};

/// What air includes: files with some extensions below some directories, and some by name.
#[derive(Debug)]
struct Included {
    /// None means everywhere.
    directories: Vec<String>,
    /// Without their dots; all, if that is not said.
    exts: Option<Vec<String>>,
    files: Vec<String>,
}

impl Included {
    fn new(root: &str, directories: &[String], exts: &[String], files: &[String]) -> Self {
        let below = |paths: &[String]| paths.iter().map(|path| globs::below(root, path)).collect();
        let is_any = exts.iter().any(|ext| ext == "*");
        let exts = exts.iter().map(|ext| ext.trim_start_matches('.').to_owned());
        let exts = exts.filter(|ext| !ext.is_empty()).collect();
        Self {
            directories: below(directories),
            exts: (!is_any).then_some(exts),
            files: below(files),
        }
    }

    fn globs(&self) -> Vec<String> {
        let suffixes: Vec<String> = match &self.exts {
            None => vec!["**".into()],
            Some(exts) => exts.iter().map(|ext| format!("*.{ext}")).collect(),
        };
        let below = |directory: &String| {
            let directory = globs::directory(directory);
            let glob = |suffix: &String| match suffix.as_str() {
                "**" => format!("{directory}**"),
                suffix => format!("{directory}**/{suffix}"),
            };
            suffixes.iter().map(glob).collect::<Vec<_>>()
        };
        let mut globs: Vec<String> = match self.directories.is_empty() {
            true => suffixes,
            false => self.directories.iter().flat_map(below).collect(),
        };
        globs.extend(self.files());
        globs
    }

    fn files(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(|path| globs::exactly(path))
    }

    /// What has to be looked at for them; nothing means everything.
    fn paths(&self) -> Vec<String> {
        match self.directories.is_empty() {
            true => Vec::new(),
            false => self.directories.iter().chain(&self.files).cloned().collect(),
        }
    }
}

impl Project<'_, '_> {
    /// Which files count, and what rules are about.
    pub(super) fn files(&mut self) {
        let of_rules = self.rules();
        let (directories, paths_at) = self.list("build.include_dir", &[]);
        let (files, files_at) = self.list("build.include_file", &[]);
        let (exts, exts_at) = self.list("build.include_ext", &["go", "tpl", "tmpl", "html"]);
        let included = Included::new(&self.root, &directories, &exts, &files);
        let mut paths = included.paths();
        if paths.is_empty() && !self.root.is_empty() {
            paths.push(self.root.clone());
        }
        let default = ["assets", &self.tmp, "vendor", "testdata"].map(str::to_owned);
        let default: Vec<&str> = default.iter().map(String::as_str).collect();
        let (directories, exclude_at) = self.list("build.exclude_dir", &default);
        let directories = self.excluded_directories(directories);
        let exclude_files = self.excluded_files(&included);
        let of_directories = |directories: &[String]| -> Vec<String> {
            directories.iter().map(|path| globs::directory(path)).collect()
        };
        let exclude = unique([of_directories(&directories), exclude_files].concat());
        if self.config.rules.is_empty() {
            let is_everywhere = included.directories.is_empty() && included.exts.is_some();
            let include = if is_everywhere { included.files().collect() } else { Vec::new() };
            self.watch("paths", paths, paths_at);
            self.watch("exts", included.exts.unwrap_or_default(), exts_at);
            self.watch("include", include, files_at);
            self.watch("exclude", exclude, exclude_at);
        } else {
            // All that anything is about is looked at; the service chooses from that.
            if !paths.is_empty() {
                paths.extend(
                    of_rules
                        .iter()
                        .filter(|path| !is_below(path, &paths))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
            }
            let is_ruled = |directory: &String| {
                of_rules.iter().any(|path| is_below(path, std::slice::from_ref(directory)))
            };
            let unruled: Vec<_> = directories.into_iter().filter(|it| !is_ruled(it)).collect();
            self.watch("paths", unique(paths), paths_at);
            self.watch("exclude", unique(of_directories(&unruled)), exclude_at.clone());
            self.choose("include", included.globs(), exts_at);
            self.choose("exclude", exclude, exclude_at);
        }
        if let Some(follow) = self.values.flag("build.follow_symlink").filter(|f| f.value) {
            self.watch_one("follow-symlinks", follow.value.to_string(), follow.at);
        }
    }

    /// What else no file counts in: what is built goes there, or it is for tests.
    fn excluded_directories(&self, mut excluded: Vec<String>) -> Vec<String> {
        if excluded == ["assets", "tmp", "vendor", "testdata"] {
            excluded[1].clone_from(&self.tmp);
        }
        let testdata = self.values.text("testdata_dir").map(|given| given.value);
        excluded.push(self.tmp.clone());
        excluded.push(testdata.unwrap_or("testdata".into()));
        let below = excluded.iter().map(|path| globs::below(&self.root, path));
        below.filter(|path| !path.is_empty()).collect()
    }

    fn excluded_files(&mut self, included: &Included) -> Vec<String> {
        let files = self.values.texts("build.exclude_file").map_or(Vec::new(), |g| g.value);
        let exactly = |path: &String| globs::exactly(&globs::below(&self.root, path));
        let mut exclude: Vec<String> = files.iter().map(exactly).collect();
        let (regexes, _) = self.list("build.exclude_regex", &["_test.go"]);
        for regex in regexes.iter().filter(|regex| !regex.is_empty()) {
            match globs::of_regex(regex) {
                Some(globs) => exclude.extend(globs),
                None => self.values.pass_over(&format!("build.exclude_regex {regex:?}")),
            }
        }
        // Who names a file wants it, whatever .gitignore says of it.
        exclude.extend(included.files().map(|glob| format!("!{glob}")));
        exclude
    }

    /// Takes the rules; gives the paths that they name.
    fn rules(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        for (index, rule) in self.values.rules().into_iter().enumerate() {
            if let Some((rule, named)) = self.rule(index, rule) {
                self.config.rules.push(rule);
                paths.extend(named);
            }
        }
        unique(paths)
    }

    fn rule(&mut self, index: usize, rule: &Node) -> Option<(Rule, Vec<String>)> {
        let texts = |key: &str| {
            let given = values::of_rule(rule, key).and_then(values::texts);
            given.map_or(Vec::new(), |given| given.value)
        };
        let (directories, exts) = (texts("include_dir"), texts("include_ext"));
        let files = texts("include_file");
        let mut missing = |what: &str| self.values.problems.push(Problem::new(&rule.at, what));
        if directories.is_empty() && exts.is_empty() && files.is_empty() {
            missing("a rule needs `include_dir`, `include_ext` or `include_file`");
        }
        let command = values::of_rule(rule, "cmd").and_then(values::text);
        let Some(command) = command else {
            missing("a rule needs `cmd`");
            return None;
        };
        // Where directories alone are named, all of them is meant.
        let all = ["*".to_owned()];
        let exts = if exts.is_empty() && !directories.is_empty() { &all[..] } else { &exts };
        let included = Included::new(&self.root, &directories, exts, &files);
        let mut globs = included.globs();
        for regex in texts("exclude_regex") {
            match globs::of_regex(&regex) {
                Some(excluded) => globs.extend(excluded.iter().map(|glob| format!("!{glob}"))),
                None => self.values.pass_over(&format!("build.rules.exclude_regex {regex:?}")),
            }
        }
        let name = values::of_rule(rule, "name").and_then(values::text);
        let name = name.map(|name| name.value).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("rule-{}", index + 1));
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = name.chars().map(plain).collect();
        // Two of one name are two all the same.
        let is_taken = |name: &String| self.config.rules.iter().any(|it| it.name.value == *name);
        let others = (2..).map(|number| format!("{name}-{number}"));
        let free = [name.clone()].into_iter().chain(others).find(|name| !is_taken(name));
        let place = Place(rule.at.clone());
        let rule = Rule {
            name: Named { value: free.unwrap_or(name), place },
            globs,
            kinds: Kind::ALL.map(|(_, kind)| kind).to_vec(),
            action: Action::Run(command.value),
        };
        Some((rule, [included.directories, included.files].concat()))
    }

    /// Which changes are the service's own.
    fn choose(&mut self, key: &str, values: Vec<String>, at: Range<usize>) {
        if !values.is_empty() {
            let setting = self.setting(FILTER, key, Given::Many(values), at);
            self.filter.extend(setting);
        }
    }

    /// A list, and where it is written; these where it is not.
    fn list(&self, name: &str, default: &[&str]) -> (Vec<String>, Range<usize>) {
        match self.values.texts(name) {
            Some(given) => (given.value, given.at),
            None => (default.iter().map(|&text| text.to_owned()).collect(), 0..0),
        }
    }
}

/// Whether a path is one of these, or below one.
fn is_below(path: &str, directories: &[String]) -> bool {
    let path = Path::new(path);
    directories.iter().any(|directory| path.starts_with(directory))
}

/// Each once, in the order in which they come first.
fn unique(texts: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}
