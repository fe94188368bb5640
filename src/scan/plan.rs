//! A plan: what to scan and what to leave out, compiled once from what the user typed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use thiserror::Error;

use super::gitignore::Patterns;
use super::mount::Mount;
use super::open::Links;

/// Everything a [`Scanner`](super::Scanner) needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to watch.
    pub roots: Vec<Root>,
    /// Which files count.
    pub selection: Selection,
    /// Whether .gitignore, .ignore and .stakeoutignore are honoured.
    pub ignore_files: bool,
    /// Whether those of the directories above a root are, where it lies inside a repository.
    pub ignore_files_above: bool,
    /// Whether links below a root count as what they lead to, inside of the roots or outside.
    pub follow_symlinks: bool,
    /// Files over so many bytes are judged by their stamp alone; `None` reads all.
    pub hash_limit: Option<u64>,
    /// Files, by device and inode, that are no part of the tree wherever they lie: what our own
    /// output is redirected to would otherwise change with every line about a change.
    pub own_output: Vec<(u64, u64)>,
    /// How long what a share lets this kernel remember of a file is believed, at the least: after
    /// that, or later where it costs much, a look at everything asks anew. NFS is always asked.
    pub believe: Duration,
    pub(super) excluded: Gitignore,
    pub(super) defaults: Arc<Patterns>,
}

/// A directory or a single file that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// How its paths are shown: as typed, without `.` components; the working directory is
    /// the empty path.
    pub label: PathBuf,
    /// Where it is.
    pub path: PathBuf,
}

/// Which files count as part of the tree: all, or those that an extension or a glob names.
#[derive(Clone, Debug)]
pub struct Selection {
    extensions: BTreeSet<OsString>,
    globs: Gitignore,
}

/// A glob that cannot be understood.
#[derive(Debug, Error)]
#[error("cannot understand the glob `{glob}`: {reason}")]
pub struct GlobError {
    /// As typed.
    pub glob: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Never content, wherever stakeout runs. `.git` is not in this list: it is always left out,
/// whatever a pattern says.
const DEFAULTS: &[&str] = &[
    // Other version control.
    ".hg/",
    ".svn/",
    ".jj/",
    ".sl/",
    ".bzr/",
    ".pijul/",
    // Our own: what a command is told of changes, should TMPDIR be watched; what a doctor tries.
    "stakeout-changes-*",
    ".stakeout-doctor-*",
    // Editors: swap, backup and lock files, and what they write before they rename it.
    "*.swp",
    "*.swo",
    "*.swx",
    "*~",
    "4913",
    ".#*",
    "\\#*#",
    ".*.kate-swp",
    "*___jb_tmp___",
    "*___jb_old___",
    ".goutputstream-*",
    ".~lock.*#",
    ".idea/",
    ".vscode/",
    // File managers and file systems.
    ".DS_Store",
    "Thumbs.db",
    ".nfs*",
    ".fuse_hidden*",
    // What builds and package managers make.
    "node_modules/",
    "target/",
    "__pycache__/",
    "*.pyc",
    ".venv/",
    ".tox/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".gradle/",
];

impl Plan {
    /// A plan for `roots`: files chosen by `selection`, those that one of the gitignore-style
    /// globs in `exclude` matches left out, and, with `ignore_files`, all that ignore files and
    /// the built-in list name.
    pub fn new(
        roots: Vec<Root>,
        selection: Selection,
        exclude: &[String],
        ignore_files: bool,
    ) -> Result<Self, GlobError> {
        let defaults = if ignore_files { DEFAULTS.join("\n") } else { String::new() };
        Ok(Self {
            roots,
            selection,
            ignore_files,
            ignore_files_above: ignore_files,
            follow_symlinks: false,
            hash_limit: Some(64 * 1024 * 1024),
            own_output: Vec::new(),
            believe: Duration::from_secs(30),
            excluded: compile(exclude)?,
            defaults: Arc::new(Patterns::parse(defaults.as_bytes())),
        })
    }

    /// What links stand for.
    pub(super) fn links(&self) -> Links {
        if self.follow_symlinks { Links::Followed } else { Links::Kept }
    }
}

impl Root {
    /// The root that a user calls `path`.
    pub fn new(path: &Path) -> Self {
        let label = path.components().filter(|part| *part != Component::CurDir).collect();
        // Absolute, since the working directory itself may be deleted and made again.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Self { label, path: absolute }
    }

