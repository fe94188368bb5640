//! The notification protocol of systemd (sd_notify(3)): datagrams of `KEY=VALUE` lines by which a
//! program says that it is ready, and stores descriptors for the instance after it.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use super::door::Door;

/// A message, and who has sent it.
#[derive(Debug)]
pub struct Notice {
    /// The sender, by the kernel's word; 0 where it is not of our PID namespace.
    pub pid: i32,
    /// What it says.
    pub words: Vec<Word>,
    /// Lines that mean nothing.
    pub malformed: usize,
    /// The descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
    /// Whether some did not, since no more can be open.
    pub is_cut: bool,
}

/// One line of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is ready.
    Ready,
    /// It is stopping.
    Stopping,
    /// It reads its configuration again, and will be ready when that is done.
    Reloading,
    /// A line for people.
    Status(String),
    /// Why it fails, as an `errno(3)`.
    Errno(i32),
    /// It needs so much more time to start or to stop.
    Extend(Duration),
    /// It is alive.
    Watchdog,
    /// It found out that it does not work any more.
    Trigger,
    /// It will say that it is alive at least so often.
    WatchdogEvery(Duration),
    /// Close the descriptors when everything before was read.
    Barrier,
    /// Keep the descriptors.
    Store,
    /// Forget those of this name.
    Remove,
    /// The name of the descriptors.
    Name(String),
    /// Keep them also when their other end is closed.
    NoPoll,
    /// What is not acted on here: the main process is the one that was started, for example.
    Other(String),
}

/// Descriptors that one message may bring; the kernel's own limit is 253 (unix(7)).
const DESCRIPTORS: usize = 253;

/// The longest message that is read.
const LONGEST: usize = 64 * 1024;

/// Opens the socket, and passes every message on from a thread of its own.
///
/// # Errors
/// When no socket or thread can be made.
pub fn serve(send: impl Fn(Notice) -> bool + Send + 'static) -> io::Result<Door> {
    let (door, socket) = Door::open()?;
    set_socket_passcred(&socket, true)?;
    thread::Builder::new().name("notify".into()).spawn(move || {
        let mut buffer = vec![0; LONGEST];
        while let Ok(notice) = receive(&socket, &mut buffer) {
            if !notice.is_none_or(&send) {
                break;
            }
        }
    })?;
    Ok(door)
}

/// Reads one message; none if it came without credentials.
fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<Option<Notice>> {
    let mut space =
        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS), ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut parts = [IoSliceMut::new(buffer)];
        match recvmsg(socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    };
    let (mut pid, mut descriptors) = (None, Vec::new());
    for message in ancillary.drain() {
        match message {
            RecvAncillaryMessage::ScmCredentials(credentials) => {
                pid = Some(credentials.pid.as_raw_nonzero().get());
            }
            RecvAncillaryMessage::ScmRights(rights) => descriptors.extend(rights),
            _ => {}
        }
    }
    let is_whole = !received.flags.contains(ReturnFlags::TRUNC);
    let text = if is_whole { &buffer[..received.bytes] } else { &[] };
    let (words, malformed) = parse(text);
    let malformed = malformed + usize::from(!is_whole);
    let is_cut = received.flags.contains(ReturnFlags::CTRUNC);
    Ok(pid.map(|pid| Notice { pid, words, malformed, descriptors, is_cut }))
}

/// Reads the lines of a message; gives how many mean nothing, too.
fn parse(text: &[u8]) -> (Vec<Word>, usize) {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let words: Vec<Option<Word>> = lines.map(|line| word(str::from_utf8(line).ok()?)).collect();
    let malformed = words.iter().filter(|word| word.is_none()).count();
    (words.into_iter().flatten().collect(), malformed)
}

fn word(line: &str) -> Option<Word> {
    let (key, value) = line.split_once('=')?;
    let microseconds = || value.parse().ok().map(Duration::from_micros);
    Some(match (key, value) {
        ("READY", "1") => Word::Ready,
        ("STOPPING", "1") => Word::Stopping,
        ("RELOADING", "1") => Word::Reloading,
        ("STATUS", text) => Word::Status(text.to_owned()),
        ("ERRNO", number) => Word::Errno(number.parse().ok()?),
        ("EXTEND_TIMEOUT_USEC", _) => Word::Extend(microseconds()?),
        ("WATCHDOG", "1") => Word::Watchdog,
        ("WATCHDOG", "trigger") => Word::Trigger,
        ("WATCHDOG_USEC", _) => Word::WatchdogEvery(microseconds()?),
        ("BARRIER", "1") => Word::Barrier,
        ("FDSTORE", "1") => Word::Store,
        ("FDSTOREREMOVE", "1") => Word::Remove,
        ("FDNAME", name) if is_descriptor_name(name) => Word::Name(name.to_owned()),
        ("FDPOLL", "0") => Word::NoPoll,
        ("FDPOLL", "1") => return Some(Word::Other(line.to_owned())),
        (
            "READY" | "STOPPING" | "RELOADING" | "WATCHDOG" | "BARRIER" | "FDSTORE"
            | "FDSTOREREMOVE" | "FDNAME" | "FDPOLL",
            _,
        ) => return None,
        (key, _) if !key.is_empty() => Word::Other(line.to_owned()),
        _ => return None,
    })
}

/// As sd_pid_notify_with_fds(3) has it: ASCII without control characters and colons, 1 to 255.
fn is_descriptor_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii() && !c.is_ascii_control() && c != ':';
    (1..256).contains(&name.len()) && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn lines_are_read_and_nonsense_is_counted() {
        let text = b"READY=1\nSTATUS=up = fine\n\nEXTEND_TIMEOUT_USEC=1500000\nWATCHDOG=1\nERRNO=2\nMAINPID=5\n";
        let words = [
            Word::Ready,
            Word::Status("up = fine".into()),
            Word::Extend(Duration::from_millis(1500)),
            Word::Watchdog,
            Word::Errno(2),
            Word::Other("MAINPID=5".into()),
        ];
        assert_eq!(parse(text), (words.to_vec(), 0));
        for nonsense in ["READY", "READY=2", "=1", "ERRNO=x", "FDNAME=a:b", "FDNAME=", "\u{ff}"] {
            assert_eq!(parse(nonsense.as_bytes()), (vec![], 1), "{nonsense}");
        }
        assert_eq!(parse(b"\xff\xfe=1\nREADY=1"), (vec![Word::Ready], 1));
        assert_eq!(parse(b""), (vec![], 0));
    }

    #[test]
    fn what_is_sent_comes_with_its_sender_and_descriptors() {
        let (sender, notices) = mpsc::channel();
        let door = serve(move |notice| sender.send(notice).is_ok()).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        match door.name().strip_prefix('@') {
            Some(name) => {
                client.connect_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap()
            }
            None => client.connect(door.name()).unwrap(),
        }
        client.send(b"READY=1").unwrap();
        let notice = notices.recv().unwrap();
        assert_eq!(notice.pid, std::process::id().cast_signed());
        assert_eq!((notice.words, notice.descriptors.len()), (vec![Word::Ready], 0));
        client.send(&[b'x'; 70_000]).unwrap();
        let notice = notices.recv().unwrap();
        assert_eq!((notice.words, notice.malformed), (vec![], 1), "too long");
    }
}
