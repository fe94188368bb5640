//! What programs say of themselves (sd_notify(3)), and what one leaves for the next.

use rustix::process::{Resource, getrlimit};

use super::support::{Session, Tree};

/// Sends a message, with descriptors; says something on standard output.
const PRELUDE: &str = r#"
import array, os, select, signal, socket, subprocess, sys, time
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect(os.environ['NOTIFY_SOCKET'].replace('@', '\0', 1))
def send(words, *descriptors):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', descriptors))]
    client.sendmsg([words.encode()], rights if descriptors else [])
def barrier():
    reader, writer = os.pipe()
    send('BARRIER=1', writer)
    os.close(writer)
    poll = select.poll()
    poll.register(reader, 0)
    poll.poll()
    os.close(reader)
def say(text): os.write(1, (text + ' end\n').encode())
names = os.environ.get('LISTEN_FDNAMES', '').split(':')
"#;

fn run(tree: &Tree, options: &[&str], script: &str) -> Session {
    tree.write(".git/program.py", &format!("{PRELUDE}{script}"));
    tree.run(&[&["--debounce", "1ms"], options].concat(), "exec python3 .git/program.py")
}

#[test]
fn what_a_program_has_stored_survives_20_restarts() {
    let tree = Tree::new(&[("a", "0")]);
    // A counter in memory, and a live connection, which is not stored twice.
    let script = r#"
if 'LISTEN_FDNAMES' in os.environ:
    assert names == ['counter', 'connection'], names
    counter, connection = 3, socket.socket(fileno=4)
else:
    counter = os.memfd_create('counter')
    os.write(counter, b'0')
    connection, other = socket.socketpair()
    send('FDSTORE=1\nFDNAME=counter', counter)
    send('FDSTORE=1\nFDPOLL=0\nFDNAME=connection', connection.fileno())
    send('FDSTORE=1\nFDNAME=connection', connection.fileno())
count = int(os.pread(counter, 100, 0)) + 1
os.pwrite(counter, str(count).encode(), 0)
say(f"counts {count} for {open('a').read()}")
time.sleep(1000)
"#;
    let mut session = run(&tree, &[], script);
    session.wait_for("counts 1 for 0 end");
    for n in 1..=20 {
        tree.write("a", &n.to_string());
        session.wait_for(&format!("counts {} for {n} end", n + 1));
    }
}

#[test]
fn what_is_taken_back_does_not_return_and_no_more_than_512_are_kept() {
    let tree = Tree::new(&[("a", "0")]);
    let script = r#"
if 'LISTEN_FDNAMES' in os.environ:
    say(f"has {os.environ['LISTEN_FDS']} as {'+'.join(sorted(set(names)))}")
else:
    null = lambda: os.open('/dev/null', os.O_RDONLY)
    for name in ['kept', 'gone']:
        send(f'FDSTORE=1\nFDNAME={name}', null(), null())
    send('FDSTOREREMOVE=1\nFDNAME=gone')
    send('FDSTORE=1', null())
    for _ in range(3): send('FDSTORE=1\nFDNAME=many', *[null() for _ in range(200)])
    barrier()
    say('stored')
time.sleep(1000)
"#;
    let mut session = run(&tree, &[], script);
    let open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = (open / 4).min(512);
    let said = format!("more than {most} descriptors are stored; the rest is closed");
    session.wait_for_all(&["stored end", &said]);
    tree.write("a", "1");
    session.wait_for(&format!("has {most} as kept+many+stored end"));
}

#[test]
fn a_program_that_hangs_is_started_again() {
    let tree = Tree::new(&[]);
    let script = r#"
every = int(os.environ['WATCHDOG_USEC']) / 1e6
say(f'up every {every}')
for _ in range(4):
    send('WATCHDOG=1')
    time.sleep(every / 4)
send('STATUS=hanging…')
time.sleep(1000)
"#;
    let mut session = run(&tree, &["--watchdog", "400ms"], script);
    session.wait_for("up every 0.4 end");
    session.wait_for("the program says: hanging…");
    session.wait_for("watchdog was not heard in time");
    session.wait_for("SIGABRT");
    session.wait_for("up every 0.4 end");
}

