//! Rules: which names are left out of the tree, as git decides it, one directory at a time.
//!
//! From strongest to weakest: `.git` itself; globs given on the command line; .stakeoutignore;
//! .ignore; .gitignore; .git/info/exclude; the built-in list. Of two files of one kind the deeper
//! one is asked first, and the last matching line of a file decides. A repository does not look
//! above itself: .gitignore files of the directories over a `.git` do not reach into it. The
//! user's global excludes are not read, so that a container and its host agree.
//!
//! A left-out directory is not entered, so nothing in it can be taken back in (gitignore(5)).

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::io::Errno;

use super::gitignore::Patterns;
use super::inodes::Inodes;
use super::plan::{self, Plan};
use super::{content, open};
use crate::tree::{Digest, Stamp};

/// The files that hold rules, strongest first. The last lies in a directory that is never
/// listed, so it is looked for wherever there is a `.git`.
pub const RULE_FILES: [&str; 4] = [".stakeoutignore", ".ignore", ".gitignore", ".git/info/exclude"];

/// Kinds from this index on are git's own, and end at the repository.
const FIRST_OF_GIT: usize = 2;

/// Longer rule files are cut off here: 1 MiB.
const LONGEST_RULE_FILE: u64 = 1024 * 1024;

/// The rules that hold for the names in one directory: its own and, through `above`, those of
/// the directories over it. Directories without rule files share their parent's.
#[derive(Debug)]
pub(super) struct Rules {
    above: Option<Arc<Rules>>,
    is_repository: bool,
    /// Where in an absolute path the part below their directory begins, in bytes.
    below_from: usize,
    kinds: [Option<Patterns>; RULE_FILES.len()],
    digest: Digest,
}

/// A rule file as it was when it was read: which of [`RULE_FILES`], and its stamp; `None` where
/// it was missing.
pub(super) type Source = (usize, Option<Stamp>);

/// A rule file that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) file: &'static str,
    pub(super) errno: Errno,
}

impl Rules {
    /// No rules, where a tree begins.
    pub(super) fn none() -> Arc<Self> {
        Arc::new(Self {
            above: None,
            is_repository: false,
            below_from: 0,
            kinds: Default::default(),
            digest: Digest::of(b""),
        })
    }

    /// The rules for the names in the directory that is open as `directory` and lies at the
    /// absolute path `base`, with `is_repository` where it holds a `.git`.
    ///
    /// `before` are the rules it had; they are given back if nothing changed, so that a pointer
    /// comparison tells.
    ///
    /// # Errors
    /// The first rule file that is there but cannot be read.
    pub(super) fn read(
        above: &Arc<Rules>,
        directory: impl AsFd,
        base: &Path,
        is_repository: bool,
        present: impl Fn(&str) -> bool,
        before: Option<&Arc<Rules>>,
    ) -> Result<(Arc<Self>, Vec<Source>), Unreadable> {
        let mut sources = Vec::new();
        let mut texts: [Option<Vec<u8>>; RULE_FILES.len()] = Default::default();
        for (kind, file) in RULE_FILES.into_iter().enumerate() {
            let in_git = file.starts_with(".git/");
            if !(if in_git { is_repository } else { present(file) }) {
                continue;
            }
            let failed = |errno| Unreadable { file, errno };
            let stamp = stamp_of(&directory, file).map_err(failed)?;
            if in_git && stamp.is_none() {
                texts[kind] = exclude_of_worktree(&directory, base);
            } else if stamp.is_some() {
                texts[kind] = match content::text(&directory, OsStr::new(file), LONGEST_RULE_FILE) {
                    Ok(text) => Some(text),
                    // A link or a directory of that name holds no rules, in git neither.
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR) => None,
                    Err(errno) => return Err(failed(errno)),
                };
            }
            sources.push((kind, stamp));
        }
        if !is_repository && texts.iter().all(Option::is_none) {
            return Ok((Arc::clone(above), sources));
        }
        let digest = digest_of(&texts, is_repository);
        let base = base.as_os_str().as_bytes();
        let below_from = base.len() + usize::from(!base.ends_with(b"/"));
        if let Some(before) = before
            && before.digest == digest
            && before.below_from == below_from
            && before.above.as_ref().is_some_and(|old| Arc::ptr_eq(old, above))
        {
            return Ok((Arc::clone(before), sources));
        }
        let kinds = texts.map(|text| text.map(|text| Patterns::parse(&text)));
        let above = Some(Arc::clone(above));
        Ok((Arc::new(Self { above, is_repository, below_from, kinds, digest }), sources))
    }

    /// Whether `name` in the directory of these rules is left out. `absolute` is where it is,
    /// `shown` how it is shown.
    pub(super) fn exclude(
        &self,
        plan: &Plan,
        absolute: &Path,
        shown: &Path,
        is_directory: bool,
    ) -> bool {
        // Cheaper than `Path::file_name`, which takes paths apart.
        let path = absolute.as_os_str().as_bytes();
        if path.ends_with(b"/.git") {
            return true;
        }
        let shown = plan::relative(shown);
        plan::verdict(&plan.excluded, shown, is_directory)
            .or_else(|| self.verdict(path, is_directory))
            .or_else(|| plan.defaults.verdict(shown.as_os_str().as_bytes(), is_directory))
            .unwrap_or(false)
    }

    fn verdict(&self, path: &[u8], is_directory: bool) -> Option<bool> {
        (0..RULE_FILES.len()).find_map(|kind| {
            let mut level = Some(self);
            while let Some(rules) = level {
                // Shorter only while a root was moved and its rules are still those from before.
                let below = path.get(rules.below_from..).unwrap_or_default();
                let verdict = rules.kinds[kind]
                    .as_ref()
                    .and_then(|patterns| patterns.verdict(below, is_directory));
                if verdict.is_some() {
                    return verdict;
                }
                let ends_here = kind >= FIRST_OF_GIT && rules.is_repository;
                level = if ends_here { None } else { rules.above.as_deref() };
            }
            None
        })
    }
}

