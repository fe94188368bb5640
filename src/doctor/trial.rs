//! A trial: what is found out only by writing. It happens in a scratch directory, which is removed,
//! and only where somebody asked for it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, StatxFlags, StatxTimestamp, statx};
use tempfile::Builder;

use super::facts::{Seconds, Tried};
use crate::scan::reason;

/// Two of the coarsest time steps that there are (FAT's 2 s), and some more.
const PATIENCE: Duration = Duration::from_millis(4500);

/// After this long the steps are no short ones, and need not be waited for in haste.
const HASTE: Duration = Duration::from_millis(100);

/// How many steps of time are taken.
const STEPS: usize = 5;

/// Tries it in this directory.
pub(super) fn try_writing(directory: &Path) -> Tried {
    let scratch = Builder::new().prefix(".stakeout-doctor-").tempdir_in(directory);
    let tried = scratch.and_then(|scratch| {
        let tried = tried(scratch.path());
        scratch.close()?;
        tried
    });
    tried.unwrap_or_else(|error| Tried::Failed(reason(&error)))
}

fn tried(scratch: &Path) -> io::Result<Tried> {
    let mut file = File::create(scratch.join("file"))?;
    let before = time(scratch)?;
    let time_step = time_step(&mut file, &scratch.join("file"))?;
    fs::write(scratch.join("another"), "")?;
    let directory_times_change = time(scratch)? != before;
    Ok(Tried::Written { time_step: Seconds(time_step), directory_times_change })
}

/// The shortest time between two writes that left different times.
fn time_step(file: &mut File, path: &Path) -> io::Result<Duration> {
    let began = Instant::now();
    let mut shortest = PATIENCE;
    let mut changed: Option<Instant> = None;
    let mut last = time(path)?;
    for _ in 0..STEPS {
        while time(path)? == last {
            if began.elapsed() > PATIENCE {
                return Ok(shortest);
            }
            if began.elapsed() > HASTE {
                thread::sleep(Duration::from_millis(1));
            }
            file.write_all(b"x")?;
        }
        let now = Instant::now();
        if let Some(before) = changed.replace(now) {
            shortest = shortest.min(now - before);
        }
        last = time(path)?;
    }
    Ok(shortest)
}

/// When it was last changed, asked anew.
fn time(path: &Path) -> io::Result<(i64, u32)> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_FORCE_SYNC;
    let StatxTimestamp { tv_sec, tv_nsec, .. } =
        statx(rustix::fs::CWD, path, flags, StatxFlags::BASIC_STATS)?.stx_ctime;
    Ok((tv_sec, tv_nsec))
}
