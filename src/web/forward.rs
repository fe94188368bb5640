//! Passing a request on to the program, when there is one that can answer, and its answer back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
    RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::body::{Body, Injected, decoded, empty, whole};
use super::csp::Ours;
use super::document::{self, Purpose};
use super::feed::{Audience, Gate};
use super::own::{self, Own, PREFIX};
use super::server::Seat;
use super::upstream::{Connections, NoAnswer};
use super::{Failure, FailureKind, guard};

/// How long to wait before it is tried again to reach the program.
const PAUSE: Duration = Duration::from_millis(25);

/// How long it takes until it is known that a program has ended.
const END_TAKES: Duration = Duration::from_millis(250);

/// How often a request is sent again that the program may have seen, if that does no harm: a
/// program that dies of it is not to die for ever.
const AGAIN: u32 = 2;

/// One address in front of the program.
pub struct Proxy {
    pub connections: Arc<Connections>,
    pub audience: Audience,
    /// How long requests wait for the program.
    pub patience: Duration,
    /// Told apart from that of a stakeout before.
    pub epoch: String,
    /// For scripts, in policies that go by nonces.
    pub nonce: String,
    /// Our own pages, which know by what names we may be called.
    pub own: Arc<Own>,
    /// Who may undo a content coding, which takes a thread for as long as a client reads.
    pub decoders: Arc<Semaphore>,
}

/// Why a request does not reach the program.
enum Obstacle {
    Failed(Arc<Failure>),
    /// It took too long.
    Late(Failure),
}

