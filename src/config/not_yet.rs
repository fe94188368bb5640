//! What can be written and is not done yet. It is refused at the start, so that nobody waits for
//! it; each of these goes when what it is about is there.

use super::model::{Config, Place};
use super::problem::Problem;

/// What a configuration asks for that is not there.
pub fn not_yet(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |place: &Place, what: &str, instead: &str| {
        problems.push(Problem::new(&place.0, what).with_help(Some(instead.to_owned())));
    };
    if let Some(follow) = config.follow_symlinks.as_ref().filter(|follow| follow.value) {
        refuse(
            &follow.place,
            "links that lead out of the roots are not followed yet",
            "add what they lead to, to `paths` in [watch]",
        );
    }
    problems.sort_by_key(|problem| problem.at.start);
    problems
}
