//! The limits on inotify(7), and how much of them is used.

use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::facts::Events;
use crate::watch::Trial;

/// What a trial means where these limits hold. What a stakeout has that runs here, another would have
/// in its place.
pub(super) fn events(trial: Trial) -> Events {
    let [here, others] = in_use();
    let Trial { wanted, watched, refused } = trial;
    let is_limit = matches!(refused, Some(libc::EMFILE | libc::ENOSPC));
    let watched = match usize::try_from(here.watches) {
        Ok(more) if is_limit => wanted.min(watched.saturating_add(more)),
        _ => watched,
    };
    Events {
        wanted,
        watched,
        errno: refused.filter(|_| !is_limit || watched < wanted),
        max_user_watches: limit("watches"),
        max_user_instances: limit("instances"),
        watches_here: here.watches,
        watches_in_use: others.watches,
        instances_in_use: others.instances,
    }
}

/// A user namespace may have a lower limit of its own.
fn limit(what: &str) -> Option<u64> {
    let paths = [
        format!("/proc/sys/fs/inotify/max_user_{what}"),
        format!("/proc/sys/user/max_inotify_{what}"),
    ];
    let read = |path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    paths.into_iter().filter_map(read).min()
}

/// Instances and watches that are had.
#[derive(Clone, Copy, Default)]
struct Use {
    instances: u64,
    watches: u64,
}

/// What this user's processes have, as far as they can be seen: stakeouts that run here, and all
/// others.
fn in_use() -> [Use; 2] {
    let user = rustix::process::getuid().as_raw();
    let (own, here) = (std::env::current_exe().ok(), std::env::current_dir().ok());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_ours = |process: &DirEntry| {
        let is_process =
            process.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit());
        is_process && process.metadata().is_ok_and(|it| it.uid() == user)
    };
    let mut uses = [Use::default(); 2];
    for process in processes.filter(is_ours).map(|process| process.path()) {
        let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let is_inotify = |fd: &DirEntry| {
            fs::read_link(fd.path()).is_ok_and(|it| it == Path::new("anon_inode:inotify"))
        };
        for fd in open.filter(is_inotify) {
            let is_other = !runs(&process, own.as_deref(), here.as_deref());
            let uses = &mut uses[usize::from(is_other)];
            let info = process.join("fdinfo").join(fd.file_name());
            let info = fs::read_to_string(info).unwrap_or_default();
            uses.instances += 1;
            uses.watches +=
                info.lines().filter(|line| line.starts_with("inotify wd:")).count() as u64;
        }
    }
    uses
}

/// Whether a process, given by its directory in /proc, is a program of this name that works here or
/// in a directory above, as those do that `stakeout status` asks.
fn runs(process: &Path, program: Option<&Path>, here: Option<&Path>) -> bool {
    let read = |what: &str| fs::read_link(process.join(what)).ok();
    let (Some(its), Some(ours)) = (read("exe"), program.and_then(Path::file_name)) else {
        return false;
    };
    // It may have been replaced since.
    let is_it = its.file_name().is_some_and(|name| {
        let name = name.as_encoded_bytes();
        name.strip_suffix(b" (deleted)").unwrap_or(name) == ours.as_encoded_bytes()
    });
    is_it && read("cwd").zip(here).is_some_and(|(its, here)| here.starts_with(its))
}
