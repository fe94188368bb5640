//! A limit on open files. In a process of its own, since the limit is the whole process's: tests that
//! ran beside these would hit it.

#[path = "../scan/edit.rs"]
mod edit;
mod shelves;
mod short;
#[allow(dead_code, reason = "the scan tests use the rest")]
#[path = "../scan/skip.rs"]
mod skip;
#[allow(dead_code, reason = "the scan tests use the rest")]
#[path = "../scan/support.rs"]
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// So many files may be open, of which half are directories that are held.
const LIMIT: u64 = 400;

/// Sets the limit, and keeps other tests away: each takes what others would need.
fn limited() -> MutexGuard<'static, ()> {
    limited_to(LIMIT)
}

fn limited_to(limit: u64) -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let until = Instant::now() + Duration::from_secs(60);
    while shelves::shelved() > 0 {
        assert!(Instant::now() < until, "the shelves of the test before go with its scanner");
        thread::yield_now();
    }
    set(limit);
    alone
}

fn set(limit: u64) {
    let limit = Rlimit { current: Some(limit), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
}
