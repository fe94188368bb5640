//! Asking an address again and again, and what there was instead of an answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::Probe;

/// How long to wait between two attempts: at first, and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// How long to wait after an attempt, when it has taken so long so far: a tenth of that, so that a
/// program that starts fast is found ready at once, and one that does not is not asked for nothing.
pub fn pause(so_far: Duration) -> Duration {
    let (first, longest) = PAUSES;
    (so_far / 10).clamp(first, longest)
}

/// Why the program is not ready, as a probe saw it last. Those that are cloned are one.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Option<String>>>);

impl Seen {
    /// Takes note of that, in words.
    pub fn put(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// What was seen last, if anything was.
    pub fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A probe that goes on until this is dropped.
#[derive(Debug)]
pub struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks again and again, from a thread of its own, and calls `report` when the answer is yes; `seen`
/// has what it was until then. Only for [`Probe::Tcp`] and [`Probe::Http`].
///
/// # Errors
/// When the thread cannot be made.
pub fn watch(
    probe: Probe,
    seen: Seen,
    report: impl FnOnce() + Send + 'static,
) -> io::Result<Watch> {
    let is_over = Arc::new(AtomicBool::new(false));
    let watch = Watch(Arc::clone(&is_over));
    let began = Instant::now();
    thread::Builder::new().name("ready".into()).spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            match probe.ask() {
                Ok(()) => {
                    if !is_over.load(Ordering::Relaxed) {
                        report();
                    }
                    return;
                }
                Err(why) => seen.put(why),
            }
            thread::sleep(pause(began.elapsed()));
        }
    })?;
    Ok(watch)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn it_is_ready_once_somebody_listens() {
        // A port that is free, until we listen there ourselves.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (sender, reports) = mpsc::channel();
        let (probe, seen) = (Probe::Tcp(vec![address.to_string()]), Seen::default());
        let _watch = watch(probe, seen.clone(), move || sender.send(()).unwrap()).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while seen.last().is_none() {
            assert!(Instant::now() < until, "nothing was seen");
            thread::yield_now();
        }
        assert_eq!(seen.last(), Some(format!("tcp:{address}: Connection refused")));
        assert!(reports.try_recv().is_err());
        let _listener = TcpListener::bind(address).unwrap();
        reports.recv_timeout(Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn the_longer_it_takes_the_rarer_it_is_asked() {
        let pauses = [0, 500, 2000, 5000, 60_000].map(|ms| pause(Duration::from_millis(ms)));
        assert_eq!(pauses.map(|pause| pause.as_millis()), [50, 50, 200, 500, 500]);
    }
}
