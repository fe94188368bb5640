//! What files mean.

use stakeout::config::{Action, Config, Given, Kind, Setting};

use super::{toml, yaml};

const TOML: &str = r#"
[watch]
paths = ["src", "conf"]
exclude = "docs/"
exts = ["go", "tar.gz"]
cpu-budget = 1.5
no-ignore = true
follow-symlinks = false

[service.web]
build = ["make css", "make js"]
run = ["./web", "--port", "80"]
depends-on = ["api"]

[service.api]
run = "exec ./api"
env = { PORT = 8080, DEBUG = true, NAME = "a b" }
listen = 8080
stop-timeout = "3s"
essential = true
watch = { include = ["api/**"] }

[rule.styles]
match = ["*.css", "*.scss"]
kinds = ["create", "modify"]
action = "reload-browser"

[rule.conf]
match = "*.conf"
action = "signal"
signal = "HUP"
service = "api"

[output]
clear = true
"#;

const YAML: &str = "
watch:
  paths: [src, conf]
  exclude: docs/
  exts: [go, 'tar.gz']
  cpu-budget: 1.5
  no-ignore: true
  follow-symlinks: false
service:
  web:
    build:
      - make css
      - make js
    run: [./web, --port, 80]
    depends-on: [api]
  api:
    run: exec ./api
    env:
      PORT: 8080
      DEBUG: true
      NAME: a b
    listen: 8080
    stop-timeout: 3s
    essential: true
    watch: {include: [api/**]}
rule:
  styles:
    match: ['*.css', '*.scss']
    kinds: [create, modify]
    action: reload-browser
  conf:
    match: '*.conf'
    action: signal
    signal: HUP
    service: api
output:
  clear: true
";

fn values<'a>(settings: &'a [Setting], name: &str) -> &'a [String] {
    settings.iter().find(|setting| setting.key.name == name).map_or(&[], Setting::values)
}

#[test]
fn every_section_is_read_in_its_order() {
    let config = toml(TOML).unwrap();
    assert_eq!(values(&config.watch, "paths"), ["src", "conf"]);
    assert_eq!(values(&config.watch, "exclude"), ["docs/"]);
    assert_eq!(values(&config.watch, "cpu-budget"), ["1.5"]);
    assert_eq!(values(&config.watch, "no-ignore"), ["true"]);
    assert_eq!(values(&config.watch, "follow-symlinks"), ["false"]);
    assert_eq!(values(&config.output, "clear"), ["true"]);

    let [web, api] = config.services.as_slice() else { panic!("{:?}", config.services) };
    assert_eq!((web.name.value.as_str(), api.name.value.as_str()), ("web", "api"));
    assert_eq!(values(&web.settings, "build"), ["make css", "make js"]);
    assert_eq!(values(&web.settings, "run"), ["./web", "--port", "80"]);
    assert_eq!(web.depends_on[0].value, "api");
    assert!(web.essential.is_none() && web.filter.is_empty());
    let run = api.settings.iter().find(|setting| setting.key.name == "run").unwrap();
    assert_eq!(run.given, Given::One("exec ./api".into()));
    assert_eq!(values(&api.settings, "env"), ["PORT=8080", "DEBUG=true", "NAME=a b"]);
    assert_eq!(values(&api.settings, "listen"), ["8080"]);
    assert!(api.essential.as_ref().is_some_and(|essential| essential.value));
    assert_eq!(values(&api.filter, "include"), ["api/**"]);

    let [styles, conf] = config.rules.as_slice() else { panic!("{:?}", config.rules) };
    assert_eq!(styles.name.value, "styles");
    assert_eq!(styles.globs, ["*.css", "*.scss"]);
    assert_eq!(styles.kinds, [Kind::Create, Kind::Modify]);
    assert_eq!(styles.action, Action::ReloadBrowser);
    assert_eq!(conf.kinds.len(), 4);
    let Action::Signal(signal, Some(service)) = &conf.action else { panic!("{conf:?}") };
    assert_eq!((signal.as_str(), service.value.as_str()), ("HUP", "api"));
}

#[test]
fn yaml_says_the_same_as_toml() {
    assert_eq!(yaml(YAML).unwrap(), toml(TOML).unwrap());
}

#[test]
fn an_empty_file_says_nothing() {
    for text in ["", "\n# nothing\n", "\u{feff}"] {
        assert_eq!(toml(text).unwrap(), Config::default(), "{text:?}");
        assert_eq!(yaml(text).unwrap(), Config::default(), "{text:?}");
    }
    assert_eq!(yaml("watch:\nservice:\n").unwrap(), Config::default());
    assert_eq!(toml("[watch]\r\n[service]\r\n").unwrap(), Config::default());
}

#[test]
fn aliases_are_used_again() {
    let config = yaml("service:\n  a: &a\n    run: ./x\n  b: *a\n").unwrap();
    assert_eq!(config.services[0].settings, config.services[1].settings);
}

#[test]
fn merge_keys_take_in_what_is_not_said_otherwise() {
    let text = "
service:
  api: &api
    run: ./api
    env: {A: '1', B: '2'}
    restart: always
  quick: &quick
    run: ./quick
    stop-timeout: 1s
  web:
    run: ./web
    <<: [*quick, *api]
    env: {C: '3'}
  twin:
    <<: *api
";
    let config = yaml(text).unwrap();
    let [api, _, web, twin] = config.services.as_slice() else { panic!("{:?}", config.services) };
    assert_eq!(values(&web.settings, "run"), ["./web"]);
    assert_eq!(values(&web.settings, "stop-timeout"), ["1s"]);
    assert_eq!(values(&web.settings, "restart"), ["always"]);
    assert_eq!(values(&web.settings, "env"), ["C=3"], "tables are not merged into each other");
    assert_eq!(api.settings, twin.settings);
}

#[test]
fn words_that_other_yaml_takes_for_true_are_texts() {
    let text = |country: &str| format!("service:\n  a:\n    run: x\n    env: {{C: {country}}}\n");
    for country in ["no", "NO", "off", "y"] {
        let config = yaml(&text(country)).unwrap();
        let expected = [format!("C={country}")];
        assert_eq!(values(&config.services[0].settings, "env"), expected);
    }
    let problems = yaml("output:\n  clear: yes\n").unwrap_err();
    assert_eq!(problems[0].help.as_deref(), Some("write true, without quotes"));
    // A number stays as it is written.
    let config = yaml(&text("0o17")).unwrap();
    assert_eq!(values(&config.services[0].settings, "env"), ["C=0o17"]);
}

#[test]
fn a_short_text_does_not_become_a_huge_one() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let item = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [item.as_str(); 10].join(", "));
    }
    let problems = yaml(&text).unwrap_err();
    assert!(problems.iter().any(|problem| problem.what.contains("values")), "{problems:?}");
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [100, 10_000] {
        let lists = "[".repeat(depth) + &"]".repeat(depth);
        assert!(toml(&format!("a = {lists}")).is_err());
        assert!(yaml(&format!("a: {lists}")).is_err());
    }
    assert!(toml(&format!("{}x = 1", "a.".repeat(10_000))).is_err());
}

#[test]
fn what_is_off_excludes_nothing() {
    assert!(toml("[service.a]\nrun = 'x'\nsignal = 'HUP'\nhandover = false\n").is_ok());
    assert!(toml("[service.a]\nrun = 'x'\nsignal = 'HUP'\nhandover = true\n").is_err());
}
