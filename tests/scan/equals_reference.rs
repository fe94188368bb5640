//! After any edits, the incremental rescan equals a plain walk that reads everything.

use std::path::PathBuf;

use proptest::prelude::*;

use super::edit::any_edit;
use super::support::Watched;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, ..Default::default() })]

    #[test]
    fn after_any_edits(
        start in proptest::collection::vec(any_edit(), 0..12),
        batches in proptest::collection::vec(proptest::collection::vec(any_edit(), 1..10), 1..4),
    ) {
        let mut watched = Watched::new(&[]);
        let root: PathBuf = watched.path("");
        start.iter().for_each(|edit| edit.apply(&root));
        for batch in batches {
            for edit in &batch {
                edit.apply(&root);
                // Looks between edits see states that do not last.
                watched.scanner.look();
            }
            watched.assert_equals_reference();
        }
    }
}
