//! air's ways to name paths, as globs of .gitignore.

/// A path of air, relative to the root, as one that is shown: without `./` and doubled slashes.
pub(super) fn below(root: &str, path: &str) -> String {
    let parts = [root, path];
    let parts = match path.starts_with('/') {
        true => &parts[1..],
        false => &parts[..],
    };
    let names = parts.iter().flat_map(|part| part.split('/'));
    let names = names.filter(|name| !name.is_empty() && *name != ".");
    let joined = names.collect::<Vec<_>>().join("/");
    match path.starts_with('/') || root.starts_with('/') {
        true => format!("/{joined}"),
        false => joined,
    }
}

/// A glob that matches this path alone.
pub(super) fn exactly(path: &str) -> String {
    format!("/{}", literally(path.trim_start_matches('/')))
}

/// A glob for what is in this directory, itself included.
pub(super) fn directory(path: &str) -> String {
    format!("{}/", exactly(path))
}

/// A text with all that means something in a glob made to mean itself. A comma would end an
/// item of a list.
fn literally(text: &str) -> String {
    let mut glob = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | ',') {
            glob.push('\\');
        }
        glob.push(c);
    }
    glob
}

/// The globs that match what a regular expression of Go finds in a path, if it is one of those
/// that people write here: plain text, `.`, `.*`, and `$` at the end. Any other has none.
pub(super) fn of_regex(regex: &str) -> Option<Vec<String>> {
    // What begins with anything, or ends so, is found wherever the rest is.
    let (regex, is_end) = match regex.strip_suffix('$') {
        Some(rest) if !rest.ends_with('\\') => (rest, true),
        _ => (regex, false),
    };
    let mut glob = String::new();
    let mut characters = regex.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '.' if characters.peek() == Some(&'*') => {
                characters.next();
                if !glob.ends_with('*') {
                    glob.push('*');
                }
            }
            '.' => glob.push('?'),
            '\\' => match characters.next() {
                Some(c) if c.is_ascii_punctuation() && c != '/' => {
                    glob.push_str(&literally(&c.to_string()));
                }
                _ => return None,
            },
            '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' | '/' => {
                return None;
            }
            c => glob.push_str(&literally(&c.to_string())),
        }
    }
    let middle = glob.trim_matches('*');
    if middle.is_empty() {
        return None;
    }
    let end = if is_end && !glob.ends_with('*') { "" } else { "*" };
    let mut globs = vec![format!("*{middle}{end}")];
    // `.*` may reach over a slash, which `*` does not.
    if let Some((before, after)) = middle.split_once('*') {
        if after.contains('*') {
            return None;
        }
        globs.push(format!("**/*{before}*/**/*{after}{end}"));
    }
    Some(globs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_they_are_shown() {
        assert_eq!(below(".", "./tmp/"), "tmp");
        assert_eq!(below("app/", "assets"), "app/assets");
        assert_eq!(below("app", "/srv//x"), "/srv/x");
        assert_eq!(below(".", "."), "");
        assert_eq!(directory("a[b"), "/a\\[b/");
    }

    #[test]
    fn common_expressions_have_globs() {
        let one = |glob: &str| Some(vec![glob.to_owned()]);
        assert_eq!(of_regex("_test.go"), one("*_test?go*"));
        assert_eq!(of_regex(r"_test\.go$"), one("*_test.go"));
        assert_eq!(of_regex(r".*_templ\.go"), one("*_templ.go*"));
        assert_eq!(
            of_regex(r"mock_.*\.go$"),
            Some(vec!["*mock_*.go".into(), "**/*mock_*/**/*.go".into()])
        );
    }

    #[test]
    fn others_have_none() {
        for regex in ["", ".*", "^a", "(a|b)", "[ab]", "a+", "a/b", r"\d", "a{2}", "a.*b.*c"] {
            assert_eq!(of_regex(regex), None, "{regex}");
        }
    }
}
