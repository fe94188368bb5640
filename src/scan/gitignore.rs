//! The patterns of an ignore file, with the meaning that git gives them (gitignore(5)), byte for
//! byte: the `ignore` crate's own dialect knows braces, which are plain characters in git, and
//! differs in classes, escapes and white space. Pure.

use super::wildmatch::Glob;

/// The patterns of one ignore file, in the order of its lines.
#[derive(Debug)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    is_negated: bool,
    only_directories: bool,
    /// Matched against the name alone, not the path: the pattern has no slash but at its end.
    only_name: bool,
    /// What comes before the first special character. Git compares it first, and so what follows
    /// counts as the beginning of a pattern: `a**/b` matches `ab`.
    literal: Vec<u8>,
    rest: Glob,
}

impl Patterns {
    /// Reads an ignore file. As in git, a line that makes no sense matches nothing.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let lines = text.split(|&byte| byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty() && line[0] != b'#');
        Self(lines.filter_map(Pattern::parse).collect())
    }

    /// Whether `path`, relative to the file's directory, is left out, taken back in, or neither
    /// (`None`).
    pub(super) fn verdict(&self, path: &[u8], is_directory: bool) -> Option<bool> {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        let last = self.0.iter().rev().find(|pattern| {
            (is_directory || !pattern.only_directories)
                && pattern.matches(if pattern.only_name { name } else { path })
        });
        last.map(|pattern| !pattern.is_negated)
    }
}

impl Pattern {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Git's strings end at the first NUL.
        let line = line.split(|&byte| byte == 0).next().unwrap_or(line);
        let line = without_trailing_spaces(line);
        let (is_negated, line) = match line.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (only_directories, line) = match line.strip_suffix(b"/") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let only_name = !line.contains(&b'/');
        let line = line.strip_prefix(b"/").unwrap_or(line);
        let special = line.iter().position(|byte| b"*?[\\".contains(byte)).unwrap_or(line.len());
        let (literal, rest) = line.split_at(special);
        let rest = Glob::parse(rest)?;
        Some(Self { is_negated, only_directories, only_name, literal: literal.to_vec(), rest })
    }

    fn matches(&self, path: &[u8]) -> bool {
        let Some(rest) = path.get(self.literal.len()..) else { return false };
        // Every name in a tree is compared with every pattern, and most differ in their first byte
        // or the last.
        let begins_alike = self.literal.first().is_none_or(|first| path.first() == Some(first));
        begins_alike
            && self.rest.may_match(rest)
            && path.starts_with(&self.literal)
            && self.rest.matches(rest)
    }
}

/// A space at the end counts only after a backslash.
fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b' ' => {}
            b'\\' => {
                at += 1;
                end = (at + 1).min(line.len());
            }
            _ => end = at + 1,
        }
        at += 1;
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(lines: &str, path: &str) -> bool {
        let (path, is_directory) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        Patterns::parse(lines.as_bytes()).verdict(path.as_bytes(), is_directory) == Some(true)
    }

    #[test]
    fn a_slash_anchors_and_one_at_the_end_means_directories() {
        assert!(excludes("out", "out") && excludes("out", "a/out"));
        assert!(excludes("/out", "out") && !excludes("/out", "a/out"));
        assert!(excludes("a/out", "a/out") && !excludes("a/out", "b/a/out"));
        assert!(excludes("out/", "a/out/") && !excludes("out/", "out"));
        assert!(!excludes("out//", "out/"));
    }

    #[test]
    fn the_last_line_that_matches_decides() {
        assert!(!excludes("*.log\n!keep.log", "keep.log"));
        assert!(excludes("!keep.log\n*.log", "keep.log"));
        assert_eq!(Patterns::parse(b"*.log").verdict(b"a.txt", false), None);
    }

    #[test]
    fn braces_are_plain_characters() {
        assert!(excludes("*.{js,ts}", "a.{js,ts}") && !excludes("*.{js,ts}", "a.js"));
    }

    #[test]
    fn comments_escapes_and_line_ends() {
        assert!(!excludes("#a", "#a") && excludes("\\#a", "#a") && excludes("\\!a", "!a"));
        assert!(excludes("a   ", "a") && excludes("a\\ ", "a ") && !excludes("a\\ ", "a"));
        assert!(excludes("a\r\nb\r\n", "a") && excludes("a\t", "a\t") && !excludes("a\t", "a"));
        assert!(excludes("\u{feff}a", "a"));
        assert!(!excludes("!", "!") && !excludes("/", "a") && !excludes("a\\", "a\\"));
    }
}