    /// Whether it lies on a file system that the kernel makes up (`/proc` and the like), of which
    /// nothing is ever entered.
    pub fn is_made_up(&self) -> bool {
        Mount::at(&self.path) == Mount::Pseudo
    }
}

impl Selection {
    /// Files with one of the `extensions` (`rs`, `.rs` or `*.rs`) or matched by one of
    /// the gitignore-style `globs`, which a leading `!` takes back; all files if both are empty.
    pub fn new(extensions: &[String], globs: &[String]) -> Result<Self, GlobError> {
        let plain = |name: &String| {
            let name = name.strip_prefix('*').unwrap_or(name).trim_start_matches('.');
            match name.contains(['*', '?', '[', '{', '/']) {
                false => Ok(OsString::from(name)),
                true => Err(GlobError {
                    glob: name.to_owned(),
                    reason: "an extension is plain text such as rs; a glob goes with --filter, \
                             `include` in a file"
                        .into(),
                }),
            }
        };
        let extensions = extensions.iter().map(plain).collect::<Result<_, _>>()?;
        Ok(Self { extensions, globs: compile(globs)? })
    }

    /// Whether all files count.
    pub fn is_everything(&self) -> bool {
        self.extensions.is_empty() && self.globs.is_empty()
    }

    /// Whether the file shown as `path` counts.
    pub(super) fn wants(&self, path: &Path) -> bool {
        self.is_everything()
            || path.extension().is_some_and(|extension| self.extensions.contains(extension))
            || self.globs.matched_path_or_any_parents(relative(path), false).is_ignore()
    }
}

/// The globs are matched against paths as they are shown, so that what a log line names can be
/// copied into an option. An absolute path is taken as relative to `/`.
pub(super) fn relative(path: &Path) -> &Path {
    // Faster than `Path::strip_prefix`, which takes paths apart.
    let bytes = path.as_os_str().as_bytes();
    bytes.strip_prefix(b"/").map_or(path, |below| Path::new(OsStr::from_bytes(below)))
}

/// Whether the globs say to leave out, to keep, or nothing.
pub(super) fn verdict(globs: &Gitignore, path: &Path, is_directory: bool) -> Option<bool> {
    if globs.is_empty() {
        return None;
    }
    match globs.matched(path, is_directory) {
        Match::Ignore(_) => Some(true),
        Match::Whitelist(_) => Some(false),
        Match::None => None,
    }
}

pub(super) fn compile(globs: &[String]) -> Result<Gitignore, GlobError> {
    let failed = |glob: &str, reason: String| GlobError { glob: glob.to_owned(), reason };
    let mut builder = GitignoreBuilder::new(".");
    builder.allow_unclosed_class(false);
    for glob in globs {
        // In a file it would begin a comment; a lock file of emacs looks like this.
        let line = match glob.strip_prefix("./") {
            // As typed in a shell; in gitignore's terms it is anchored.
            Some(below) => format!("/{below}"),
            None if glob.starts_with('#') => format!("\\{glob}"),
            None => glob.clone(),
        };
        if let Err(error) = builder.add_line(None, &line) {
            let reason = match error {
                ignore::Error::Glob { err, .. } => err,
                other => other.to_string(),
            };
            return Err(failed(glob, reason));
        }
    }
    builder.build().map_err(|error| failed(&globs.join(","), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn extensions_and_globs_each_add_files() {
        let selection = Selection::new(&strings(&["py", ".rs"]), &strings(&["web/", "/*.toml"]));
        let selection = selection.unwrap();
        for wanted in ["a.py", "src/b.rs", "web/deep/x.css", "Cargo.toml", "/srv/a.py"] {
            assert!(selection.wants(Path::new(wanted)), "{wanted}");
        }
        for other in ["a.pyc", "py", "sub/Cargo.toml", "website/x.css"] {
            assert!(!selection.wants(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn a_glob_may_be_taken_back() {
        let selection = Selection::new(&[], &strings(&["*.rs", "!gen_*.rs"])).unwrap();
        assert!(selection.wants(Path::new("src/a.rs")));
        assert!(!selection.wants(Path::new("src/gen_a.rs")));
    }

    #[test]
    fn what_people_type_by_habit_is_understood_or_refused() {
        let selection = Selection::new(&strings(&["*.rs"]), &strings(&["./web"])).unwrap();
        assert!(selection.wants(Path::new("src/a.rs")) && selection.wants(Path::new("web/x")));
        assert!(!selection.wants(Path::new("src/web/x")));
        assert!(Selection::new(&strings(&["{a,b}"]), &[]).is_err());
    }

    #[test]
    fn a_glob_is_never_a_comment() {
        let selection = Selection::new(&[], &strings(&["#a#"])).unwrap();
        assert!(selection.wants(Path::new("src/#a#")) && !selection.wants(Path::new("a")));
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Selection::new(&[], &strings(&["ok", "src/[ab"])).unwrap_err();
        assert!(error.to_string().contains("`src/[ab`"), "{error}");
    }

    #[test]
    fn labels_are_as_typed_but_without_dots() {
        let label = |path: &str| Root::new(Path::new(path)).label;
        assert_eq!(label("."), Path::new(""));
        assert_eq!(label("./src/"), Path::new("src"));
        assert_eq!(label("../lib"), Path::new("../lib"));
        assert_eq!(label("/srv/app/"), Path::new("/srv/app"));
    }
}