#[test]
fn a_program_may_say_that_it_hangs_and_how_often_it_will_be_heard() {
    for hang in ["send('WATCHDOG=trigger')", "send('WATCHDOG_USEC=1000')"] {
        let tree = Tree::new(&[]);
        let script = format!("say('up')\n{hang}\ntime.sleep(1000)");
        let mut session = run(&tree, &["--watchdog", "1h"], &script);
        session.wait_for("up end");
        session.wait_for("watchdog was not heard in time");
        session.wait_for("up end");
    }
}

#[test]
fn who_needs_more_time_to_start_or_to_stop_is_given_it() {
    let tree = Tree::new(&[]);
    let script = r#"
send('EXTEND_TIMEOUT_USEC=60000000')
barrier()
def stop(*_):
    send('EXTEND_TIMEOUT_USEC=60000000\nSTOPPING=1')
    time.sleep(3.5)
    os._exit(9)
signal.signal(signal.SIGTERM, stop)
say('starts')
time.sleep(3.5)
send('READY=1')
time.sleep(1000)
"#;
    let options = ["--ready", "notify", "--ready-timeout", "3s", "--stop-timeout", "3s"];
    let mut session = run(&tree, &options, script);
    session.wait_for("starts end");
    session.wait_for("ready after");
    assert_eq!(session.terminate().code(), Some(9), "{}", session.output());
    assert_eq!(session.seen("not ready in time") + session.seen("killing"), 0);
}

#[test]
fn what_is_said_is_shown_and_a_barrier_tells_that_it_was_heard() {
    let tree = Tree::new(&[]);
    let script = r#"
send('STATUS=loading 100 %\nERRNO=2')
send('RELOADING=1\nMONOTONIC_USEC=5')
send(f'MAINPID={os.getpid()}')
send('STOPPING=1\nX_OWN=yes')
barrier()
say('heard')
time.sleep(1000)
"#;
    let mut session = run(&tree, &["-v"], script);
    session.wait_for_all(&[
        "the program says: loading 100 %",
        "the program says that it fails: No such file or directory",
        "the program reads its settings again",
        "passed over here: MONOTONIC_USEC=5",
        "passed over here: MAINPID=",
        "the program says that it is stopping",
        "passed over here: X_OWN=yes",
        "heard end",
    ]);
    assert_eq!(session.seen("mean nothing"), 0, "{}", session.output());
}

#[test]
fn only_the_programs_own_processes_are_heard_and_nonsense_is_told_of_once() {
    let tree = Tree::new(&[]);
    let script = r#"
say(f"socket {os.environ['NOTIFY_SOCKET']}")
for _ in range(3): client.send(b'nonsense\nREADY=7\n\xff\xfe')
# A child, and one that has left the group and lost its parent.
if os.fork() == 0: send('STATUS=said by a child'); barrier(); os._exit(0)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: send('STATUS=said by a daemon'); barrier(); os._exit(0)
    os._exit(0)
time.sleep(1000)
"#;
    let mut session = run(&tree, &["-v", "--ready", "notify"], script);
    let line = session.wait_for("socket ");
    session.wait_for_all(&[
        "3 lines to NOTIFY_SOCKET that mean nothing",
        "said by a child",
        "said by a daemon",
    ]);
    let name = line.split_whitespace().nth(1).expect("a name").to_owned();
    let stranger = "import socket, sys; \
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', sys.argv[1].replace('@', '\\0', 1))";
    let status = std::process::Command::new("python3").args(["-c", stranger, &name]).status();
    assert!(status.expect("python3").success());
    session.wait_for("which is none of the program's");
    assert_eq!(session.seen("ready after"), 0, "{}", session.output());
    assert_eq!(session.seen("that mean nothing"), 1, "{}", session.output());
    session.terminate();
    assert!(name.starts_with('@') || !std::path::Path::new(&name).exists(), "{name}");
}
