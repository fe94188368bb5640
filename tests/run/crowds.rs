//! Many at once, and many times over: orphans, restarts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, getrlimit};

use super::support::{Session, Tree, descendants, number, read};

/// Leaves a number of orphans behind that all end when the script does or says so.
fn orphans(count: usize, then: &str) -> String {
    format!(
        "import os, sys\n\
         reader, writer = os.pipe()\n\
         for _ in range({count}):\n\
         \x20   if os.fork() == 0:\n\
         \x20       if os.fork() == 0:\n\
         \x20           os.close(writer)\n\
         \x20           os.read(reader, 1)\n\
         \x20       os._exit(0)\n\
         \x20   os.wait()\n\
         {then}\n"
    )
}

#[test]
fn a_thousand_orphans_are_reaped() {
    let tree = Tree::new(&[]);
    let then = "os.close(writer)\nprint('let go', flush=True)\nimport time\ntime.sleep(1000)";
    tree.write(".git/orphans.py", &orphans(1000, then));
    let mut session = tree.run(&["-v"], "exec python3 .git/orphans.py");
    let mut reaped = 0;
    while reaped < 1000 {
        let line = session.wait_for("reaped ").replace(',', "");
        reaped += number(&line, "reaped ");
    }
    assert_eq!(reaped, 1000);
    // The program and its keeper are left, and live.
    assert_eq!(descendants(session.pid().as_raw_nonzero().get()).len(), 2);
}

#[test]
fn the_status_is_right_though_500_orphans_end_at_the_same_moment() {
    for in_namespace in [false, true] {
        let tree = Tree::new(&[]);
        tree.write(".git/orphans.py", &orphans(500, "os._exit(77)"));
        let mut command = tree.stakeout();
        command.args(["--no-watch", "--", "python3", ".git/orphans.py"]);
        if in_namespace {
            let Some(mut outer) = super::pid1::in_namespace() else { return };
            outer.arg(command.get_program()).args(command.get_args());
            outer.current_dir(tree.path(""));
            command = outer;
        }
        let mut session = Session::start(command);
        assert_eq!(session.wait().code(), Some(77), "{}", session.output());
    }
}

/// The kilobytes of memory that are its own, and its open descriptors.
fn size(pid: i32) -> (i32, usize) {
    let status = read(format!("/proc/{pid}/status").as_ref());
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("a size");
    let memory = number(&line.replace([' ', '\t'], ""), "RssAnon:");
    (memory, fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").count())
}

#[test]
fn after_500_restarts_nothing_has_grown() {
    let tree = Tree::new(&[("a", "0")]);
    // Each leaves a daemon and a zombie-to-be behind.
    let script = "(setsid sleep 1000 &); (sleep 0 &); echo shows $(cat a) end; exec sleep 1000";
    let options = ["--interval", "10ms", "--debounce", "1ms"];
    let mut command = tree.stakeout();
    tree.write(".git/program.sh", script);
    command.args(options).args(["--", "sh", ".git/program.sh"]);
    let mut session = Session::start(command);
    session.wait_for("shows 0 end");
    let stakeout = session.pid().as_raw_nonzero().get();
    let mut sizes = Vec::new();
    for n in 1..=500 {
        tree.write("a", &n.to_string());
        session.wait_for(&format!("shows {n} end"));
        if n % 50 == 0 {
            sizes.push(size(stakeout));
        }
    }
    let descriptors = || sizes.iter().map(|(_, descriptors)| *descriptors);
    // A look or a start in progress has some more open for a moment.
    let (first, last) = (descriptors().take(5).min(), descriptors().skip(5).min());
    assert!(last <= first, "{sizes:?}");
    // One kilobyte a restart would be 450.
    assert!(sizes[9].0 - sizes[0].0 < 300, "{sizes:?}");
    let left = descendants(stakeout);
    // The program, its daemon, and what may be on its way out.
    assert!(left.len() <= 4, "{left:?}");
}

#[test]
fn where_no_process_can_be_made_it_is_tried_again_until_one_can() {
    if !super::identity::is_root() {
        return;
    }
    // The limit does not hold for root.
    let (tree, place) = (Tree::new(&[("a", "one")]), tempfile::tempdir_in("/tmp").unwrap());
    let binary = place.path().join("stakeout");
    fs::copy(env!("CARGO_BIN_EXE_stakeout"), &binary).unwrap();
    for path in [place.path(), &tree.path(".")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = tree.stakeout_at(&binary);
    command.args(["--interval", "20ms", "--control", "off", "--", "sh", "-c"]).uid(23_456);
    command.arg("echo shows $(cat a); exec sleep 1000");
    let mut session = Session::start(command);
    session.wait_for("shows one");
    // Only itself may set its limit, without more capabilities than a container's root has.
    let stakeout = session.pid();
    let limit = |most: &str| {
        let mut prlimit = Command::new("prlimit");
        prlimit.arg(format!("--pid={}", stakeout.as_raw_nonzero())).uid(23_456);
        prlimit.arg(format!("--nproc={most}:")).status().unwrap()
    };
    let most = getrlimit(Resource::Nproc).maximum;
    let most = most.map_or_else(|| "unlimited".into(), |most| most.to_string());
    assert!(limit("1").success(), "prlimit(1) from util-linux");
    tree.save_by_rename("a", "two");
    session.wait_for("trying again in 250ms");
    session.wait_for("trying again in 500ms");
    // Up to here: on a busy machine there may be one more before the limit is gone.
    assert_eq!(session.seen("cannot make a process for sh"), 2, "{}", session.output());
    assert!(limit(&most).success());
    session.wait_for("shows two");
    assert_eq!(session.terminate().code(), Some(143), "{}", session.output());
}
