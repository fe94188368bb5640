//! Another kernel, booted by `tests/lab/uml-guest.sh`, in which one job runs whose output comes as
//! lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::skip::skip;

/// Its clock may be slow, where this machine is busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// The kernel, and the directory that it shares with the test. It ends when this is dropped.
pub struct Kernel {
    place: TempDir,
    job: Option<Child>,
    seen: usize,
}

impl Kernel {
    /// Boots it, with these files in `tree`. None where something is missing that it needs: the test
    /// is skipped then, or, where all have to run, fails.
    pub fn boot(needs: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        Self::boot_with(&[], needs, files)
    }

    /// The same, with `tree` on `/run/virtiofs` as well.
    pub fn boot_with_virtiofs(files: &[(&str, &str)]) -> Option<Self> {
        Self::boot_with(&["--virtiofs", "tree"], &["virtiofsd", "modprobe"], files)
    }

    fn boot_with(options: &[&str], needs: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        if !has_all(needs) {
            return None;
        }
        let kernel = Self { place: tempfile::tempdir().unwrap(), job: None, seen: 0 };
        for (path, text) in files {
            kernel.write(&format!("tree/{path}"), text);
        }
        done(kernel.tool("up").args(["--mem", "256M"]).args(options));
        Some(kernel)
    }

    /// Runs a shell script there, in the directory that is shared.
    pub fn run(&self, script: &str) {
        done(self.tool("exec").args(["sh", "-ec", script]));
    }

    /// Exports `/run/nfs-backing` there, and mounts it on `/run/nfs` with these options.
    pub fn mount_nfs(&self, options: &str) {
        done(self.tool("nfs").env("NFSOPTS", options));
    }

    /// Starts the job, a command for the shell, in this directory.
    pub fn start(&mut self, directory: &str, command: &str) {
        self.write("log", "");
        let binaries = Path::new(env!("CARGO_BIN_EXE_stakeout")).parent().unwrap();
        let script = format!(
            "exec >log 2>&1; cd {directory} && HOME=/nowhere PATH={}:$PATH exec {command}",
            binaries.display()
        );
        let mut job = self.tool("exec");
        job.args(["sh", "-c", &script]).stdin(Stdio::null()).stderr(Stdio::null());
        self.job = Some(job.spawn().unwrap());
    }

    /// Where the test has what the kernel sees.
    pub fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Waits for the next line that contains `text`, after the one that was waited for last.
    pub fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let job = self.job.as_mut().expect("a job");
            let is_over = job.try_wait().unwrap().is_some() || Instant::now() > until;
            let log = fs::read(self.path("log")).unwrap();
            let log = String::from_utf8_lossy(&log);
            // The last line may not be written yet.
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            for (number, line) in whole.lines().enumerate().skip(self.seen) {
                if line.contains(text) {
                    self.seen = number + 1;
                    return line.to_owned();
                }
            }
            assert!(!is_over, "no line with {text:?}:\n{log}\n{}", self.console());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn console(&self) -> String {
        let console = fs::read(self.path("uml/console.log")).unwrap_or_default();
        String::from_utf8_lossy(&console).into_owned()
    }

    fn tool(&self, verb: &str) -> Command {
        // Longer than any wait for a line.
        let mut tool = Command::new("timeout");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/uml-guest.sh");
        tool.arg("600").arg(script).arg(verb);
        tool.env("PATH", search_path()).env("LAB_STATE", self.place.path());
        tool.current_dir(self.place.path());
        tool
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // The job ends with the kernel, and who waits for it then.
        _ = self.tool("down").status();
        if let Some(mut job) = self.job.take() {
            _ = job.wait();
        }
    }
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn has_all(needs: &[&str]) -> bool {
    let find = |name: &&&str| {
        !search_path().split(':').any(|directory| Path::new(directory).join(name).exists())
    };
    let missing: Vec<_> = ["linux.uml", "ip"].iter().chain(needs).filter(find).collect();
    let has_all = missing.is_empty() && rustix::process::geteuid().is_root();
    if !has_all {
        skip(&format!("needs root and {missing:?}"));
    }
    has_all
}

/// Where what is needed may be; `.ci/run` puts virtiofsd into `target`.
fn search_path() -> String {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/virtiofsd/bin");
    format!("{}:/usr/sbin:/sbin:{own}", std::env::var("PATH").unwrap_or_default())
}
