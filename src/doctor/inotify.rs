//! The limits on inotify(7), and how much of them is used.

use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::facts::Events;
use crate::watch::Trial;

/// What a trial means where these limits hold.
pub(super) fn events(trial: Trial) -> Events {
    let (instances_in_use, watches_in_use) = in_use();
    Events {
        wanted: trial.wanted,
        watched: trial.watched,
        errno: trial.refused,
        max_user_watches: limit("watches"),
        max_user_instances: limit("instances"),
        watches_in_use,
        instances_in_use,
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

/// Instances and watches of this user's processes, as far as they can be seen.
fn in_use() -> (u64, u64) {
    let user = rustix::process::getuid().as_raw();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_ours = |process: &DirEntry| {
        let is_process =
            process.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit());
        is_process && process.metadata().is_ok_and(|it| it.uid() == user)
    };
    let (mut instances, mut watches) = (0, 0);
    for process in processes.filter(is_ours) {
        let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let is_inotify = |fd: &DirEntry| {
            fs::read_link(fd.path()).is_ok_and(|it| it == Path::new("anon_inode:inotify"))
        };
        for fd in open.filter(is_inotify) {
            let info = process.path().join("fdinfo").join(fd.file_name());
            let info = fs::read_to_string(info).unwrap_or_default();
            instances += 1;
            watches += info.lines().filter(|line| line.starts_with("inotify wd:")).count() as u64;
        }
    }
    (instances, watches)
}
