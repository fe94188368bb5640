//! A share as containers see one, made by a FUSE server in this process: it shows a directory that
//! is edited behind its back, so that the kernel sends no events, and it fails as told.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory,
    ReplyEntry, ReplyOpen, Request, Session,
};

#[path = "share/faults.rs"]
mod faults;
#[path = "../scan/skip.rs"]
pub mod skip;

pub use faults::{Faults, Op};

/// Requests that are answered at the same time.
const THREADS: usize = 24;

/// A mounted share. Unmounted when dropped, whatever it is made to do.
pub struct Share {
    behind: tempfile::TempDir,
    mount: tempfile::TempDir,
    server: Arc<Server>,
    session: Option<BackgroundSession>,
}

/// Whether this user and kernel can mount things; where not, the test is skipped.
pub fn can_mount() -> bool {
    let can = rustix::process::geteuid().is_root() && Path::new("/dev/fuse").exists();
    if !can {
        skip::skip("needs root and /dev/fuse");
    }
    can
}

impl Share {
    /// Mounts a share, if that can be done.
    pub fn mount() -> Option<Self> {
        if !can_mount() {
            return None;
        }
        let (behind, mount) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = Arc::new(Server::new(behind.path()));
        let mut config = Config::default();
        config.n_threads = Some(THREADS);
        let session =
            Session::new(Front(Arc::clone(&server)), mount.path(), &config).expect("a mount");
        let session = Some(session.spawn().expect("threads for a server"));
        Some(Self { behind, mount, server, session })
    }

    /// Where the share is seen.
    pub fn path(&self) -> &Path {
        self.mount.path()
    }

    /// The same place as it is edited from behind.
    pub fn behind(&self, path: &str) -> PathBuf {
        self.behind.path().join(path)
    }

    /// Writes a file from behind, its directories made.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.behind(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// From here on this is wrong with it.
    pub fn set(&self, faults: Faults) {
        let mut state = self.server.state();
        if !faults.stale_listings {
            state.listings.clear();
        }
        state.faults = faults;
        state.failed = 0;
        self.server.released.notify_all();
    }

    /// How many requests have failed by the errors that were set last.
    pub fn failed(&self) -> usize {
        self.server.state().failed
    }

    /// How many requests wait for an answer.
    pub fn at_once(&self) -> usize {
        self.server.state().at_once
    }

    /// The same, at the most so far.
    pub fn most_at_once(&self) -> usize {
        self.server.state().most_at_once
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(Faults::default());
        // Lazily, should somebody still stand in it.
        _ = rustix::mount::unmount(self.mount.path(), rustix::mount::UnmountFlags::DETACH);
        if let Some(session) = self.session.take() {
            _ = session.join();
        }
    }
}

struct Server {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    top: PathBuf,
    faults: Faults,
    /// The path of each node, below the top.
    paths: HashMap<u64, PathBuf>,
    /// The node of each file that was at a path.
    nodes: HashMap<(PathBuf, u64, u32), u64>,
    listings: HashMap<PathBuf, Vec<(OsString, FileType)>>,
    made_up: u64,
    at_once: usize,
    most_at_once: usize,
    failed: usize,
}

type Outcome<T> = Result<T, Errno>;

