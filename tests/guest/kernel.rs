//! Another kernel that runs one job, whose output comes as lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::skip::skip;

/// Its clock may be slow, where this machine is busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// The first process there. What is not mounted here is this machine's own.
const INIT: &str = r#"#!/bin/sh
export PATH=@PATH@:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/nowhere PLACE=@PLACE@
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /run/modules/lib/modules
mount -t tmpfs shm /dev/shm
ln -s "/usr/lib/uml/modules/$(uname -r)" /run/modules/lib/modules/
ip link set lo up
sh -c ". $PLACE/job" </dev/null >"$PLACE/log" 2>&1
echo "the job ended with $?" >>"$PLACE/log"
echo o >/proc/sysrq-trigger
sleep 1000
"#;

/// The kernel, and the directory that it shares with the test. It ends when this is dropped.
pub struct Kernel {
    place: TempDir,
    process: Child,
    seen: usize,
}

impl Kernel {
    /// Boots it on `job`, a shell script, with these files in `tree`. None where something is
    /// missing that it needs: the test is skipped then, or, where all have to run, fails.
    pub fn boot(needs: &[&str], files: &[(&str, &str)], job: &str) -> Option<Self> {
        if !has_all(needs) {
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        for (path, text) in files {
            write(&place.path().join("tree").join(path), text);
        }
        write(&place.path().join("job"), job);
        write(&place.path().join("log"), "");
        let init = place.path().join("init");
        let binaries = Path::new(env!("CARGO_BIN_EXE_stakeout")).parent().unwrap();
        let text = INIT.replace("@PLACE@", place.path().to_str().unwrap());
        write(&init, &text.replace("@PATH@", binaries.to_str().unwrap()));
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();
        let directory = place.path().join("uml");
        fs::create_dir(&directory).unwrap();
        let console = fs::File::create(place.path().join("console")).unwrap();
        let mut command = Command::new("linux.uml");
        command.args(["mem=256M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw"]);
        command.args(["quiet", "con=null", "con0=null,fd:1", "ssl=null"]);
        command.arg(format!("uml_dir={}", directory.display()));
        command.arg(format!("init={}", init.display()));
        command.env("TMPDIR", &directory).env("LD_PRELOAD", compiled(place.path()));
        command.stdin(Stdio::null());
        command.stdout(console.try_clone().unwrap()).stderr(console).process_group(0);
        let process = command.spawn().unwrap();
        Some(Self { place, process, seen: 0 })
    }

    /// Where the test has what the kernel sees.
    pub fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    /// Writes a file that is there as a whole or not at all.
    pub fn edit(&self, path: &str, text: &str) {
        self.write("scratch", text);
        fs::rename(self.path("scratch"), self.path(path)).unwrap();
    }

    /// Waits for the next line that contains `text`, after the one that was waited for last.
    pub fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
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
            let console = fs::read(self.path("console")).unwrap();
            let console = String::from_utf8_lossy(&console);
            let is_over = self.process.try_wait().unwrap().is_some() || Instant::now() > until;
            assert!(!is_over, "no line with {text:?}:\n{log}\n{console}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // What it runs are processes here, in its group.
        _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        _ = self.process.wait();
    }
}

/// Compiles what lets it run on newer processors than it knows.
fn compiled(place: &Path) -> PathBuf {
    let (source, object) = (place.join("ptrace.c"), place.join("ptrace.so"));
    write(&source, include_str!("ptrace.c"));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&object).arg(&source);
    let output = cc.output().expect("a C compiler, which Rust needs as well");
    assert!(output.status.success(), "{output:?}");
    object
}

fn has_all(needs: &[&str]) -> bool {
    let find = |name: &&&str| {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        !path.split(':').any(|directory| Path::new(directory).join(name).exists())
    };
    let missing: Vec<_> = ["linux.uml", "ip"].iter().chain(needs).filter(find).collect();
    let has_all = missing.is_empty() && rustix::process::geteuid().is_root();
    if !has_all {
        skip(&format!("needs root and {missing:?}"));
    }
    has_all
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
