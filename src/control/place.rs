//! Where the control socket is.
//!
//! Who asks and who answers have to come to the same path with nothing said between them, also
//! in a container of which the root is read-only. So it is named after the working directory,
//! which `docker exec` and HEALTHCHECK share with the ENTRYPOINT, and lies in the first directory
//! that can be written: /dev/shm can in every container.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Where the socket is, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the first of [`candidates`] that will do.
    Default,
    /// There.
    At(PathBuf),
    /// Nowhere.
    Off,
}

/// The directories that may hold our sockets, best first.
fn directories() -> Vec<PathBuf> {
    let own: Option<OsString> = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    let shared = ["/run", "/dev/shm", "/tmp"].map(PathBuf::from);
    let below = format!("stakeout-{}", geteuid().as_raw());
    own.map(PathBuf::from).into_iter().chain(shared).map(|path| path.join(&below)).collect()
}

/// The paths where the socket of a stakeout with this working directory may be, best first.
pub fn candidates(directory: &Path) -> Vec<PathBuf> {
    let digest = blake3::hash(directory.as_os_str().as_bytes()).to_hex();
    let name = format!("{}.sock", &digest[..16]);
    directories().into_iter().map(|path| path.join(&name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_working_directory_has_its_own() {
        let (one, other) = (candidates("/src/one".as_ref()), candidates("/src/other".as_ref()));
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
        assert_eq!(one, candidates("/src/one".as_ref()));
        // sun_path of unix(7) ends at 108.
        assert!(one.iter().all(|path| path.as_os_str().len() < 108));
    }
}
