//! Edits of a tree, of all kinds, to be made at random.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub enum Edit {
    Write { path: usize, content: u8 },
    WriteKeepingTimes { path: usize, content: u8 },
    SaveByRename { path: usize, content: u8 },
    MakeDirectory { path: usize },
    Remove { path: usize },
    Rename { from: usize, to: usize },
    Exchange { one: usize, other: usize },
    ToggleExecutable { path: usize },
    Link { path: usize, target: usize },
    HardLink { path: usize, target: usize },
}

/// Few paths, so that edits meet: files, and directories over them, by the same names.
const PATHS: [&str; 9] = ["a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/b/a", "b/a/b"];

pub fn any_edit() -> impl Strategy<Value = Edit> {
    let path = || 0..PATHS.len();
    // All contents have one size.
    let content = || 0..3u8;
    prop_oneof![
        4 => (path(), content()).prop_map(|(path, content)| Edit::Write { path, content }),
        2 => (path(), content())
            .prop_map(|(path, content)| Edit::WriteKeepingTimes { path, content }),
        2 => (path(), content()).prop_map(|(path, content)| Edit::SaveByRename { path, content }),
        2 => path().prop_map(|path| Edit::MakeDirectory { path }),
        2 => path().prop_map(|path| Edit::Remove { path }),
        3 => (path(), path()).prop_map(|(from, to)| Edit::Rename { from, to }),
        1 => (path(), path()).prop_map(|(one, other)| Edit::Exchange { one, other }),
        1 => path().prop_map(|path| Edit::ToggleExecutable { path }),
        1 => (path(), path()).prop_map(|(path, target)| Edit::Link { path, target }),
        1 => (path(), path()).prop_map(|(path, target)| Edit::HardLink { path, target }),
    ]
}

impl Edit {
    /// Does it, as far as it can be done in the tree as it is.
    pub fn apply(&self, root: &Path) {
        let at = |path: &usize| root.join(PATHS[*path]);
        _ = match self {
            Edit::Write { path, content } => fs::write(at(path), [*content]),
            Edit::WriteKeepingTimes { path, content } => keep_times(&at(path), *content),
            Edit::SaveByRename { path, content } => {
                let scratch = root.join("scratch");
                fs::write(&scratch, [*content]).and_then(|()| fs::rename(&scratch, at(path)))
            }
            Edit::MakeDirectory { path } => fs::create_dir(at(path)),
            Edit::Remove { path } => remove(&at(path)),
            Edit::Rename { from, to } => fs::rename(at(from), at(to)),
            Edit::Exchange { one, other } => exchange(&at(one), &at(other)),
            Edit::ToggleExecutable { path } => toggle_executable(&at(path)),
            Edit::Link { path, target } => symlink(PATHS[*target], at(path)),
            Edit::HardLink { path, target } => fs::hard_link(at(target), at(path)),
        };
    }
}

fn keep_times(path: &Path, content: u8) -> std::io::Result<()> {
    let before = fs::symlink_metadata(path)?;
    if !before.is_file() {
        return Ok(());
    }
    let file = fs::File::options().write(true).open(path)?;
    std::io::Write::write_all(&mut &file, &[content])?;
    file.set_modified(before.modified()?)
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

fn toggle_executable(path: &Path) -> std::io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Ok(());
    }
    fs::set_permissions(path, PermissionsExt::from_mode(metadata.permissions().mode() ^ 0o111))
}
