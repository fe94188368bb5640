//! The keys of air 1.67, with what each takes.

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Texts,
    TextOrTexts,
    Flag,
    Number,
    /// As Go writes it, or a number.
    Duration,
    Tables,
}

use Takes::{Duration, Flag, Number, Tables, Text, TextOrTexts, Texts};

/// Every key, what it takes, and where it has no meaning here, the value that changes nothing.
const TABLE: &[(&str, Takes, Option<&str>)] = &[
    ("root", Text, None),
    ("tmp_dir", Text, None),
    ("testdata_dir", Text, None),
    ("env_files", Texts, None),
    ("build.pre_cmd", Texts, None),
    ("build.cmd", Text, None),
    ("build.post_cmd", Texts, Some("[]")),
    ("build.bin", Text, None),
    ("build.entrypoint", TextOrTexts, None),
    ("build.full_bin", Text, None),
    ("build.args_bin", Texts, None),
    ("build.log", Text, Some("build-errors.log")),
    ("build.include_ext", Texts, None),
    ("build.exclude_dir", Texts, None),
    ("build.include_dir", Texts, None),
    ("build.exclude_file", Texts, None),
    ("build.include_file", Texts, None),
    ("build.exclude_regex", Texts, None),
    // What it asks for is done always.
    ("build.exclude_unchanged", Flag, None),
    // What it lifts is not there.
    ("build.ignore_dangerous_root_dir", Flag, None),
    ("build.follow_symlink", Flag, None),
    ("build.poll", Flag, None),
    ("build.poll_interval", Number, None),
    ("build.delay", Number, None),
    ("build.stop_on_error", Flag, Some("false")),
    ("build.send_interrupt", Flag, None),
    ("build.kill_delay", Duration, None),
    ("build.rerun", Flag, None),
    ("build.rerun_delay", Number, Some("500")),
    ("build.rules", Tables, None),
    ("log.time", Flag, None),
    ("log.main_only", Flag, Some("false")),
    ("log.silent", Flag, None),
    ("color.main", Text, Some("magenta")),
    ("color.watcher", Text, Some("cyan")),
    ("color.build", Text, Some("yellow")),
    ("color.runner", Text, Some("green")),
    ("color.app", Text, Some("raw")),
    ("misc.clean_on_exit", Flag, Some("false")),
    ("misc.startup_banner", Text, Some("")),
    ("screen.clear_on_rebuild", Flag, None),
    ("screen.keep_scroll", Flag, Some("true")),
    ("proxy.enabled", Flag, None),
    ("proxy.proxy_port", Number, None),
    ("proxy.app_port", Number, None),
    ("proxy.app_start_timeout", Number, None),
];

/// The keys that `[build.linux]` may say as well; `[build.windows]` and `[build.darwin]` are for
/// other systems.
const OF_A_SYSTEM: [&str; 7] =
    ["pre_cmd", "cmd", "post_cmd", "bin", "entrypoint", "full_bin", "args_bin"];

/// The keys of `[[build.rules]]`.
const OF_A_RULE: [(&str, Takes, Option<&str>); 7] = [
    ("name", Text, None),
    ("cmd", Text, None),
    ("include_dir", Texts, None),
    ("include_ext", Texts, None),
    ("include_file", Texts, None),
    ("exclude_regex", Texts, None),
    ("delay", Number, Some("1000")),
];

/// A key of air.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub takes: Takes,
    /// Where it has no meaning here: the value that changes nothing.
    pub harmless: Option<&'static str>,
}

/// Every key by its name, as `build.cmd`; those of rules as `build.rules.cmd`, and what may be said
/// for this system alone as `build.linux.cmd`.
pub fn names() -> impl Iterator<Item = String> {
    let of_rules = OF_A_RULE.iter().map(|(name, ..)| format!("build.rules.{name}"));
    let of_system = OF_A_SYSTEM.iter().map(|name| format!("build.linux.{name}"));
    TABLE.iter().map(|(name, ..)| (*name).to_owned()).chain(of_rules).chain(of_system)
}

impl Key {
    /// The key of this name, also one of a system (`build.linux.cmd`) or of a rule
    /// (`build.rules.cmd`).
    pub fn find(name: &str) -> Option<Key> {
        let (name, of_rule) = match name.split('.').collect::<Vec<_>>()[..] {
            ["build", "rules", key] => (key.to_owned(), true),
            ["build", "linux", key] if OF_A_SYSTEM.contains(&key) => {
                (format!("build.{key}"), false)
            }
            _ => (name.to_owned(), false),
        };
        let table = if of_rule { &OF_A_RULE[..] } else { TABLE };
        let row = table.iter().find(|(row, ..)| *row == name);
        row.map(|(_, takes, harmless)| Key { takes: *takes, harmless: *harmless })
    }

    /// Whether a table of this name has keys.
    pub fn is_section(name: &str) -> bool {
        name == "build.linux" || TABLE.iter().any(|(key, ..)| key.starts_with(&format!("{name}.")))
    }
}
