//! Asking a running stakeout: `status`, `restart` and the others, and what comes to its socket
//! besides.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use super::skip::skip;
use super::support::{Session, Tree, eventually, number, read};

/// Where the socket of the tests is: outside of the watched tree.
fn socket(place: &Tree) -> PathBuf {
    place.path("control.sock")
}

pub fn started(tree: &Tree, place: &Tree, options: &[&str]) -> Session {
    let mut command = tree.stakeout();
    command.args(["-v", "--interval", "20ms", "--control"]).arg(socket(place));
    command.args(options).args([
        "--",
        "sh",
        "-c",
        "echo runs $((40 + 2)) as $$ end; exec sleep 1000",
    ]);
    Session::start(command)
}

fn asking(tree: &Tree, place: &Tree, words: &[&str]) -> Command {
    let mut command = tree.stakeout();
    command.args(words).arg("--control").arg(socket(place));
    command
}

pub fn ask(tree: &Tree, place: &Tree, words: &[&str]) -> (Option<i32>, String) {
    text(asking(tree, place, words).output().expect("an answer"))
}

fn text(output: Output) -> (Option<i32>, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

pub fn status(tree: &Tree, place: &Tree) -> Value {
    let (code, text) = ask(tree, place, &["status", "--json"]);
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// What the program says may come before it is known to be executed, and so to be ready.
pub fn wait_until_ready(tree: &Tree, place: &Tree) {
    let (code, text) = ask(tree, place, &["status", "--wait", "ready", "--timeout", "60s"]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_health_check_tells_ready_from_not_ready_from_not_there() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let (code, text) = ask(&tree, &place, &["status", "--check"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("no stakeout answers at"), "{text}");
    let flag = place.path("flag");
    let probe = format!("exec:test -e {}", flag.display());
    let mut session = started(&tree, &place, &["--ready", &probe]);
    session.wait_for("runs 42 as");
    let (code, text) = ask(&tree, &place, &["status", "--check"]);
    assert_eq!((code, text.as_str()), (Some(1), "starting (generation 0)\n"));
    let lacks = format!("test -e {} ended with status 1", flag.display());
    eventually("that it is said", || status(&tree, &place)["program"]["lacks"] == *lacks);
    let (_, text) = ask(&tree, &place, &["status"]);
    assert!(text.contains(&format!("\nnot ready {lacks}\n")), "{text}");
    let wait = ["status", "--wait", "ready", "--timeout", "50ms"];
    assert_eq!(ask(&tree, &place, &wait).0, Some(124));
    place.write("flag", "");
    wait_until_ready(&tree, &place);
    assert_eq!(ask(&tree, &place, &["status", "--check"]).0, Some(0));
    assert_eq!(status(&tree, &place)["program"]["lacks"], Value::Null);
    session.terminate();
    assert_eq!(ask(&tree, &place, &["status", "--check"]).0, Some(2));
    assert!(!socket(&place).exists());
}

#[test]
fn waiting_begins_before_there_is_a_stakeout() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut waiting = asking(&tree, &place, &["status", "--wait", "ready", "--timeout", "60s"]);
    let waiting = thread::spawn(move || waiting.output());
    let _session = started(&tree, &place, &[]);
    let (code, text) = text(waiting.join().unwrap().unwrap());
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn the_program_is_restarted_on_request_and_says_why_it_was() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    let first = number(&session.wait_for("runs 42 as"), "as ");
    session.wait_until_settled();
    assert_eq!(status(&tree, &place)["program"]["pid"], first);
    assert_eq!(ask(&tree, &place, &["restart"]), (Some(0), String::new()));
    session.wait_for("runs 42 as");
    tree.save_by_rename("a", "two");
    let third = number(&session.wait_for("runs 42 as"), "as ");
    eventually("the start to be known", || status(&tree, &place)["state"] == "ready");
    let status = status(&tree, &place);
    let program = &status["program"];
    assert_eq!(program["pid"], third);
    assert_eq!(program["restarts"]["by_request"], 1);
    assert_eq!(program["restarts"]["by_change"], 1);
    assert_eq!(program["restarts"]["by_failure"], 0);
    assert_eq!(program["last_exit"], "SIGTERM");
    assert_eq!(status["generation"], 1);
    assert_eq!(status["changes"]["summary"], "modified a");
    kill_process(Pid::from_raw(third).expect("a pid"), Signal::KILL).expect("the program");
    session.wait_for("runs 42 as");
    eventually("the failure to be counted", || {
        self::status(&tree, &place)["program"]["restarts"]["by_failure"] == 1
    });
}

#[test]
fn it_ends_on_request_with_the_programs_status() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    assert_eq!(ask(&tree, &place, &["stop"]).0, Some(0));
    assert_eq!(session.wait().code(), Some(128 + 15), "{}", session.output());
}

#[test]
fn who_asks_for_the_end_is_answered_though_nothing_is_left_to_stop() {
    for _ in 0..5 {
        let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
        let mut command = tree.stakeout();
        command.arg("--control").arg(socket(&place)).args(["--", "sh", "-c", "exit 3"]);
        let mut session = Session::start(command);
        session.wait_for("waiting for a change");
        assert_eq!(ask(&tree, &place, &["stop"]), (Some(0), String::new()));
        assert_eq!(session.wait().code(), Some(3), "{}", session.output());
    }
}

#[test]
fn the_output_of_the_last_build_is_kept() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let build = "cat a; echo wrong >&2; grep -q one a";
    let mut session = started(&tree, &place, &["--build", build]);
    session.wait_for("runs 42 as");
    session.wait_until_settled();
    wait_until_ready(&tree, &place);
    assert_eq!(status(&tree, &place)["build"]["result"], "done");
    tree.save_by_rename("a", "two\n");
    session.wait_for("BUILD FAILED");
    let (code, output) = ask(&tree, &place, &["logs", "--build"]);
    assert_eq!((code, output.as_str()), (Some(0), "two\nwrong\n"));
    let status = status(&tree, &place);
    assert_eq!(status["build"]["result"], "failed");
    assert!(status["build"]["failure"].as_str().expect("text").ends_with("status 1"), "{status}");
    assert_eq!(status["build"]["step"], build);
    assert_eq!(status["build"]["output"], serde_json::json!(["two", "wrong"]));
    let (_, text) = ask(&tree, &place, &["status"]);
    assert!(
        text.contains("ended with status 1 (") && text.contains("\n          wrong\n"),
        "{text}"
    );
    // What runs goes on.
    assert_eq!(status["state"], "ready");
    let before = session.seen("building:");
    assert_eq!(ask(&tree, &place, &["build"]).0, Some(0));
    session.wait_for("BUILD FAILED");
    assert_eq!(session.seen("building:"), before + 1);
}

#[test]
fn the_step_that_failed_is_named_with_the_last_it_wrote() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let steps = ["echo first", "seq 30; grep -q one a", "echo third"];
    let options: Vec<&str> = steps.iter().flat_map(|step| ["--build", step]).collect();
    let mut session = started(&tree, &place, &options);
    session.wait_for_all(&["build | third", "runs 42 as"]);
    let numbers: String = (1..=30).map(|n| format!("{n}\n")).collect();
    let logs = || ask(&tree, &place, &["logs", "--build"]).1;
    assert_eq!(logs(), format!("first\n{numbers}third\n"));
    tree.save_by_rename("a", "two");
    let line = session.wait_for("BUILD FAILED");
    assert!(
        line.contains("seq 30; grep -q one a ended with status 1; what runs goes on"),
        "{line}"
    );
    assert_eq!(session.seen("build | third"), 1, "{}", session.output());
    assert_eq!(logs(), format!("first\n{numbers}"));
    let status = status(&tree, &place);
    assert_eq!(status["build"]["step"], steps[1]);
    let last: Vec<String> = (21..=30).map(|n| n.to_string()).collect();
    assert_eq!(status["build"]["output"], serde_json::json!(last));
}

