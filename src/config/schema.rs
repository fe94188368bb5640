//! The JSON Schema of a configuration file, made from the keys and the definitions of the options,
//! so that it cannot fall behind them.

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Shape};
use super::model::{Action, Kind};
use super::options::Options;

/// The schema, for editors that complete and check stakeout.toml and stakeout.yaml by it.
pub fn schema(options: &Options) -> Value {
    let name = json!({ "type": "string" });
    let flag = |about: &str| json!({ "type": "boolean", "description": about });
    let watch = properties(keys::WATCH, options);
    let mut service = properties(keys::SERVICE, options);
    service.insert(
        "depends-on".into(),
        json!({
            "description": "Services that have to be ready before this one starts",
            "oneOf": [name, { "type": "array", "items": name }],
        }),
    );
    service.insert("essential".into(), flag("Whether all others stop when it fails"));
    let filter = table("Which changes are its own", properties(keys::FILTER, options));
    service.insert("watch".into(), filter);
    let proxy = table("What browsers see", properties(keys::PROXY, options));
    let output = table("What is shown", properties(keys::OUTPUT, options));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stakeout",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "watch": table("What is watched, and how", watch),
            "service": named("What runs, by name", table("A program", service)),
            "rule": named("What changes lead to: the first rule that matches decides", rule()),
            "proxy": proxy,
            "output": output,
        },
    })
}

fn rule() -> Value {
    let text = json!({ "type": "string" });
    let list = |items: Value| json!({ "oneOf": [items, { "type": "array", "items": items }] });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["match", "action"],
        "properties": {
            "match": list(text.clone()),
            "kinds": list(json!({ "enum": Kind::ALL.map(|(name, _)| name) })),
            "action": { "enum": Action::NAMES },
            "service": text,
            "signal": { "type": ["string", "integer"] },
            "run": text,
        },
    })
}

fn table(about: &str, properties: Map<String, Value>) -> Value {
    json!({
        "type": "object",
        "description": about,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn named(about: &str, one: Value) -> Value {
    json!({ "type": "object", "description": about, "additionalProperties": one })
}

fn properties(keys: &[Key], options: &Options) -> Map<String, Value> {
    keys.iter().map(|key| (key.name.to_owned(), property(key, options))).collect()
}

fn property(key: &Key, options: &Options) -> Value {
    let definition = options.get(key.option);
    let possible = definition.map(clap::Arg::get_possible_values).unwrap_or_default();
    let one = match possible.iter().map(|value| value.get_name()).collect::<Vec<_>>() {
        names if names.is_empty() || key.shape == Shape::Flag => {
            json!({ "type": ["string", "number"] })
        }
        names => json!({ "enum": names }),
    };
    let list = json!({ "type": "array", "items": one });
    let mut property = match key.shape {
        Shape::One => one,
        Shape::Many | Shape::Command => json!({ "oneOf": [one, list] }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Variables => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        }),
    };
    if let Some(about) = options.about(key.option) {
        property["description"] = about.into();
    }
    property
}
