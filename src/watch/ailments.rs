//! Ailments: what cannot be read at present, so that each is told of once, and once when it ends.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::scan::Trouble;

/// The troubles of the last look.
#[derive(Debug, Default)]
pub struct Ailments {
    present: BTreeMap<PathBuf, Trouble>,
}

impl Ailments {
    /// Takes note of the troubles of a look at a part of the tree, which tells of no end. Gives
    /// those that are new, or of another kind than before.
    pub fn looked_at_part(&mut self, troubles: Vec<Trouble>) -> Vec<Trouble> {
        let mut begun = Vec::new();
        for trouble in troubles {
            let before = self.present.insert(trouble.path.clone(), trouble.clone());
            if before.is_none_or(|old| old.errno != trouble.errno) {
                begun.push(trouble);
            }
        }
        begun
    }

    /// Takes note of all troubles of one look. Gives those that are new, or of another kind
    /// than before, and the paths that have none any more.
    pub fn looked(&mut self, troubles: Vec<Trouble>) -> (Vec<Trouble>, Vec<PathBuf>) {
        let mut now = BTreeMap::new();
        for trouble in troubles {
            now.entry(trouble.path.clone()).or_insert(trouble);
        }
        let is_new = |trouble: &&Trouble| {
            self.present.get(&trouble.path).is_none_or(|old| old.errno != trouble.errno)
        };
        let begun = now.values().filter(is_new).cloned().collect();
        let ended = self.present.keys().filter(|path| !now.contains_key(*path)).cloned().collect();
        self.present = now;
        (begun, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Verb;

    #[test]
    fn a_trouble_is_told_of_once_and_once_when_it_ends() {
        let trouble = |path: &str, errno| Trouble { path: path.into(), verb: Verb::Read, errno };
        let (one, two) = (trouble("a", 5), trouble("b", 13));
        let mut ailments = Ailments::default();
        let begun = ailments.looked(vec![one.clone()]);
        assert_eq!(begun, (vec![one.clone()], vec![]));
        assert_eq!(ailments.looked(vec![two.clone(), one.clone()]), (vec![two], vec![]));
        let worse = trouble("a", 116);
        let changed = ailments.looked(vec![worse.clone()]);
        assert_eq!(changed, (vec![worse], vec!["b".into()]));
        assert_eq!(ailments.looked(vec![]), (vec![], vec!["a".into()]));
        assert_eq!(ailments.looked(vec![]), (vec![], vec![]));
        assert_eq!(ailments.looked_at_part(vec![one.clone()]), std::slice::from_ref(&one));
        assert_eq!(ailments.looked_at_part(vec![one]), []);
        assert_eq!(ailments.looked_at_part(vec![]), []);
        assert_eq!(ailments.looked(vec![]), (vec![], vec!["a".into()]));
    }
}