#[test]
fn what_happens_after_a_crash_is_shown_and_is_not_healthy() {
    let (tree, place) = (Tree::new(&[("a", "kill -KILL $$")]), Tree::new(&[]));
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--restart", "on-failure", "--control"]);
    command.arg(socket(&place)).args(["--", "sh", "-c", "echo runs $((40 + 2)); . ./a"]);
    let mut session = Session::start(command);
    session.wait_for("starting it again in 2s");
    let known = status(&tree, &place);
    assert_eq!((&known["state"], &known["ready"]), (&"retrying".into(), &false.into()));
    let program = &known["program"];
    assert_eq!(
        (&program["restart"], &program["last_exit"]),
        (&"on-failure".into(), &"SIGKILL".into())
    );
    assert!(program["retry_in_ms"].as_u64().is_some_and(|wait| wait <= 2000), "{known}");
    assert_eq!(program["restarts"]["by_failure"], 3);
    let (code, text) = ask(&tree, &place, &["status", "--check"]);
    assert_eq!((code, &*text), (Some(1), "failed, about to be started again (generation 0)\n"));
    let (_, text) = ask(&tree, &place, &["status"]);
    assert!(
        text.contains("3 by failures (on-failure)") && text.contains("\nretrying  in "),
        "{text}"
    );
    tree.save_by_rename("a", "exec sleep 1000");
    eventually("health", || ask(&tree, &place, &["status", "--check"]).0 == Some(0));
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut command = tree.stakeout();
    command.args(["--control"]).arg(socket(&place));
    let mut session = Session::start(command);
    session.wait_for("watching .");
    let (code, text) = ask(&tree, &place, &["restart"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("no program here"), "{text}");
    let (code, text) = ask(&tree, &place, &["build"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("nothing here to build"), "{text}");
    let (code, text) = ask(&tree, &place, &["logs", "--build"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("nothing is built"), "{text}");
    assert_eq!(status(&tree, &place)["state"], "watching");
    assert_eq!(ask(&tree, &place, &["status", "--check"]).0, Some(0));
}

#[test]
fn by_default_it_is_found_from_the_working_directory_and_below() {
    let tree = Tree::new(&[("below/deep/a", "one")]);
    let mut first = tree.stakeout();
    first.args(["-v", "--", "sh", "-c", "echo runs $((40 + 2)) as $$ end; exec sleep 1000"]);
    let mut session = Session::start(first);
    session.wait_for("runs 42 as");
    for directory in [".", "below/deep"] {
        let mut command = tree.stakeout();
        command.args(["status", "--check"]).current_dir(tree.path(directory));
        // What the program says may come before it is known to be executed.
        eventually("readiness", || text(command.output().unwrap()).0 == Some(0));
    }
    let elsewhere = Tree::new(&[]);
    let (code, output) = text(elsewhere.stakeout().arg("status").output().unwrap());
    assert_eq!(code, Some(2));
    assert!(output.contains("no stakeout runs in this directory"), "{output}");
    // A second one works, and leaves the requests to the first.
    let mut command = tree.stakeout();
    command.args(["-v", "--no-watch", "--", "sh", "-c", "exit 7"]);
    let mut second = Session::start(command);
    assert_eq!(second.wait().code(), Some(7));
    assert!(second.output().contains("another stakeout with this"), "{}", second.output());
    assert_eq!(text(tree.stakeout().args(["status", "--check"]).output().unwrap()).0, Some(0));
}

#[test]
fn the_socket_is_for_its_owner_and_replaced_when_nobody_is_behind_it() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    let mode = fs::symlink_metadata(socket(&place)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut second = started(&tree, &place, &[]);
    assert_eq!(second.wait().code(), Some(2));
    assert!(second.output().contains("another stakeout does"), "{}", second.output());
    session.signal(Signal::KILL);
    session.wait();
    assert!(socket(&place).exists());
    let mut third = started(&tree, &place, &[]);
    third.wait_for("runs 42 as");
    wait_until_ready(&tree, &place);
    assert_eq!(ask(&tree, &place, &["status", "--check"]).0, Some(0));
}

#[test]
fn what_is_no_socket_is_kept_and_so_is_what_took_its_place() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[("notes", "text"), ("aim", "text")]));
    symlink(place.path("aim"), place.path("link")).expect("a link");
    // One that nobody is behind: what leads to it is not it.
    drop(UnixListener::bind(place.path("left")).expect("a socket"));
    symlink(place.path("left"), place.path("link-to-socket")).expect("a link");
    for name in ["notes", "link", "link-to-socket"] {
        let mut command = tree.stakeout();
        command.env("STAKEOUT_CONTROL", place.path(name)).args(["--", "sleep", "1000"]);
        let mut session = Session::start(command);
        assert_eq!(session.wait().code(), Some(2));
        let path = place.path(name).display().to_string();
        for text in [&*path, "what is there is no socket, and is kept", "another --control"] {
            assert!(session.output().contains(text), "{text}: {}", session.output());
        }
        assert!(fs::symlink_metadata(place.path(name)).is_ok(), "{name} is gone");
    }
    assert_eq!(read(&place.path("notes")), "text");
    assert_eq!(read(&place.path("aim")), "text");
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    fs::remove_file(socket(&place)).expect("the socket");
    place.write("control.sock", "mine");
    session.terminate();
    assert_eq!(read(&socket(&place)), "mine");
}

