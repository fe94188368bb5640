//! Random edits on a share with random faults: no look shows what never was, and once all is well
//! and quiet, what is seen is what is there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stakeout::scan::{Plan, Root, Scanner, Selection};

use super::share::{Faults, Op, Share};
use super::support::{Watched, write};
use super::witness::{Witness, truth};

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
    let ops = prop::sample::subsequence(Op::ALL.to_vec(), 1..3);
    let errno = prop::sample::select(vec![libc::EIO, libc::ESTALE, libc::ENOTCONN, libc::EACCES]);
    // Everywhere, or at one path only.
    let only = prop::option::of(prop::sample::select(PATHS.to_vec()).prop_map(PathBuf::from));
    prop_oneof![
        2 => Just(Faults::default()),
        6 => (ops, errno, only).prop_map(|(ops, errno, only)| Faults {
            errors: Some((ops, errno)),
            only,
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

/// Makes the share anew.
fn start_over(share: &Share) {
    share.set(Faults::default());
    for path in fs::read_dir(share.behind("")).unwrap().flatten() {
        _ = fs::remove_dir_all(path.path()).or_else(|_| fs::remove_file(path.path()));
    }
    write(&share.behind("a"), "0");
    write(&share.behind("d/x"), "1");
    symlink("a", share.behind("b")).unwrap();
}

/// Does all steps; no look shows what never was.
fn follow(share: &Share, steps: &[Step], scanner: &mut Scanner) {
    let mut witness = Witness::new(share);
    let mut is_stale = false;
    for step in steps {
        // Many cannot be done in the tree as it is then.
        _ = edit(&share.behind(""), step);
        match step {
            // What is too old was there at any time.
            Step::Look if is_stale => witness.pass(&scanner.look()),
            Step::Look => witness.judge(&scanner.look()),
            Step::Fault(faults) => {
                is_stale = faults.stale_listings;
                share.set(faults.clone());
            }
            _ => witness.take_note(),
        }
    }
}

fn for_any_steps(cases: u32, most: usize, case: impl Fn(Vec<Step>)) {
    let max_shrink_iters = cases;
    let config = Config { cases, max_shrink_iters, failure_persistence: None, ..Config::default() };
    let test = |steps| {
        case(steps);
        Ok(())
    };
    TestRunner::new(config).run(&prop::collection::vec(any_step(), 10..most), test).unwrap();
}

/// Without waiting until stamps are proven there is time for many cases.
#[test]
fn no_look_under_any_faults_shows_what_never_was() {
    let Some(share) = Share::mount() else { return };
    for_any_steps(150, 90, |steps| {
        start_over(&share);
        let everything = Selection::new(&[], &[]).unwrap();
        let plan = Plan::new(vec![Root::new(share.path())], everything, &[], false).unwrap();
        let mut scanner = Scanner::new(plan).unwrap();
        scanner.look();
        while scanner.read_baseline() {}
        follow(&share, &steps, &mut scanner);
    });
}

#[test]
fn after_any_edits_under_any_faults() {
    let Some(share) = Share::mount() else { return };
    for_any_steps(10, 60, |steps| {
        start_over(&share);
        let mut tree = Watched::at(share.path(), false);
        let before = truth(&share.behind(""));
        follow(&share, &steps, &mut tree.scanner);
        share.set(Faults::default());
        tree.settle();
        tree.assert_equals_reference();
        let is_same = truth(&share.behind("")) == before;
        assert_eq!(tree.changes().is_empty(), is_same, "changes are reported where there are some");
    });
}
