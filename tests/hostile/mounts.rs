//! Volumes that are mounted over what is watched, unmounted, and mounted again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};

use super::share::can_mount;
use super::share::skip::skip;
use super::support::{Watched, write};

/// A mount that is gone at the end of a test.
pub struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(path: &Path) -> Self {
        Self::new("tmpfs", path)
    }

    /// A file system that needs no device.
    pub fn new(kind: &str, path: &Path) -> Self {
        mount("none", path, kind, MountFlags::empty(), None::<&std::ffi::CStr>).unwrap();
        Self(path.to_path_buf())
    }

    /// One that a program mounts, if that is installed.
    pub fn by(program: &str, arguments: &[&Path], path: &Path) -> Option<Self> {
        let output = Command::new(program).args(arguments).arg(path).output();
        match output {
            Ok(output) => assert!(output.status.success(), "{program}: {output:?}"),
            Err(error) => {
                skip(&format!("needs {program}: {error}"));
                return None;
            }
        }
        Some(Self(path.to_path_buf()))
    }

    fn bind(from: &Path, path: &Path) -> Self {
        mount_bind(from, path).unwrap();
        Self(path.to_path_buf())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, since a scanner may hold directories in it.
        _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

fn errnos(tree: &mut Watched) -> Vec<i32> {
    tree.scanner.look().troubles.iter().map(|trouble| trouble.errno).collect()
}

#[test]
fn a_volume_over_a_known_directory_is_noticed_and_its_end_too() {
    if !can_mount() {
        return;
    }
    let mut tree = Watched::new(&[("vol/deep/a", "below")]);
    let volume = Mounted::tmpfs(&tree.path("vol"));
    assert_eq!(errnos(&mut tree), [libc::ENODEV], "an empty one looks like one that is missing");
    tree.write("vol/deep/b", "above");
    assert_eq!(tree.changes(), ["removed vol/deep/a", "created vol/deep/b"]);
    drop(volume);
    assert_eq!(tree.changes(), ["created vol/deep/a", "removed vol/deep/b"]);
}

#[test]
fn a_bind_mount_of_the_same_device_that_vanishes_deletes_nothing() {
    if !can_mount() {
        return;
    }
    let other = tempfile::tempdir().unwrap();
    write(&other.path().join("deep/a"), "one");
    let mut tree = Watched::new(&[("own", "1")]);
    fs::create_dir(tree.path("vol")).unwrap();
    let volume = Mounted::bind(other.path(), &tree.path("vol"));
    assert_eq!(tree.changes(), ["created vol/deep/a"]);
    drop(volume);
    for _ in 0..2 {
        let look = tree.scanner.look();
        assert_eq!(look.snapshot.len(), 2);
        assert_eq!(look.troubles.len(), 1, "{:?}", look.troubles);
    }
    write(&other.path().join("deep/a"), "two");
    let _volume = Mounted::bind(other.path(), &tree.path("vol"));
    assert_eq!(tree.changes(), ["modified vol/deep/a"]);
}

#[test]
fn a_root_that_is_unmounted_and_mounted_again_lost_nothing() {
    if !can_mount() {
        return;
    }
    let (place, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&kept.path().join("deep/a"), "one");
    let root = Mounted::bind(kept.path(), place.path());
    let mut tree = Watched::at(place.path(), false);
    drop(root);
    for _ in 0..2 {
        assert_eq!(errnos(&mut tree), [libc::ENODEV]);
        assert_eq!(tree.scanner.snapshot().len(), 1);
    }
    let _root = Mounted::bind(kept.path(), place.path());
    assert_eq!(tree.changes(), [""; 0]);
}

#[test]
fn a_volume_that_links_lead_into_loses_nothing_when_it_is_unmounted() {
    if !can_mount() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (root, vol) = (place.path().join("tree"), place.path().join("vol"));
    write(&root.join("own"), "1");
    fs::create_dir(&vol).unwrap();
    let kept = tempfile::tempdir_in("/dev/shm").unwrap();
    write(&kept.path().join("deep/a"), "one");
    write(&kept.path().join("file"), "one");
    for (target, link) in [("vol", "all"), ("vol/deep", "sub"), ("vol/file", "file")] {
        std::os::unix::fs::symlink(place.path().join(target), root.join(link)).unwrap();
    }
    std::os::unix::fs::symlink("file", root.join("twin")).unwrap();
    let volume = Mounted::bind(kept.path(), &vol);
    let mut tree = Watched::following(&root);
    assert_eq!(tree.scanner.snapshot().len(), 6);
    drop(volume);
    for _ in 0..2 {
        let look = tree.scanner.look();
        assert_eq!(look.snapshot.len(), 6);
        let errnos: Vec<i32> = look.troubles.iter().map(|trouble| trouble.errno).collect();
        assert!(errnos.iter().all(|errno| *errno == libc::ENODEV), "{:?}", look.troubles);
        let troubles: BTreeSet<PathBuf> = look.troubles.into_iter().map(|it| it.path).collect();
        assert_eq!(troubles, ["all", "file", "sub", "twin"].map(|link| root.join(link)).into());
    }
    write(&kept.path().join("deep/a"), "two");
    write(&kept.path().join("file"), "two");
    let _volume = Mounted::bind(kept.path(), &vol);
    let changed =
        ["file", "twin", "all/file", "all/deep/a", "sub/a"].map(|path| format!("modified {path}"));
    assert_eq!(tree.changes(), changed);
    // What is deleted is.
    fs::remove_file(kept.path().join("file")).unwrap();
    assert_eq!(tree.changes(), ["modified file", "modified twin", "removed all/file"]);
}

/// As when a container's whole file system is watched.
#[test]
fn what_the_kernel_makes_up_is_not_entered() {
    if !can_mount() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let kinds = ["proc", "sysfs", "devpts", "mqueue", "debugfs", "securityfs"];
    let mounted: Vec<Mounted> = kinds
        .iter()
        .filter_map(|kind| {
            let path = place.path().join(kind);
            fs::create_dir(&path).unwrap();
            let no_options = None::<&std::ffi::CStr>;
            // Not every kernel has each of them.
            mount("none", &path, *kind, MountFlags::empty(), no_options).ok()?;
            Some(Mounted(path))
        })
        .collect();
    assert!(mounted.len() >= 2, "proc and sysfs are everywhere");
    write(&place.path().join("a"), "one");
    let mut tree = Watched::at(place.path(), false);
    assert_eq!(tree.scanner.snapshot().len(), 1);
    assert_eq!(tree.scanner.made_up().count(), mounted.len());
    tree.write("a", "two");
    assert_eq!(tree.changes(), ["modified a"]);
    assert_eq!(errnos(&mut tree), [0; 0]);
}
