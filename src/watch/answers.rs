//! Seeing to it that roots answer: the thread that never asks them, and so is never stuck.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{Report, Said, Silence};
use crate::scan::{Pulse, Scanner};

/// How often to see whether roots answer.
const PULSE: Duration = Duration::from_secs(1);

/// Tells of roots that do not answer, from a thread that never asks them, for as long as the
/// scanner lives.
pub(super) fn see_to_answers(
    scanner: &Scanner,
    send: Arc<impl Fn(Report) -> bool + Send + Sync + 'static>,
) -> io::Result<()> {
    let labels: Vec<PathBuf> = scanner.roots().iter().map(|root| root.label.clone()).collect();
    let pulse: Weak<Pulse> = Arc::downgrade(scanner.pulse());
    let see = move || {
        let mut silence = Silence::default();
        while let Some(pulse) = pulse.upgrade() {
            for said in silence.heard(Instant::now(), pulse.waiting()) {
                let report = match said {
                    Said::Silent(root, waited) => {
                        Report::Silent { path: labels[root].clone(), waited }
                    }
                    Said::Answers(root, waited) => {
                        Report::Answers { path: labels[root].clone(), waited }
                    }
                };
                if !send(report) {
                    return;
                }
            }
            drop(pulse);
            thread::sleep(PULSE);
        }
    };
    thread::Builder::new().name("pulse".into()).spawn(see)?;
    Ok(())
}
