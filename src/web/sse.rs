//! Server-sent events (HTML, section 9.2): what is told goes to a browser as it happens.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::header::HeaderValue;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;

use super::body::{Body, Pieces};
use super::feed::{Audience, Gate, Scene};
use super::own;

/// How often something is sent, so that a client that is gone shows.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Events between us and a client that reads slowly.
const QUEUE: usize = 16;

type Line = std::io::Result<Bytes>;

/// What browsers may see, whenever it is another.
pub fn scenes(audience: &Audience, epoch: String) -> Response<Body> {
    let mut scene = audience.scene.clone();
    stream(|lines| async move {
        loop {
            let now = scene.borrow_and_update().clone();
            let event = message(&now, &epoch).await;
            if lines.send(Ok(event)).await.is_err() {
                return;
            }
            loop {
                match timeout(HEARTBEAT, scene.changed()).await {
                    Ok(Ok(())) => break,
                    Ok(Err(_)) => return,
                    Err(_) if beat(&lines).await => {}
                    Err(_) => return,
                }
            }
        }
    })
}

/// Events as docs/events.md has them.
pub fn events(audience: &Audience) -> Response<Body> {
    let mut events = audience.events();
    stream(|lines| async move {
        loop {
            let line = match timeout(HEARTBEAT, events.recv()).await {
                Ok(Ok(event)) => data(&event),
                Ok(Err(RecvError::Lagged(lost))) => Bytes::from(format!(": {lost} were lost\n\n")),
                Ok(Err(RecvError::Closed)) => return,
                Err(_) if beat(&lines).await => continue,
                Err(_) => return,
            };
            if lines.send(Ok(line)).await.is_err() {
                return;
            }
        }
    })
}

async fn beat(lines: &Sender<Line>) -> bool {
    lines.send(Ok(Bytes::from_static(b":\n\n"))).await.is_ok()
}

fn stream<F>(task: impl FnOnce(Sender<Line>) -> F) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (lines, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(task(lines));
    let mut answer = Response::new(Pieces(receiver).boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    answer
}

/// One event: JSON has no line breaks but those that are escaped.
fn data(json: &str) -> Bytes {
    format!("data: {}\n\n", json.trim_end()).into()
}

/// What a page has to know.
async fn message(scene: &Scene, epoch: &str) -> Bytes {
    let (state, doing, closed) = match &scene.gate {
        Gate::Open => ("open", None, None),
        Gate::Busy { doing, .. } => ("busy", Some(*doing), None),
        Gate::Closed(failure) => ("closed", None, Some(failure)),
    };
    let failure = closed.or(scene.failure.as_ref());
    if let Some(failure) = failure {
        failure.complete().await;
    }
    let message = json!({
        "page": own::page(epoch, scene),
        "styles": scene.styles,
        "changes": scene.changes,
        "state": state,
        "doing": doing,
        "failure": failure.map(|failure| failure.for_script()),
    });
    data(&message.to_string())
}
