//! Content security policies (CSP Level 3): ours has to be let through by what a page allows itself,
//! and nothing else. Pure.

/// What has to be admitted.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// A source expression that matches the script and what it asks for.
    pub source: &'a str,
    /// A nonce that nobody else knows.
    pub nonce: &'a str,
}

/// The policies of a header that admit ours as well, and the nonce that the script needs, if it is
/// the page's.
pub fn admit(policies: &str, ours: Ours) -> (String, Option<String>) {
    let mut nonce = None;
    let admitted: Vec<String> = policies
        .split(',')
        .map(|policy| {
            let mut directives = parse(policy);
            let given = admit_script(&mut directives, ours);
            nonce = nonce.take().or(given);
            admit_source(&mut directives, &["connect-src"], ours.source);
            directives.iter().map(Directive::text).collect::<Vec<_>>().join("; ")
        })
        .collect();
    (admitted.join(", "), nonce)
}

#[derive(Clone, Debug)]
struct Directive {
    name: String,
    sources: Vec<String>,
}

impl Directive {
    fn text(&self) -> String {
        [&self.name].into_iter().chain(&self.sources).cloned().collect::<Vec<_>>().join(" ")
    }

    fn has(&self, source: &str) -> bool {
        self.sources.iter().any(|it| it.eq_ignore_ascii_case(source))
    }

    fn nonce(&self) -> Option<&str> {
        let nonces = self.sources.iter();
        nonces.filter_map(|it| it.strip_prefix("'nonce-")?.strip_suffix('\'')).next()
    }
}

fn parse(policy: &str) -> Vec<Directive> {
    let directives = policy.split(';').filter_map(|directive| {
        let mut words = directive.split_ascii_whitespace();
        let name = words.next()?.to_owned();
        Some(Directive { name, sources: words.map(str::to_owned).collect() })
    });
    directives.collect()
}

/// Where the directive is that counts for these names, which may be `default-src`.
fn effective(directives: &[Directive], names: &[&str]) -> Option<usize> {
    // Of several with one name only the first counts.
    let find = |name: &&str| directives.iter().position(|it| it.name.eq_ignore_ascii_case(name));
    names.iter().chain(&["default-src"]).find_map(find)
}

/// Adds a source for the last of these names and for nothing else.
fn add(directives: &mut Vec<Directive>, names: &[&str], source: String) {
    let Some(mut at) = effective(directives, names) else { return };
    if directives[at].name.eq_ignore_ascii_case("default-src")
        && let Some(name) = names.last()
    {
        let sources = directives[at].sources.clone();
        directives.push(Directive { name: (*name).to_owned(), sources });
        at = directives.len() - 1;
    }
    let sources = &mut directives[at].sources;
    sources.retain(|it| !it.eq_ignore_ascii_case("'none'"));
    sources.push(source);
}

/// Lets the script be loaded; gives the page's nonce, if it is that which it needs.
fn admit_script(directives: &mut Vec<Directive>, ours: Ours) -> Option<String> {
    const NAMES: [&str; 2] = ["script-src-elem", "script-src"];
    let script = &directives[effective(directives, &NAMES)?];
    if let Some(nonce) = script.nonce() {
        return Some(nonce.to_owned());
    }
    // Beside 'strict-dynamic', sources do not count, and neither does 'unsafe-inline', which a nonce
    // would take away.
    match script.has("'strict-dynamic'") {
        true => add(directives, &NAMES, format!("'nonce-{}'", ours.nonce)),
        false => admit_source(directives, &NAMES, ours.source),
    }
    None
}

fn admit_source(directives: &mut Vec<Directive>, names: &[&str], source: &str) {
    let Some(at) = effective(directives, names) else { return };
    if !directives[at].has("'self'") && !directives[at].has("*") {
        add(directives, names, source.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(policies: &str) -> (String, Option<String>) {
        admit(policies, Ours { source: "h:1/s/", nonce: "N" })
    }

    #[test]
    fn only_ours_is_admitted_besides() {
        for (before, after, nonce) in [
            ("", "", None),
            ("img-src *", "img-src *", None),
            ("script-src 'self'", "script-src 'self'", None),
            ("default-src 'self'", "default-src 'self'", None),
            ("script-src 'nonce-abc'", "script-src 'nonce-abc'", Some("abc")),
            (
                "default-src 'none'; img-src 'self'",
                "default-src 'none'; img-src 'self'; script-src h:1/s/; connect-src h:1/s/",
                None,
            ),
            (
                "script-src 'unsafe-inline' https://cdn",
                "script-src 'unsafe-inline' https://cdn h:1/s/",
                None,
            ),
            (
                "script-src 'strict-dynamic' 'sha256-x'",
                "script-src 'strict-dynamic' 'sha256-x' 'nonce-N'",
                None,
            ),
            ("connect-src https://api", "connect-src https://api h:1/s/", None),
            ("Script-Src-Elem 'none'; script-src *", "Script-Src-Elem h:1/s/; script-src *", None),
            ("script-src 'self', script-src x", "script-src 'self', script-src x h:1/s/", None),
        ] {
            assert_eq!(admitted(before), (after.to_owned(), nonce.map(str::to_owned)), "{before}");
        }
    }
}
