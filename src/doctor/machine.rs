//! The machine: what is around stakeout, wherever the tree lies.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getpid, getrlimit};

use super::facts::Machine;
use crate::scan::most_directories;
use crate::ui::text;

/// Asks for it.
pub fn machine() -> Machine {
    let name = fs::read_to_string("/proc/1/comm").ok();
    let open_files = getrlimit(Resource::Nofile).current;
    Machine {
        pid_1: getpid().is_init(),
        pid_1_name: name.map(|name| text::path(Path::new(name.trim()))),
        proc: Path::new("/proc/self").exists(),
        terminal: rustix::termios::isatty(rustix::stdio::stdin()),
        open_files,
        held_directories: most_directories(open_files),
    }
}
