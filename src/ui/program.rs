//! What is said of the program: how it ended, why it did not start.

use std::io;
use std::path::Path;

use super::text;
use crate::engine::{Exit, NotStarted, Outlook};
use crate::process::{Process, signals};

/// How it ended: `status 1`, `SIGTERM`.
pub fn exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("status {code}"),
        Exit::Signal(signal) => signals::name(signal),
    }
}

/// That it ended by itself, and what has to happen now. `left` is how many of its processes
/// still run.
pub fn ended(command: &str, how: Exit, left: usize, outlook: Outlook) -> String {
    let how = match how {
        Exit::Code(0) => "ended".to_owned(),
        Exit::Code(_) => format!("ended with {}", exit(how)),
        Exit::Signal(libc::SIGKILL) => "was killed by SIGKILL (is memory short?)".to_owned(),
        Exit::Signal(_) => format!("was killed by {}", exit(how)),
    };
    let next = match (outlook, left) {
        (Outlook::Retry(wait), _) => format!("; starting it again in {}", text::duration(wait)),
        (Outlook::Change, 0) => "; waiting for a change".to_owned(),
        (Outlook::Change, 1) => "; a process of it still runs; waiting for a change".to_owned(),
        (Outlook::Change, left) => {
            format!("; {left} processes of it still run; waiting for a change")
        }
        (Outlook::End, _) => String::new(),
    };
    format!("{command} {how}{next}")
}

/// That it was killed and is still there: these processes, or none that can be seen.
pub fn unkillable(alive: &[Process]) -> String {
    let noun = match alive.len() {
        0 => {
            return "something that the program started is still there, and cannot be found: /proc \
                    of this PID namespace is not mounted, or hides it; nothing is started beside it"
                .to_owned();
        }
        1 => "process",
        _ => "processes",
    };
    let named: Vec<String> = alive.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match alive.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {} more", text::grouped(more as u64)),
    };
    format!(
        "{noun} {}{more}: killed but still there, as what waits for a dead disk or share is (state \
         D), or what is another user's; nothing is started beside it",
        named.join(", ")
    )
}

/// Processes that are named before the rest is only counted.
const NAMED: usize = 5;

/// Why it could not be started.
pub fn not_started(name: &Path, why: NotStarted) -> String {
    let has_slash = name.as_os_str().as_encoded_bytes().contains(&b'/');
    let shown = text::path(name);
    let text = |errno| crate::scan::reason(&io::Error::from_raw_os_error(errno));
    match why {
        NotStarted::NotFound if has_slash => {
            format!("cannot run {shown}: there is no such file; is it built yet?")
        }
        NotStarted::NotFound => {
            format!("cannot run {shown}: it is not in PATH; is it installed, or mistyped?")
        }
        NotStarted::NotExecutable(libc::ENOENT) => format!(
            "cannot run {shown}: the interpreter that its first line names, or its dynamic \
             loader, is missing"
        ),
        NotStarted::NotExecutable(libc::EACCES) => {
            format!("cannot run {shown}: it is not executable; chmod +x it, or name what runs it")
        }
        NotStarted::NotExecutable(libc::ENOEXEC) => format!(
            "cannot run {shown}: it is no program for this machine, or a script that lacks its \
             first line such as #!/bin/sh"
        ),
        NotStarted::NotExecutable(errno) => format!("cannot run {shown}: {}", text(errno)),
        NotStarted::NoUser(errno) => {
            let reason = text(errno);
            format!("cannot run {shown} as the user of --user: {reason}; that takes root")
        }
        NotStarted::NoDirectory(errno) => {
            let reason = text(errno);
            format!("cannot run {shown} in the directory of --workdir: {reason}")
        }
        NotStarted::NoProcess(errno) => {
            let reason = text(errno);
            format!("cannot make a process for {shown}: {reason}; is a limit on them reached?")
        }
    }
}