impl Server {
    fn new(top: &Path) -> Self {
        let paths = HashMap::from([(1, PathBuf::new())]);
        let state = State { top: top.to_path_buf(), paths, ..State::default() };
        Self { state: Mutex::new(state), released: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Answers a request about `node`, or about `name` in it, as slowly and as wrongly as told.
    fn answer<T>(
        &self,
        op: Op,
        node: u64,
        name: Option<&OsStr>,
        work: impl FnOnce(&mut State, PathBuf) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut state = self.state();
        state.at_once += 1;
        state.most_at_once = state.most_at_once.max(state.at_once);
        let latency = state.faults.latency;
        if !latency.is_zero() {
            drop(state);
            thread::sleep(latency);
            state = self.state();
        }
        while state.faults.hangs {
            state = self.released.wait(state).unwrap();
        }
        state.at_once -= 1;
        let mut path = state.paths.get(&node).cloned().ok_or(Errno::ESTALE)?;
        path.extend(name);
        if let Some((ops, errno)) = &state.faults.errors
            && ops.contains(&op)
            && state.faults.only.as_ref().is_none_or(|only| *only == path)
        {
            let errno = *errno;
            state.failed += 1;
            return Err(Errno::from_i32(errno));
        }
        work(&mut state, path)
    }
}

impl State {
    fn real(&self, path: &Path) -> PathBuf {
        self.top.join(path)
    }

    fn node(&mut self, path: &Path, metadata: &Metadata) -> u64 {
        if path.as_os_str().is_empty() {
            return 1;
        }
        let key = (path.to_path_buf(), metadata.ino(), metadata.mode() & 0o170_000);
        let next = self.nodes.len() as u64 + 2;
        let node = *self.nodes.entry(key).or_insert(next);
        self.paths.insert(node, path.to_path_buf());
        node
    }

    fn time(&self, time: SystemTime) -> SystemTime {
        let mut nanoseconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        nanoseconds -= nanoseconds % self.faults.granule.as_nanos().max(1);
        let time = UNIX_EPOCH + Duration::from_nanos(u64::try_from(nanoseconds).unwrap());
        let skew = Duration::from_secs(self.faults.skew.unsigned_abs());
        match self.faults {
            Faults { stopped_clock: true, .. } => UNIX_EPOCH,
            Faults { skew: 0.., .. } => time + skew,
            _ => time - skew,
        }
    }

    fn attributes(&mut self, inode: u64, metadata: &Metadata) -> FileAttr {
        let frozen = metadata.is_dir() && self.faults.frozen_directories;
        let changed = Duration::new(metadata.ctime() as u64, metadata.ctime_nsec() as u32);
        let time = |time| if frozen { UNIX_EPOCH } else { self.time(time) };
        let (mtime, ctime) = (time(metadata.modified().unwrap()), time(UNIX_EPOCH + changed));
        FileAttr {
            ino: INodeNo(inode),
            size: if frozen { 0 } else { metadata.len() },
            blocks: 1,
            atime: UNIX_EPOCH,
            mtime,
            ctime,
            crtime: UNIX_EPOCH,
            kind: kind(metadata.file_type()),
            perm: (metadata.permissions().mode() & 0o7777) as u16,
            nlink: 1,
            uid: metadata.uid(),
            gid: metadata.gid(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    fn shown_inode(&mut self, node: u64) -> u64 {
        if !self.faults.unstable_inodes {
            return node;
        }
        self.made_up += 1;
        (1 << 40) + self.made_up
    }

    fn listing(&mut self, path: &Path) -> Outcome<Vec<(OsString, FileType)>> {
        if let Some(stale) = self.listings.get(path) {
            return Ok(stale.clone());
        }
        let mut listing = Vec::new();
        for entry in fs::read_dir(self.real(path)).map_err(Errno::from)? {
            let entry = entry.map_err(Errno::from)?;
            listing.push((entry.file_name(), kind(entry.file_type().map_err(Errno::from)?)));
        }
        if self.faults.stale_listings {
            self.listings.insert(path.to_path_buf(), listing.clone());
        }
        Ok(listing)
    }
}

fn kind(kind: fs::FileType) -> FileType {
    FileType::from_std(kind).expect("a kind of file that Linux knows")
}

/// What the kernel talks to.
struct Front(Arc<Server>);

impl Filesystem for Front {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // As libfuse and virtiofsd do; without, the kernel looks up one name of a directory at a time.
        _ = config.add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let answer = self.0.answer(Op::Lookup, parent.0, Some(name), |state, path| {
            let metadata = fs::symlink_metadata(state.real(&path)).map_err(Errno::from)?;
            let node = state.node(&path, &metadata);
            Ok((state.attributes(node, &metadata), state.faults.remembered))
        });
        match answer {
            Ok((attributes, remembered)) => reply.entry(&remembered, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let answer = self.0.answer(Op::Getattr, node.0, None, |state, path| {
            let metadata = fs::symlink_metadata(state.real(&path)).map_err(Errno::from)?;
            let inode = state.shown_inode(node.0);
            Ok((state.attributes(inode, &metadata), state.faults.remembered))
        });
        match answer {
            Ok((attributes, remembered)) => reply.attr(&remembered, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, node: INodeNo, reply: ReplyData) {
        let answer = self.0.answer(Op::Readlink, node.0, None, |state, path| {
            fs::read_link(state.real(&path)).map_err(Errno::from)
        });
        match answer {
            Ok(target) => reply.data(target.as_os_str().as_bytes()),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.0.answer(Op::Open, node.0, None, |_, _| Ok(())) {
            Ok(()) => reply.opened(FileHandle(0), fuser::FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let answer = self.0.answer(Op::Read, node.0, None, |state, path| {
            let file = File::open(state.real(&path)).map_err(Errno::from)?;
            let mut bytes = vec![0; size as usize];
            let length = file.read_at(&mut bytes, offset).map_err(Errno::from)?;
            bytes.truncate(length);
            Ok(bytes)
        });
        match answer {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn opendir(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.0.answer(Op::Opendir, node.0, None, |_, _| Ok(())) {
            Ok(()) => reply.opened(FileHandle(0), fuser::FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let answer = self.0.answer(Op::Readdir, node.0, None, |state, path| {
            let listing = state.listing(&path)?;
            match state.faults.half_listings {
                true if offset > 0 => Err(Errno::EIO),
                true => Ok(listing[..listing.len().min(1)].to_vec()),
                false => Ok(listing),
            }
        });
        match answer {
            Ok(listing) => {
                let rest = listing.into_iter().enumerate().skip(offset as usize);
                for (index, (name, kind)) in rest {
                    if reply.add(INodeNo(index as u64 + 2), index as u64 + 1, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error),
        }
    }
}
