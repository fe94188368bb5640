//! What an .air.toml means: a row for every key.

use stakeout::config::air::{self, Import};
use stakeout::config::{Config, Language, Problem, read, write};

use super::options;
use super::support::{Session, Tree};

fn import(text: &str) -> Import {
    air::import(text, &options()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

fn problems(text: &str) -> Vec<Problem> {
    air::import(text, &options()).expect_err("a mistake")
}

/// The lines of a stakeout.toml that says the same, without comments.
fn lines(config: &Config) -> Vec<String> {
    let text = write::document(config, &options());
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// What one key changes in what a file without any means: lines that are there with it, lines
/// that are not, and what is passed over.
struct Row {
    key: &'static str,
    given: &'static str,
    adds: &'static [&'static str],
    takes: &'static [&'static str],
    passes_over: &'static [&'static str],
}

const fn adds(key: &'static str, given: &'static str, adds: &'static [&'static str]) -> Row {
    Row { key, given, adds, takes: &[], passes_over: &[] }
}

const fn nothing(key: &'static str, given: &'static str) -> Row {
    adds(key, given, &[])
}

const fn becomes(
    key: &'static str,
    given: &'static str,
    takes: &'static [&'static str],
    adds: &'static [&'static str],
) -> Row {
    Row { key, given, adds, takes, passes_over: &[] }
}

const fn passed_over(key: &'static str, given: &'static str) -> Row {
    Row { key, given, adds: &[], takes: &[], passes_over: &[""] }
}

