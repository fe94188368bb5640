//! A change set as one line: what kind of change, and to which paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::text;
use crate::tree::Change;

/// Paths that are named before the rest is only counted.
const NAMED: usize = 4;

/// The line: `modified a.py, b.py; created c.py; renamed old/ → new/ (12 files)`.
pub fn describe(changes: &[Change]) -> String {
    let mut modified = Vec::new();
    let mut created = Vec::new();
    let mut removed = Vec::new();
    let mut renamed = Vec::new();
    for change in changes {
        match change {
            Change::Modified { place, .. } => modified.push(text::path(&place.path())),
            Change::Created { place, .. } => created.push(text::path(&place.path())),
            Change::Removed { place } => removed.push(text::path(&place.path())),
            Change::Renamed { from, to, .. } => renamed.push((from.path(), to.path())),
        }
    }
    let kinds = [
        ("modified", modified),
        ("created", created),
        ("removed", removed),
        ("renamed", describe_renames(renamed)),
    ];
    let parts = kinds.into_iter().filter(|(_, items)| !items.is_empty()).map(|(verb, items)| {
        let named = items.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        match items.len().saturating_sub(NAMED) {
            0 => format!("{verb} {named}"),
            rest => format!("{verb} {named} and {} more", text::grouped(rest as u64)),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// One change for programs: its `kind`, its `path`, and for a rename `from` where.
pub fn as_json(change: &Change) -> Value {
    let path = text::path(&change.place().path());
    match change {
        Change::Created { .. } => json!({"kind": "created", "path": path}),
        Change::Modified { .. } => json!({"kind": "modified", "path": path}),
        Change::Removed { .. } => json!({"kind": "removed", "path": path}),
        Change::Renamed { from, .. } => {
            json!({"kind": "renamed", "path": path, "from": text::path(&from.path())})
        }
    }
}

/// `a → b` for each; renames that one renamed directory explains are told as that one.
fn describe_renames(renames: Vec<(PathBuf, PathBuf)>) -> Vec<String> {
    let mut groups: BTreeMap<(PathBuf, PathBuf), Vec<(PathBuf, PathBuf)>> = BTreeMap::new();
    for (from, to) in renames {
        let directories = renamed_directory(&from, &to).unwrap_or((from.clone(), to.clone()));
        groups.entry(directories).or_default().push((from, to));
    }
    let line = |from: &Path, to: &Path| format!("{} → {}", text::path(from), text::path(to));
    let lines = groups.into_iter().map(|((from, to), files)| match files.as_slice() {
        [(from, to)] => line(from, to),
        files => {
            let arrow = format!("{}/ → {}/", text::path(&from), text::path(&to));
            format!("{arrow} ({})", text::count(files.len(), "file"))
        }
    });
    lines.collect()
}

/// The directories whose rename explains this one: what is left of both paths without the
/// components that they have in common at the end.
fn renamed_directory(from: &Path, to: &Path) -> Option<(PathBuf, PathBuf)> {
    let (mut old, mut new) = (from, to);
    while old.file_name() == new.file_name() {
        (old, new) = (old.parent()?, new.parent()?);
    }
    let is_named = |path: &Path| !path.as_os_str().is_empty();
    (old != from && is_named(old) && is_named(new)).then(|| (old.into(), new.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Digest, Entry, File, Place, Stamp};

    fn place(path: &str) -> Place {
        let path = Path::new(path);
        Place { dir: path.parent().unwrap().into(), name: path.file_name().unwrap().into() }
    }

    fn entry() -> Entry {
        let stamp = Stamp { mode: 0, size: 0, mtime: 0, ctime: 0, inode: 0, device: 0 };
        Entry::File(File { stamp, digest: Some(Digest::of(b"")) })
    }

    fn modified(path: &str) -> Change {
        Change::Modified { place: place(path), entry: entry() }
    }

    fn renamed(from: &str, to: &str) -> Change {
        Change::Renamed { from: place(from), to: place(to), entry: entry() }
    }

    #[test]
    fn each_kind_is_named_with_its_paths() {
        let changes = [
            Change::Created { place: place("new.py"), entry: entry() },
            modified("src/a.py"),
            modified("src/b.py"),
            Change::Removed { place: place("old.py") },
        ];
        let line = "modified src/a.py, src/b.py; created new.py; removed old.py";
        assert_eq!(describe(&changes), line);
    }

    #[test]
    fn programs_read_kinds_and_paths() {
        let change = as_json(&renamed("old\n", "new"));
        assert_eq!(change.to_string(), r#"{"kind":"renamed","path":"new","from":"old\\n"}"#);
    }

    #[test]
    fn many_are_counted() {
        let changes: Vec<_> = (0..1204).map(|n| modified(&format!("f{n:04}"))).collect();
        assert_eq!(describe(&changes), "modified f0000, f0001, f0002, f0003 and 1,200 more");
    }

    #[test]
    fn a_renamed_directory_is_one_rename() {
        let changes = [
            renamed("old/a", "new/a"),
            renamed("old/deep/b", "new/deep/b"),
            renamed("x.py", "y.py"),
        ];
        assert_eq!(describe(&changes), "renamed old/ → new/ (2 files), x.py → y.py");
        assert_eq!(describe(&changes[..1]), "renamed old/a → new/a");
    }

    #[test]
    fn a_file_moved_between_directories_keeps_its_name() {
        assert_eq!(describe(&[renamed("a.py", "lib/a.py")]), "renamed a.py → lib/a.py");
    }
}
