//! The examiner: has a tree surveyed by another process, since one that asks a dead mount may never
//! end, and cannot be killed either. Whoever waits for it says so, leaves it behind and ends.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::facts::{Chosen, Facts, Root, RootState};
use super::survey::{root_of, survey};
use crate::scan::{self, Plan, Pulse, Scanner};
use crate::ui::{Reached, looking, text};
use crate::watch::{Said, Silence};

/// How often the other process says that it is there, and sees whether roots answer.
const PULSE: Duration = Duration::from_millis(500);

/// After so long without a word it hangs where no root is asked: in the working directory, say.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the other process says, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// It is there, and its first look has found so many files; or has ended with so many.
    Alive { files: usize, again: bool },
    /// These are the roots, before any was asked for something.
    Roots(Vec<Root>),
    /// This one of them does not answer.
    Silent(usize),
    /// All that was measured, without the silent roots.
    Facts(Box<Facts>),
}

/// How far it has come, for whoever shows it.
#[derive(Debug, Default)]
pub struct Course {
    files: AtomicUsize,
    again: AtomicBool,
}

impl Course {
    /// The same, to be shown.
    pub fn reached(&self, since: Instant) -> Reached {
        let files = self.files.load(Relaxed);
        match self.again.load(Relaxed) {
            false => looking(files, 0, since),
            true => {
                let (files, seconds) = (text::count(files, "file"), since.elapsed().as_secs());
                let words = format!("looking again, to measure: {files} ({seconds}s)");
                Reached { words, part: None }
            }
        }
    }

    fn is_at(&self, files: usize, again: bool) {
        self.files.store(files, Relaxed);
        self.again.store(again, Relaxed);
    }
}

/// What came of it.
#[derive(Debug)]
pub enum Examined {
    /// All that was measured.
    Facts(Box<Facts>),
    /// It did not even begin: the working directory, or the configuration, does not answer.
    Silent,
    /// It ended with this status and has said why.
    Failed(u8),
}

/// Has a tree surveyed by the process that `command` makes, which is told by their numbers which
/// roots to leave out, since they do not answer.
///
/// # Errors
/// When no process can be made.
pub fn examine(
    course: &Course,
    mut command: impl FnMut(&BTreeSet<usize>) -> Command,
) -> io::Result<Examined> {
    let mut silent = BTreeSet::new();
    loop {
        // It may outlive us, and must not keep open what others read until it ends.
        let mut command = command(&silent);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let words = words(&mut child)?;
        let complaints = complaints(&mut child)?;
        let mut roots = Vec::new();
        loop {
            match words.recv_timeout(PATIENCE) {
                Ok(Word::Alive { files, again }) => course.is_at(files, again),
                Ok(Word::Roots(found)) => roots = found,
                Ok(Word::Silent(root)) => {
                    silent.insert(root);
                    break;
                }
                Ok(Word::Facts(mut facts)) => {
                    for (index, root) in roots.iter().enumerate() {
                        if silent.contains(&index) {
                            let root = Root { state: RootState::Silent, ..root.clone() };
                            facts.roots.insert(index, root);
                        }
                    }
                    return Ok(Examined::Facts(facts));
                }
                Err(RecvTimeoutError::Timeout) => {
                    abandon(&mut child);
                    return Ok(Examined::Silent);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    _ = complaints.join();
                    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
                    return Ok(Examined::Failed(code.unwrap_or(u8::MAX)));
                }
            }
        }
        abandon(&mut child);
    }
}

/// Kills it without waiting: it may be gone only when its mount answers, or never.
fn abandon(child: &mut Child) {
    _ = child.kill();
}

/// Passes on what it complains of.
fn complaints(child: &mut Child) -> io::Result<JoinHandle<()>> {
    let errors = child.stderr.take();
    let pass_on = move || {
        _ = errors.map(|mut errors| io::copy(&mut errors, &mut io::stderr()));
    };
    thread::Builder::new().name("complaints".into()).spawn(pass_on)
}

fn words(child: &mut Child) -> io::Result<Receiver<Word>> {
    let (sender, words) = channel();
    let Some(output) = child.stdout.take() else { return Ok(words) };
    let read = move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut said = lines.map_while(|line| serde_json::from_str(&line).ok());
        _ = said.try_for_each(|word| sender.send(word));
    };
    thread::Builder::new().name("words".into()).spawn(read)?;
    Ok(words)
}

/// The other process: surveys what `plan` says but for the roots with these numbers, and says what
/// it finds on standard output.
///
/// # Errors
/// When threads cannot be made, or nobody listens.
pub fn answer(
    mut plan: Plan,
    chosen: Chosen,
    silent: &BTreeSet<usize>,
    trials: bool,
) -> anyhow::Result<()> {
    let said = Arc::new(Mutex::new(io::stdout()));
    say(
        &said,
        &Word::Roots(plan.roots.iter().map(|root| root_of(root, RootState::Answers)).collect()),
    )?;
    let numbered: Vec<(usize, scan::Root)> =
        plan.roots.drain(..).enumerate().filter(|(index, _)| !silent.contains(index)).collect();
    let numbers: Vec<usize> = numbered.iter().map(|(index, _)| *index).collect();
    plan.roots = numbered.into_iter().map(|(_, root)| root).collect();
    let scanner = Scanner::new(plan)?;
    let pulse = Arc::clone(scanner.pulse());
    let from_pulse = Arc::clone(&said);
    let all = Arc::new(OnceLock::new());
    let found = Arc::clone(&all);
    let see = move || see_to_answers(&pulse, &numbers, &found, &from_pulse);
    thread::Builder::new().name("pulse".into()).spawn(see)?;
    let facts = survey(scanner, chosen, trials, |files| _ = all.set(files));
    say(&said, &Word::Facts(Box::new(facts)))?;
    Ok(())
}

/// Says that we are there, and which root, by its number, does not answer, until nobody listens.
/// `all` is what the first look has found, once that has ended.
fn see_to_answers(
    pulse: &Pulse,
    numbers: &[usize],
    all: &OnceLock<usize>,
    said: &Mutex<io::Stdout>,
) {
    let mut silence = Silence::default();
    loop {
        let silent = silence.heard(Instant::now(), pulse.waiting());
        let silent = silent.into_iter().find_map(|said| match said {
            Said::Silent(root, _) => numbers.get(root).copied(),
            Said::Answers(..) => None,
        });
        let alive = || match all.get() {
            None => Word::Alive { files: pulse.counts().0, again: false },
            Some(files) => Word::Alive { files: *files, again: true },
        };
        let word = silent.map_or_else(alive, Word::Silent);
        if say(said, &word).is_err() {
            // Whoever asked is gone.
            std::process::exit(1);
        }
        thread::sleep(PULSE);
    }
}

fn say(to: &Mutex<io::Stdout>, word: &Word) -> io::Result<()> {
    let mut line = serde_json::to_string(word)?;
    line.push('\n');
    let mut to = to.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    to.write_all(line.as_bytes())?;
    to.flush()
}
