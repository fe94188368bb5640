//! The keys of a configuration file, and the option that each stands for.

/// One key of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// As it is written in the file.
    pub name: &'static str,
    /// The option, by its name in the definitions of the command line.
    pub option: &'static str,
    /// How its value is written.
    pub shape: Shape,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One text or number.
    One,
    /// A list; one text is a list of one.
    Many,
    /// true or false.
    Flag,
    /// A list of words, executed as they are, or one text for a shell.
    Command,
    /// A table of variables.
    Variables,
}

const fn one(name: &'static str, option: &'static str) -> Key {
    Key { name, option, shape: Shape::One }
}

const fn many(name: &'static str, option: &'static str) -> Key {
    Key { name, option, shape: Shape::Many }
}

const fn flag(name: &'static str, option: &'static str) -> Key {
    Key { name, option, shape: Shape::Flag }
}

/// What `[watch]` may say.
pub const WATCH: &[Key] = &[
    many("paths", "watch"),
    many("include", "filter"),
    many("exclude", "ignore"),
    many("exts", "exts"),
    flag("no-ignore", "no_ignore"),
    flag("follow-symlinks", "follow_symlinks"),
    one("mode", "mode"),
    one("interval", "interval"),
    one("cpu-budget", "cpu_budget"),
    one("debounce", "debounce"),
    one("max-wait", "max_wait"),
    one("hash-limit", "hash_limit"),
];

/// What `[service.NAME]` may say.
pub const SERVICE: &[Key] = &[
    many("build", "build"),
    many("build-outputs", "build_outputs"),
    one("on-busy", "on_busy"),
    Key { name: "run", option: "command", shape: Shape::Command },
    one("shell", "shell"),
    Key { name: "env", option: "env", shape: Shape::Variables },
    many("env-file", "env_file"),
    one("cwd", "workdir"),
    one("user", "user"),
    one("stdin", "stdin"),
    one("stop-signal", "stop_signal"),
    one("stop-timeout", "stop_timeout"),
    many("map-signal", "map_signal"),
    one("signal", "signal"),
    many("reload", "reload"),
    one("restart", "restart"),
    flag("exit-with-child", "exit_with_child"),
    flag("postpone", "postpone"),
    many("listen", "listen"),
    one("ready", "ready"),
    one("ready-timeout", "ready_timeout"),
    flag("handover", "handover"),
    one("watchdog", "watchdog"),
];

/// What `[output]` may say.
pub const OUTPUT: &[Key] = &[
    flag("clear", "clear"),
    flag("quiet", "quiet"),
    flag("verbose", "verbose"),
    flag("keys", "keys"),
    flag("no-keys", "no_keys"),
    one("log-format", "log_format"),
    flag("log-time", "log_time"),
    one("color", "color"),
];

/// What `[proxy]` may say.
pub const PROXY: &[Key] = &[
    many("routes", "proxy"),
    one("wait", "proxy_wait"),
    one("service", "proxy_service"),
    one("http", "http"),
    many("allow-hosts", "allow_host"),
];

/// What the `watch` of a service may say: which changes are its own.
pub(super) const FILTER: &[Key] =
    &[many("include", "filter"), many("exclude", "ignore"), many("exts", "exts")];

/// What else there is in a section, which stands for no option.
pub(super) const BESIDE_SERVICE: &[&str] = &["depends-on", "essential", "watch"];
pub(super) const RULE: &[&str] = &["match", "kinds", "action", "service", "signal", "run"];

/// What there is at the top.
pub(super) const SECTIONS: &[&str] = &["watch", "service", "rule", "proxy", "output"];

impl Key {
    /// The key of a section with this name.
    pub(super) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
        keys.iter().find(|key| key.name == name)
    }

    /// The keys of all sections, with the section's name.
    pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static Key)> {
        let sections =
            [("watch", WATCH), ("service.NAME", SERVICE), ("proxy", PROXY), ("output", OUTPUT)];
        sections.into_iter().flat_map(|(name, keys)| keys.iter().map(move |key| (name, key)))
    }
}
