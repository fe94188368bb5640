//! Random interleavings of what the world does, for what is promised whatever happens.

use proptest::prelude::*;

use super::*;

/// What rules send.
const HUP: i32 = 1;

/// What the world does next; the model turns it into an event that can happen now, to one of the
/// instances that there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    Change,
    Rule(OnChange),
    Pause,
    Resume,
    Ask(Request),
    Exec(usize, Option<NotStarted>),
    Ready(usize),
    Exit(usize, Exit),
    Vanish(usize),
    Wait(u64),
    Interrupt,
    Type,
    Signal(i32),
}

fn any_step() -> impl Strategy<Value = Step> {
    let exec = prop_oneof![
        8 => Just(None),
        1 => Just(Some(NotStarted::NotFound)),
        1 => Just(Some(NotStarted::NoProcess(11))),
    ];
    let exit = prop_oneof![
        2 => Just(Exit::Code(0)),
        2 => (1..3).prop_map(Exit::Code),
        1 => prop_oneof![Just(9), Just(10), Just(11), Just(TERM)].prop_map(Exit::Signal),
    ];
    prop_oneof![
        8 => Just(Step::Change),
        2 => prop_oneof![Just(OnChange::Restart), Just(OnChange::Handover), Just(OnChange::Signal(HUP))]
            .prop_map(Step::Rule),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        2 => prop_oneof![Just(Request::Restart), Just(Request::Build)].prop_map(Step::Ask),
        8 => (0..3_usize, exec).prop_map(|(which, result)| Step::Exec(which, result)),
        6 => (0..3_usize).prop_map(Step::Ready),
        6 => (0..3_usize, exit).prop_map(|(which, exit)| Step::Exit(which, exit)),
        8 => (0..3_usize).prop_map(Step::Vanish),
        6 => (0..12_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Interrupt),
        1 => Just(Step::Type),
        2 => (10..=12).prop_map(Step::Signal),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let restart = prop_oneof![
        Just(Restart::Never),
        Just(Restart::OnCrash),
        Just(Restart::OnFailure),
        Just(Restart::Always),
    ];
    let on_busy = prop_oneof![Just(OnBusy::Cancel), Just(OnBusy::Queue)];
    let on_change = prop_oneof![Just(OnChange::Restart), Just(OnChange::Handover)];
    let chosen = (restart, any::<bool>(), 0..3_usize, on_busy, on_change, any::<bool>());
    chosen.prop_map(|(restart, exit_with_child, steps, on_busy, on_change, has_probe)| {
        let ready_timeout = has_probe.then_some(Duration::from_secs(5));
        Policy { restart, exit_with_child, steps, on_busy, on_change, ready_timeout, ..POLICY }
    })
}

/// An instance as the kernel has it.
#[derive(Clone, Copy, Debug)]
struct There {
    instance: Instance,
    is_build: bool,
    is_executed: bool,
    has_exited: bool,
    is_stopped: bool,
}

/// The instances that there are, as the dispatcher and the kernel make them.
struct World {
    policy: Policy,
    engine: Engine,
    now: Instant,
    there: Vec<There>,
    newest: u64,
    /// The newest generation of which a program was started, or tried to.
    last_started: u64,
    /// The newest generation that was built, or failed to.
    last_built: u64,
    has_failed_to_build: bool,
    ended: Option<i32>,
    interrupted: bool,
    /// Signals that are yet to be passed on.
    owed: Option<i32>,
    /// Whether any handover was asked for by a rule.
    has_handed_over: bool,
}

impl World {
    fn new(policy: Policy) -> Self {
        let mut world = Self {
            policy,
            engine: Engine::new(policy),
            now: Instant::now(),
            there: Vec::new(),
            newest: 0,
            last_started: 0,
            last_built: 0,
            has_failed_to_build: false,
            ended: None,
            interrupted: false,
            owed: None,
            has_handed_over: false,
        };
        world.tell(Event::Watching);
        world
    }

    fn tell(&mut self, event: Event) {
        let actions = self.engine.handle(event, self.now);
        self.newest = self.engine.generation().0;
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            assert_eq!(self.ended, None, "{action:?} after the end");
            match action {
                Action::Start(instance) => {
                    let programs = self.there.iter().filter(|there| !there.is_build).count();
                    let is_handover =
                        self.policy.on_change == OnChange::Handover || self.has_handed_over;
                    assert!(programs == 0 || is_handover, "two at once");
                    self.begin(instance, false);
                    self.last_started = match self.policy.steps {
                        0 => self.newest,
                        _ => self.last_built,
                    };
                }
                Action::Build { instance, step, generation } => {
                    let is_running = |there: &&There| there.is_build && !there.has_exited;
                    assert_eq!(self.there.iter().filter(is_running).count(), 0, "two builds");
                    assert!(step < self.policy.steps);
                    assert!(generation.0 <= self.newest);
                    self.begin(instance, true);
                }
                Action::Stop(instance, _) | Action::Kill(instance) => {
                    self.find(instance).is_stopped = true;
                }
                Action::Signal(instance, signal) => {
                    self.find(instance);
                    assert!(signal == HUP || self.owed.take() == Some(signal));
                }
                Action::ReportUnkillable(instance) => _ = self.find(instance),
                Action::Note(Note::Built { generation, .. }) => self.last_built = generation.0,
                Action::Note(Note::BuildFailed { .. }) => self.has_failed_to_build = true,
                Action::Note(_) => {}
                Action::End(status) => {
                    let is_left = |there: &There| !(there.is_build && there.has_exited);
                    let is_unkillable =
                        status == Exit::OWN_FAILURE || self.engine.deadline().is_none();
                    assert!(
                        !self.there.iter().any(is_left) || is_unkillable,
                        "ended with one left"
                    );
                    self.ended = Some(status);
                }
            }
        }
    }

    fn begin(&mut self, instance: Instance, is_build: bool) {
        assert!(!self.interrupted, "started after an interrupt");
        let (is_executed, has_exited, is_stopped) = (false, false, false);
        self.there.push(There { instance, is_build, is_executed, has_exited, is_stopped });
    }

    fn find(&mut self, instance: Instance) -> &mut There {
        let there = self.there.iter_mut().find(|there| there.instance == instance);
        there.expect("an action for an instance that is there")
    }

    fn step(&mut self, step: Step) {
        if self.ended.is_some() {
            return;
        }
        let at = |which: usize| self.there.get(which % self.there.len().max(1)).copied();
        match step {
            Step::Change => {
                let before = self.newest;
                self.tell(Event::Changed);
                assert_eq!(self.newest, before + 1);
            }
            Step::Rule(how) => {
                self.has_handed_over |= how == OnChange::Handover;
                self.tell(Event::Ruled(how));
            }
            Step::Pause => self.tell(Event::Requested(Request::Pause)),
            Step::Resume => self.tell(Event::Requested(Request::Resume)),
            Step::Ask(request) => self.tell(Event::Requested(request)),
            Step::Exec(which, result) => {
                let Some(There { instance, is_executed: false, .. }) = at(which) else { return };
                match result {
                    None => {
                        self.find(instance).is_executed = true;
                        self.tell(Event::Started(instance));
                    }
                    Some(why) => {
                        self.there.retain(|there| there.instance != instance);
                        self.tell(Event::NotStarted(instance, why));
                    }
                }
            }
            Step::Ready(which) => {
                if let Some(There { instance, is_executed: true, has_exited: false, .. }) =
                    at(which)
                {
                    self.tell(Event::Ready(instance));
                }
            }
            Step::Exit(which, exit) => {
                let Some(There { instance, is_executed: true, has_exited: false, .. }) = at(which)
                else {
                    return;
                };
                self.find(instance).has_exited = true;
                self.tell(Event::Exited(instance, exit));
            }
            Step::Vanish(which) => {
                let Some(There { instance, has_exited: true, .. }) = at(which) else { return };
                self.there.retain(|there| there.instance != instance);
                self.tell(Event::Gone(instance));
            }
            Step::Wait(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                let actions = self.engine.tick(self.now);
                self.act(actions);
                // What is overdue was done.
                let next = self.engine.deadline();
                assert!(self.ended.is_some() || next.is_none_or(|next| next > self.now));
            }
            Step::Interrupt => {
                self.interrupted = true;
                self.tell(interrupted(TERM));
            }
            Step::Type => {
                self.tell(Event::Typed(INT));
                // With something running, that was the program's to answer.
                self.interrupted |= self.engine.outlook(self.now) == Outlook::End;
            }
            Step::Signal(signal) => {
                let current = self.engine.current();
                self.owed = current.map(|_| signal);
                self.tell(Event::Signalled(signal));
                assert_eq!(self.owed, None, "a signal was lost");
            }
        }
    }

    /// Lets every process do what is wanted of it, until nothing happens any more.
    fn calm_down(&mut self) {
        self.step(Step::Resume);
        for _ in 0..20 {
            for which in 0..self.there.len() {
                self.step(Step::Exec(which, None));
                self.step(Step::Ready(which));
            }
            for which in (0..self.there.len()).rev() {
                if self.there.get(which).is_some_and(|there| there.is_build || there.is_stopped) {
                    self.step(Step::Exit(which, Exit::Code(0)));
                    self.step(Step::Vanish(which));
                }
            }
            // Less than a stop may take, more than the longest back-off in two steps.
            self.step(Step::Wait(6000));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..Default::default() })]

    #[test]
    fn never_two_and_always_the_newest(
        policy in any_policy(),
        steps in proptest::collection::vec(any_step(), 0..60),
    ) {
        let mut world = World::new(policy);
        for step in steps {
            world.step(step);
        }
        world.calm_down();
        let engine = &world.engine;
        let is_stopping = world.there.iter().any(|there| there.is_stopped);
        prop_assert!(!is_stopping || world.ended.is_some(), "{:?}", engine);
        if world.interrupted {
            prop_assert!(world.ended.is_some(), "interrupted and not over: {:?}", engine);
        } else if world.ended.is_none() {
            prop_assert!(!engine.is_building(), "{:?}", engine);
            if policy.steps > 0 && !world.has_failed_to_build {
                prop_assert_eq!(world.last_built, world.newest, "{:?}", engine);
            }
            // What was not built is not started.
            if !world.has_failed_to_build {
                prop_assert_eq!(world.last_started, world.newest, "{:?}", engine);
            }
        }
    }
}
