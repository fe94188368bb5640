//! What restarts the program, what does not, and that the newest content runs in the end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use super::support::{Session, Tree, eventually, is_alive, number, read};

/// The README's example, compiled from its source by the command that is restarted.
#[test]
fn an_edited_server_answers_with_its_new_version() {
    let source = include_str!("../../examples/hello/main.rs");
    let tree = Tree::new(&[("server.rs", source)]);
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let mut command = tree.stakeout();
    command.env("PORT", "0").args(["--interval", "20ms", "-e", "rs", "--shell", "--"]);
    command.arg(format!("{rustc} -o server server.rs && exec ./server"));
    let mut session = Session::start(command);
    assert!(get(&session.wait_for("hello: open")).contains("Hello! Change me"));

    tree.write("server.rs", &source.replace("Hello! Change me", "Changed!"));
    session.wait_for("modified server.rs");
    assert!(get(&session.wait_for("hello: open")).contains("Changed!"));

    // A version that does not compile, and the one that mends it.
    tree.write("server.rs", "fn main() {");
    session.wait_for("ended with status 1; waiting for a change");
    tree.save_by_rename("server.rs", &source.replace("Hello! Change me", "Mended!"));
    assert!(get(&session.wait_for("hello: open")).contains("Mended!"));
}

fn get(line: &str) -> String {
    let address = line.rsplit("http://").next().expect("an address");
    let mut stream = TcpStream::connect(address.trim()).expect("a server");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

const SHOW: &str = "echo shows $(cat a); exec sleep 1000";

#[test]
fn a_save_by_rename_restarts_once() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&["-v"], SHOW);
    session.wait_until_settled();
    tree.save_by_rename("a", "two");
    session.wait_for("shows two");
    tree.save_by_rename("a", "three");
    session.wait_for("shows three");
    session.terminate();
    assert_eq!(session.seen("modified a"), 2, "{}", session.output());
    assert_eq!(session.seen("shows"), 3, "{}", session.output());
}

#[test]
fn what_leaves_the_content_the_same_restarts_nothing() {
    let tree = Tree::new(&[("a", "one"), ("b", "same"), ("c", "x"), ("end", "")]);
    let mut session = tree.run(&["-v"], SHOW);
    session.wait_for_all(&["shows one", "all files were read once"]);
    let later = SystemTime::now() + Duration::from_secs(3600);
    let file = fs::File::options().write(true).open(tree.path("a")).unwrap();
    file.set_modified(later).unwrap();
    tree.write_over("b", "same");
    tree.save_by_rename("b", "same");
    fs::set_permissions(tree.path("c"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::create_dir(tree.path("empty")).unwrap();
    // Changes are told in order: if one of those counted, this would not be alone.
    tree.write("end", "now");
    session.wait_for_all(&["modified", "shows one"]);
    let line = session.said("modified");
    assert!(line.contains("modified end (settled"), "{line}");
    session.terminate();
    assert_eq!(session.seen("shows one"), 2, "{}", session.output());
}

#[test]
fn every_kind_of_change_is_named() {
    let tree = Tree::new(&[("a", "one"), ("b", "two"), ("old/x", "three"), ("old/y", "four")]);
    let mut session = tree.run(&["-v", "--debounce", "300ms"], SHOW);
    session.wait_until_settled();
    tree.write("a", "new");
    fs::remove_file(tree.path("b")).unwrap();
    tree.write("c", "five");
    fs::rename(tree.path("old"), tree.path("new")).unwrap();
    let line = session.wait_for("settled");
    let wanted = "modified a; created c; removed b; renamed old/ → new/ (2 files)";
    assert!(line.contains(wanted), "{line}");
}

#[test]
fn changes_during_a_slow_stop_end_in_one_start_of_the_newest() {
    let tree = Tree::new(&[("a", "0")]);
    // Stops only once the file `go` is there.
    let script = "trap 'until [ -e go ]; do sleep 0.01; done; exit' TERM; echo shows $(cat a); \
                  while :; do sleep 0.01; done";
    let mut session = tree.run(&["--debounce", "10ms", "-i", "go"], script);
    session.wait_for("shows 0");
    for n in 1..=5 {
        tree.write("a", &n.to_string());
        session.wait_for("modified a");
    }
    tree.write("go", "");
    session.wait_for("shows 5");
    assert_eq!(session.seen("shows"), 2, "{}", session.output());
}

#[test]
fn after_a_burst_of_edits_the_newest_runs_alone() {
    let tree = Tree::new(&[("a", "0")]);
    let mut session =
        tree.run(&["--debounce", "1ms", "-i", "pids"], "echo $$ >> pids; exec sleep $(cat a)");
    session.wait_for("starting");
    for n in 1..=200 {
        tree.write("a", &format!("{}", 1000 + n));
    }
    let runs_alone = || {
        let pids: Vec<i32> = read(&tree.path("pids")).lines().flat_map(str::parse).collect();
        let alive: Vec<i32> = pids.into_iter().filter(|pid| is_alive(*pid)).collect();
        assert!(alive.len() <= 1, "two at once: {alive:?}");
        let command = |pid| read(format!("/proc/{pid}/cmdline").as_ref());
        matches!(alive[..], [pid] if command(pid) == "sleep\x001200\x00")
    };
    eventually("the newest version alone", runs_alone);
}

#[test]
fn the_whole_group_is_gone_before_the_next_start() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "sleep 1000 & echo helper $! end; echo shows $(cat a); wait";
    let mut session = tree.run(&[], script);
    let helper = number(&session.wait_for("helper"), "helper ");
    session.wait_for("shows one");
    assert!(is_alive(helper));
    tree.write("a", "two");
    session.wait_for("shows two");
    assert!(!is_alive(helper), "the old helper is still there");
}

#[test]
fn what_ignores_the_stop_signal_is_killed_after_the_timeout() {
    let tree = Tree::new(&[("a", "one")]);
    let script = "trap '' TERM; echo shows $(cat a) as $$ end; while :; do sleep 0.1; done";
    let mut session = tree.run(&["--stop-timeout", "300ms"], script);
    let old = number(&session.wait_for("shows one"), "as ");
    tree.write("a", "two");
    session.wait_for_all(&["after SIGTERM: killing it", "shows two"]);
    assert!(!is_alive(old));
}

#[test]
fn the_stop_signal_can_be_chosen() {
    let tree = Tree::new(&[("a", "one")]);
    let script =
        "trap 'echo got USR1; exit' USR1; echo shows $(cat a); while :; do sleep 0.01; done";
    let mut session = tree.run(&["--stop-signal", "usr1"], script);
    session.wait_for("shows one");
    tree.write("a", "two");
    session.wait_for("got USR1");
    session.wait_for("shows two");
}

#[test]
fn a_stopped_program_is_restarted_all_the_same() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&[], "echo shows $(cat a); kill -STOP $$");
    session.wait_for("shows one");
    tree.write("a", "two");
    session.wait_for_all(&["stopped after", "shows two"]);
}

