//! Silence: when a root's file system has not answered for so long that it has to be said. Pure:
//! time is an argument.

use std::time::{Duration, Instant};

/// An answer takes at most seconds even from a slow share; a hung one gives none.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of each root's answers.
#[derive(Debug, Default)]
pub struct Silence {
    roots: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    /// How often it had answered when it was last seen to, and when that was.
    last: Option<(u64, Instant)>,
    is_told: bool,
}

/// What has to be said of a root, given as an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has not answered for this long.
    Silent(usize, Duration),
    /// It answers again, after this long.
    Answers(usize, Duration),
}

impl Silence {
    /// Takes note of how often each root has answered, `None` where nobody waits for it.
    pub fn heard(
        &mut self,
        now: Instant,
        answers: impl IntoIterator<Item = Option<u64>>,
    ) -> Vec<Said> {
        let mut said = Vec::new();
        for (index, answers) in answers.into_iter().enumerate() {
            if self.roots.len() == index {
                self.roots.push(Waiting::default());
            }
            let root = &mut self.roots[index];
            match (answers, root.last) {
                (Some(answers), Some((before, since))) if answers == before => {
                    let waited = now.duration_since(since);
                    if waited >= PATIENCE && !root.is_told {
                        root.is_told = true;
                        said.push(Said::Silent(index, waited));
                    }
                }
                (answers, last) => {
                    if std::mem::take(&mut root.is_told) {
                        let since = last.map_or(now, |(_, since)| since);
                        said.push(Said::Answers(index, now.duration_since(since)));
                    }
                    root.last = answers.map(|answers| (answers, now));
                }
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_of_once_and_once_when_it_ends() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut silence = Silence::default();
        assert_eq!(silence.heard(at(0), [Some(7), None]), []);
        assert_eq!(silence.heard(at(4), [Some(7), Some(1)]), []);
        let waited = Duration::from_secs(6);
        assert_eq!(silence.heard(at(6), [Some(7), None]), [Said::Silent(0, waited)]);
        assert_eq!(silence.heard(at(60), [Some(7), Some(2)]), []);
        let after = Duration::from_secs(61);
        assert_eq!(silence.heard(at(61), [Some(8), Some(3)]), [Said::Answers(0, after)]);
        assert_eq!(silence.heard(at(62), [None, Some(4)]), []);
    }

    #[test]
    fn a_root_that_nobody_asks_is_not_silent() {
        let mut silence = Silence::default();
        let began = Instant::now();
        for seconds in 0..20 {
            assert_eq!(silence.heard(began + Duration::from_secs(seconds), [None]), []);
        }
    }
}
