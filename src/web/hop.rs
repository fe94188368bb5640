//! From one connection to the next: which headers are about the one that a message came through,
//! and what a request says on its way to the program. Pure.

use std::net::IpAddr;

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Uri, Version};

/// Headers that are about one connection (RFC 9110, section 7.6.1).
const OF_ONE_CONNECTION: [HeaderName; 5] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
/// So are these; that a client waits before it sends a body is between it and us.
const BY_CUSTOM: [&str; 4] = ["keep-alive", "proxy-connection", "proxy-authorization", "expect"];

/// Takes away what is about the connection that a message came through.
pub fn strip(headers: &mut HeaderMap) {
    // Of two ways to tell a length, this one does not hold (RFC 9112, section 6.3).
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_ONE_CONNECTION) {
        headers.remove(name);
    }
    for name in BY_CUSTOM {
        headers.remove(name);
    }
}

/// The protocol that a request wants to go on in, a WebSocket for example.
pub fn upgrade_of(parts: &Parts) -> Option<HeaderValue> {
    let wants = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|name| name.trim().eq_ignore_ascii_case("upgrade"))
    };
    let is_wanted = parts.headers.get_all(CONNECTION).iter().any(wants);
    let upgrade = parts.headers.get(UPGRADE).filter(|_| is_wanted)?;
    // HTTP/2 by upgrade (RFC 7540, section 3.2) is no more (RFC 9113, section 3.1).
    (upgrade != "h2c").then(|| upgrade.clone())
}

/// Makes of a request that came to us one that goes to the program.
pub fn prepare(parts: &mut Parts, host: &str, peer: IpAddr, upgrade: Option<&HeaderValue>) {
    // What it says besides of what framed it on its way here is not true of its way on.
    strip(&mut parts.headers);
    // HTTP/2 may bring them one by one (RFC 9113, section 8.2.3).
    let cookies: Vec<&[u8]> =
        parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let (2.., Ok(cookies)) = (cookies.len(), HeaderValue::from_bytes(&cookies.join(&b"; "[..])))
    {
        parts.headers.insert(COOKIE, cookies);
    }
    if let Some(upgrade) = upgrade {
        parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(UPGRADE, upgrade.clone());
    }
    if let Ok(value) = HeaderValue::from_str(host) {
        parts.headers.insert(HOST, value);
    }
    let before = parts.headers.get_all("x-forwarded-for").iter();
    let before = before.filter_map(|it| it.to_str().ok()).map(str::to_owned);
    let from = before.chain([peer.to_string()]).collect::<Vec<_>>().join(", ");
    if let Ok(from) = HeaderValue::from_str(&from) {
        parts.headers.insert("x-forwarded-for", from);
    }
    if let Ok(host) = HeaderValue::from_str(host) {
        parts.headers.entry("x-forwarded-host").or_insert(host);
    }
    parts.headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static("http"));
    parts.uri = match parts.uri.path_and_query().map_or("/", |it| it.as_str()) {
        query if query.starts_with('?') => format!("/{query}").parse(),
        path => path.parse(),
    }
    .unwrap_or_else(|_| Uri::from_static("/"));
    parts.version = Version::HTTP_11;
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn parts(uri: &str, lines: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let line =
            |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<_> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    fn prepared(mut parts: Parts) -> Parts {
        let upgrade = upgrade_of(&parts);
        prepare(&mut parts, "app.test:80", IpAddr::from([10, 0, 0, 1]), upgrade.as_ref());
        parts
    }

    #[test]
    fn what_is_about_one_connection_ends_with_it() {
        let Parts { mut headers, .. } = parts(
            "/",
            &[
                ("connection", "X-Hop, close"),
                ("connection", "x-other,,not a name"),
                ("x-hop", "a"),
                ("x-other", "b"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("proxy-authorization", "secret"),
                ("expect", "100-continue"),
                ("te", "trailers"),
                ("trailer", "digest"),
                ("upgrade", "websocket"),
                ("content-length", "3"),
                ("x-end", "c"),
            ],
        );
        strip(&mut headers);
        assert_eq!(lines(&headers), ["content-length: 3", "x-end: c"]);
    }

    #[test]
    fn a_length_beside_chunks_does_not_hold() {
        let Parts { mut headers, .. } =
            parts("/", &[("transfer-encoding", "chunked"), ("content-length", "3")]);
        strip(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn only_a_connection_that_says_so_is_upgraded_and_never_to_http_2() {
        for (lines, protocol) in [
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")][..], "websocket"),
            (&[("connection", "close"), ("connection", "upgrade"), ("upgrade", "x")], "x"),
            (&[("connection", "keep-alive"), ("upgrade", "websocket")], ""),
            (&[("connection", "upgrade")], ""),
            (&[("connection", "upgrade, http2-settings"), ("upgrade", "h2c")], ""),
        ] {
            let upgrade = upgrade_of(&parts("/", lines)).unwrap_or(HeaderValue::from_static(""));
            assert_eq!(upgrade, protocol, "{lines:?}");
        }
    }

    #[test]
    fn the_program_is_told_who_asks_and_by_what_name() {
        let Parts { headers, version, .. } = prepared(parts("/", &[]));
        assert_eq!(version, Version::HTTP_11);
        assert_eq!(
            lines(&headers),
            [
                "host: app.test:80",
                "x-forwarded-for: 10.0.0.1",
                "x-forwarded-host: app.test:80",
                "x-forwarded-proto: http",
            ]
        );
        // Proxies before us know better, but not whom we see.
        let Parts { headers, .. } = prepared(parts(
            "/",
            &[
                ("host", "other"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-host", "shop.example"),
                ("x-forwarded-proto", "https"),
            ],
        ));
        assert_eq!(
            lines(&headers),
            [
                "host: app.test:80",
                "x-forwarded-for: 192.0.2.1, 10.0.0.1",
                "x-forwarded-host: shop.example",
                "x-forwarded-proto: https",
            ]
        );
    }

    #[test]
    fn cookies_that_come_one_by_one_go_on_in_one_line() {
        let Parts { headers, .. } = prepared(parts("/", &[("cookie", "a=1"), ("cookie", "b=2")]));
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[test]
    fn an_upgrade_is_asked_for_anew() {
        let asked = [("connection", "keep-alive, upgrade"), ("upgrade", "websocket")];
        let Parts { headers, .. } = prepared(parts("/", &asked));
        assert_eq!(
            (&headers[CONNECTION], &headers[UPGRADE]),
            (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
        );
    }

    #[test]
    fn a_path_goes_on_without_what_stands_before_it() {
        for (uri, path) in [
            ("http://app.test/a?b", "/a?b"),
            ("http://app.test?b", "/?b"),
            ("/a//b%20c", "/a//b%20c"),
            ("*", "*"),
        ] {
            assert_eq!(prepared(parts(uri, &[])).uri, path, "{uri}");
        }
    }
}
