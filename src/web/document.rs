//! Which answers are pages that a script is put into, and what that makes of their headers. Pure.

use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING,
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, LAST_MODIFIED,
};
use hyper::{Method, StatusCode};

use super::csp::{self, Ours};
use super::decode::{self, Coding};

/// What a request says of what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To show a page.
    Page,
    /// Maybe that: the browser is an old one, or is none.
    Unclear,
    /// Anything else, a script's own request for example.
    Other,
}

const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What says that a script is asking, by custom.
const BY_SCRIPT: [&str; 3] = ["x-requested-with", "hx-request", "turbo-frame"];

/// What a request is for (Fetch Metadata Request Headers, section 2.1).
pub fn purpose(method: &Method, headers: &HeaderMap) -> Purpose {
    if method == Method::HEAD || BY_SCRIPT.iter().any(|name| headers.contains_key(*name)) {
        return Purpose::Other;
    }
    match headers.get(DESTINATION).map(HeaderValue::as_bytes) {
        Some(b"document" | b"iframe" | b"frame") => Purpose::Page,
        Some(_) => Purpose::Other,
        None => Purpose::Unclear,
    }
}

/// Whether whoever asks would rather read HTML than anything else.
pub fn wants_html(purpose: Purpose, headers: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|it| it.contains("text/html"));
    match purpose {
        Purpose::Page => true,
        Purpose::Unclear => headers.get(ACCEPT).is_some_and(accepts),
        Purpose::Other => false,
    }
}

/// Leaves only codings in a request for a page that can be undone.
pub fn limit_codings(headers: &mut HeaderMap) {
    if let Some(accepted) = headers.get(ACCEPT_ENCODING) {
        let accepted = accepted.to_str().unwrap_or_default();
        let name = |coding: &str| coding.split(';').next().unwrap_or_default().trim().to_owned();
        let is_known = |coding: &&str| {
            let name = name(coding);
            name == "identity" || decode::Coding::named(&name).is_some()
        };
        let known: Vec<&str> = accepted.split(',').map(str::trim).filter(is_known).collect();
        let known = match accepted.trim() {
            "*" => decode::KNOWN.to_owned(),
            _ if known.is_empty() => "identity".to_owned(),
            _ => known.join(", "),
        };
        if let Ok(known) = HeaderValue::from_str(&known) {
            headers.insert(ACCEPT_ENCODING, known);
        }
    }
}

/// How a page's body is read, if a script can be put into it: its coding, if it has one.
pub fn is_page(status: StatusCode, headers: &HeaderMap) -> Option<Option<Coding>> {
    let has_body = !status.is_informational()
        && ![StatusCode::NO_CONTENT, StatusCode::PARTIAL_CONTENT, StatusCode::NOT_MODIFIED]
            .contains(&status);
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let kind = text(CONTENT_TYPE)?.to_ascii_lowercase();
    let is_html = kind.split(';').next().unwrap_or_default().trim() == "text/html";
    // Only in charsets that contain ASCII does the script mean what it says.
    let is_ascii = !kind.contains("utf-16") && !kind.contains("utf-32");
    let is_saved = |it: &str| it.trim_start().to_ascii_lowercase().starts_with("attachment");
    let is_shown = !text(CONTENT_DISPOSITION).is_some_and(is_saved);
    // RFC 9111, section 5.2.2.6.
    let is_kept = |it: &HeaderValue| {
        it.to_str().is_ok_and(|it| it.to_ascii_lowercase().contains("no-transform"))
    };
    let is_open = !headers.get_all(CACHE_CONTROL).iter().any(is_kept);
    if !(has_body && is_html && is_ascii && is_shown && is_open) {
        return None;
    }
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    match (codings.next().map(HeaderValue::to_str), codings.next()) {
        (None, _) => Some(None),
        (Some(Ok(name)), None) if name.eq_ignore_ascii_case("identity") => Some(None),
        (Some(Ok(name)), None) => Coding::named(name).map(Some),
        _ => None,
    }
}

/// Headers that are true of the page as the program sent it, and not with a script in it. Without
/// validators, a browser that loads it again gets all of it, with the script as it is then.
const OF_THE_ORIGINAL: [&str; 4] = ["content-md5", "digest", "content-digest", "repr-digest"];