#[test]
fn another_user_is_not_answered() {
    if !geteuid().is_root() {
        return skip("needs root");
    }
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    // Whatever the modes say, the kernel's word for who it is counts.
    for path in [place.path("."), socket(&place)] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let mut command = Command::new("python3");
    command.uid(12345).args(["-c", ASK]).arg(socket(&place));
    assert_eq!(text(command.output().unwrap()), (Some(0), "b''\n".into()));
    let mut command = Command::new("python3");
    let (_, answer) = text(command.args(["-c", ASK]).arg(socket(&place)).output().unwrap());
    assert!(answer.contains("generation"), "{answer}");
}

/// Asks for the status, and prints what comes.
const ASK: &str = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
try:
    s.sendall(b'{"ask":"status"}\n'); print(s.recv(65536))
except OSError:
    print(b'')
"#;

#[test]
fn garbage_is_refused_and_silence_is_cut_off() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    wait_until_ready(&tree, &place);
    let mut stream = UnixStream::connect(socket(&place)).unwrap();
    stream.write_all(b"\x00\xff{]\n{\"ask\":\"money\"}\n{\"ask\":\"status\"}\n").unwrap();
    let mut lines = BufReader::new(&stream).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert!(next().contains("refused"));
    assert!(next().contains("refused"));
    assert!(next().contains("generation"));
    // More than any request has, without an end.
    let mut endless = UnixStream::connect(socket(&place)).unwrap();
    _ = endless.write_all(&[b'x'; 100_000]);
    let mut answer = Vec::new();
    _ = endless.read_to_end(&mut answer);
    assert!(answer.len() < 1000);
    // One that says nothing is left, and does not hold up others.
    let mut silent = UnixStream::connect(socket(&place)).unwrap();
    assert_eq!(ask(&tree, &place, &["status", "--check"]).0, Some(0));
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_hundred_clients_at_once_are_answered() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    let mut clients: Vec<_> =
        (0..100).map(|_| UnixStream::connect(socket(&place)).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"{\"ask\":\"status\"}\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
    }
    for client in clients {
        let mut answer = String::new();
        BufReader::new(client).read_line(&mut answer).unwrap();
        assert!(answer.contains("generation"), "{answer}");
    }
}

