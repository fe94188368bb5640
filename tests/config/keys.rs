//! Keys and options belong together.

use serde_json::Value;
use stakeout::config::{OUTPUT, PROXY, SERVICE, Shape, WATCH, schema};

use super::options;

/// What is said of one start and not of a project; `control` also by who asks, and reads no file;
/// `json` is short for what has a key.
const ONLY_TYPED: [&str; 8] =
    ["help", "version", "config", "control", "no_watch", "runs", "exit_on_change", "json"];

#[test]
fn every_option_has_a_key_and_every_key_an_option() {
    let definitions = stakeout::cli::definitions();
    let mut options: Vec<&str> =
        definitions.get_arguments().map(|arg| arg.get_id().as_str()).collect();
    options.retain(|option| !ONLY_TYPED.contains(option));
    let keys = [WATCH, SERVICE, PROXY, OUTPUT].concat();
    let mut meant: Vec<&str> = keys.iter().map(|key| key.option).collect();
    options.sort_unstable();
    meant.sort_unstable();
    assert_eq!(options, meant);
}

#[test]
fn the_shape_of_a_key_fits_its_option() {
    let definitions = stakeout::cli::definitions();
    for key in [WATCH, SERVICE, PROXY, OUTPUT].concat() {
        let option = definitions.get_arguments().find(|arg| arg.get_id() == key.option).unwrap();
        let takes_values = option.get_action().takes_values();
        assert_eq!(key.shape == Shape::Flag, !takes_values, "{}", key.name);
        let is_list = matches!(option.get_action(), clap::ArgAction::Append);
        assert_eq!(key.shape == Shape::One, takes_values && !is_list, "{}", key.name);
    }
}

#[test]
fn the_schema_knows_every_key_and_no_other() {
    let schema = schema(&options());
    let properties = |value: &Value| {
        assert_eq!(value["additionalProperties"], false, "{value}");
        let mut names: Vec<String> =
            value["properties"].as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        names
    };
    let sorted = |keys: &[stakeout::config::Key], beside: &[&str]| {
        let names = keys.iter().map(|key| key.name).chain(beside.iter().copied());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    let root = &schema["properties"];
    assert_eq!(properties(&schema), ["output", "proxy", "rule", "service", "watch"]);
    assert_eq!(properties(&root["watch"]), sorted(WATCH, &[]));
    assert_eq!(properties(&root["proxy"]), sorted(PROXY, &[]));
    assert_eq!(properties(&root["output"]), sorted(OUTPUT, &[]));
    let service = &root["service"]["additionalProperties"];
    assert_eq!(properties(service), sorted(SERVICE, &["depends-on", "essential", "watch"]));
    assert_eq!(service["properties"]["restart"]["enum"][1], "on-crash");
    let says = service["properties"]["handover"]["description"].as_str().unwrap();
    assert!(says.contains("beside the old one"), "{says}");
}
