//! Links that are followed: they count as what they lead to, and what they lead to is never lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use stakeout::tree::Entry;

use super::support::{Watched, write};

/// A watched directory and one beside it, which only links lead to.
struct Beside {
    place: tempfile::TempDir,
}

impl Beside {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("tree")).unwrap();
        fs::create_dir(place.path().join("out")).unwrap();
        for (path, text) in files {
            write(&place.path().join(path), text);
        }
        Self { place }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    /// Makes a link, or has one lead elsewhere at once, as `ln -sfn` and package managers do.
    fn link(&self, target: impl AsRef<Path>, link: &str) {
        let scratch = self.path("scratch");
        symlink(target, &scratch).unwrap();
        fs::rename(scratch, self.path(link)).unwrap();
    }

    fn watch(&self) -> Watched {
        Watched::following(&self.path("tree"))
    }
}

fn paths(tree: &Watched) -> Vec<String> {
    let root = tree.path("");
    let below = |path: PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
    tree.scanner.snapshot().entries().map(|(path, _)| below(path)).collect()
}

#[test]
fn what_a_link_leads_to_changes_at_the_link() {
    let beside = Beside::new(&[("out/file", "1"), ("out/dir/deep/a", "1"), ("tree/own", "1")]);
    beside.link("../out/file", "tree/file");
    beside.link(beside.path("out/dir"), "tree/dir");
    beside.link("own", "tree/twin");
    let mut tree = beside.watch();
    assert_eq!(paths(&tree), ["file", "own", "twin", "dir/deep/a"]);
    write(&beside.path("out/file"), "2");
    write(&beside.path("out/dir/deep/a"), "2");
    assert_eq!(tree.changes(), ["modified file", "modified dir/deep/a"]);
    tree.write("own", "2");
    assert_eq!(tree.changes(), ["modified own", "modified twin"]);
    write(&beside.path("out/dir/new"), "1");
    fs::rename(beside.path("out/dir/deep/a"), beside.path("out/dir/deep/b")).unwrap();
    assert_eq!(tree.changes(), ["created dir/new", "renamed dir/deep/a -> dir/deep/b"]);
}

#[test]
fn a_link_that_leads_elsewhere_counts_as_what_is_there_now() {
    let beside = Beside::new(&[("out/1/a", "1"), ("out/1/same", "="), ("out/2/a", "2")]);
    write(&beside.path("out/2/same"), "=");
    beside.link("1", "out/current");
    beside.link("../out/current/a", "tree/a");
    beside.link("../out/current", "tree/dir");
    let mut tree = beside.watch();
    // As a ConfigMap of Kubernetes is: no link in the tree is another.
    beside.link("2", "out/current");
    assert_eq!(tree.changes(), ["modified a", "modified dir/a"]);
    beside.link("../out/1", "tree/dir");
    assert_eq!(tree.changes(), ["modified dir/a"]);
    write(&beside.path("out/1/a"), "3");
    write(&beside.path("out/2/a"), "4");
    assert_eq!(tree.changes(), ["modified a", "modified dir/a"]);
}

#[test]
fn a_link_is_one_while_it_leads_to_nothing() {
    let beside = Beside::new(&[("tree/own", "1")]);
    beside.link("../out/later", "tree/link");
    let mut tree = beside.watch();
    assert_eq!(paths(&tree), ["link", "own"]);
    write(&beside.path("out/later"), "1");
    assert_eq!(tree.changes(), ["modified link"]);
    fs::remove_file(beside.path("out/later")).unwrap();
    assert_eq!(tree.changes(), ["modified link"]);
    write(&beside.path("out/later/a"), "1");
    assert_eq!(tree.changes(), ["removed link", "created link/a"]);
    fs::remove_dir_all(beside.path("out/later")).unwrap();
    assert_eq!(tree.changes(), ["created link", "removed link/a"]);
}

#[test]
fn loops_end() {
    let beside = Beside::new(&[("tree/a/x", "1"), ("tree/b/y", "1")]);
    beside.link(".", "tree/itself");
    beside.link("..", "tree/a/up");
    beside.link("../b", "tree/a/b");
    beside.link("../a", "tree/b/a");
    beside.link("around", "tree/around");
    let mut tree = beside.watch();
    let found = tree.scanner.snapshot().entries();
    let links = found.filter(|(_, entry)| matches!(entry, Entry::Link(_))).count();
    assert_eq!(links, 6, "{:?}", paths(&tree));
    let look = tree.scanner.look();
    assert_eq!((look.read, look.troubles.len()), (0, 0));
    tree.assert_equals_reference();
    tree.write("b/y", "2");
    assert_eq!(tree.changes(), ["modified a/b/y", "modified b/y"]);
}