#[test]
fn clients_that_hold_their_seats_do_not_keep_others_out_for_long() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    let connect = || UnixStream::connect(socket(&place)).unwrap();
    // More than there are seats say nothing at all, and as many never come to an end.
    let silent: Vec<_> = (0..80).map(|_| connect()).collect();
    let slow: Vec<_> = (0..80).map(|_| connect()).collect();
    let drip = thread::spawn(move || {
        // Until each is cut off.
        for mut client in slow.iter().cycle() {
            thread::sleep(std::time::Duration::from_millis(1));
            if client.write_all(b"x").is_err() {
                return slow;
            }
        }
        slow
    });
    wait_until_ready(&tree, &place);
    // Nobody reads what these were answered.
    let mut deaf = connect();
    deaf.set_nonblocking(true).unwrap();
    while deaf.write(b"{\"ask\":\"status\"}\n").is_ok() {}
    assert_eq!(ask(&tree, &place, &["status", "--check"]).0, Some(0));
    drop((silent, drip.join()));
}

#[test]
fn in_a_read_only_container_the_socket_is_where_something_can_be_written() {
    if !geteuid().is_root() {
        return skip("needs root");
    }
    let tree = Tree::new(&[]);
    let mut inner = tree.stakeout();
    inner.args(["--no-watch", "-v", "--", "sleep", "1000"]);
    let script = "for place in /run /tmp; do mount -t tmpfs -o ro none $place; done
        mount -t tmpfs none /dev/shm
        \"$@\" & pid=$!
        \"$1\" status --wait ready --timeout 60s; echo status $?
        kill -KILL $pid; wait $pid; \"$1\" status --check; echo status $?
        \"$@\" & \"$1\" status --wait ready --timeout 60s; echo again $?; \"$1\" stop; wait";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(tree.path("")).env_remove("XDG_RUNTIME_DIR");
    let mut session = Session::start(command);
    session.wait();
    let output = session.output();
    for line in ["taking requests at /dev/shm/stakeout-0/", "status 0", "status 2", "again 0"] {
        assert!(output.contains(line), "{line}: {output}");
    }
}

