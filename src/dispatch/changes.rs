//! What a command is told of changes: a few variables, and files that name the paths. Never in an
//! argument: execve(2) has a limit on these, and a shell would read what a path contains.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::{Builder, NamedTempFile};

use crate::engine::Generation;
use crate::process::User;
use crate::tree::Change;
use crate::ui::{Kind, Line, Log};

/// What changed since it was last acted on.
#[derive(Debug, Default)]
pub(super) struct Changes {
    paths: BTreeSet<PathBuf>,
    is_delivered: bool,
    /// Of this generation; they are there until there are others.
    files: Option<(Generation, Files)>,
    has_failed: bool,
}

#[derive(Debug)]
struct Files {
    /// Each path ends with a newline.
    lines: NamedTempFile,
    /// Each path ends with NUL, which none can contain.
    nul: NamedTempFile,
}

impl Changes {
    /// These changed as well.
    pub(super) fn add(&mut self, changes: &[Change]) {
        if std::mem::take(&mut self.is_delivered) {
            self.paths.clear();
        }
        for change in changes {
            self.paths.insert(change.place().path());
            if let Change::Renamed { from, .. } = change {
                self.paths.insert(from.path());
            }
        }
    }

    /// What changes from now on is all that is new.
    pub(super) fn delivered(&mut self) {
        self.is_delivered = true;
    }

    /// The variables for a command that is run for this generation, as this user.
    pub(super) fn variables(
        &mut self,
        generation: Generation,
        user: Option<&User>,
        log: &Log,
    ) -> Vec<(&'static str, OsString)> {
        let count = self.paths.len().to_string();
        let mut variables = vec![
            ("STAKEOUT_GENERATION", generation.to_string().into()),
            ("STAKEOUT_CHANGED_COUNT", count.into()),
        ];
        if self.paths.is_empty() {
            let nothing = ["STAKEOUT_CHANGES_FILE", "STAKEOUT_CHANGES_FILE_NUL"];
            variables.extend(nothing.map(|key| (key, "/dev/null".into())));
            return variables;
        }
        if self.files.as_ref().is_none_or(|(of, _)| *of != generation) {
            match self.write(user) {
                Ok(files) => self.files = Some((generation, files)),
                Err(error) if !self.has_failed => {
                    self.has_failed = true;
                    let line = format!(
                        "cannot write the files that name what changed: {}; commands go without \
                         STAKEOUT_CHANGES_FILE; is TMPDIR writable?",
                        crate::scan::reason(&error)
                    );
                    log.write(Line::problem(Kind::NoChangesFile, line));
                }
                Err(_) => {}
            }
        }
        if let Some((of, Files { lines, nul })) = &self.files
            && *of == generation
        {
            variables.push(("STAKEOUT_CHANGES_FILE", lines.path().into()));
            variables.push(("STAKEOUT_CHANGES_FILE_NUL", nul.path().into()));
        }
        variables
    }

    fn write(&self, user: Option<&User>) -> io::Result<Files> {
        let directories = [std::env::temp_dir(), "/dev/shm".into(), "/run".into()];
        let mut failure = None;
        for directory in directories {
            let files = self.write_in(&directory, user);
            match files {
                Ok(files) => return Ok(files),
                Err(error) => _ = failure.get_or_insert(error),
            }
        }
        Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    fn write_in(&self, directory: &Path, user: Option<&User>) -> io::Result<Files> {
        if self.files.is_none() {
            remove_stale(directory);
        }
        let write = |end: u8| {
            let mut file = Builder::new().prefix(PREFIX).tempfile_in(directory)?;
            // For as long as it is needed; see `remove_stale`.
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            let mut text = Vec::new();
            for path in &self.paths {
                text.extend(path.as_os_str().as_bytes());
                text.push(end);
            }
            file.write_all(&text)?;
            if let Some(user) = user {
                fchown(file.as_file(), Some(user.uid), Some(user.gid))?;
            }
            Ok::<_, io::Error>(file)
        };
        Ok(Files { lines: write(b'\n')?, nul: write(0)? })
    }
}

/// How the files' names begin. `scan` leaves them out, should TMPDIR be watched.
const PREFIX: &str = "stakeout-changes-";

/// Removes what a stakeout has left that was killed: files that nobody has locked.
fn remove_stale(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_ours = |name: &OsStr| name.as_bytes().starts_with(PREFIX.as_bytes());
    for path in entries.filter(|entry| is_ours(&entry.file_name())).map(|entry| entry.path()) {
        // Not ours to remove, if that fails.
        let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(&path);
        let is_free = |file: &File| flock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if file.as_ref().is_ok_and(is_free) {
            _ = fs::remove_file(path);
        }
    }
}
