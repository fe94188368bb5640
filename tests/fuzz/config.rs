//! Any text of a configuration file is understood or refused, and what is refused can be shown.
//!
//! With cargo-fuzz and a nightly compiler: `cargo fuzz run --fuzz-dir tests/fuzz config`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stakeout::config::{Language, Options, Problems, air, read};

static OPTIONS: LazyLock<Options> = LazyLock::new(|| Options::new(stakeout::cli::definitions()));

fuzz_target!(|text: &str| {
    let languages = [Language::Toml, Language::Yaml];
    let problems = languages.iter().map(|language| read(text, *language, &OPTIONS).err());
    let air = air::import(text, &OPTIONS).err();
    for list in problems.chain([air]).flatten() {
        assert!(!list.is_empty());
        let problems = Problems { file: "f".into(), text: text.into(), list };
        assert!(!problems.to_string().is_empty());
    }
});