impl Proxy {
    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        if request.method() == Method::CONNECT {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "this proxy leads to one program only");
        }
        let (mut parts, body) = request.into_parts();
        let purpose = document::purpose(&parts.method, &parts.headers);
        let wants_html = document::wants_html(purpose, &parts.headers);
        let host = match guard::host(&parts.uri, &parts.headers) {
            Some(Ok(host)) => host.to_owned(),
            // As HTTP/1.0 may.
            None if parts.version < Version::HTTP_11 => self.connections.upstream().to_string(),
            _ => return plain(StatusCode::BAD_REQUEST, "the request does not name one host"),
        };
        let (is_get, seat) = (parts.method == Method::GET, parts.extensions.remove::<Seat>());
        let upgrade = upgrade_of(&parts);
        let client = upgrade.as_ref().and_then(|_| parts.extensions.remove::<OnUpgrade>());
        prepare(&mut parts, &host, peer, upgrade.as_ref());
        if purpose != Purpose::Other {
            document::limit_codings(&mut parts.headers);
        }
        let mut answer = match self.obtain(parts, body).await {
            Ok(answer) => answer,
            Err(obstacle) => return self.excuse(obstacle, wants_html, &host).await,
        };
        let protocol = answer.headers().get(UPGRADE).cloned().filter(|_| upgrade.is_some());
        strip(answer.headers_mut());
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return switch(answer, protocol, client, seat);
        }
        let (mut head, body) = answer.into_parts();
        head.version = Version::default();
        let body = body.map_err(Into::into).boxed_unsync();
        let coding = document::is_page(head.status, &head.headers);
        let coding = coding.filter(|_| purpose != Purpose::Other).and_then(|coding| match coding {
            None => Some(None),
            // Where nobody is free to undo it, the page does without the script.
            Some(coding) => {
                Some(Some((coding, Arc::clone(&self.decoders).try_acquire_owned().ok()?)))
            }
        });
        let body = match coding {
            None => body,
            Some(coding) => {
                let source = format!("{host}{PREFIX}");
                let ours = Ours { source: &source, nonce: &self.nonce };
                let nonce = document::convert(&mut head.headers, ours);
                let body = match coding {
                    Some((coding, decoder)) => decoded(body, coding, decoder),
                    None => body,
                };
                let is_known = purpose == Purpose::Page;
                let script = own::script(&self.page(), &nonce, is_get);
                Injected::new(body, script, is_known).boxed_unsync()
            }
        };
        Response::from_parts(head, body)
    }

    /// Which page is current.
    fn page(&self) -> String {
        let scene = self.audience.scene.borrow();
        own::page(&self.epoch, &scene)
    }

    /// The program's answer, once there is one that can answer.
    async fn obtain(&self, parts: Parts, body: Incoming) -> Result<Response<Incoming>, Obstacle> {
        let until = Instant::now() + self.patience;
        let has_body = !body.is_end_stream();
        let is_repeatable = !has_body && parts.method.is_safe();
        let again = is_repeatable.then(|| parts.clone());
        let body = if has_body { body.map_err(Into::into).boxed_unsync() } else { empty() };
        let mut request = Request::from_parts(parts, body);
        let mut sent = 0;
        loop {
            self.wait(until).await?;
            match self.connections.send(request, is_repeatable).await {
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::NotReached(error, unsent)) => {
                    request = *unsent;
                    if Instant::now() + PAUSE > until {
                        let upstream = self.connections.upstream();
                        let reason = crate::scan::reason(&error);
                        return Err(Obstacle::Late(Failure::new(
                            FailureKind::NotListening,
                            format!("the program cannot be reached at {upstream}: {reason}"),
                        )));
                    }
                    sleep(PAUSE).await;
                }
                // An idle connection was closed; that of a new one may be for a while.
                Err(NoAnswer::NotSent(unsent)) => {
                    request = *unsent;
                    if Instant::now() + PAUSE > until {
                        let title = "the program hangs up on whoever asks";
                        return Err(Obstacle::Late(Failure::new(FailureKind::HungUp, title)));
                    }
                    sleep(PAUSE).await;
                }
                Err(NoAnswer::HungUp(error)) => {
                    let Some(parts) = again.clone().filter(|_| sent < AGAIN) else {
                        return Err(self.hung_up(&error).await);
                    };
                    sent += 1;
                    request = Request::from_parts(parts, empty());
                    // What becomes of the program is about to be told.
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Why the program has hung up: it may have died of it.
    async fn hung_up(&self, error: &hyper::Error) -> Obstacle {
        sleep(END_TAKES).await;
        if let Gate::Closed(failure) = &self.audience.scene.borrow().gate {
            return Obstacle::Failed(Arc::clone(failure));
        }
        let title = format!("the program hung up instead of answering: {error}");
        Obstacle::Late(Failure::new(FailureKind::HungUp, title))
    }

    /// Waits until requests reach the program.
    async fn wait(&self, until: Instant) -> Result<(), Obstacle> {
        let mut scene = self.audience.scene.clone();
        let is_settled = scene.wait_for(|it| !matches!(it.gate, Gate::Busy { .. }));
        // Nobody tells anything any more when it is all over, which is over for us as well.
        let gate = match timeout_at(until, is_settled).await {
            Ok(Ok(scene)) => scene.gate.clone(),
            _ => self.audience.scene.borrow().gate.clone(),
        };
        match gate {
            Gate::Open | Gate::Busy { is_up: true, .. } => Ok(()),
            Gate::Closed(failure) => Err(Obstacle::Failed(failure)),
            Gate::Busy { doing, .. } => {
                let waited = crate::ui::text::duration(self.patience);
                let title = format!("still {doing} after {waited}");
                Err(Obstacle::Late(Failure::new(FailureKind::NotReady, title)))
            }
        }
    }

    /// What is shown instead.
    async fn excuse(&self, obstacle: Obstacle, wants_html: bool, host: &str) -> Response<Body> {
        let (status, failure) = match obstacle {
            Obstacle::Failed(failure) => (StatusCode::BAD_GATEWAY, failure),
            Obstacle::Late(failure) if failure.kind == FailureKind::HungUp => {
                (StatusCode::BAD_GATEWAY, Arc::new(failure))
            }
            Obstacle::Late(failure) => (StatusCode::GATEWAY_TIMEOUT, Arc::new(failure)),
        };
        failure.complete().await;
        // Whoever calls us by a name that may be another site's is told no more than that.
        let failure = match self.own.guard.is_ours(host) {
            true => failure,
            false => Arc::new(Failure::new(failure.kind, &*failure.title)),
        };
        let scene = self.audience.scene.borrow().clone();
        let page = || own::failure_page(&failure, &self.page(), &scene, host);
        let (kind, text) = match wants_html {
            true => ("text/html; charset=utf-8", page()),
            false => ("application/json", failure.for_programs().to_string() + "\n"),
        };
        let mut answer = plain(status, text);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    }
}

/// A short answer in words.
pub fn plain(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut answer = Response::new(whole(text.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    answer
}

/// Headers that are about one connection (RFC 9110, section 7.6.1).
const OF_ONE_CONNECTION: [HeaderName; 5] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
/// So are these; that a client waits before it sends a body is between it and us.
const BY_CUSTOM: [&str; 4] = ["keep-alive", "proxy-connection", "proxy-authorization", "expect"];

fn strip(headers: &mut HeaderMap) {
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
fn upgrade_of(parts: &Parts) -> Option<HeaderValue> {
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
fn prepare(parts: &mut Parts, host: &str, peer: IpAddr, upgrade: Option<&HeaderValue>) {
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

/// Goes on in another protocol, of which nothing is looked at.
fn switch(
    mut answer: Response<Incoming>,
    protocol: Option<HeaderValue>,
    client: Option<OnUpgrade>,
    seat: Option<Seat>,
) -> Response<Body> {
    let (Some(protocol), Some(client)) = (protocol, client) else {
        return plain(StatusCode::BAD_GATEWAY, "the program changed the protocol unasked");
    };
    let program = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        if let (Ok(client), Ok(program)) = (client.await, program.await) {
            let (mut client, mut program) = (TokioIo::new(client), TokioIo::new(program));
            // Ends when either side does; there is nobody to tell.
            _ = tokio::io::copy_bidirectional(&mut client, &mut program).await;
        }
        drop(seat);
    });
    let (mut head, _) = answer.into_parts();
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(UPGRADE, protocol);
    Response::from_parts(head, empty())
}
