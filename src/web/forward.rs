//! Passing a request on to the program, when there is one that can answer, and its answer back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::body::{Body, Injected, decoded, empty, plain};
use super::csp::Ours;
use super::document::{self, Purpose};
use super::feed::{Audience, Gate};
use super::own::{self, Own, PREFIX};
use super::server::Seat;
use super::upstream::{Connections, NoAnswer};
use super::{Failure, FailureKind, guard, hop};

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
        let upgrade = hop::upgrade_of(&parts);
        let client = upgrade.as_ref().and_then(|_| parts.extensions.remove::<OnUpgrade>());
        hop::prepare(&mut parts, &host, peer, upgrade.as_ref());
        if purpose != Purpose::Other {
            document::limit_codings(&mut parts.headers);
        }
        let mut answer = match self.obtain(parts, body).await {
            Ok(answer) => answer,
            Err(obstacle) => return self.excuse(obstacle, wants_html, &host).await,
        };
        let protocol = answer.headers().get(UPGRADE).cloned().filter(|_| upgrade.is_some());
        hop::strip(answer.headers_mut());
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
