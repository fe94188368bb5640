//! The side that answers: takes connections, and passes each request on to the main thread.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::{Answer, Place, Request, candidates};

/// A request, to be answered.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes; nobody may be there any more.
    pub answer: SyncSender<Answer>,
}

/// The socket, which is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    /// Its device and inode, which are no other file's as long as it is open.
    identity: (u64, u64),
    seats: Arc<Seats>,
}

/// How long a client may take to ask, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same where others wait: who comes then has waited as well, and could have asked meanwhile.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// For so long after one had to wait.
const CROWDED: Duration = Duration::from_secs(1);

/// How long the last answers may take at the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// The longest request.
const LONGEST: usize = 4096;

/// Clients at once; more wait in the kernel's queue.
const CLIENTS: usize = 64;

impl Server {
    /// Opens the socket; none if it is to be nowhere.
    ///
    /// # Errors
    /// When there is no place for it, or another stakeout answers there (`AddrInUse`).
    pub fn open(place: &Place) -> io::Result<Option<Self>> {
        let (path, listener) = match place {
            Place::Off => return Ok(None),
            Place::At(path) => (path.clone(), bind(path)?),
            Place::Default => bind_default()?,
        };
        let found = fs::symlink_metadata(&path)?;
        let identity = (found.dev(), found.ino());
        Ok(Some(Self { listener, path, identity, seats: Arc::default() }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Passes every request on, from threads of its own. `send` says whether anybody is there to
    /// take it.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn serve(&self, send: impl Fn(Call) -> bool + Send + Sync + 'static) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        let send = Arc::new(send);
        let seats = Arc::clone(&self.seats);
        thread::Builder::new().name("control".into()).spawn(move || {
            for stream in listener.incoming() {
                // Out of descriptors, for example: that may pass.
                let Ok(stream) = stream else {
                    thread::sleep(Duration::from_millis(100));
                    continue;
                };
                let (send, (seat, patience)) = (Arc::clone(&send), Seats::take(&seats));
                // A client that cannot be served sees its connection closed.
                _ = thread::Builder::new().name("client".into()).spawn(move || {
                    _ = answer(stream, patience, &seat, &*send);
                });
            }
        })?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Unless somebody else has put theirs there.
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            _ = fs::remove_file(&self.path);
        }
        self.seats.wait_for_answers();
    }
}

/// Counts the clients that are served.
#[derive(Debug, Default)]
struct Seats {
    taken: Mutex<Taken>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    /// How many have asked and were not answered yet.
    asking: usize,
    /// When somebody had to wait last.
    crowded: Option<Instant>,
}

impl Seats {
    /// Waits until one is free; says how long who takes it may take to ask.
    fn take(seats: &Arc<Self>) -> (Seat, Duration) {
        let taken = seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let had_to_wait = taken.count >= CLIENTS;
        let taken = seats.left.wait_while(taken, |taken| taken.count >= CLIENTS);
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if had_to_wait {
            taken.crowded = Some(Instant::now());
        }
        let is_crowded = taken.crowded.is_some_and(|since| since.elapsed() < CROWDED);
        taken.count += 1;
        (Seat(Arc::clone(seats)), if is_crowded { IMPATIENCE } else { PATIENCE })
    }

    /// Waits a moment until all who have asked are answered: who asks for the end, for example, and
    /// would take our exit for a failure.
    fn wait_for_answers(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        _ = self.left.wait_timeout_while(taken, FAREWELL, |taken| taken.asking > 0);
    }
}

/// Free again when it is dropped, also when its client's thread could not be made.
struct Seat(Arc<Seats>);

impl Seat {
    /// Who sits there has asked, until this is dropped.
    fn ask(&self) -> Asking<'_> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).asking += 1;
        Asking(&self.0)
    }
}

struct Asking<'a>(&'a Seats);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).asking -= 1;
        self.0.left.notify_all();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).count -= 1;
        self.0.left.notify_one();
    }
}

fn bind_default() -> io::Result<(PathBuf, UnixListener)> {
    let directory = std::env::current_dir()?;
    let mut failure = None;
    for path in candidates(&directory) {
        match own_directory(&path).and_then(|()| bind(&path)) {
            Ok(listener) => return Ok((path, listener)),
            // It would not be found elsewhere either.
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
            Err(error) => _ = failure.get_or_insert(error),
        }
    }
    Err(failure.unwrap_or_else(|| ErrorKind::NotFound.into()))
}

/// Makes the directory that a socket shall lie in. In a directory that all may write to, someone
/// else may have made it, who could then exchange what lies in it.
fn own_directory(socket: &Path) -> io::Result<()> {
    let Some(directory) = socket.parent() else { return Ok(()) };
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(directory)?;
    let is_ours = found.is_dir() && found.uid() == geteuid().as_raw();
    match is_ours && found.mode() & 0o077 == 0 {
        true => Ok(()),
        false => Err(ErrorKind::PermissionDenied.into()),
    }
}

/// Binds to a path. What a stakeout has left there that was killed is replaced.
fn bind(path: &Path) -> io::Result<UnixListener> {
    // Two that start at once would both find what was left, and one remove what the other made.
    let lock = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let lock = File::open(lock.unwrap_or(".".as_ref()))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    // Connecting to a file is refused as well, and a link is followed: neither is ours to remove.
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        let why = "what is there is no socket, and is kept";
        return Err(io::Error::new(ErrorKind::AlreadyExists, why));
    }
    if UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        _ = fs::remove_file(path);
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers one client's requests, line by line.
fn answer(
    stream: UnixStream,
    mut patience: Duration,
    seat: &Seat,
    send: &impl Fn(Call) -> bool,
) -> io::Result<()> {
    let peer = socket_peercred(&stream)?;
    if peer.uid != geteuid() && !peer.uid.is_root() {
        return Ok(());
    }
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let line = line(&mut reader, Instant::now() + patience)?;
        if line.is_empty() {
            return Ok(());
        }
        patience = PATIENCE;
        let _asking = seat.ask();
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => {
                let (answer, answers) = mpsc::sync_channel(1);
                if !send(Call { request, answer }) {
                    return Ok(());
                }
                let Ok(answer) = answers.recv() else { return Ok(()) };
                answer
            }
            Err(error) => Answer::Refused(format!("that is no request: {error}")),
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        writer.write_all(&text)?;
        if matches!(answer, Answer::Refused(_)) && !line.ends_with(b"\n") {
            return Ok(());
        }
    }
}

/// Reads a line, or as much as is the longest; all of it has to be there by then.
fn line(reader: &mut BufReader<UnixStream>, until: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        reader.get_ref().set_read_timeout(Some(left))?;
        let found = reader.fill_buf()?;
        let end = found.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        let most = end.unwrap_or(found.len()).min(LONGEST - line.len());
        let is_over = found.is_empty() || end == Some(most) || line.len() + most == LONGEST;
        line.extend(&found[..most]);
        reader.consume(most);
        if is_over {
            return Ok(line);
        }
    }
}
