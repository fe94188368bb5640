//! Any text is either understood or refused.

use proptest::prelude::*;
use stakeout::config::{Language, Problems, read};

use super::options;

/// Pieces of files, so that what is made of them gets past the grammar now and then.
const PIECES: [&str; 40] = [
    "[watch]\n",
    "[service.a]\n",
    "[service.b]\n",
    "[rule.r]\n",
    "[output]\n",
    "[[service]]\n",
    "run = ",
    "build = ",
    "paths = ",
    "interval = ",
    "match = ",
    "action = ",
    "env = ",
    "depends-on = ",
    "watch = ",
    "kinds = ",
    "'a'",
    "\"b\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\n",
    " = ",
    "1979-05-27",
    "1e400",
    "0x1f",
    "true",
    "restart: ",
    "service:\n",
    "  a:\n",
    "    - ",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
    "? ",
    "\u{1f600}",
    "\0",
];

fn holds(text: &str) {
    for language in [Language::Toml, Language::Yaml] {
        let Err(list) = read(text, language, &options()) else { continue };
        assert!(!list.is_empty());
        for problem in &list {
            assert!(problem.at.start <= problem.at.end, "{problem:?}");
        }
        // To be shown is to be cut at characters.
        let problems = Problems { file: "f".into(), text: text.into(), list };
        assert!(problems.to_string().contains("\nf:"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        holds(&text);
    }

    #[test]
    fn so_is_what_looks_like_a_file(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        holds(&pieces.concat());
    }
}