/// The exclude file of the repository that a worktree belongs to, where `.git` is a file that says
/// where that is (gitrepository-layout(5)). It mostly lies outside of what is watched: that it
/// changed is only noticed when the worktree's top directory is listed again.
fn exclude_of_worktree(directory: impl AsFd, base: &Path) -> Option<Vec<u8>> {
    let text = |path: PathBuf| content::text(CWD, path.as_os_str(), LONGEST_RULE_FILE).ok();
    let join = |to: &Path, path: &[u8]| to.join(OsStr::from_bytes(path.trim_ascii_end()));
    let pointer = content::text(directory, OsStr::new(".git"), LONGEST_RULE_FILE).ok()?;
    let own = join(base, pointer.strip_prefix(b"gitdir: ")?);
    let common = match text(own.join("commondir")) {
        Some(path) => join(&own, &path),
        None => own,
    };
    text(common.join("info/exclude"))
}

/// The stamp of a rule file, `None` if there is none.
pub(super) fn stamp_of(
    directory: impl AsFd,
    file: impl AsRef<OsStr>,
) -> Result<Option<Stamp>, Errno> {
    found(open::stamp_at(directory, file.as_ref()))
}

/// What asking for a rule file's stamp says: `None` if there is none.
pub(super) fn found(asked: Result<Stamp, Errno>) -> Result<Option<Stamp>, Errno> {
    match asked {
        Ok(stamp) => Ok(Some(stamp)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the same rule files are there, and untouched.
pub(super) fn same_sources(inodes: &Inodes, a: &[Source], b: &[Source]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((kind, stamp), (other, other_stamp))| {
            kind == other && inodes.same_if_any(stamp.as_ref(), other_stamp.as_ref())
        })
}

fn digest_of(texts: &[Option<Vec<u8>>], is_repository: bool) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[u8::from(is_repository)]);
    for text in texts {
        let length = text.as_ref().map_or(u64::MAX, |text| text.len() as u64);
        hasher.update(&length.to_le_bytes()).update(text.as_deref().unwrap_or_default());
    }
    Digest::finish(&hasher)
}

/// The rules that the directories above a root bring, where the root lies inside a repository,
/// and what to compare in order to notice that they changed.
#[derive(Debug)]
pub(super) struct Above {
    pub(super) rules: Arc<Rules>,
    sources: Vec<(PathBuf, Vec<Source>)>,
}

impl Above {
    /// Reads the rule files from the repository's top down to above `root`, an absolute path.
    /// What cannot be read up there, often outside the container, is taken as missing.
    pub(super) fn read(root: &Path) -> Self {
        let mut rules = Rules::none();
        let mut sources = Vec::new();
        let is_top = |directory: &&Path| directory.join(".git").exists();
        // A root that is itself a repository's top has nothing above it.
        if let Some(top) = root.ancestors().find(is_top) {
            let between: Vec<&Path> =
                root.ancestors().skip(1).take_while(|path| path.starts_with(top)).collect();
            for base in between.into_iter().rev() {
                let Ok(directory) = std::fs::File::open(base) else { continue };
                // All kinds are looked for, so that one which is made later is noticed, too.
                let read = Rules::read(&rules, &directory, base, base == top, |_| true, None);
                let Ok((own, own_sources)) = read else { continue };
                rules = own;
                sources.push((base.to_path_buf(), own_sources));
            }
        }
        Self { rules, sources }
    }

