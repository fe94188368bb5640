//! A configuration file that is edited while stakeout runs: what it changes, and that no mistake in
//! it takes anything down.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use super::skip::skip;
use super::support::{Session, Tree, eventually, read};

const FILE: &str = "stakeout.toml";

fn start(tree: &Tree, file: &str) -> Session {
    tree.write(FILE, file);
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1ms", "-v"]);
    Session::start(command)
}

fn service(name: &str, says: &str) -> String {
    format!("[service.{name}]\nrun = 'echo {says} $((40 + 2)); exec sleep 1000'\n")
}

fn two(web: &str, api: &str) -> String {
    service("web", web) + &service("api", api)
}

#[test]
fn a_change_of_the_file_concerns_what_it_is_about() {
    let tree = Tree::new(&[]);
    // However the directory is called that it lies in.
    let here = tree.path("");
    let watch = format!("[watch]\npaths = ['{}']\n", here.display());
    let two = |web: &str, api: &str| watch.clone() + &two(web, api);
    let mut session = start(&tree, &two("shows", "serves"));
    session.wait_for_all(&["web | shows 42", "api | serves 42"]);
    // No change to any service.
    tree.write(FILE, &("# A comment.\n".to_owned() + &two("shows", "serves")));
    session.wait_for("the configuration file was read again");
    tree.save_by_rename(FILE, &two("displays", "serves"));
    session.wait_for_all(&["web: the service is configured otherwise now", "web | displays 42"]);
    session.terminate();
    assert_eq!((session.seen("web: starting"), session.seen("api: starting")), (2, 1));
    assert_eq!(session.seen("modified"), 0, "the file itself is no change of the tree");
}

#[test]
fn a_file_with_a_mistake_changes_nothing_until_it_is_mended() {
    let tree = Tree::new(&[]);
    let mut session = start(&tree, &service("web", "shows"));
    session.wait_for("shows 42");
    tree.write(FILE, "[service.web]\nrum = 'x'\n");
    session.wait_for("unknown key `rum`");
    session.wait_for("the configuration before still holds");
    fs::remove_file(tree.path(FILE)).unwrap();
    session.wait_for("cannot read the configuration file");
    session.wait_for("the configuration before still holds");
    fs::create_dir(tree.path(FILE)).unwrap();
    session.wait_for("is no file any more");
    fs::remove_dir(tree.path(FILE)).unwrap();
    // As an editor leaves it on a full disk.
    tree.write(FILE, "\n");
    session.wait_for("stakeout.toml is empty");
    tree.write(FILE, &service("web", "displays"));
    session.wait_for("displays 42");
    session.terminate();
    assert_eq!(session.seen("starting"), 2, "{}", session.output());
}

#[test]
fn what_does_not_start_goes_back_to_what_worked() {
    let tree = Tree::new(&[]);
    let mut session = start(&tree, &two("shows", "serves"));
    session.wait_for_all(&["web | shows 42", "api | serves 42"]);
    tree.write(FILE, &two("tries", "tries").replace("exec sleep", "exit 3; exec sleep"));
    let back = "going back to what worked";
    session.wait_for_all(&[
        &format!("web: the service does not start as it is configured now: {back}"),
        &format!("api: the service does not start as it is configured now: {back}"),
        "web | shows 42",
        "api | serves 42",
    ]);
    // Saved again, it is tried again.
    tree.write(FILE, &two("displays", "serves"));
    session.wait_for("web | displays 42");
    session.terminate();
}

#[test]
fn what_is_never_ready_or_cannot_be_built_goes_back_too() {
    let tree = Tree::new(&[]);
    let mut session = start(&tree, &service("web", "shows"));
    session.wait_for("shows 42");
    let never = service("web", "tries") + "ready = 'exec:false'\nready-timeout = '50ms'\n";
    tree.write(FILE, &never);
    session.wait_for("tries 42");
    // What a program writes may overtake what is said of it.
    let said = ["is not ready in time", "going back to what worked"];
    session.wait_for_each(&[&said, &["shows 42"]]);
    tree.write(FILE, &(service("web", "tries") + "build = 'exit 4'\n"));
    session.wait_for_all(&["BUILD FAILED", "going back to what worked", "shows 42"]);
    session.terminate();
}

