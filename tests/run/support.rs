//! A tree, a running stakeout, and waiting for lines of its output.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tempfile::TempDir;

/// However slow the machine: what has not happened after this long will not happen.
const DEADLINE: Duration = Duration::from_secs(180);

/// A directory with files in it.
pub struct Tree(TempDir);

impl Tree {
    pub fn new(files: &[(&str, &str)]) -> Self {
        // Ignored under nohup(1), which what is started here would inherit.
        // SAFETY: SIG_DFL is always a valid disposition, and no handler is replaced.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
        let tree = Self(tempfile::tempdir().expect("a temporary directory"));
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// A file that is there is cut off first: on a busy machine that may be a change of its own.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, text).expect("a file");
    }

    /// Writes over what is in a file, and is as long: in place, and still all at once.
    pub fn write_over(&self, path: &str, text: &str) {
        let path = self.path(path);
        assert_eq!(fs::metadata(&path).expect("a file").len(), text.len() as u64);
        let mut file = fs::File::options().write(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("a file");
    }

    /// Writes as vim and many others do: a new file, renamed over the old one.
    pub fn save_by_rename(&self, path: &str, text: &str) {
        let scratch = self.path(&format!("{path}~"));
        fs::write(&scratch, text).expect("a file");
        fs::rename(scratch, self.path(path)).expect("a rename");
    }

    /// stakeout on this tree, with none of the caller's own settings.
    pub fn stakeout(&self) -> Command {
        self.stakeout_at(env!("CARGO_BIN_EXE_stakeout").as_ref())
    }

    /// The same, that lies elsewhere.
    pub fn stakeout_at(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("STAKEOUT_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// Starts stakeout with these options on a shell script, which lies outside of the tree and
    /// whose text is not in the log.
    pub fn run(&self, options: &[&str], script: &str) -> Session {
        let place = tempfile::tempdir().expect("a temporary directory");
        let file = place.path().join("program.sh");
        fs::write(&file, script).expect("a file");
        let mut command = self.stakeout();
        command.args(["--interval", "20ms"]).args(options).args(["--", "sh"]).arg(file);
        let mut session = Session::start(command);
        session.program = Some(place);
        session
    }

    /// stakeout with these options on a shell script, for a terminal: it says all, without colours.
    /// The script is in the tree, where no look sees it.
    pub fn command(&self, options: &[&str], script: &str) -> Command {
        self.write(".git/program.sh", script);
        let mut command = self.stakeout();
        command.env_remove("NO_COLOR").env("TERM", "dumb");
        command.args(["--interval", "20ms", "-v"]).args(options);
        command.args(["--", "sh", ".git/program.sh"]);
        command
    }

    /// Starts that at a terminal.
    pub fn run_at_terminal(&self, options: &[&str], script: &str) -> (Session, Keyboard) {
        Session::at_terminal(&self.command(options, script))
    }
}

/// A stakeout that runs.
pub struct Session {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    /// The directory of its program, removed with it.
    program: Option<TempDir>,
}

impl Session {
    pub fn start(mut command: Command) -> Self {
        // One pipe for both, so that lines come in the order in which they were written.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stdout(writer.try_clone().expect("a descriptor")).stderr(writer);
        let child = command.spawn().expect("stakeout to start");
        let (sender, lines) = channel();
        forward(reader, sender);
        Self { child, lines, seen: Vec::new(), program: None }
    }

    /// Starts it as `docker run -it` does: as the leader of a session that has a terminal of its
    /// own, at which somebody may type.
    pub fn at_terminal(command: &Command) -> (Self, Keyboard) {
        let keyboard = Keyboard::new();
        let mut outer = Command::new("setsid");
        outer.args(["--ctty"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        outer.current_dir(command.get_current_dir().expect("a directory"));
        let screen = keyboard.screen();
        outer.stdin(screen.try_clone().expect("a descriptor"));
        outer.stdout(screen.try_clone().expect("a descriptor")).stderr(screen);
        let child = outer.spawn().expect("setsid(1) from util-linux");
        let (sender, lines) = channel();
        forward(keyboard.0.try_clone().expect("a descriptor"), sender);
        (Self { child, lines, seen: Vec::new(), program: None }, keyboard)
    }

    /// Waits for a line, of stakeout or its program, that contains `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("{error}: no line with {text:?}:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Waits for lines that contain these texts, in whatever order.
    pub fn wait_for_all(&mut self, texts: &[&str]) {
        let lists: Vec<&[&str]> = texts.iter().map(std::slice::from_ref).collect();
        self.wait_for_each(&lists);
    }

    /// Waits for lines that contain these texts: those of each list in order, whatever comes between
    /// them. What stakeout says and what its program says take different ways, and on a busy
    /// machine either may come first.
    pub fn wait_for_each(&mut self, lists: &[&[&str]]) {
        let mut missing = lists.to_vec();
        let until = Instant::now() + DEADLINE;
        while missing.iter().any(|list| !list.is_empty()) {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    for list in &mut missing {
                        if let Some((_, rest)) = list.split_first().filter(|it| line.contains(it.0))
                        {
                            *list = rest;
                        }
                    }
                    self.seen.push(line);
                }
                Err(error) => panic!("{error}: no {missing:?}:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// The last line so far that contains `text`.
    pub fn said(&self, text: &str) -> &str {
        let line = self.seen.iter().rfind(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no line with {text:?}:\n{}", self.seen.join("\n")))
    }

    /// Waits until a touch of a file is no change any more. That may have been said before what was
    /// waited for last: the program takes its time, and a build before it even more.
    pub fn wait_until_settled(&mut self) {
        const SETTLED: &str = "all files were read once";
        if self.seen(SETTLED) == 0 {
            self.wait_for(SETTLED);
        }
    }

    /// The lines that were waited for and those between them, so far.
    pub fn seen(&self, text: &str) -> usize {
        self.seen.iter().filter(|line| line.contains(text)).count()
    }

    /// Whether such a line has come by now.
    pub fn has_said(&mut self, text: &str) -> bool {
        self.seen.extend(self.lines.try_iter());
        self.seen(text) > 0
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("stakeout to be there");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Asks it to end, and gives its exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Asks it to end again and again, as somebody without patience does, and gives its status.
    pub fn insist(&mut self, signal: Signal) -> ExitStatus {
        eventually("its end", || {
            self.signal(signal);
            self.has_ended()
        });
        self.wait()
    }

    /// Waits for its end, which closes its output.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("{error}: it does not end:\n{}", self.seen.join("\n")),
            }
        }
        self.child.wait().expect("a status")
    }

    pub fn output(&self) -> String {
        self.seen.join("\n")
    }
}

/// Our side of a terminal.
pub struct Keyboard(fs::File);

impl Keyboard {
    fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        Self(master.into())
    }

    fn screen(&self) -> fs::File {
        let path = ptsname(&self.0, Vec::new()).expect("a terminal's name");
        let path = path.into_string().expect("a path");
        let flags = OpenptFlags::NOCTTY.bits().cast_signed();
        let mut options = fs::File::options();
        options.read(true).write(true).custom_flags(flags).open(path).expect("a terminal")
    }

    /// Types; `\x03` is Ctrl-C, `\x1a` Ctrl-Z.
    pub fn type_in(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("a terminal");
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.0, size).expect("a terminal");
    }

    pub fn modes(&self) -> LocalModes {
        tcgetattr(&self.0).expect("a terminal").local_modes
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Its program dies with it.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A terminal that nobody writes to any more: its end is an error, before which there may be more.
struct Ended<R>(R);

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer).or(Ok(0))
    }
}

fn forward(pipe: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(Ended(pipe)).split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}

/// The number after `key` in a line.
pub fn number(line: &str, key: &str) -> i32 {
    let rest = line.split(key).nth(1).unwrap_or_else(|| panic!("no {key:?} in {line:?}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {key:?} in {line:?}"))
}

pub fn is_alive(pid: i32) -> bool {
    let pid = Pid::from_raw(pid).expect("a pid");
    test_kill_process(pid).is_ok() && !is_zombie(pid)
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

/// Waits until `condition` holds; there is no event to wait on for it.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "{what} did not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The processes that descend from this one, dead ones included.
pub fn descendants(pid: i32) -> Vec<i32> {
    let children = |pid: i32| -> Vec<i32> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let lists = tasks.map(|task| read(&task.path().join("children")));
        lists.flat_map(|list| list.split(' ').flat_map(str::parse).collect::<Vec<_>>()).collect()
    };
    let mut found = children(pid);
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children(*pid));
        next += 1;
    }
    found
}