#[test]
fn a_program_that_ends_is_started_by_the_next_change() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&[], "echo shows $(cat a); exit 3");
    session.wait_for("shows one");
    session.wait_for("ended with status 3; waiting for a change");
    tree.write("a", "two");
    session.wait_for("shows two");
}

#[test]
fn postponed_means_after_the_first_change() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&["--postpone"], SHOW);
    session.wait_for("starts after the first change");
    tree.save_by_rename("a", "two");
    session.wait_for("shows two");
    assert_eq!(session.seen("shows"), 1);
}

#[test]
fn a_working_directory_that_is_deleted_and_made_again_is_followed() {
    let tree = Tree::new(&[("app/a", "one")]);
    let mut command = tree.stakeout();
    command.current_dir(tree.path("app")).args(["--interval", "20ms", "--", "sh", "-c", SHOW]);
    let mut session = Session::start(command);
    session.wait_for("shows one");
    fs::remove_dir_all(tree.path("app")).unwrap();
    session.wait_for("it counts as unchanged until it can be read");
    tree.write("app/a", "two");
    session.wait_for("shows two");
}

#[test]
fn a_file_that_grows_while_it_is_read_holds_nothing_up() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&["--max-wait", "300ms"], SHOW);
    session.wait_for("shows one");
    let path = tree.path("log");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut log = fs::File::create(path).unwrap();
        let is_over = || stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected);
        while !is_over() && log.metadata().unwrap().len() < 1 << 28 {
            log.write_all(&[b'x'; 1 << 16]).unwrap();
        }
    });
    session.wait_for("log");
    tree.write("a", "two");
    session.wait_for("shows two");
    drop(stop);
    writer.join().unwrap();
}

#[test]
fn output_that_is_redirected_into_the_tree_is_no_change() {
    let tree = Tree::new(&[("a", "one")]);
    let log = fs::File::create(tree.path("log")).unwrap();
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1ms", "--", "sh", "-c", SHOW]);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let mut child = command.spawn().unwrap();
    eventually("the start", || read(&tree.path("log")).contains("shows one"));
    tree.write("a", "two");
    let has_said = |text| read(&tree.path("log")).contains(text);
    eventually("the restart", || has_said("shows two") && has_said("modified a (settled"));
    child.kill().unwrap();
    child.wait().unwrap();
    let log = read(&tree.path("log"));
    assert!(!log.contains("created log") && !log.contains("modified log"), "{log}");
}

#[test]
fn a_program_that_restarts_itself_is_told_why() {
    let tree = Tree::new(&[("a", "one")]);
    let mut session = tree.run(&["--debounce", "1ms"], "date +%N >> app.log; exec sleep 1000");
    session.wait_for("app.log changes after every start; if the program writes it");
    session.wait_for("modified app.log");
    session.terminate();
    assert_eq!(session.seen("after every start"), 1, "{}", session.output());
}

#[test]
fn the_program_gets_a_clean_start() {
    let tree = Tree::new(&[]);
    let script = "grep -E 'Sig(Blk|Ign)' /proc/self/status; \
                  echo descriptors $(ls /proc/self/fd | sort -n | tr '\\n' ' ')";
    let mut session = tree.run(&[], script);
    for mask in ["SigBlk:", "SigIgn:"] {
        let line = session.wait_for(mask);
        let bits = line.rsplit('\t').next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        assert_eq!(bits, Some(0), "{line}");
    }
    // 3 is what ls itself opened.
    session.wait_for("descriptors 0 1 2 3");
}
