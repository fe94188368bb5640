//! stakeout's own pages: how it is, for people and for programs. They show the one model of it that
//! the control socket shows, and ask for it in the same way.

use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::body::{Body, plain};
use super::failure::escape;
use super::feed::{Audience, Scene};
use super::guard::Guard;
use super::{Failure, FailureKind, ansi, metrics, sse};
use crate::control::{self, Answer, Ask, Call, Status};

/// Where these pages are, in front of a program.
pub const PREFIX: &str = "/__stakeout/";

/// How long the main thread may take to answer; it answers at once, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look for its answer.
const PAUSE: Duration = Duration::from_millis(1);

/// Passes a request on to the main thread; says whether there is one.
pub type Courier = dyn Fn(Call) -> bool + Send + Sync;

/// The pages.
pub struct Own {
    pub audience: Audience,
    pub guard: Guard,
    pub send: Arc<Courier>,
    /// Told apart from that of a stakeout before.
    pub epoch: String,
}

const STATUS: &str = include_str!("pages/status.html");
const FAILURE: &str = include_str!("pages/failure.html");

/// Files that pages load: name, type, text.
const FILES: [(&str, &str, &str); 3] = [
    ("client.js", "text/javascript; charset=utf-8", include_str!("pages/client.js")),
    ("status.js", "text/javascript; charset=utf-8", include_str!("pages/status.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("pages/style.css")),
];

/// The colours of what was written, for each file that shows it: a style sheet of the page does not
/// reach what the script puts over it.
const COLOURS: &str = include_str!("pages/colours.css");

/// What may be asked for by a button.
const REQUESTS: [(&str, Ask); 4] = [
    ("restart", Ask::Restart),
    ("build", Ask::Build),
    ("pause", Ask::Pause),
    ("resume", Ask::Resume),
];

impl Own {
    /// Answers a request for one of our own pages, of which this is the path below [`PREFIX`].
    pub async fn answer<B>(&self, request: &Request<B>, path: &str) -> Response<Body> {
        if let Some(refusal) = self.guard.refusal(request) {
            return plain(StatusCode::FORBIDDEN, refusal + "\n");
        }
        match request.method() {
            &Method::GET | &Method::HEAD => self.get(path).await,
            &Method::POST => match REQUESTS.iter().find(|(name, _)| *name == path) {
                Some(_) if !self.guard.has_token(request.headers()) => {
                    let why =
                        "only stakeout's own page may ask for that; see also: stakeout --help\n";
                    plain(StatusCode::FORBIDDEN, why)
                }
                Some((_, ask)) => self.carry_out(*ask).await,
                None => plain(StatusCode::NOT_FOUND, "there is no such page\n"),
            },
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and POST\n"),
        }
    }

    async fn get(&self, path: &str) -> Response<Body> {
        if let Some((kind, text)) = file(path) {
            return typed(kind, text);
        }
        match path {
            "" => {
                let page = STATUS.replace("{{token}}", &escape(&self.guard.token));
                let mut answer = typed("text/html; charset=utf-8", page);
                // Another site's page could show ours and have its buttons pressed.
                let policy = HeaderValue::from_static(
                    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
                );
                answer.headers_mut().insert("content-security-policy", policy);
                answer
            }
            "live" => sse::scenes(&self.audience, self.epoch.clone()),
            "events" => sse::events(&self.audience),
            "healthz" => match self.status().await {
                Some(_) => plain(StatusCode::OK, "ok\n"),
                None => plain(StatusCode::SERVICE_UNAVAILABLE, "stakeout does not answer\n"),
            },
            "readyz" => match self.status().await {
                Some(status) if status.all.ready => plain(StatusCode::OK, "ready\n"),
                Some(status) => plain(StatusCode::SERVICE_UNAVAILABLE, status.all.summary() + "\n"),
                None => plain(StatusCode::SERVICE_UNAVAILABLE, "stakeout does not answer\n"),
            },
            "status.json" => match self.status().await.map(|status| serde_json::to_string(&status))
            {
                Some(Ok(text)) => typed("application/json", text + "\n"),
                _ => plain(StatusCode::SERVICE_UNAVAILABLE, "stakeout does not answer\n"),
            },
            "metrics" => match self.status().await {
                Some(status) => {
                    typed("text/plain; version=0.0.4; charset=utf-8", metrics::text(&status))
                }
                None => plain(StatusCode::SERVICE_UNAVAILABLE, "stakeout does not answer\n"),
            },
            "output.json" => match self.ask(Ask::BuildOutput).await {
                Some(Answer::BuildOutput(lines)) => {
                    let spans = |line: &String| {
                        let spans = ansi::spans(line).into_iter();
                        spans.map(|span| json!([span.text, span.class])).collect::<Vec<_>>()
                    };
                    let lines: Vec<_> = lines.iter().map(spans).collect();
                    typed("application/json", json!(lines).to_string())
                }
                _ => typed("application/json", "[]".to_owned()),
            },
            _ => plain(StatusCode::NOT_FOUND, "there is no such page\n"),
        }
    }

    async fn carry_out(&self, ask: Ask) -> Response<Body> {
        match self.ask(ask).await {
            Some(Answer::Refused(why)) => plain(StatusCode::CONFLICT, why + "\n"),
            Some(_) => plain(StatusCode::ACCEPTED, "it is being done\n"),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "stakeout does not answer\n"),
        }
    }

    async fn status(&self) -> Option<Box<Status>> {
        match self.ask(Ask::Status).await {
            Some(Answer::Status(status)) => Some(status),
            _ => None,
        }
    }

    async fn ask(&self, ask: Ask) -> Option<Answer> {
        let (answer, answers) = mpsc::sync_channel(1);
        let request = control::Request::from(ask);
        if !(self.send)(Call { request, answer }) {
            return None;
        }
        let answered = async move {
            loop {
                match answers.try_recv() {
                    Ok(answer) => return Some(answer),
                    Err(TryRecvError::Empty) => sleep(PAUSE).await,
                    Err(TryRecvError::Disconnected) => return None,
                }
            }
        };
        timeout(PATIENCE, answered).await.ok()?
    }
}

/// Leads to the pages.
pub fn redirect() -> Response<Body> {
    let mut answer = plain(StatusCode::TEMPORARY_REDIRECT, "");
    answer.headers_mut().insert(LOCATION, HeaderValue::from_static(PREFIX));
    answer
}

/// A file that pages load: its type and its text.
fn file(name: &str) -> Option<(&'static str, String)> {
    let (_, kind, text) = FILES.iter().find(|(it, ..)| *it == name)?;
    Some((kind, text.replace("{{colours}}", COLOURS.trim_end())))
}

fn typed(kind: &'static str, text: String) -> Response<Body> {
    let mut answer = plain(StatusCode::OK, text);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}

/// The element that loads the script into a page; what answers anything but a GET is not loaded
/// again unasked.
pub fn script(page: &str, nonce: &str, is_repeatable: bool) -> String {
    let kept = if is_repeatable { "" } else { " data-kept=\"\"" };
    element(page, &format!("nonce=\"{}\"{kept}", escape(nonce)))
}

fn element(page: &str, attributes: &str) -> String {
    let page = escape(page);
    format!("<script src=\"{PREFIX}client.js\" data-page=\"{page}\" {attributes} async></script>")
}

/// Which page is current: another means that it has to be loaded again.
pub fn page(epoch: &str, scene: &Scene) -> String {
    format!("{epoch}.{}", scene.pages)
}

/// A page that is there instead of the program's own, until that is.
pub fn failure_page(failure: &Failure, page: &str, scene: &Scene, host: &str) -> String {
    // What it waits for: something else than this failure, any state but this, somebody who
    // listens, or another program than the one that hung up.
    let (waiting, until) = match failure.kind {
        FailureKind::BuildFailed | FailureKind::ProgramEnded => ("mended", "the program works"),
        FailureKind::NotReady => ("state", "the program works"),
        FailureKind::NotListening => ("listening", "somebody listens there"),
        FailureKind::HungUp => ("change", "something changes"),
    };
    let attributes = format!(
        "data-waiting=\"{waiting}\" data-failure=\"{}\" data-changes=\"{}\"",
        failure.id(),
        scene.changes
    );
    FAILURE
        .replace("{{script}}", &element(page, &attributes))
        .replace("{{until}}", until)
        .replace("{{host}}", &escape(host))
        .replace("{{title}}", &escape(&failure.title))
        .replace("{{output}}", &failure.as_html())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pages_load_is_whole() {
        for (name, ..) in FILES {
            let (_, text) = file(name).expect("it is there");
            assert!(!text.contains("{{"), "{name}");
            assert_eq!(text.contains(COLOURS.trim_end()), name != "status.js", "{name}");
        }
        // The script has them in a template string.
        assert!(!COLOURS.contains(['`', '\\', '$']));
    }
}