    /// Whether one of the rule files that were read is another now.
    pub(super) fn is_outdated(&self, inodes: &Inodes) -> bool {
        self.sources.iter().any(|(base, sources)| {
            sources.iter().any(|(kind, stamp)| {
                stamp_of(CWD, base.join(RULE_FILES[*kind]))
                    .is_ok_and(|now| !inodes.same_if_any(now.as_ref(), stamp.as_ref()))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Root, Selection};
    use std::fs;

    struct Case {
        tree: tempfile::TempDir,
        plan: Plan,
    }

    impl Case {
        fn new(exclude: &[&str]) -> Self {
            let exclude: Vec<String> = exclude.iter().map(|&glob| glob.to_owned()).collect();
            let selection = Selection::new(&[], &[]).unwrap();
            let roots = vec![Root::new(Path::new("."))];
            Self {
                tree: tempfile::tempdir().unwrap(),
                plan: Plan::new(roots, selection, &exclude, true).unwrap(),
            }
        }

        fn file(self, path: &str, text: &str) -> Self {
            let path = self.tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        fn excludes(&self, path: &str) -> bool {
            let mut rules = Rules::none();
            let mut base = self.tree.path().to_path_buf();
            let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
            for part in parts {
                fs::create_dir_all(&base).unwrap();
                let directory = fs::File::open(&base).unwrap();
                let present = |file: &str| base.join(file).exists();
                let is_repository = present(".git");
                rules =
                    Rules::read(&rules, &directory, &base, is_repository, present, None).unwrap().0;
                base.push(part);
            }
            let shown = base.strip_prefix(self.tree.path()).unwrap();
            rules.exclude(&self.plan, &base, shown, path.ends_with('/'))
        }
    }

    #[test]
    fn the_deeper_file_and_the_later_line_decide() {
        let case = Case::new(&[])
            .file(".gitignore", "*.log\n!keep.log\n")
            .file("sub/.gitignore", "keep.log\n!loud.log\n");
        assert!(case.excludes("a.log"));
        assert!(!case.excludes("keep.log"));
        assert!(case.excludes("sub/keep.log"));
        assert!(!case.excludes("sub/loud.log"));
    }

    #[test]
    fn a_repository_does_not_look_above_itself() {
        let case = Case::new(&[])
            .file(".gitignore", "*.log\n")
            .file(".ignore", "*.tmp\n")
            .file("nested/.git/info/exclude", "secret\n")
            .file("nested/x", "");
        assert!(!case.excludes("nested/a.log"));
        assert!(case.excludes("nested/a.tmp"), ".ignore knows no repositories");
        assert!(case.excludes("nested/secret"));
        assert!(!case.excludes("secret"));
    }

    #[test]
    fn stronger_kinds_overrule_weaker_ones() {
        let case = Case::new(&["!forced.log", "hidden"])
            .file(".gitignore", "*.log\n!hidden\n")
            .file(".stakeoutignore", "!target/\n!seen.log\n");
        assert!(!case.excludes("forced.log"));
        assert!(case.excludes("hidden"));
        assert!(!case.excludes("seen.log"));
        assert!(!case.excludes("target/"));
    }

    #[test]
    fn what_editors_and_builds_leave_is_left_out() {
        let case = Case::new(&[]);
        for name in
            [".a.swp", "a.rs~", "4913", ".#a.rs", "#a.rs#", "node_modules/", "a/target/", "x.pyc"]
        {
            assert!(case.excludes(name), "{name}");
        }
        for name in ["target", "a.rs", ".env", "a4913", "#a.rs"] {
            assert!(!case.excludes(name), "{name}");
        }
        assert!(Case::new(&["!.git"]).excludes(".git/"));
    }

    #[test]
    fn the_repository_above_a_root_is_asked() {
        let case = Case::new(&[])
            .file(".git/HEAD", "")
            .file(".gitignore", "*.log\n/sub/deep/out\n")
            .file("sub/deep/x", "");
        let root = case.tree.path().join("sub/deep");
        let above = Above::read(&root);
        let excludes =
            |name: &str| above.rules.exclude(&case.plan, &root.join(name), Path::new(name), false);
        assert!(excludes("a.log") && excludes("out") && !excludes("x"));
        assert!(!above.is_outdated(&Inodes::default()));
        fs::write(case.tree.path().join(".gitignore"), "").unwrap();
        assert!(above.is_outdated(&Inodes::default()));
    }
}
