//! Random edits on a share with random faults: once all is well and quiet, what is seen is what is
//! there, and what was reported is the difference and nothing more.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::share::{Faults, Op, Share};
use super::support::{Watched, write};

const PATHS: [&str; 7] = ["a", "b", "d", "a/x", "b/x", "d/x", "d/x/y"];

#[derive(Clone, Debug)]
pub enum Step {
    Write { path: usize, content: u8 },
    KeepTimes { path: usize, content: u8 },
    SaveByRename { path: usize, content: u8 },
    Remove { path: usize },
    Rename { from: usize, to: usize },
    Link { path: usize, target: usize },
    HardLink { path: usize, target: usize },
    ToggleExecutable { path: usize },
    Look,
    Fault(Faults),
}

fn any_faults() -> impl Strategy<Value = Faults> {
    let op = prop::sample::select(Op::ALL.to_vec());
    let errno = prop::sample::select(vec![libc::EIO, libc::ESTALE, libc::ENOTCONN, libc::EACCES]);
    prop_oneof![
        2 => Just(Faults::default()),
        3 => (op, errno).prop_map(|(op, errno)| Faults {
            errors: Some((vec![op], errno)),
            ..Faults::default()
        }),
        1 => Just(Faults { half_listings: true, ..Faults::default() }),
        1 => Just(Faults { stale_listings: true, ..Faults::default() }),
        1 => Just(Faults { unstable_inodes: true, ..Faults::default() }),
        1 => Just(Faults { frozen_directories: true, ..Faults::default() }),
        1 => Just(Faults { stopped_clock: true, ..Faults::default() }),
        1 => (-3600..3600i64).prop_map(|skew| Faults {
            skew,
            granule: Duration::from_secs(2),
            ..Faults::default()
        }),
    ]
}

pub fn any_step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    // All contents have one size.
    let content = || b'0'..b'3';
    prop_oneof![
        4 => (path(), content()).prop_map(|(path, content)| Step::Write { path, content }),
        2 => (path(), content()).prop_map(|(path, content)| Step::KeepTimes { path, content }),
        2 => (path(), content()).prop_map(|(path, content)| Step::SaveByRename { path, content }),
        2 => path().prop_map(|path| Step::Remove { path }),
        2 => (path(), path()).prop_map(|(from, to)| Step::Rename { from, to }),
        1 => (path(), path()).prop_map(|(path, target)| Step::Link { path, target }),
        1 => (path(), path()).prop_map(|(path, target)| Step::HardLink { path, target }),
        1 => path().prop_map(|path| Step::ToggleExecutable { path }),
        4 => Just(Step::Look),
        3 => any_faults().prop_map(Step::Fault),
    ]
}

/// Does it in the tree at `root`, as far as it can be done there.
pub fn edit(root: &Path, step: &Step) -> std::io::Result<()> {
    let at = |path: &usize| root.join(PATHS[*path]);
    match step {
        Step::Write { path, content } => {
            fs::create_dir_all(at(path).parent().unwrap())?;
            fs::write(at(path), [*content])
        }
        Step::KeepTimes { path, content } => {
            let file = fs::File::options().write(true).open(at(path))?;
            let modified = file.metadata()?.modified()?;
            std::io::Write::write_all(&mut &file, &[*content])?;
            file.set_modified(modified)
        }
        Step::SaveByRename { path, content } => {
            let scratch = root.join("scratch");
            fs::write(&scratch, [*content])?;
            fs::rename(&scratch, at(path)).or_else(|_| fs::remove_file(&scratch))
        }
        Step::Remove { path } => match fs::symlink_metadata(at(path))?.is_dir() {
            true => fs::remove_dir_all(at(path)),
            false => fs::remove_file(at(path)),
        },
        Step::Rename { from, to } => fs::rename(at(from), at(to)),
        Step::Link { path, target } => symlink(PATHS[*target], at(path)),
        Step::HardLink { path, target } => fs::hard_link(at(target), at(path)),
        Step::ToggleExecutable { path } => {
            let mode = fs::symlink_metadata(at(path))?.permissions().mode();
            fs::set_permissions(at(path), PermissionsExt::from_mode(mode ^ 0o111))
        }
        Step::Look | Step::Fault(_) => Ok(()),
    }
}

/// What a reader finds: each path with its content, mode bit or target.
fn contents(root: &Path) -> Vec<(String, String)> {
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter();
    let files = walk.map(Result::unwrap).filter(|entry| !entry.file_type().is_dir());
    let content = |entry: walkdir::DirEntry| {
        let path = entry.path();
        let shown = path.strip_prefix(root).unwrap().display().to_string();
        let content = match entry.path_is_symlink() {
            true => format!("link to {}", fs::read_link(path).unwrap().display()),
            false => {
                let mode = entry.metadata().unwrap().permissions().mode() & 0o100;
                format!("{mode:o} {}", fs::read_to_string(path).unwrap())
            }
        };
        (shown, content)
    };
    files.map(content).collect()
}

#[test]
fn after_any_edits_under_any_faults() {
    let Some(share) = Share::mount() else { return };
    let config =
        Config { cases: 10, max_shrink_iters: 8, failure_persistence: None, ..Config::default() };
    let steps = prop::collection::vec(any_step(), 10..60);
    let run = |steps: Vec<Step>| {
        share.set(Faults::default());
        for path in fs::read_dir(share.behind("")).unwrap().flatten() {
            _ = fs::remove_dir_all(path.path()).or_else(|_| fs::remove_file(path.path()));
        }
        write(&share.behind("a"), "0");
        write(&share.behind("d/x"), "1");
        let mut tree = Watched::at(share.path(), false);
        let before = contents(&share.behind(""));
        for step in &steps {
            // Many cannot be done in the tree as it is then.
            _ = edit(&share.behind(""), step);
            match step {
                Step::Look => _ = tree.scanner.look(),
                Step::Fault(faults) => share.set(faults.clone()),
                _ => {}
            }
        }
        share.set(Faults::default());
        tree.settle();
        tree.assert_equals_reference();
        let is_same = contents(&share.behind("")) == before;
        assert_eq!(tree.changes().is_empty(), is_same, "changes are reported where there are some");
        Ok(())
    };
    TestRunner::new(config).run(&steps, run).unwrap();
}
