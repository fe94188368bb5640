//! Which changes something is about: a choice among paths that were scanned already.

use std::path::Path;

use ignore::gitignore::Gitignore;

use super::plan::{GlobError, Selection, compile, relative};

/// A choice among changed paths, by what they are called.
#[derive(Clone, Debug)]
pub struct Filter {
    selection: Selection,
    excluded: Gitignore,
}

impl Filter {
    /// Files with one of the `extensions`, or matched by one of the globs in `include`, all if
    /// both are empty; without those that one in `exclude` matches, or matches a directory of.
    pub fn new(
        extensions: &[String],
        include: &[String],
        exclude: &[String],
    ) -> Result<Self, GlobError> {
        let selection = Selection::new(extensions, include)?;
        Ok(Self { selection, excluded: compile(exclude)? })
    }

    /// Whether the file shown as `path` is among them.
    pub fn has(&self, path: &Path) -> bool {
        let excluded = self.excluded.matched_path_or_any_parents(relative(path), false);
        self.selection.wants(path) && !excluded.is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_included_and_not_excluded_counts() {
        let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
        let filter = Filter::new(&[], &list(&["/web/"]), &list(&["*.md", "docs/"])).unwrap();
        let has = |path: &str| filter.has(Path::new(path));
        assert!(has("web/a.css") && has("web/deep/b.js"));
        assert!(!has("api/a.go") && !has("web/README.md") && !has("web/docs/a.css"));
        let all = Filter::new(&[], &[], &[]).unwrap();
        assert!(all.has(Path::new("/srv/anything")));
        assert!(Filter::new(&[], &[], &list(&["a[b"])).is_err());
    }
}