#[test]
fn how_much_was_read_is_told_until_all_was() {
    let (tree, place) = (Tree::new(&[]), Tree::new(&[]));
    // As holes they cost no disk; each takes a step of the baseline, and a rest of nine times that.
    for name in 0..40 {
        let file = fs::File::create(tree.path(&name.to_string())).expect("a file");
        file.set_len(32 << 20).expect("a hole");
    }
    let mut session = started(&tree, &place, &[]);
    session.wait_for("runs 42 as");
    let words = || ask(&tree, &place, &["status"]).1;
    eventually("some were read, and not yet all", || {
        let words = words();
        (1..40).any(|read| words.contains(&format!("(40 files, {read} read so far)")))
    });
    // It takes so long that it is said, as well.
    session.wait_for("reading in the background: ");
    session.wait_for("all files were read once, in ");
    assert!(words().contains("(40 files)"), "{}", words());
    assert_eq!(status(&tree, &place)["watching"]["read"], Value::Null);
}

#[test]
fn each_field_of_the_status_is_documented() {
    let (tree, place) = (Tree::new(&[("a", "one")]), Tree::new(&[]));
    let mut session = started(&tree, &place, &["--build", "true"]);
    session.wait_for("runs 42 as");
    session.wait_until_settled();
    tree.write("a", "two");
    session.wait_for("runs 42 as");
    let documented = include_str!("../../docs/control.md");
    let status = status(&tree, &place);
    let mut undocumented = Vec::new();
    let mut check = |value: &Value| {
        let names = value.as_object().expect("an object").keys();
        undocumented
            .extend(names.filter(|name| !documented.contains(&format!("`{name}`"))).cloned());
    };
    check(&status);
    for part in ["program", "build", "watching", "changes"] {
        check(&status[part]);
    }
    check(&status["program"]["restarts"]);
    assert_eq!(undocumented, [""; 0]);
}
