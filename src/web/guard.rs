//! Who may see stakeout's own pages: a page of another site that a browser shows here must neither
//! read them nor ask for anything. Pure.
//!
//! A site's name can be made to mean this machine (DNS rebinding), so only names that no other site
//! can have are answered. What changes something needs a token that only our own page knows.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::{Request, Uri};

/// The header with the token.
pub const TOKEN: &str = "x-stakeout-token";

/// What is let through.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Names of this machine besides those that always are.
    pub hosts: Vec<String>,
    /// What changes something has to bring this.
    pub token: String,
}

impl Guard {
    /// Why a request is not answered, if it is not.
    pub fn refusal<B>(&self, request: &Request<B>) -> Option<String> {
        let host = match host(request.uri(), request.headers()) {
            Some(Ok(host)) => host,
            Some(Err(())) => return Some("the request does not name one host".into()),
            // Browsers always name one; what asks for health by HTTP/1.0 need not.
            None => return None,
        };
        if !self.is_ours(host) {
            return Some(format!(
                "`{host}` is not known to be this machine; to allow it: --allow-host {}",
                name_of(host)
            ));
        }
        let origin = request.headers().get(ORIGIN).map(HeaderValue::to_str);
        let is_same = |origin: &str| origin.split_once("://").is_some_and(|(_, it)| it == host);
        match origin {
            None => None,
            Some(Ok(origin)) if is_same(origin) => None,
            Some(_) => Some("pages of other origins are not answered".into()),
        }
    }

    /// Whether what changes something is asked for by our own page.
    pub fn has_token(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(TOKEN).map_or(&[][..], HeaderValue::as_bytes);
        // All of it is compared, so that the time says nothing of where it differs.
        let differing = given.iter().zip(self.token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        given.len() == self.token.len() && differing == 0
    }

    /// Whether no other site can be called like this host.
    pub fn is_ours(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        // RFC 6761, section 6.3: no site has a name below localhost.
        bare.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(&name))
    }
}

/// What a request calls us, if it calls us anything; an error if it is not clear what.
pub fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<Result<&'r str, ()>> {
    if let Some(authority) = uri.authority() {
        let host = authority.as_str();
        return Some(Ok(host.rsplit_once('@').map_or(host, |(_, host)| host)));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?;
    Some(match (host.to_str(), hosts.next()) {
        (Ok(host), None) => Ok(host),
        _ => Err(()),
    })
}

/// Without the port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(lines: &[(&str, &str)]) -> Option<String> {
        let guard = Guard { hosts: vec!["app.test".into()], token: "t".into() };
        let mut request = Request::builder().uri("/");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        guard.refusal(&request.body(()).unwrap())
    }

    #[test]
    fn only_this_machine_by_its_own_names_is_answered() {
        for host in
            ["localhost:80", "127.0.0.1", "[::1]:8080", "a.localhost", "APP.test:1", "10.0.0.7"]
        {
            assert_eq!(refusal(&[("host", host)]), None, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x:y", ""]
        {
            assert!(refusal(&[("host", host)]).is_some(), "{host}");
        }
        assert!(refusal(&[("host", "b.test:80")]).unwrap().ends_with("--allow-host b.test"));
    }

    #[test]
    fn pages_of_other_origins_are_not_answered() {
        let host = ("host", "localhost:80");
        assert_eq!(refusal(&[host, ("origin", "http://localhost:80")]), None);
        for origin in ["http://localhost:81", "null", "http://evil.example", "localhost:80"] {
            assert!(refusal(&[host, ("origin", origin)]).is_some(), "{origin}");
        }
    }

    #[test]
    fn only_the_whole_token_counts() {
        let guard = Guard { hosts: Vec::new(), token: "abc".into() };
        for (given, is_it) in [("abc", true), ("ab", false), ("abcd", false), ("abd", false)] {
            let mut headers = HeaderMap::new();
            headers.insert(TOKEN, HeaderValue::from_static(given));
            assert_eq!(guard.has_token(&headers), is_it, "{given}");
        }
        assert!(!guard.has_token(&HeaderMap::new()));
    }
}
