//! A share that `fuse-share.py` mounts, and a stakeout on it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::session::{Session, Tree};
use super::skip::skip;

/// A mounted share. Unmounted when dropped, whatever it is made to do.
pub struct Share {
    /// Where it is edited from behind, so that the kernel sends no events.
    pub behind: Tree,
    mount: TempDir,
    state: TempDir,
}

impl Share {
    /// Mounts one that shows these files, with these settings. None where something is missing that
    /// it needs: the test is skipped then, or, where all have to run, fails.
    pub fn up(settings: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        let has_python = Command::new("python3").arg("--version").output().is_ok();
        let is_root = rustix::process::geteuid().is_root();
        if !(has_python && is_root && Path::new("/dev/fuse").exists()) {
            skip("needs root, /dev/fuse and python3");
            return None;
        }
        let [mount, state] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let share = Self { behind: Tree::new(files), mount, state };
        share.mount(settings);
        Some(share)
    }

    /// Mounts it, again if it was.
    pub fn mount(&self, settings: &[&str]) {
        let mut up = self.tool("up");
        done(up.arg(self.behind.path("")).arg(self.path()).args(settings));
    }

    pub fn unmount(&self) {
        done(self.tool("down").arg(self.path()));
    }

    /// From here on it is like this.
    pub fn set(&self, settings: &[&str]) {
        done(self.tool("set").arg(self.path()).args(settings));
    }

    /// Ends its server. What is mounted stays, and answers each request with ENOTCONN.
    pub fn kill(&self) {
        done(self.tool("kill").arg(self.path()));
    }

    /// Until what this gives is dropped, it does not answer.
    pub fn hang(&self) -> Hang<'_> {
        self.set(&["hang=1"]);
        Hang(self)
    }

    /// Where it is seen.
    pub fn path(&self) -> &Path {
        self.mount.path()
    }

    /// Writes over what is in a file from behind, in one call, and with what is as long.
    pub fn write_over(&self, path: &str, text: &str) {
        let path = self.behind.path(path);
        assert_eq!(fs::metadata(&path).unwrap().len(), text.len() as u64);
        File::options().write(true).open(path).unwrap().write_all_at(text.as_bytes(), 0).unwrap();
    }

    /// The binary with these arguments; that it is about the share, its working directory says.
    pub fn stakeout(&self, arguments: &[&str]) -> Command {
        let mut command = self.behind.stakeout();
        command.current_dir(self.path()).args(arguments);
        command
    }

    /// Starts it, without any option, on a program that shows what is in `a`.
    pub fn watched(&self) -> Session {
        let mut session = Session::start(self.stakeout(&["--", "sh", "-c", SHOW]));
        session.wait_for_all(&[WHY, "shows "]);
        session
    }

    fn tool(&self, verb: &str) -> Command {
        let mut tool = Command::new("python3");
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests/lab/fuse-share.py"].iter().collect();
        tool.arg(path).arg(verb).env("LAB_STATE", self.state.path());
        tool
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        _ = self.tool("down").arg(self.path()).status();
    }
}

/// Ends as well when a test fails: who waits for the share could not even be killed.
pub struct Hang<'a>(&'a Share);

impl Drop for Hang<'_> {
    fn drop(&mut self) {
        // No failure of its own: the test may fail already.
        _ = self.0.tool("set").arg(self.0.path()).arg("hang=0").status();
    }
}

/// What says that it polls, and why.
pub const WHY: &str = "is on a share, where edits made on the other side make no events: looking \
                       as often as the CPU budget allows";

/// What it shows is not what it is called by, which is said as well.
pub const SHOW: &str = "echo sho''ws $(cat a); exec sleep 1000";

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
