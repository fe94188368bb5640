use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// A tree, somebody who edits it, a build that writes into it, and looks; without a clock. A change
/// during a build is queued.
struct World {
    outputs: Outputs,
    now: Instant,
    /// When the build that runs ends, and what it still writes when.
    build: Option<(Instant, Vec<(Instant, PathBuf)>)>,
    /// Whether another follows it.
    is_stale: bool,
    /// When the last look began, and what changed since.
    looked: Instant,
    moved: BTreeSet<PathBuf>,
    /// When each build began.
    builds: Vec<Instant>,
    /// When somebody edited what, and whether that was outside of a build's time.
    edits: Vec<(Instant, PathBuf, bool)>,
    /// How long a build takes, and what each of them writes.
    takes: Duration,
    writes: Vec<BTreeSet<PathBuf>>,
}

fn paths(names: &[&str]) -> BTreeSet<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

/// How often the tree is looked at.
const LOOK: Duration = Duration::from_millis(200);

impl World {
    fn new(takes: Duration, writes: Vec<BTreeSet<PathBuf>>) -> Self {
        let now = Instant::now();
        Self {
            outputs: Outputs::default(),
            now,
            build: None,
            is_stale: false,
            looked: now,
            moved: BTreeSet::new(),
            builds: Vec::new(),
            edits: Vec::new(),
            takes,
            writes,
        }
    }

    fn edit(&mut self, path: &str) {
        let is_outside = self.build.is_none();
        self.edits.push((self.now, path.into(), is_outside));
        self.moved.insert(path.into());
    }

    /// Lets time go on, in small steps.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += 10 * MS;
            if let Some((ends, writes)) = &mut self.build {
                while writes.first().is_some_and(|(at, _)| *at <= self.now) {
                    self.moved.insert(writes.remove(0).1);
                }
                if *ends <= self.now {
                    self.build = None;
                    if self.outputs.ended(self.now) {
                        self.look();
                    }
                    if std::mem::take(&mut self.is_stale) {
                        self.begin();
                    }
                }
            }
            if self.looked + LOOK <= self.now {
                self.look();
            }
            if self.outputs.tick(self.now).is_some_and(|quiet| quiet.acts) {
                self.act();
            }
        }
    }

    fn look(&mut self) {
        let (after, moved) = (self.looked, std::mem::take(&mut self.moved));
        self.looked = self.now;
        if !moved.is_empty() && self.outputs.changed(&moved, after) == Heed::Act {
            self.act();
        }
    }

    fn act(&mut self) {
        match self.build {
            Some(_) => self.is_stale = true,
            None => self.begin(),
        }
    }

    fn begin(&mut self) {
        let number = u32::try_from(self.builds.len()).unwrap();
        self.outputs.began(self.now);
        self.builds.push(self.now);
        let written = self.writes[self.builds.len() % self.writes.len()].clone();
        // Early in one, late in the next.
        let at = self.now + self.takes * (number % 4) / 4;
        let writes = written.into_iter().map(|path| (at, path)).collect();
        self.build = Some((self.now + self.takes, writes));
    }

    /// Waits until nothing happens any more; gives how many builds there were.
    fn rest(&mut self) -> usize {
        for _ in 0..200 {
            let before = self.builds.len();
            self.wait(self.takes + LONGEST + 2 * LOOK);
            if self.builds.len() == before && self.build.is_none() {
                return before;
            }
        }
        panic!("it does not come to rest: {:?}", self.outputs);
    }
}

#[test]
fn a_build_loop_ends_by_itself_and_a_source_is_built_then_as_before() {
    let mut world = World::new(300 * MS, vec![paths(&["stamp", "log"])]);
    world.edit("a.c");
    assert_eq!(world.rest(), 4);
    for more in 1..=3 {
        world.edit("a.c");
        assert_eq!(world.rest(), 4 + more);
    }
}

#[test]
fn what_was_learnt_counts_when_somebody_edits_it_outside_of_a_build() {
    let mut world = World::new(300 * MS, vec![paths(&["stamp"])]);
    world.edit("a.c");
    assert_eq!(world.rest(), 4);
    world.edit("stamp");
    assert_eq!(world.rest(), 4 + 4, "and is learnt again");
}

#[test]
fn what_each_build_names_otherwise_does_not_hide_what_it_writes() {
    let mut writes: Vec<_> = (0..9).map(|n| paths(&["stamp", &format!("temp{n}")])).collect();
    writes.resize(40, paths(&["stamp"]));
    let mut world = World::new(300 * MS, writes);
    world.edit("a.c");
    assert_eq!(world.rest(), 9);
}

#[test]
fn names_that_do_not_come_again_are_forgotten() {
    let writes: Vec<_> = (0..500).map(|n| paths(&[&format!("temp{n}")])).collect();
    let mut world = World::new(100 * MS, writes);
    world.edit("a.c");
    world.wait(100_000 * MS);
    assert!(world.builds.len() > 100 && world.outputs.suspects.len() < 10, "{:?}", world.outputs);
}

#[test]
fn who_saves_while_it_is_built_and_pauses_is_not_taken_for_a_build() {
    let mut world = World::new(2000 * MS, vec![BTreeSet::new()]);
    world.edit("a.c");
    for _ in 0..20 {
        // While one runs, again and again, and a last time.
        world.wait(1500 * MS);
        world.edit("a.c");
    }
    world.rest();
    let last = world.edits.last().unwrap().0;
    assert!(world.builds.iter().any(|began| *began >= last));
    assert!(world.outputs.learnt.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..Default::default() })]

    #[test]
    fn no_edit_outside_of_a_build_is_lost_and_every_loop_ends(
        takes in 0..3000_u32,
        writes in proptest::collection::vec(
            proptest::collection::btree_set(prop_oneof![Just("stamp"), Just("log"), Just("a.c")], 0..3),
            1..4,
        ),
        edits in proptest::collection::vec(
            (0..5000_u32, prop_oneof![Just("a.c"), Just("b.c"), Just("stamp")]),
            1..12,
        ),
    ) {
        let writes = writes.into_iter().map(|set| set.into_iter().map(PathBuf::from).collect());
        let mut world = World::new(takes * MS, writes.collect());
        for (wait, path) in &edits {
            world.wait(*wait * MS);
            world.edit(path);
        }
        let builds = world.rest();
        // Each edit begins anew what there is to learn of three paths.
        let most = (edits.len() + 1) * (3 * usize::try_from(ENOUGH).unwrap() + 1);
        prop_assert!(builds <= most, "{} builds", builds);
        for (at, path, is_outside) in &world.edits {
            let is_built = world.builds.iter().any(|began| began >= at);
            let is_learnt = world.outputs.learnt.contains(path);
            prop_assert!(is_built || is_learnt && !is_outside, "{path:?} is lost");
        }
    }
}