const EXTS: &str = r#"exts = ["go", "tpl", "tmpl", "html"]"#;
const EXCLUDE: &str = r#"exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/", "*_test?go*"]"#;
const BUILD: &str = r#"build = ["go build -o ./tmp/main ."]"#;
const RUN: &str = r#"run = ["./tmp/main"]"#;
/// What they are where a rule may be about files that are none of the program's.
const DIRECTORIES: &str = r#"exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/"]"#;
const OWN: &str = r#"watch = { include = ["*.go", "*.tpl", "*.tmpl", "*.html"], exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/", "*_test?go*"] }"#;
const RULE: [&str; 2] = ["[rule.rule-1]", r#"action = "run""#];

const ROWS: &[Row] = &[
    nothing("root", "root = '.'"),
    becomes(
        "root",
        "root = 'app/'",
        &[EXCLUDE],
        &[
            r#"paths = ["app"]"#,
            r#"exclude = ["/app/assets/", "/app/tmp/", "/app/vendor/", "/app/testdata/", "*_test?go*"]"#,
            r#"cwd = "app""#,
        ],
    ),
    becomes(
        "tmp_dir",
        "tmp_dir = './out'",
        &[EXCLUDE, BUILD, RUN],
        &[
            r#"exclude = ["/assets/", "/out/", "/vendor/", "/testdata/", "*_test?go*"]"#,
            r#"build = ["go build -o ./out/main ."]"#,
            r#"run = ["./out/main"]"#,
        ],
    ),
    // They follow also where they are written out at their defaults, and not where they are not.
    becomes(
        "tmp_dir",
        "tmp_dir = 'out'\nbuild.cmd = 'make'\nbuild.bin = './tmp/main'\nbuild.exclude_dir = ['x']",
        &[EXCLUDE, BUILD, RUN],
        &[
            r#"exclude = ["/x/", "/out/", "/testdata/", "*_test?go*"]"#,
            r#"build = ["make"]"#,
            r#"run = ["./out/main"]"#,
        ],
    ),
    becomes(
        "testdata_dir",
        "testdata_dir = 'fixtures'",
        &[EXCLUDE],
        &[
            r#"exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/", "/fixtures/", "*_test?go*"]"#,
        ],
    ),
    adds("env_files", "env_files = ['.env', 'x/y']", &[r#"env-file = ["-.env", "-x/y"]"#]),
    becomes(
        "build.pre_cmd",
        "build.pre_cmd = ['a', 'b']",
        &[BUILD],
        &[r#"build = ["a", "b", "go build -o ./tmp/main ."]"#],
    ),
    becomes("build.cmd", "build.cmd = 'make \"x\"'", &[BUILD], &[r#"build = ['make "x"']"#]),
    becomes("build.cmd", "build.cmd = ''", &[BUILD], &[]),
    passed_over("build.post_cmd", "build.post_cmd = ['echo bye']"),
    nothing("build.post_cmd", "build.post_cmd = []"),
    becomes("build.bin", "build.bin = 'bin/app'", &[RUN], &[r#"run = ["bin/app"]"#]),
    becomes("build.bin", "build.bin = 'app'", &[RUN], &[r#"run = ["./app"]"#]),
    becomes(
        "build.entrypoint",
        "build.entrypoint = ['./app', 'a b']",
        &[RUN],
        &[r#"run = ["./app", "a b"]"#],
    ),
    becomes("build.entrypoint", "build.entrypoint = 'bin/app'", &[RUN], &[r#"run = ["bin/app"]"#]),
    // In the root, and then in PATH.
    becomes(
        "build.entrypoint",
        "build.entrypoint = ['dlv', 'a b']",
        &[RUN],
        &[r#"run = "exec \"$(command -v ./dlv || echo dlv)\" 'a b'""#],
    ),
    becomes(
        "build.full_bin",
        "build.full_bin = 'APP_ENV=dev ./tmp/main'\nbuild.bin = 'x'\nbuild.args_bin = ['a b']",
        &[RUN],
        &[r#"run = "APP_ENV=dev ./tmp/main 'a b'""#],
    ),
    nothing("build.full_bin", "build.full_bin = ''"),
    becomes(
        "build.args_bin",
        "build.args_bin = ['--port', '80']",
        &[RUN],
        &[r#"run = ["./tmp/main", "--port", "80"]"#],
    ),
    passed_over("build.log", "build.log = 'x.log'"),
    nothing("build.log", "build.log = 'build-errors.log'"),
    becomes(
        "build.include_ext",
        "build.include_ext = ['go', '.sql']",
        &[EXTS],
        &[r#"exts = ["go", "sql"]"#],
    ),
    becomes("build.include_ext", "build.include_ext = ['*']", &[EXTS], &[]),
    becomes(
        "build.exclude_dir",
        "build.exclude_dir = ['./web/dist/']",
        &[EXCLUDE],
        &[r#"exclude = ["/web/dist/", "/tmp/", "/testdata/", "*_test?go*"]"#],
    ),
    adds(
        "build.include_dir",
        "build.include_dir = ['cmd', '../lib']",
        &[r#"paths = ["cmd", "../lib"]"#],
    ),
    becomes(
        "build.exclude_file",
        "build.exclude_file = ['a/gen.go']",
        &[EXCLUDE],
        &[
            r#"exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/", "/a/gen.go", "*_test?go*"]"#,
        ],
    ),
    becomes(
        "build.include_file",
        "build.include_file = ['.env']",
        &[EXCLUDE],
        &[
            r#"exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/", "*_test?go*", "!/.env"]"#,
            r#"include = ["/.env"]"#,
        ],
    ),
    becomes(
        "build.include_file",
        "build.include_file = ['go.mod']\nbuild.include_dir = ['cmd']",
        &[EXCLUDE],
        &[
            r#"paths = ["cmd", "go.mod"]"#,
            r#"exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/", "*_test?go*", "!/go.mod"]"#,
        ],
    ),
    becomes(
        "build.exclude_regex",
        "build.exclude_regex = ['_gen\\.go$']",
        &[EXCLUDE],
        &[r#"exclude = ["/assets/", "/tmp/", "/vendor/", "/testdata/", "*_gen.go"]"#],
    ),
    nothing("build.exclude_unchanged", "build.exclude_unchanged = true"),
    nothing("build.ignore_dangerous_root_dir", "build.ignore_dangerous_root_dir = true"),
    adds("build.follow_symlink", "build.follow_symlink = true", &["follow-symlinks = true"]),
    adds("build.poll", "build.poll = true", &[r#"mode = "poll""#]),
    adds(
        "build.poll_interval",
        "build.poll = true\nbuild.poll_interval = 700",
        &[r#"mode = "poll""#, r#"interval = "700ms""#],
    ),
    // air takes no less.
    adds(
        "build.poll_interval",
        "build.poll = true\nbuild.poll_interval = 0",
        &[r#"mode = "poll""#, r#"interval = "500ms""#],
    ),
    nothing("build.poll_interval", "build.poll_interval = 700"),
    adds("build.delay", "build.delay = 1_000", &[r#"debounce = "1000ms""#]),
    passed_over("build.stop_on_error", "build.stop_on_error = true"),
    adds("build.send_interrupt", "build.send_interrupt = true", &[r#"stop-signal = "SIGINT""#]),
    adds("build.send_interrupt", "build.send_interrupt = false", &[r#"stop-signal = "SIGKILL""#]),
    adds(
        "build.kill_delay",
        "build.send_interrupt = true\nbuild.kill_delay = '1.5s'",
        &[r#"stop-signal = "SIGINT""#, r#"stop-timeout = "1s 500ms""#],
    ),
    adds(
        "build.kill_delay",
        "build.send_interrupt = true\nbuild.kill_delay = 999_999",
        &[r#"stop-signal = "SIGINT""#, r#"stop-timeout = "16m 39s 999ms""#],
    ),
    adds(
        "build.kill_delay",
        "build.send_interrupt = true\nbuild.kill_delay = 500_000_000",
        &[r#"stop-signal = "SIGINT""#, r#"stop-timeout = "500ms""#],
    ),
    nothing("build.kill_delay", "build.kill_delay = '5s'"),
    adds("build.rerun", "build.rerun = true", &[r#"restart = "always""#]),
    adds("build.rerun", "build.rerun = false", &[r#"restart = "never""#]),
    passed_over("build.rerun_delay", "build.rerun_delay = 100"),
    adds(
        "build.rules",
        "[[build.rules]]\ncmd = 'make'\ninclude_ext = ['css']\n[[build.rules]]\ncmd = 'x'\ninclude_file = ['a']",
        &[
            "[rule.rule-1]",
            r#"match = ["*.css"]"#,
            r#"action = "run""#,
            r#"run = "make""#,
            "[rule.rule-2]",
            r#"match = ["/a"]"#,
            r#"action = "run""#,
            r#"run = "x""#,
        ],
    ),
    adds(
        "build.rules.name",
        "[[build.rules]]\nname = 'my css'\ncmd = 'x'\ninclude_ext = ['css']",
        &["[rule.my-css]", r#"match = ["*.css"]"#, RULE[1], r#"run = "x""#],
    ),
    adds(
        "build.rules.cmd",
        "[[build.rules]]\ncmd = 'a\\b'\ninclude_ext = ['*']",
        &[RULE[0], r#"match = ["**"]"#, RULE[1], r"run = 'a\b'"],
    ),
    adds(
        "build.rules.include_dir",
        "[[build.rules]]\ncmd = 'x'\ninclude_dir = ['web', 'b']",
        &[RULE[0], r#"match = ["/web/**", "/b/**"]"#, RULE[1], r#"run = "x""#],
    ),
    adds(
        "build.rules.include_ext",
        "[[build.rules]]\ncmd = 'x'\ninclude_dir = ['web']\ninclude_ext = ['css', 'js']",
        &[RULE[0], r#"match = ["/web/**/*.css", "/web/**/*.js"]"#, RULE[1], r#"run = "x""#],
    ),
    adds(
        "build.rules.include_file",
        "[[build.rules]]\ncmd = 'x'\ninclude_file = ['./a.proto']",
        &[RULE[0], r#"match = ["/a.proto"]"#, RULE[1], r#"run = "x""#],
    ),
    adds(
        "build.rules.exclude_regex",
        "[[build.rules]]\ncmd = 'x'\ninclude_ext = ['css']\nexclude_regex = ['_gen']",
        &[RULE[0], r#"match = ["*.css", "!*_gen*"]"#, RULE[1], r#"run = "x""#],
    ),
    Row {
        key: "build.rules.delay",
        given: "[[build.rules]]\ncmd = 'x'\ninclude_ext = ['css']\ndelay = 50",
        adds: &[RULE[0], r#"match = ["*.css"]"#, RULE[1], r#"run = "x""#],
        takes: &[],
        passes_over: &["build.rules.delay"],
    },
    adds("log.time", "log.time = true", &["[output]", "log-time = true"]),
    becomes(
        "build.linux.pre_cmd",
        "build.linux.pre_cmd = ['a']\nbuild.pre_cmd = ['b']",
        &[BUILD],
        &[r#"build = ["a", "go build -o ./tmp/main ."]"#],
    ),
    becomes(
        "build.linux.cmd",
        "build.linux.cmd = 'a'\nbuild.cmd = 'b'",
        &[BUILD],
        &[r#"build = ["a"]"#],
    ),
    passed_over("build.linux.post_cmd", "build.linux.post_cmd = ['a']"),
    becomes(
        "build.linux.bin",
        "build.linux.bin = 'a/b'\nbuild.bin = 'c'",
        &[RUN],
        &[r#"run = ["a/b"]"#],
    ),
    becomes(
        "build.linux.entrypoint",
        "build.linux.entrypoint = ['a/b', 'c']\nbuild.entrypoint = 'd'",
        &[RUN],
        &[r#"run = ["a/b", "c"]"#],
    ),
    becomes(
        "build.linux.full_bin",
        "build.linux.full_bin = 'A=1 ./x'\nbuild.full_bin = 'y'",
        &[RUN],
        &[r#"run = "A=1 ./x""#],
    ),
    becomes(
        "build.linux.args_bin",
        "build.linux.args_bin = ['a']\nbuild.args_bin = ['b']",
        &[RUN],
        &[r#"run = ["./tmp/main", "a"]"#],
    ),
    passed_over("log.main_only", "log.main_only = true"),
    adds("log.silent", "log.silent = true", &["[output]", "quiet = true"]),
    passed_over("color.main", "color.main = 'red'"),
    nothing("color.main", "color.main = 'magenta'"),
    passed_over("color.watcher", "color.watcher = 'red'"),
    passed_over("color.build", "color.build = 'red'"),
    passed_over("color.runner", "color.runner = 'red'"),
    passed_over("color.app", "color.app = 'red'"),
    nothing("color.app", "color.app = ''"),
    passed_over("misc.clean_on_exit", "misc.clean_on_exit = true"),
    passed_over("misc.startup_banner", "misc.startup_banner = 'hello'"),
    nothing("misc.startup_banner", "misc.startup_banner = ''"),
    adds(
        "screen.clear_on_rebuild",
        "screen.clear_on_rebuild = true",
        &["[output]", "clear = true"],
    ),
    passed_over("screen.keep_scroll", "screen.keep_scroll = false"),
    nothing("proxy.enabled", "proxy.enabled = false"),
    nothing("proxy.proxy_port", "proxy.proxy_port = 8090"),
    nothing("proxy.app_port", "proxy.app_port = 8080"),
    adds(
        "proxy.enabled",
        "proxy = { enabled = true, proxy_port = 8090, app_port = 8080 }",
        &["[proxy]", r#"routes = ["0.0.0.0:8090=8080"]"#, r#"wait = "5000ms""#],
    ),
    adds(
        "proxy.app_start_timeout",
        "proxy = { enabled = true, proxy_port = 8090, app_port = 8080, app_start_timeout = 1000 }",
        &["[proxy]", r#"routes = ["0.0.0.0:8090=8080"]"#, r#"wait = "1000ms""#],
    ),
];

#[test]
fn every_key_means_what_it_meant_or_is_named() {
    let without = lines(&import("").config);
    for Row { key, given, adds, takes, passes_over } in ROWS {
        let Import { config, passed_over } = import(given);
        let with = lines(&config);
        let mut expected = without.clone();
        let (taken, added) = match given.contains("[[build.rules]]") {
            true => (&[EXTS, EXCLUDE][..], &[DIRECTORIES, OWN][..]),
            false => (&[][..], &[][..]),
        };
        for line in takes.iter().chain(taken) {
            let index = expected.iter().position(|other| other == line);
            expected.remove(index.unwrap_or_else(|| panic!("{given}: no {line} in {without:?}")));
        }
        expected.extend(adds.iter().chain(added).map(|&line| line.to_owned()));
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        assert_eq!(sorted(with), sorted(expected), "{given}");
        let named: Vec<&str> =
            passes_over.iter().map(|&name| if name.is_empty() { *key } else { name }).collect();
        assert_eq!(passed_over, named, "{given}");
    }
}

#[test]
fn every_key_has_a_row() {
    let without: Vec<String> =
        air::names().filter(|name| !ROWS.iter().any(|row| row.key == name)).collect();
    assert_eq!(without, [""; 0]);
    let unknown = ROWS.iter().filter(|row| !air::names().any(|name| name == row.key));
    assert_eq!(unknown.map(|row| row.key).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn rules_are_about_files_that_the_program_is_not_about() {
    let text = "
        [build]
        include_dir = ['cmd', 'api']
        include_ext = ['go']
        include_file = ['go.mod']
        exclude_dir = ['assets', 'node_modules']
        [[build.rules]]
        cmd = 'make'
        include_dir = ['assets/css', 'api/proto']
        include_ext = ['css', 'proto']
        include_file = ['buf.yaml']
    ";
    let lines = lines(&import(text).config);
    for line in [
        r#"paths = ["cmd", "api", "go.mod", "assets/css", "buf.yaml"]"#,
        r#"exclude = ["/node_modules/", "/tmp/", "/testdata/"]"#,
        r#"watch = { include = ["/cmd/**/*.go", "/api/**/*.go", "/go.mod"], exclude = ["/assets/", "/node_modules/", "/tmp/", "/testdata/", "*_test?go*", "!/go.mod"] }"#,
        r#"match = ["/assets/css/**/*.css", "/assets/css/**/*.proto", "/api/proto/**/*.css", "/api/proto/**/*.proto", "/buf.yaml"]"#,
    ] {
        assert!(lines.iter().any(|other| other == line), "no {line} in {lines:#?}");
    }
}

#[test]
fn rules_of_one_name_are_two() {
    let rule = |name: &str| {
        format!("[[build.rules]]\nname = '{name}'\ncmd = 'x'\ninclude_ext = ['css']\n")
    };
    let import = import(&["", "rule-1", "my css", "my-css"].map(rule).concat());
    let names: Vec<&str> = import.config.rules.iter().map(|it| it.name.value.as_str()).collect();
    assert_eq!(names, ["rule-1", "rule-1-2", "my-css", "my-css-2"]);
}

#[test]
fn what_is_said_for_linux_is_stronger() {
    let text = "
        [build]
        cmd = 'make'
        bin = 'a/b'
        args_bin = ['x']
        [build.windows]
        cmd = 'nmake'
        [build.darwin]
        bin = 'c/d'
        [build.linux]
        pre_cmd = ['first']
        cmd = 'make linux'
        bin = 'e/f'
        args_bin = ['y']
        post_cmd = ['last']
    ";
    let Import { config, passed_over } = import(text);
    let lines = lines(&config);
    for line in [r#"build = ["first", "make linux"]"#, r#"run = ["e/f", "y"]"#] {
        assert!(lines.iter().any(|other| other == line), "no {line} in {lines:?}");
    }
    assert_eq!(passed_over, ["build.linux.post_cmd"]);
    let entry = import("[build.linux]\nentrypoint = './x'\n[build]\nbin = 'a/b'");
    assert!(self::lines(&entry.config).contains(&r#"run = ["./x"]"#.to_owned()));
    let full = import("[build.linux]\nfull_bin = 'A=1 ./x'\n[build]\nentrypoint = 'a/b'");
    assert!(self::lines(&full.config).contains(&r#"run = "A=1 ./x""#.to_owned()));
}

#[test]
fn what_air_does_not_know_and_what_cannot_be_meant_here_is_named() {
    let text =
        "nonsense = 1\n[build]\nexclude_regex = ['^a|b', '_x.go']\nfoo = 2\n[extra]\nbar = 1";
    let Import { config, passed_over } = import(text);
    assert_eq!(passed_over, ["nonsense", "build.foo", "extra", r#"build.exclude_regex "^a|b""#]);
    assert!(lines(&config).iter().any(|line| line.contains("*_x?go*")));
}

#[test]
fn what_is_written_says_the_same() {
    for Row { given, .. } in ROWS {
        let config = import(given).config;
        let text = write::document(&config, &options());
        let again = read(&text, Language::Toml, &options());
        let again = again.unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
        assert_eq!(again, config, "{text}");
    }
}

#[test]
fn values_of_another_type_are_mistakes() {
    let text = "root = 1\n[build]\ncmd = ['x']\npoll = 'yes'\ndelay = -1\nkill_delay = 'soon'\n\
                include_ext = [1]\nrules = 'x'\n[[build.x]]\n";
    let found: Vec<String> = problems(text).into_iter().map(|problem| problem.what).collect();
    assert_eq!(found.len(), 7, "{found:#?}");
    assert!(found[0].contains("`root` has to be a text, and is a number"), "{found:?}");
    let found = problems("[[build.rules]]\nname = 'x'\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(problems("build = {").iter().any(|problem| problem.what.contains("TOML")));
}

/// Builds and runs like a project in Go, with tools that are everywhere.
const PROJECT: &str = r#"
env_files = [".env", "missing.env"]
[build]
cmd = "mkdir -p tmp && cp main.go tmp/main && chmod +x tmp/main"
args_bin = ["--port", "80"]
delay = 10
post_cmd = ["echo bye"]
"#;

#[test]
fn a_project_of_air_runs_as_it_is() {
    let program =
        |version| format!("#!/bin/sh\necho version {version} $NAME $@\nexec sleep 1000\n");
    for file in [".air.toml", ".config/air.toml"] {
        let tree = Tree::new(&[(file, PROJECT), (".env", "NAME=air\n"), ("main_test.go", "1")]);
        tree.write("main.go", &program(1));
        let mut command = tree.stakeout();
        command.args(["--interval", "20ms"]);
        let mut session = Session::start(command);
        session.wait_for(&format!("configured by {file}"));
        session.wait_for("no meaning here: build.post_cmd");
        session.wait_for("version 1 air --port 80");
        tree.write("main_test.go", "2");
        tree.write("tmp/other.go", "2");
        tree.write("main.go", &program(2));
        session.wait_for("main.go");
        session.wait_for("version 2 air --port 80");
        assert_eq!(session.seen("_test"), 0, "{}", session.output());
        assert_eq!(session.seen("other.go"), 0, "{}", session.output());
    }
}

#[test]
fn a_typed_command_leaves_the_file_of_air_alone() {
    let tree = Tree::new(&[(".air.toml", PROJECT)]);
    let mut command = tree.stakeout();
    command.args(["--", "sh", "-c", "echo typed; exec sleep 1000"]);
    let mut session = Session::start(command);
    session.wait_for("typed");
    assert_eq!(session.seen("air.toml") + session.seen("build"), 0, "{}", session.output());
}

#[test]
fn init_writes_what_it_means() {
    let tree = Tree::new(&[(".air.toml", PROJECT)]);
    let run = |words: &[&str]| {
        let output = tree.stakeout().args(words).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), out, String::from_utf8(output.stderr).unwrap())
    };
    let (_, before, _) = run(&["config"]);
    assert_eq!(run(&["init", "--from", ".air.toml"]).0, Some(0));
    let text = std::fs::read_to_string(tree.path("stakeout.toml")).unwrap();
    assert!(text.contains("# Passed over") && text.contains("build.post_cmd"), "{text}");
    let (_, after, _) = run(&["config"]);
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned()).collect()
    };
    assert!(after.contains("configured by stakeout.toml"), "{after}");
    assert_eq!(values(&before), values(&after));

    let (status, _, error) = run(&["init", "--from", ".air.toml"]);
    assert_eq!(status, Some(2));
    assert!(error.contains("--force"), "{error}");
    assert_eq!(run(&["init", "--from", ".air.toml", "--force"]).0, Some(0));
}