#[test]
fn a_few_directories_full_of_links_to_each_other_do_not_fill_the_memory() {
    let beside = Beside::new(&[]);
    for one in 0..12 {
        for other in 0..12 {
            let link = format!("tree/{one}/{other}");
            fs::create_dir_all(beside.path(&format!("tree/{one}"))).unwrap();
            beside.link(format!("../{other}"), &link);
        }
    }
    let mut plan = stakeout::scan::Plan::new(
        vec![stakeout::scan::Root::new(&beside.path("tree"))],
        stakeout::scan::Selection::new(&[], &[]).unwrap(),
        &[],
        false,
    )
    .unwrap();
    plan.follow_symlinks = true;
    let mut scanner = stakeout::scan::Scanner::new(plan).unwrap();
    let look = scanner.look();
    let told = look.troubles.iter().any(|trouble| trouble.errno == libc::EMLINK);
    assert!(told, "{:?}", &look.troubles[..look.troubles.len().min(9)]);
    assert!(scanner.directories().count() < 100_000);
}

#[test]
fn what_is_left_out_is_not_asked_where_it_leads() {
    let beside = Beside::new(&[("tree/.gitignore", "/link\n/only-directories/\n"), ("out/f", "1")]);
    beside.link("../out", "tree/link");
    beside.link("../out", "tree/only-directories");
    beside.link("../out", "tree/kept");
    let mut tree = beside.watch();
    tree.renew(true);
    assert_eq!(paths(&tree), [".gitignore", "kept/f"]);
}

#[test]
fn what_is_neither_a_file_nor_a_directory_is_not_followed_and_proc_not_entered() {
    let beside = Beside::new(&[("tree/own", "1")]);
    beside.link("/dev/null", "tree/device");
    beside.link("/proc", "tree/proc");
    let mut tree = beside.watch();
    assert_eq!(paths(&tree), ["device", "own"]);
    tree.assert_equals_reference();
    assert_eq!(tree.scanner.look().read, 0);
}

#[test]
fn links_are_kept_unless_they_are_to_be_followed() {
    let beside = Beside::new(&[("out/dir/a", "1")]);
    beside.link("../out/dir", "tree/dir");
    let mut tree = Watched::at(&beside.path("tree"), false);
    write(&beside.path("out/dir/a"), "2");
    assert_eq!((paths(&tree), tree.changes()), (vec!["dir".to_owned()], vec![]));
}

#[derive(Clone, Debug)]
enum Edit {
    Write(usize, u8),
    SaveByRename(usize, u8),
    MakeDirectory(usize),
    Remove(usize),
    Rename(usize, usize),
    Link { path: usize, target: usize, is_absolute: bool },
}

/// Few paths in both directories, so that edits and links meet.
const PATHS: [&str; 12] = [
    "tree/a",
    "tree/b",
    "tree/c",
    "tree/a/a",
    "tree/a/b",
    "tree/b/a",
    "tree/a/b/c",
    "out/a",
    "out/b",
    "out/a/b",
    "out/b/a",
    "out/a/b/c",
];

fn any_edit() -> impl Strategy<Value = Edit> {
    let path = || 0..PATHS.len();
    // All contents have one size.
    let content = || 0..3u8;
    // The directories themselves can be led to as well.
    let target = 0..PATHS.len() + 2;
    prop_oneof![
        3 => (path(), content()).prop_map(|(path, content)| Edit::Write(path, content)),
        1 => (path(), content()).prop_map(|(path, content)| Edit::SaveByRename(path, content)),
        2 => path().prop_map(Edit::MakeDirectory),
        2 => path().prop_map(Edit::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Edit::Rename(from, to)),
        5 => (path(), target, any::<bool>())
            .prop_map(|(path, target, is_absolute)| Edit::Link { path, target, is_absolute }),
    ]
}

impl Edit {
    /// Does it, as far as it can be done in the trees as they are.
    fn apply(&self, place: &Path) {
        let at = |path: &usize| place.join(PATHS[*path]);
        _ = match self {
            Edit::Write(path, content) => fs::write(at(path), [*content]),
            Edit::SaveByRename(path, content) => {
                let scratch = place.join("scratch");
                fs::write(&scratch, [*content]).and_then(|()| fs::rename(&scratch, at(path)))
            }
            Edit::MakeDirectory(path) => fs::create_dir(at(path)),
            Edit::Remove(path) => match at(path).symlink_metadata().is_ok_and(|it| it.is_dir()) {
                true => fs::remove_dir_all(at(path)),
                false => fs::remove_file(at(path)),
            },
            Edit::Rename(from, to) => fs::rename(at(from), at(to)),
            Edit::Link { path, target, is_absolute } => {
                let target = PATHS.iter().chain(&["tree", "out"]).nth(*target).unwrap();
                let up = "../".repeat(PATHS[*path].matches('/').count());
                symlink(
                    if *is_absolute { place.join(target) } else { (up + target).into() },
                    at(path),
                )
            }
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, ..Default::default() })]

    #[test]
    fn after_any_edits_of_trees_full_of_links_the_scanner_equals_a_plain_walk(
        start in proptest::collection::vec(any_edit(), 0..16),
        batches in proptest::collection::vec(proptest::collection::vec(any_edit(), 1..10), 1..4),
    ) {
        let beside = Beside::new(&[]);
        start.iter().for_each(|edit| edit.apply(beside.place.path()));
        let mut watched = beside.watch();
        for batch in batches {
            for edit in &batch {
                edit.apply(beside.place.path());
                // Looks between edits see states that do not last.
                watched.scanner.look();
            }
            watched.assert_equals_reference();
        }
    }
}
