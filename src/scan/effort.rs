//! What scanning costs: the CPU time of the threads that scan, and of no others. What a program
//! writes, or a browser asks for, is not to make looks rarer.

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The clocks of some threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks(Arc<Mutex<Vec<libc::clockid_t>>>);

impl Clocks {
    /// Counts this thread as well.
    pub(super) fn join(&self) {
        let mut clock = MaybeUninit::uninit();
        // SAFETY: the thread that is asked about is this one, so it is there, and the clock's id is
        // written to memory of ours if the answer is 0 (pthread_getcpuclockid(3)).
        let clock = unsafe {
            match libc::pthread_getcpuclockid(libc::pthread_self(), clock.as_mut_ptr()) {
                0 => clock.assume_init(),
                _ => return,
            }
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(clock);
    }

    /// What they have used of the CPU so far.
    pub(super) fn time(&self) -> Duration {
        let clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clocks.iter().map(|clock| time(*clock)).sum()
    }
}

/// What this thread has used of the CPU so far.
pub(super) fn own_time() -> Duration {
    time(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// What a clock says; nothing if its thread is gone.
fn time(clock: libc::clockid_t) -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the time is written to memory of ours if the answer is 0; any number may be given for
    // a clock, and is refused if there is none (clock_gettime(2)).
    let time = unsafe {
        match libc::clock_gettime(clock, time.as_mut_ptr()) {
            0 => time.assume_init(),
            _ => return Duration::ZERO,
        }
    };
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    /// Uses up so much of the CPU, by this thread's own clock.
    fn work(most: Duration) {
        let began = own_time();
        while own_time() - began < most {
            black_box(0);
        }
    }

    #[test]
    fn only_threads_that_take_part_count() {
        const MUCH: Duration = Duration::from_millis(50);
        let clocks = Clocks::default();
        let (done, is_done) = channel();
        let (stay, stays) = channel::<()>();
        let member = clocks.clone();
        let part = thread::spawn(move || {
            member.join();
            work(MUCH);
            done.send(()).unwrap();
            // It counts for as long as it is there.
            _ = stays.recv();
        });
        thread::spawn(|| work(MUCH * 4)).join().unwrap();
        is_done.recv().unwrap();
        let all = clocks.time();
        drop(stay);
        part.join().unwrap();
        assert!(all >= MUCH && all < MUCH * 4, "{all:?}");
        assert!(clocks.time() < MUCH, "who is gone does not count");
    }
}
