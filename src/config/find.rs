//! Which configuration file there is, and its text.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a file is called, the strongest first.
const NAMES: [&str; 3] = ["stakeout.toml", "stakeout.yaml", "stakeout.yml"];

/// What air's is called.
const AIR: [&str; 2] = [".air.toml", ".config/air.toml"];

/// The most that is read: whoever names a device, or a wrong file, hears of it.
const LARGEST: u64 = 1 << 20;

/// A file that was found by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The directory that it is for.
    pub directory: PathBuf,
    /// The file, relative to that.
    pub file: PathBuf,
}

/// The nearest configuration file, in a directory (an absolute path) or those above it; with
/// `air`, one of air's, too.
///
/// Above the directory, only files count that belong to its owner, to root or to who we are:
/// anybody may put one into /tmp, and what it says is run.
pub fn find(directory: &Path, air: bool) -> Option<Found> {
    let us = rustix::process::geteuid().as_raw();
    let owner = directory.metadata().map_or(us, |metadata| metadata.uid());
    for ancestor in directory.ancestors() {
        for name in NAMES.iter().chain(AIR.iter().filter(|_| air)) {
            let Ok(metadata) = ancestor.join(name).metadata() else { continue };
            let is_ours = ancestor == directory || [0, us, owner].contains(&metadata.uid());
            if metadata.is_file() && is_ours {
                return Some(Found { directory: ancestor.to_owned(), file: name.into() });
            }
        }
    }
    None
}

/// Whether a file of this name is one of air's: `air` is a word of it, as in `.air.linux.toml`.
pub fn is_air(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    is_toml && name.split(['.', '-', '_']).any(|word| word == "air")
}

/// The text of a file.
///
/// # Errors
/// When it cannot be read, or is no text of a sensible size.
pub fn text(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_counts_and_then_the_strongest_name() {
        let place = tempfile::tempdir().unwrap();
        let sub = place.path().join("a/b");
        std::fs::create_dir_all(sub.join(".config")).unwrap();
        let write = |name: &str| std::fs::write(place.path().join(name), "").unwrap();
        let found = |air| find(&sub, air).map(|found| found.directory.join(found.file));
        let path = |name: &str| Some(place.path().join(name));

        write("stakeout.toml");
        assert_eq!(found(true), path("stakeout.toml"));
        write("a/stakeout.yml");
        assert_eq!(found(true), path("a/stakeout.yml"));
        write("a/b/.config/air.toml");
        assert_eq!(found(true), path("a/b/.config/air.toml"));
        assert_eq!(found(false), path("a/stakeout.yml"));
        write("a/b/.air.toml");
        assert_eq!(found(true), path("a/b/.air.toml"));
        // A directory of that name is none.
        std::fs::create_dir(sub.join("stakeout.toml")).unwrap();
        assert_eq!(found(false), path("a/stakeout.yml"));
    }

    #[test]
    fn what_a_stranger_put_above_does_not_count() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give files away");
            assert!(std::env::var_os("CI_ALL_TESTS").is_none(), "not root");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let sub = place.path().join("sub");
        std::fs::create_dir(&sub).unwrap();
        let file = place.path().join("stakeout.toml");
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::chown(&file, Some(12345), None).unwrap();
        assert_eq!(find(&sub, false), None);
        assert!(find(place.path(), false).is_some());
        std::os::unix::fs::chown(&sub, Some(12345), None).unwrap();
        assert!(find(&sub, false).is_some());
    }

    #[test]
    fn files_of_air_are_known_by_their_name() {
        for name in [".air.toml", "air.toml", ".config/air.toml", ".air.linux.toml", "dev-air.toml"]
        {
            assert!(is_air(Path::new(name)), "{name}");
        }
        for name in ["stakeout.toml", "fair.toml", "air.yaml", "/air/x.toml"] {
            assert!(!is_air(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(text(Path::new("/dev/zero")).unwrap_err().to_string().contains("larger"));
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("x");
        std::fs::write(&file, b"a\nb\xff").unwrap();
        assert_eq!(text(&file).unwrap_err().to_string(), "line 2 is not UTF-8");
    }
}