/// Makes the headers those of the page with a script; gives the nonce that the script needs.
pub fn convert(headers: &mut HeaderMap, ours: Ours) -> String {
    for name in [CONTENT_LENGTH, CONTENT_ENCODING, ACCEPT_RANGES, ETAG, LAST_MODIFIED] {
        headers.remove(name);
    }
    for name in OF_THE_ORIGINAL {
        headers.remove(name);
    }
    let policies: Vec<HeaderValue> =
        headers.get_all(CONTENT_SECURITY_POLICY).iter().cloned().collect();
    headers.remove(CONTENT_SECURITY_POLICY);
    let mut nonce = None;
    for policy in policies {
        let admitted = policy.to_str().ok().map(|text| csp::admit(text, ours));
        let value = admitted.and_then(|(text, given)| {
            nonce = nonce.take().or(given);
            HeaderValue::from_str(&text).ok()
        });
        headers.append(CONTENT_SECURITY_POLICY, value.unwrap_or(policy));
    }
    nonce.unwrap_or_else(|| ours.nonce.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn a_script_goes_into_pages_alone() {
        let html = ("content-type", "text/html; charset=utf-8");
        let is_page = |status: u16, lines: &[_]| {
            is_page(StatusCode::from_u16(status).unwrap(), &headers(lines))
        };
        assert_eq!(is_page(200, &[html]), Some(None));
        assert_eq!(is_page(404, &[html]), Some(None));
        assert_eq!(is_page(200, &[html, ("content-encoding", "br")]), Some(Some(Coding::Brotli)));
        for status in [204, 206, 304] {
            assert_eq!(is_page(status, &[html]), None, "{status}");
        }
        for other in [
            ("content-type", "application/json"),
            ("content-type", "text/html; charset=UTF-16LE"),
            ("content-type", "text/htmlx"),
            ("content-disposition", "Attachment; filename=a.html"),
            ("cache-control", "private, no-transform"),
            ("content-encoding", "gzip, br"),
            ("content-encoding", "dcb"),
        ] {
            let mut lines = headers(&[html]);
            lines.insert(other.0, HeaderValue::from_static(other.1));
            assert_eq!(super::is_page(StatusCode::OK, &lines), None, "{other:?}");
        }
        assert_eq!(is_page(200, &[]), None);
    }

    #[test]
    fn what_a_script_asks_for_is_no_page() {
        let of = |lines: &[_]| purpose(&Method::GET, &headers(lines));
        assert_eq!(of(&[("sec-fetch-dest", "document")]), Purpose::Page);
        assert_eq!(of(&[("sec-fetch-dest", "empty")]), Purpose::Other);
        assert_eq!(of(&[("x-requested-with", "XMLHttpRequest")]), Purpose::Other);
        assert_eq!(of(&[("hx-request", "true"), ("sec-fetch-dest", "document")]), Purpose::Other);
        assert_eq!(of(&[]), Purpose::Unclear);
        assert_eq!(purpose(&Method::HEAD, &headers(&[])), Purpose::Other);
        assert!(wants_html(Purpose::Unclear, &headers(&[("accept", "text/html,*/*;q=0.8")])));
        assert!(!wants_html(Purpose::Unclear, &headers(&[("accept", "*/*")])));
    }

    #[test]
    fn only_codings_that_can_be_undone_are_asked_for() {
        for (before, after) in [
            ("gzip, deflate, br, zstd", "gzip, deflate, br, zstd"),
            ("gzip;q=0.5, dcb, identity", "gzip;q=0.5, identity"),
            ("dcz", "identity"),
            ("*", "gzip, deflate, br, zstd"),
        ] {
            let mut lines = HeaderMap::new();
            lines.insert(ACCEPT_ENCODING, HeaderValue::from_static(before));
            limit_codings(&mut lines);
            assert_eq!(lines[ACCEPT_ENCODING], after);
        }
    }

    #[test]
    fn what_is_not_true_any_more_is_not_said() {
        let mut lines = headers(&[
            ("content-length", "5"),
            ("etag", "\"a\""),
            ("digest", "x"),
            ("x-other", "y"),
            ("content-security-policy", "script-src 'nonce-p'"),
        ]);
        let nonce = convert(&mut lines, Ours { source: "h/", nonce: "n" });
        assert_eq!(nonce, "p");
        assert_eq!(
            lines,
            headers(&[("x-other", "y"), ("content-security-policy", "script-src 'nonce-p'"),])
        );
    }
}
