//! Globs as git matches paths with them: fnmatch(3) with FNM_PATHNAME, and `**`. Pure.
//!
//! A glob is compiled to tokens. Of each kind of star only the last one met is ever tried again,
//! which is enough, since an earlier one could only take what a later one can take as well; so
//! the cost is at most the product of both lengths, squared for paths with `**`.

/// A compiled glob.
#[derive(Debug)]
pub(super) struct Glob {
    tokens: Vec<Token>,
    /// The plain bytes that it ends with, which are compared first.
    tail: Vec<u8>,
}

#[derive(Debug)]
enum Token {
    Byte(u8),
    /// `?`: any byte but a slash.
    One,
    /// `[…]`: one of these bytes, and never a slash.
    Class(Box<[bool; 256]>),
    /// `*`: anything without a slash.
    Star,
    /// `**/`: nothing, or anything up to a slash.
    Directories,
    /// `**` at the end, or before an escaped slash: anything.
    Anything,
}

impl Glob {
    /// Compiles a glob; `None` where it can match nothing, such as with a class that has no end.
    pub(super) fn parse(glob: &[u8]) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(&byte) = glob.get(at) {
            at += 1;
            tokens.push(match byte {
                b'?' => Token::One,
                b'\\' => {
                    at += 1;
                    Token::Byte(*glob.get(at - 1)?)
                }
                b'[' => {
                    let (class, end) = class(glob, at)?;
                    at = end;
                    Token::Class(class)
                }
                b'*' => {
                    let first = at - 1;
                    at += glob[at..].iter().take_while(|byte| **byte == b'*').count();
                    let begins_name = first == 0 || glob[first - 1] == b'/';
                    match &glob[at..] {
                        _ if at - first < 2 || !begins_name => Token::Star,
                        [b'/', ..] => {
                            at += 1;
                            Token::Directories
                        }
                        [] | [b'\\', b'/', ..] => Token::Anything,
                        _ => Token::Star,
                    }
                }
                byte => Token::Byte(byte),
            });
        }
        let is_plain = |token: &Token| matches!(token, Token::Byte(_));
        let tail = tokens.iter().rposition(|token| !is_plain(token)).map_or(0, |last| last + 1);
        let plain = |token| if let Token::Byte(byte) = token { Some(byte) } else { None };
        let tail = tokens.drain(tail..).filter_map(plain).collect();
        Some(Self { tokens, tail })
    }

    /// Whether the whole of `text` matches.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        text.strip_suffix(&*self.tail).is_some_and(|text| self.tokens_match(text))
    }

    /// `false` where the last byte alone shows that `text` does not match, which is to be found out
    /// at the least cost.
    pub(super) fn may_match(&self, text: &[u8]) -> bool {
        match self.tail.last() {
            Some(last) => text.last() == Some(last),
            None => !self.tokens.is_empty() || text.is_empty(),
        }
    }

    fn tokens_match(&self, text: &[u8]) -> bool {
        let (mut token, mut at) = (0, 0);
        // Where to go on, and from which byte of the text, should what follows not match.
        let (mut star, mut wide) = (None::<(usize, usize)>, None::<(usize, usize)>);
        loop {
            match self.tokens.get(token) {
                None if at == text.len() => return true,
                Some(Token::Star) => {
                    token += 1;
                    star = Some((token, at));
                    continue;
                }
                Some(Token::Directories | Token::Anything) => {
                    token += 1;
                    (star, wide) = (None, Some((token, at)));
                    continue;
                }
                Some(one) if text.get(at).is_some_and(|byte| one.is(*byte)) => {
                    (token, at) = (token + 1, at + 1);
                    continue;
                }
                _ => {}
            }
            if let Some((after, from)) = star
                && text.get(from).is_some_and(|byte| *byte != b'/')
            {
                star = Some((after, from + 1));
                (token, at) = (after, from + 1);
            } else if let Some((after, from)) = wide {
                let next = match self.tokens[after - 1] {
                    Token::Directories => {
                        let slash = text[from..].iter().position(|byte| *byte == b'/');
                        slash.map(|slash| from + slash + 1)
                    }
                    _ => (from < text.len()).then_some(from + 1),
                };
                let Some(next) = next else { return false };
                (star, wide) = (None, Some((after, next)));
                (token, at) = (after, next);
            } else {
                return false;
            }
        }
    }
}

