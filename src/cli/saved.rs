//! A scan as a file (`stakeout scan --save`): what a tree was, to be compared with what it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::choice::Choice;
use super::write_whole;
use crate::scan::reason;
use crate::tree::{self, Digest, Dir, Entry, Link, Snapshot, Stamp};
use crate::ui::text;

/// The version of the format: a line of JSON with this, then one for each entry.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    stakeout_scan: u32,
    /// What was chosen, so that the same is compared.
    exts: Vec<String>,
    filter: Vec<String>,
    ignore: Vec<String>,
    no_ignore: bool,
    #[serde(default)]
    follow_symlinks: bool,
}

/// One file or link.
#[derive(Debug, Serialize, Deserialize)]
struct Item {
    #[serde(flatten)]
    path: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link_to: Option<Bytes>,
}

/// A path: as it is, or in hexadecimal where it is not UTF-8.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    Text(String),
    Hex(String),
}

impl Bytes {
    fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Hex(to_hex(path.as_os_str().as_bytes())),
        }
    }

    fn path(self) -> anyhow::Result<PathBuf> {
        Ok(match self {
            Self::Text(text) => text.into(),
            Self::Hex(hex) => OsString::from_vec(from_hex(&hex)?).into(),
        })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> anyhow::Result<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).ok().filter(|pair| pair.len() == 2);
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
    });
    digits.collect::<Option<_>>().ok_or_else(|| anyhow!("`{hex}` is not hexadecimal"))
}

/// Writes it, as a whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn save(file: &Path, snapshot: &Snapshot, choice: &Choice) -> anyhow::Result<()> {
    let Choice { exts, filter, ignore, no_ignore, follow_symlinks } = choice;
    let header = Header {
        stakeout_scan: SCHEMA,
        exts: exts.clone(),
        filter: filter.clone(),
        ignore: ignore.clone(),
        no_ignore: *no_ignore,
        follow_symlinks: *follow_symlinks,
    };
    let mut text = serde_json::to_string(&header)? + "\n";
    for (path, entry) in snapshot.entries() {
        let item = match entry {
            Entry::File(file) => Item {
                path: Bytes::of(&path),
                digest: file.digest.map(|digest| digest.to_string()),
                executable: file.stamp.is_executable(),
                link_to: None,
            },
            Entry::Link(link) => Item {
                path: Bytes::of(&path),
                digest: None,
                executable: false,
                link_to: Some(Bytes::of(&link.target)),
            },
        };
        text += &serde_json::to_string(&item)?;
        text.push('\n');
    }
    write_whole(file, &text).map_err(|error| {
        let (shown, reason) = (text::path(file), reason(&error));
        anyhow!("cannot write the scan to {shown}: {reason}; may files be made in its directory?")
    })
}

/// Reads it; gives what the tree was, and what was chosen then.
///
/// # Errors
/// A sentence that names the file, and the line where it is no scan.
pub fn load(file: &Path) -> anyhow::Result<(Snapshot, Choice)> {
    let shown = text::path(file);
    let reader = File::open(file).map(BufReader::new).map_err(|error| {
        let reason = reason(&error);
        anyhow!(
            "cannot read the scan {shown}: {reason}; write one by `stakeout scan --save {shown}`"
        )
    })?;
    let mut lines = reader.lines();
    let no_scan = || format!("{shown} is no scan; write one by `stakeout scan --save {shown}`");
    let first = lines.next().ok_or_else(|| anyhow!(no_scan()))?.with_context(no_scan)?;
    let header: Header = serde_json::from_str(&first).map_err(|_| anyhow!(no_scan()))?;
    if header.stakeout_scan != SCHEMA {
        bail!("{shown} was written by another version of stakeout; write it anew");
    }
    let mut directories: BTreeMap<PathBuf, Vec<(OsString, Entry)>> = BTreeMap::new();
    for (number, line) in (2..).zip(lines) {
        let (path, entry) = entry(line)
            .with_context(|| format!("{shown}:{number} is damaged; write the scan anew"))?;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let name = path.file_name().unwrap_or_default().to_owned();
        directories.entry(directory).or_default().push((name, entry));
    }
    let directories = directories.into_iter();
    let snapshot =
        Snapshot::new(directories.map(|(path, dir)| (Arc::from(path), Arc::new(Dir::new(dir)))));
    let Header { exts, filter, ignore, no_ignore, follow_symlinks, .. } = header;
    Ok((snapshot, Choice { exts, filter, ignore, no_ignore, follow_symlinks }))
}

fn entry(line: io::Result<String>) -> anyhow::Result<(PathBuf, Entry)> {
    let Item { path, digest, executable, link_to } = serde_json::from_str(&line?)?;
    // Times are not saved: content is what counts. A size other than 0 lets renames be found.
    let mode = if executable { 0o755 } else { 0o644 };
    let stamp = Stamp { mode, size: 1, mtime: 0, ctime: 0, inode: 0, device: 0 };
    let entry = match link_to {
        Some(target) => {
            Entry::Link(Box::new(Link { stamp, target: target.path()?.into_boxed_path() }))
        }
        None => {
            let bytes = digest.as_deref().map(from_hex).transpose()?;
            let bytes: Option<[u8; 32]> = bytes
                .map(|bytes| bytes.try_into().map_err(|_| anyhow!("a digest has 64 digits")))
                .transpose()?;
            Entry::File(tree::File { stamp, digest: bytes.map(Digest::from) })
        }
    };
    Ok((path.path()?, entry))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn what_was_saved_is_what_is_loaded() {
        let stamp = Stamp { mode: 0o755, size: 7, mtime: 1, ctime: 1, inode: 1, device: 1 };
        let file =
            |content: &[u8]| Entry::File(tree::File { stamp, digest: Some(Digest::of(content)) });
        let link = Entry::Link(Box::new(Link { stamp, target: Path::new("b\n").into() }));
        let odd = OsStr::from_bytes(b"odd\xff").to_owned();
        let dir = Dir::new(vec![("a".into(), file(b"a")), ("l".into(), link), (odd, file(b"b"))]);
        let snapshot = Snapshot::new([(Arc::from(Path::new("d")), Arc::new(dir))]);
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("scan");
        let choice = Choice {
            exts: vec!["rs".into()],
            filter: vec![],
            ignore: vec![],
            no_ignore: true,
            follow_symlinks: true,
        };
        save(&path, &snapshot, &choice).unwrap();
        let (loaded, chosen) = load(&path).unwrap();
        assert_eq!(tree::diff(&snapshot, &loaded), []);
        assert_eq!((chosen.exts, chosen.no_ignore), (choice.exts, true));
        assert!(chosen.follow_symlinks);
    }
}
