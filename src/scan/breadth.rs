//! Breadth: roots that hold far more than a project, as when a container has no WORKDIR.

use std::path::{Path, PathBuf};

use super::Root;

/// What a root holds that is more than anybody means to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// `/`.
    Everything,
    /// A home directory, or all of them.
    Home,
}

impl Root {
    /// Whether it is one of these; `home` is what the environment calls so. It goes by the path
    /// alone: the file system may not answer.
    pub fn breadth(&self, home: Option<PathBuf>) -> Option<Breadth> {
        let path: PathBuf = self.path.components().collect();
        let homes = [Path::new("/home"), Path::new("/Users")];
        let is_home = home.is_some_and(|home| path == home)
            || path == Path::new("/root")
            || homes.contains(&path.as_path())
            || path.parent().is_some_and(|parent| homes.contains(&parent));
        match path.parent() {
            None => Some(Breadth::Everything),
            Some(_) => is_home.then_some(Breadth::Home),
        }
    }
}

impl Breadth {
    /// What is wrong with watching it, as the end of a sentence that begins with the path.
    pub fn warning(self) -> &'static str {
        match self {
            Breadth::Everything => {
                "is the whole file system: looking at all of it takes long, and whatever writes \
                 anywhere makes a change; name the project's directory by -w, or work in it"
            }
            Breadth::Home => {
                "is a home directory, with caches and histories that change all the time; name \
                 the project's directory by -w, or work in it"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_and_homes_are_broad_and_what_lies_in_them_is_not() {
        let breadth = |path: &str| Root::new(Path::new(path)).breadth(Some("/srv/me".into()));
        assert_eq!(breadth("/"), Some(Breadth::Everything));
        for home in ["/root", "/root/", "/home", "/home/me", "/srv/me/."] {
            assert_eq!(breadth(home), Some(Breadth::Home), "{home}");
        }
        for project in ["/root/app", "/home/me/app", "/srv", "/app", "app"] {
            assert_eq!(breadth(project), None, "{project}");
        }
    }
}