impl Token {
    fn is(&self, byte: u8) -> bool {
        match self {
            Token::Byte(wanted) => *wanted == byte,
            Token::One => byte != b'/',
            Token::Class(class) => class[usize::from(byte)],
            Token::Star | Token::Directories | Token::Anything => false,
        }
    }
}

/// Reads a class from behind its bracket; gives it and where it ends.
fn class(glob: &[u8], mut at: usize) -> Option<(Box<[bool; 256]>, usize)> {
    let mut class = Box::new([false; 256]);
    let is_negated = matches!(glob.get(at), Some(b'!' | b'^'));
    at += usize::from(is_negated);
    // The byte that a range can begin with.
    let mut from = None;
    let mut is_first = true;
    loop {
        let byte = *glob.get(at)?;
        if byte == b']' && !is_first {
            break;
        }
        is_first = false;
        at += 1;
        match (byte, from) {
            (b'\\', _) => {
                from = Some(*glob.get(at)?);
                class[usize::from(glob[at])] = true;
                at += 1;
            }
            (b'-', Some(first)) if glob.get(at).is_some_and(|next| *next != b']') => {
                if glob[at] == b'\\' {
                    at += 1;
                }
                for byte in first..=*glob.get(at)? {
                    class[usize::from(byte)] = true;
                }
                at += 1;
                from = None;
            }
            (b'[', _) if glob.get(at) == Some(&b':') => {
                let length = glob[at + 1..].iter().position(|byte| *byte == b']')?;
                match glob[at + 1..at + 1 + length].split_last() {
                    Some((b':', name)) => {
                        let is_member = named_class(name)?;
                        (0..=u8::MAX).filter(is_member).for_each(|b| class[usize::from(b)] = true);
                        at += length + 2;
                        from = None;
                    }
                    _ => {
                        class[usize::from(b'[')] = true;
                        from = Some(b'[');
                    }
                }
            }
            _ => {
                class[usize::from(byte)] = true;
                // As in git: after a NUL, which cannot be here, or a range none can begin.
                from = Some(byte);
            }
        }
    }
    if is_negated {
        class.iter_mut().for_each(|is_in| *is_in = !*is_in);
    }
    class[usize::from(b'/')] = false;
    Some((class, at + 1))
}

/// The bytes that a POSIX class stands for, in the C locale.
fn named_class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, text: &str) -> bool {
        Glob::parse(glob.as_bytes()).is_some_and(|glob| glob.matches(text.as_bytes()))
    }

    #[test]
    fn stars_stay_within_a_name_and_two_do_not() {
        assert!(matches("*", "a") && !matches("*", "a/b"));
        assert!(matches("a*/*c", "ab/bc") && !matches("a*c", "a/c"));
        assert!(matches("**/c", "c") && matches("**/c", "a/b/c") && !matches("**/c", "ac"));
        assert!(matches("a/**", "a/b/c") && !matches("a/**", "a"));
        assert!(matches("a/**/c", "a/c") && matches("a/**/c", "a/b/b/c"));
        assert!(matches("a**c", "abc") && !matches("a**c", "a/c"));
        assert!(matches("**/a*/**/*b", "x/ay/z/zb") && !matches("**/a*/**/*b", "x/y/z/zb"));
    }

    #[test]
    fn classes_are_those_of_posix_and_never_hold_a_slash() {
        assert!(matches("[a-c]", "b") && !matches("[!a-c]", "b") && matches("[^a-c]", "d"));
        assert!(matches("[[:upper:]_]", "Q") && matches("[[:upper:]_]", "_"));
        assert!(matches("[]-]", "]") && matches("[]-]", "-") && matches("[\\]]", "]"));
        assert!(!matches("[/]", "/") && !matches("a[!x]b", "a/b") && !matches("a?b", "a/b"));
        assert!(!matches("[a", "a") && !matches("[[:nonsense:]]", "n") && !matches("a\\", "a"));
        assert!(matches("[z-a]x", "ax") == matches("[z-a]x", "bx"));
    }

    #[test]
    fn many_stars_cost_no_more_than_the_square() {
        let glob = "*a".repeat(100) + "b";
        assert!(!matches(&glob, &"a".repeat(255)));
        let glob = "**/*a*/".repeat(20) + "b";
        assert!(!matches(&glob, &"aaaa/".repeat(200)));
    }
}