#[test]
fn nothing_starts_beside_what_is_still_being_stopped() {
    let tree = Tree::new(&[]);
    let slow = |says: &str| {
        let trap = "trap 'until test -e go; do sleep 0.01; done; exit 0' TERM";
        let work = "while :; do sleep 0.01; done";
        format!(
            "[watch]\nexclude = ['go']\n[service.web]\nstop-timeout = '1h'\n\
                 run = \"{trap}; echo {says} $((40 + 2)); {work}\"\n"
        )
    };
    let other = "[watch]\nexclude = ['go']\n[service.other]\nrun = 'echo other; exec sleep 1000'\n";
    let mut session = start(&tree, &slow("one"));
    session.wait_for("one 42");
    // Another, none at all, and another again, all while the first takes its time.
    tree.write(FILE, &slow("two"));
    session.wait_for("the service is configured otherwise now");
    tree.write(FILE, other);
    session.wait_for("not configured any more");
    session.wait_for("other");
    tree.write(FILE, &slow("three"));
    session.wait_for("not configured any more");
    assert_eq!(session.seen("echo one") + session.seen("echo two"), 1, "{}", session.output());
    tree.write("go", "");
    session.wait_for("three 42");
    session.terminate();
    let output = session.output();
    let place = |text: &str| output.find(text).unwrap_or_else(|| panic!("{text}: {output}"));
    assert!(place("(status 0)") < place("echo three"), "{output}");
    assert!(!output.contains("two 42"), "{output}");
}

