//! Ailments: what cannot be read at present, so that each is told of once, and once when it ends.
//! On a share that fails now and then, that would be several lines a second, so there is a calm
//! time: what ended is over when it has not come back for so long, and what begins within that
//! time of the last that was told of is told of after it. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::scan::Trouble;

const CALM: Duration = Duration::from_secs(3);

/// The troubles of the last looks.
#[derive(Debug, Default)]
pub struct Ailments {
    present: BTreeMap<PathBuf, Ailment>,
    /// When some were told of last.
    told: Option<Instant>,
}

#[derive(Debug)]
struct Ailment {
    trouble: Trouble,
    /// When it was last met.
    last: Instant,
    /// As which error it was told of.
    told: Option<i32>,
}

impl Ailments {
    /// Takes note of the troubles of a look at a part of the tree, which tells of no end. Gives
    /// those to tell of now.
    pub fn looked_at_part(&mut self, troubles: Vec<Trouble>, now: Instant) -> Vec<Trouble> {
        for trouble in troubles {
            let told = self.present.get(&trouble.path).and_then(|known| known.told);
            let ailment = Ailment { trouble, last: now, told };
            self.present.insert(ailment.trouble.path.clone(), ailment);
        }
        let mut begun = Vec::new();
        if self.told.is_none_or(|told| now.saturating_duration_since(told) >= CALM) {
            for Ailment { trouble, last, told } in self.present.values_mut() {
                if *last == now && *told != Some(trouble.errno) {
                    *told = Some(trouble.errno);
                    begun.push(trouble.clone());
                }
            }
        }
        if !begun.is_empty() {
            self.told = Some(now);
        }
        begun
    }

    /// Takes note of all troubles of one look. Gives those to tell of now, new ones or of another
    /// kind than before, and the paths that have none any more.
    pub fn looked(&mut self, troubles: Vec<Trouble>, now: Instant) -> (Vec<Trouble>, Vec<PathBuf>) {
        let begun = self.looked_at_part(troubles, now);
        let mut ended = Vec::new();
        self.present.retain(|path, ailment| {
            let is_over = now.saturating_duration_since(ailment.last) >= CALM
                // Nobody knows of it, and nobody has to.
                || ailment.told.is_none() && ailment.last != now;
            if is_over && ailment.told.is_some() {
                ended.push(path.clone());
            }
            !is_over
        });
        (begun, ended)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::Verb;

    fn trouble(path: &str, errno: i32) -> Trouble {
        Trouble { path: path.into(), verb: Verb::Read, errno }
    }

    #[test]
    fn a_trouble_is_told_of_once_and_once_when_it_ends() {
        let (one, two) = (trouble("a", 5), trouble("b", 13));
        let zero = Instant::now();
        let at = |n| zero + n * CALM;
        let mut ailments = Ailments::default();
        assert_eq!(ailments.looked(vec![one.clone()], at(0)), (vec![one.clone()], vec![]));
        let both = vec![two.clone(), one.clone()];
        assert_eq!(ailments.looked(both, at(1)), (vec![two], vec![]));
        let worse = trouble("a", 116);
        let (begun, ended) = ailments.looked(vec![worse.clone()], at(2));
        assert_eq!((begun, ended), (vec![worse], vec!["b".into()]));
        assert_eq!(ailments.looked(vec![], at(3)), (vec![], vec!["a".into()]));
        assert_eq!(ailments.looked(vec![], at(4)), (vec![], vec![]));
        assert_eq!(ailments.looked_at_part(vec![one.clone()], at(5)), std::slice::from_ref(&one));
        assert_eq!(ailments.looked_at_part(vec![one], at(6)), []);
        assert_eq!(ailments.looked_at_part(vec![], at(7)), []);
        assert_eq!(ailments.looked(vec![], at(8)), (vec![], vec!["a".into()]));
    }

    #[test]
    fn what_comes_and_goes_is_one_trouble() {
        let zero = Instant::now();
        let mut ailments = Ailments::default();
        let mut told = 0;
        for n in 0..100 {
            let troubles = if n % 3 == 0 { vec![trouble("a", 5)] } else { vec![] };
            let (begun, ended) = ailments.looked(troubles, zero + n * CALM / 5);
            told += begun.len();
            assert!(ended.is_empty(), "{n}: {ended:?}");
        }
        assert_eq!(told, 1);
    }

    #[test]
    fn what_begins_soon_after_another_is_told_of_later_if_it_lasts() {
        let zero = Instant::now();
        let at = |n| zero + n * CALM / 4;
        let (a, b, c) = (trouble("a", 5), trouble("b", 5), trouble("c", 5));
        let mut ailments = Ailments::default();
        assert_eq!(ailments.looked(vec![a.clone()], at(0)).0, std::slice::from_ref(&a));
        assert_eq!(ailments.looked(vec![a.clone(), b.clone(), c], at(1)).0, []);
        assert_eq!(ailments.looked(vec![a.clone(), b.clone()], at(2)).0, []);
        assert_eq!(ailments.looked(vec![a, b.clone()], at(4)), (vec![b], vec![]));
        assert_eq!(ailments.looked(vec![], at(8)).1, ["a", "b"].map(PathBuf::from));
    }

    proptest! {
        #[test]
        fn what_lasts_is_told_of_and_what_was_told_of_ends(
            looks in proptest::collection::vec((0u32..4, 0u8..8, 5i32..7), 0..60),
        ) {
            let mut now = Instant::now();
            let mut ailments = Ailments::default();
            let mut known = BTreeMap::new();
            let troubles = |bits: u8, errno| -> Vec<Trouble> {
                let present = (0..3).filter(|n| bits >> n & 1 == 1);
                present.map(|n| trouble(&n.to_string(), errno)).collect()
            };
            let quiet = [(8, 7, 5), (8, 7, 5), (8, 0, 5), (8, 0, 5)];
            for (quarters, bits, errno) in looks.into_iter().chain(quiet) {
                now += quarters * CALM / 4;
                let (begun, ended) = ailments.looked(troubles(bits, errno), now);
                for Trouble { path, errno, .. } in begun {
                    prop_assert_ne!(known.insert(path, errno), Some(errno), "told of twice");
                }
                for path in ended {
                    prop_assert!(known.remove(&path).is_some(), "ended without having begun");
                }
                if quarters == 8 && bits == 7 {
                    prop_assert_eq!(known.len(), 3, "all that last are told of");
                }
            }
            prop_assert!(known.is_empty());
        }
    }
}
