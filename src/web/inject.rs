//! Where in a page the script goes: as early as it may stand. Pure.
//!
//! That is behind what opens a document, of which all parts are optional (HTML, section 13.1.2.4):
//! comments, the doctype, `<html …>` and `<head …>`. Nothing behind that is looked at, so a page goes
//! through as it comes.

/// Looks for the place in what came of a page so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It takes more of the page to tell.
    Unclear,
    /// Before this byte, behind something that opens a document.
    Document(usize),
    /// Nowhere: it is in a charset in which ASCII is something else.
    Nowhere,
    /// At this byte; nothing says that it is a whole document and not a part of one.
    Fragment(usize),
}

/// So much of a page is looked at; the opening of a document that is longer is a strange one.
pub const LONGEST: usize = 64 * 1024;

/// The place in the page that begins with `text`; `is_all` says that nothing follows.
pub fn place(text: &[u8], is_all: bool) -> Place {
    let is_all = is_all || text.len() >= LONGEST;
    // UTF-16, by its byte order mark.
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Place::Nowhere;
    }
    let mut at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let (mut found, mut next) = (None, 0);
    loop {
        let here = at + text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let rest = &text[here..];
        match opening(rest, next) {
            Opening::Comment(length) => at = here + length,
            Opening::Tag(tag, length) => {
                at = here + length;
                (found, next) = (Some(at), tag + 1);
                if next == TAGS.len() {
                    break;
                }
            }
            Opening::Cut if !is_all => return Place::Unclear,
            Opening::Cut | Opening::Other => break,
        }
    }
    let mark = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    found.map_or(Place::Fragment(mark), Place::Document)
}

/// What opens a document, in this order.
const TAGS: [&[u8]; 3] = [b"<!doctype", b"<html", b"<head"];

/// What stands at some place of a page.
enum Opening {
    /// A comment of this length.
    Comment(usize),
    /// One of the [`TAGS`], of this length.
    Tag(usize, usize),
    /// The beginning of one of these.
    Cut,
    Other,
}

fn opening(text: &[u8], first: usize) -> Opening {
    const COMMENT: &[u8] = b"<!--";
    if let Some(rest) = text.strip_prefix(COMMENT) {
        return match rest.windows(3).position(|end| end == b"-->") {
            Some(end) => Opening::Comment(COMMENT.len() + end + 3),
            None => Opening::Cut,
        };
    }
    for (number, tag) in TAGS.iter().enumerate().skip(first) {
        let begun = text.len().min(tag.len());
        if !text[..begun].eq_ignore_ascii_case(&tag[..begun]) {
            continue;
        }
        match text.get(tag.len()) {
            Some(b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r' | b'\x0c') => {
                return match tag_end(&text[tag.len()..]) {
                    Some(end) => Opening::Tag(number, tag.len() + end),
                    None => Opening::Cut,
                };
            }
            // `<header>`, for example.
            Some(_) => {}
            None => return Opening::Cut,
        }
    }
    // The parser takes these for comments, too: `<?xml …?>`, and `<!` with anything else.
    let is_bogus = text.starts_with(b"<?")
        || text.starts_with(b"<!") && !COMMENT.starts_with(&text[..text.len().min(4)]);
    match text.iter().position(|byte| *byte == b'>').filter(|_| is_bogus) {
        Some(end) => Opening::Comment(end + 1),
        None if is_bogus || COMMENT.starts_with(text) || text == b"<" => Opening::Cut,
        None => Opening::Other,
    }
}

/// The length of a tag's attributes and its `>`.
fn tag_end(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, &byte) in text.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The page with a mark where the script goes.
    fn marked(page: &str) -> String {
        let (Place::Document(at) | Place::Fragment(at)) = place(page.as_bytes(), true) else {
            panic!("all of it was there");
        };
        format!("{}|{}", &page[..at], &page[at..])
    }

    #[test]
    fn behind_what_opens_a_document() {
        for page in [
            "<!DOCTYPE html><html lang='>'><head>|<title>x</title>",
            "\u{feff}\n<!-- <head> -->\n<!doctype html>\n<HTML>\n<Head data-a=\">\">|<meta>",
            "<!doctype html>|<title>no head</title>",
            "<?xml version='1.0'?>\n<!doctype html><html>|<body>",
            "<!what ever><html>|",
            "<html>|<body>",
            "<!doctype html><html>|<header>",
            "<!doctype html>|",
            "|<p>a part of a page</p>",
            "\u{feff}|text",
            "|",
        ] {
            assert_eq!(marked(&page.replace('|', "")), page);
        }
    }

    #[test]
    fn a_part_of_a_page_is_told_from_a_page() {
        assert_eq!(place(b"<li>", false), Place::Fragment(0));
        assert_eq!(place(b"<html><body>", false), Place::Document(6));
        assert_eq!(place(b" <he", false), Place::Unclear);
        assert_eq!(place(b"<head x='>", false), Place::Unclear);
        assert_eq!(place(b"", false), Place::Unclear);
        assert_eq!(place(b"<?xml", false), Place::Unclear);
        assert_eq!(place(b"\xff\xfe<\0h\0", false), Place::Nowhere);
        assert_eq!(place(&vec![b' '; LONGEST], false), Place::Fragment(0));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_place_is_the_same(
            page in "(<!--a-->)?[ \n]{0,2}(<!doctype html>)?(<html a='>'>)?(<head>)?<p>", cut in 0usize..60
        ) {
            let all = place(page.as_bytes(), true);
            let cut = cut.min(page.len());
            let early = place(&page.as_bytes()[..cut], false);
            prop_assert!(early == Place::Unclear || early == all, "{early:?} {all:?}");
        }

        #[test]
        fn any_bytes_have_a_place(page in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_ne!(place(&page, true), Place::Unclear);
        }
    }
}