#[test]
fn what_is_watched_otherwise_leaves_no_thread_and_no_descriptor() {
    let tree = Tree::new(&[("a/f", "one"), ("b/f", "one")]);
    let file = |dir| format!("[watch]\npaths = ['{dir}']\n{}", service("web", dir));
    let mut session = start(&tree, &file("a"));
    session.wait_for("a 42");
    let process = format!("/proc/{}", session.pid().as_raw_nonzero());
    let entries = |of: &str| {
        let entries = fs::read_dir(format!("{process}/{of}")).unwrap().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    // Those that read events, and where from.
    let held = || {
        let names = entries("task").into_iter().map(|task| read(&task.join("comm")));
        let targets = entries("fd").into_iter().filter_map(|link| fs::read_link(link).ok());
        let is_inotify = |target: &PathBuf| target.ends_with("anon_inode:inotify");
        (names.filter(|name| name.trim() == "events").count(), targets.filter(is_inotify).count())
    };
    eventually("there is one of each", || held() == (1, 1));
    let before = entries("fd").len();
    for dir in ["b", "a", "b", "a"] {
        tree.save_by_rename(FILE, &file(dir));
        session.wait_for(&format!("{dir} 42"));
    }
    eventually("there is one of each again", || held() == (1, 1));
    eventually("all else is closed, too", || entries("fd").len() <= before);
}

#[test]
fn services_come_and_go() {
    let tree = Tree::new(&[]);
    let mut session = start(&tree, &two("shows", "serves"));
    session.wait_for_all(&["web | shows 42", "api | serves 42"]);
    tree.write(FILE, &(two("shows", "serves") + &service("db", "keeps")));
    session.wait_for("db  | keeps 42");
    tree.write(FILE, &(service("web", "shows") + &service("db", "keeps")));
    session.wait_for("api: the service is not configured any more");
    session.wait_for("api: stopped after");
    assert_eq!(session.terminate().code(), Some(143), "{}", session.output());
    for name in ["web", "api", "db"] {
        assert_eq!(session.seen(&format!("{name}: starting")), 1);
    }
}

#[test]
fn what_is_watched_can_be_another_and_a_mistyped_path_changes_nothing() {
    let tree = Tree::new(&[("src/a", "one"), ("conf/b", "one")]);
    let file = |paths: &str| {
        format!("[watch]\npaths = [{paths}]\n{}", service("web", "shows $(cat conf/b)"))
    };
    let mut session = start(&tree, &file("'src'"));
    session.wait_for_all(&["shows one 42", "all files were read once"]);
    tree.write(FILE, &file("'src', 'cnof'"));
    session.wait_for("cannot watch cnof");
    tree.save_by_rename("src/a", "two");
    session.wait_for_all(&["modified src/a", "shows one 42"]);
    tree.write(FILE, &file("'src', 'conf'"));
    // It starts anew, since what counts is another.
    let said = ["watching src, conf (2 files)", "all files were read once"];
    session.wait_for_each(&[&said, &["shows one 42"]]);
    tree.save_by_rename("conf/b", "two");
    session.wait_for_all(&["modified conf/b", "shows two 42"]);
    session.terminate();
    assert_eq!(session.seen("modified"), 2, "each is told once: {}", session.output());
}

#[test]
fn sockets_are_kept() {
    let tree = Tree::new(&[]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = |says: &str| {
        format!(
            "[service.web]\nlisten = '127.0.0.1:{port}'\nrun = ['python3', '-c', '''\n\
             import socket\n\
             server = socket.socket(fileno=3)\n\
             while True:\n    \
                 client, _ = server.accept()\n    \
                 client.sendall(b\"{says}\")\n    \
                 client.close()\n\
             ''']\n"
        )
    };
    let ask = || {
        let mut answer = String::new();
        let mut client = TcpStream::connect(("127.0.0.1", port)).expect("never refused");
        _ = client.write_all(b"?");
        _ = client.read_to_string(&mut answer);
        answer
    };
    let mut session = start(&tree, &server("one"));
    session.wait_for("starting");
    assert_eq!(ask(), "one");
    tree.write(FILE, &server("two"));
    eventually("the other answer", || ask() == "two");
    session.terminate();
}

#[test]
fn what_came_through_a_pipe_is_not_read_again() {
    let tree = Tree::new(&[("a", "one")]);
    let mut command = std::process::Command::new("bash");
    let says = service("web", "shows $(cat a)");
    let script = format!(
        "exec {} --interval 20ms --debounce 1ms -c <(echo \"$SAYS\")",
        env!("CARGO_BIN_EXE_stakeout")
    );
    command.args(["-c", &script]).env("SAYS", says).current_dir(tree.path(""));
    let mut session = Session::start(command);
    session.wait_for("shows one 42");
    tree.save_by_rename("a", "two");
    session.wait_for("shows two 42");
    session.terminate();
    assert_eq!(session.seen("starting"), 2, "{}", session.output());
}

#[test]
fn what_is_shown_can_be_another_without_a_restart() {
    let tree = Tree::new(&[("a", "1")]);
    let file = |output: &str| format!("[service.a]\nrun = 'sleep 1000'\n[output]\n{output}");
    let mut session = start(&tree, &file(""));
    session.wait_for("starting");
    tree.save_by_rename("stakeout.toml", &file("log-format = 'json'\nverbose = true\n"));
    let line = session.wait_for("the configuration file was read again");
    assert!(line.starts_with('{'), "{line}");
    tree.save_by_rename("stakeout.toml", &file("quiet = true\n"));
    tree.save_by_rename("stakeout.toml", &file("run = 'x'\n"));
    let line = session.wait_for("unknown key");
    assert!(line.starts_with('{'), "a mistake changes nothing: {line}");
    tree.save_by_rename("stakeout.toml", &file("log-time = true\n"));
    let line = session.wait_for("the configuration file was read again");
    assert!(line.contains("Z stakeout: "), "{line}");
    session.terminate();
    assert_eq!(session.seen("configured otherwise"), 0, "{}", session.output());
}

/// A server that takes its time to give back its port.
fn server(name: &str, port: u16, more: &str) -> String {
    format!(
        "[service.{name}]\nstop-timeout = '30s'\n{more}\nrun = ['python3', '-u', '-c', '''\n\
         import signal, socket, sys, time\n\
         server = socket.create_server((\"127.0.0.1\", {port}))\n\
         signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit(0)))\n\
         print(\"has the port\", 40 + 2)\n\
         while True: server.accept()[0].close()\n\
         ''']\n"
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_service_of_another_name_takes_the_place_of_what_it_was() {
    let tree = Tree::new(&[]);
    let port = free_port();
    let mut session = start(&tree, &(server("web", port, "") + &service("api", "serves")));
    session.wait_for_all(&["web | has the port 42", "api | serves 42"]);
    // Twice, the second time before the first has ended.
    tree.save_by_rename(FILE, &(server("site", port, "") + &service("api", "serves")));
    session.wait_for("web: the service is called site now");
    tree.save_by_rename(FILE, &(server("page", port, "") + &service("api", "serves")));
    session.wait_for("site: the service is called page now");
    session.wait_for("page | has the port 42");
    session.terminate();
    assert_eq!(session.seen("api: starting"), 1, "{}", session.output());
    assert_eq!(session.seen("in use") + session.seen("exited with"), 0, "{}", session.output());
}

#[test]
fn every_part_of_a_service_can_be_another() {
    let tree = Tree::new(&[("variables", "WHO=file\n"), ("sub/here", "")]);
    let (one, other) = (free_port(), free_port());
    let file = |more: &str| {
        format!(
            "[service.web]\nenv = {{ WHO = 'nobody' }}\n\
             run = 'echo $WHO in $(basename $PWD) on ${{LISTEN_FDS:-no}} as $(id -u) \
             has $(cat built); exec sleep 1000'\n{more}\n"
        )
    };
    let mut session = start(&tree, &file(""));
    session.wait_for("nobody in");
    let steps = [
        (format!("listen = ['127.0.0.1:{one}']"), "on 1 as"),
        (format!("listen = ['127.0.0.1:{one}', '127.0.0.1:{other}']"), "on 2 as"),
        ("build = 'echo it > built'\nbuild-outputs = ['built']".to_owned(), "has it"),
        ("cwd = 'sub'".to_owned(), "in sub"),
        ("ready = 'exec:true'".to_owned(), "ready after"),
    ];
    for (more, says) in steps {
        tree.save_by_rename(FILE, &file(&more));
        session.wait_for_all(&["the service is configured otherwise now", says]);
    }
    // What is not listened at any more is free.
    tree.save_by_rename(FILE, &file(""));
    session.wait_for("on no as");
    eventually("the port to be free", || TcpListener::bind(("127.0.0.1", one)).is_ok());
    if rustix::process::geteuid().is_root() {
        tree.save_by_rename(FILE, &file("user = '12345:12345'"));
        session.wait_for("as 12345");
    }
    session.terminate();
    assert_eq!(session.seen("going back"), 0, "{}", session.output());
}

#[test]
fn a_file_that_is_swapped_by_links_is_followed() {
    // As Kubernetes mounts a ConfigMap: the file leads to ..data, and that to what holds now.
    let tree = Tree::new(&[("a", "1")]);
    tree.write("map/..1/stakeout.toml", &service("web", "shows"));
    let link = |target: &str, link: &str| {
        std::os::unix::fs::symlink(target, tree.path("map/scratch")).unwrap();
        fs::rename(tree.path("map/scratch"), tree.path(link)).unwrap();
    };
    link("..1", "map/..data");
    link("..data/stakeout.toml", "map/stakeout.toml");
    let mut command = tree.stakeout();
    command.args(["--interval", "20ms", "--debounce", "1ms", "-v", "-c", "map/stakeout.toml"]);
    let mut session = Session::start(command);
    session.wait_for("shows 42");
    tree.write("map/..2/stakeout.toml", &service("web", "displays"));
    link("..2", "map/..data");
    fs::remove_dir_all(tree.path("map/..1")).unwrap();
    session.wait_for("displays 42");
    session.terminate();
}

#[test]
fn a_file_that_is_mounted_alone_is_followed() {
    let script = "mount --bind real/file stakeout.toml && exec \"$@\"";
    let mut outer = std::process::Command::new("unshare");
    outer.args(["--mount", "--", "sh", "-c", script, "sh"]);
    let tree = Tree::new(&[(FILE, ""), ("real/file", &service("web", "shows"))]);
    let mut trial = std::process::Command::new(outer.get_program());
    let works = trial.args(outer.get_args()).arg("true").current_dir(tree.path("")).output();
    if !works.is_ok_and(|output| output.status.success()) {
        return skip("needs root and mount namespaces");
    }
    let stakeout = tree.stakeout();
    outer.arg(stakeout.get_program()).args(["--interval", "20ms", "--debounce", "1ms", "-v"]);
    outer.current_dir(tree.path(""));
    let mut session = Session::start(outer);
    session.wait_for("shows 42");
    // In place, as far as the other side of a mount of one file goes: what is renamed over it
    // there is another file, which only the next start of the container sees.
    tree.write("real/file", "[service.web]\nrum = 'x'\n");
    session.wait_for("unknown key `rum`");
    tree.write("real/file", &service("web", "displays"));
    session.wait_for("displays 42");
    session.terminate();
}
