//! Answers in a few words, and bodies: whole texts, what the program sends, and that with a script put
//! into it.

use std::convert::Infallible;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body as HttpBody, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Receiver};

use super::decode::{Chunks, Coding};
use super::inject::{self, Place};

/// Why a body does not go on.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Any body.
pub type Body = UnsyncBoxBody<Bytes, Broken>;

/// A body that is this text.
fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(impossible).boxed_unsync()
}

/// A body that is nothing.
pub fn empty() -> Body {
    Empty::new().map_err(impossible).boxed_unsync()
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

fn impossible(never: Infallible) -> Broken {
    match never {}
}

/// A page with a script put into it, if it is a whole one, or is known to be.
pub struct Injected {
    page: Body,
    script: String,
    is_known: bool,
    /// What came so far; none once it is behind us.
    opening: Option<BytesMut>,
    /// Trailers that came with the end of the opening.
    held: Option<Frame<Bytes>>,
}

impl Injected {
    /// Puts `script` into `page`; where `is_known` is not set, only if the page opens as a document
    /// does.
    pub fn new(page: Body, script: String, is_known: bool) -> Self {
        Self { page, script, is_known, opening: Some(BytesMut::new()), held: None }
    }

    /// The opening with the script in it, as soon as its place is clear.
    fn insert(&mut self, is_all: bool) -> Option<Bytes> {
        let opening = self.opening.as_ref()?;
        let at = match inject::place(opening, is_all) {
            Place::Unclear => return None,
            Place::Document(at) => Some(at),
            Place::Nowhere => None,
            // An empty answer is no page.
            Place::Fragment(at) => (self.is_known && !opening.is_empty()).then_some(at),
        };
        let opening = self.opening.take()?;
        let Some(at) = at else { return Some(opening.freeze()) };
        let mut all = BytesMut::with_capacity(opening.len() + self.script.len());
        all.extend_from_slice(&opening[..at]);
        all.extend_from_slice(self.script.as_bytes());
        all.extend_from_slice(&opening[at..]);
        Some(all.freeze())
    }
}

impl HttpBody for Injected {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        loop {
            if let Some(held) = this.held.take() {
                return Poll::Ready(Some(Ok(held)));
            }
            let frame = ready!(Pin::new(&mut this.page).poll_frame(context));
            let Some(opening) = &mut this.opening else { return Poll::Ready(frame) };
            let is_all = match frame {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => true,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        opening.extend_from_slice(&data);
                        false
                    }
                    Err(trailers) => {
                        this.held = Some(trailers);
                        true
                    }
                },
            };
            match this.insert(is_all) {
                Some(text) if text.is_empty() => {}
                Some(text) => return Poll::Ready(Some(Ok(Frame::data(text)))),
                None => {}
            }
            if is_all && this.held.is_none() {
                return Poll::Ready(None);
            }
        }
    }
}

/// Chunks between a body and the thread that decodes it.
const QUEUE: usize = 4;

/// So much is decoded at once.
const PIECE: usize = 16 * 1024;

/// What a coded body contains. A thread decodes it, since that may take a while; what comes of it
/// comes as it is read.
pub fn decoded(coded: Body, coding: Coding, decoder: OwnedSemaphorePermit) -> Body {
    let (sender, chunks) = mpsc::channel(QUEUE);
    tokio::spawn(pass_on(coded, sender));
    let (pieces, decoded) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || {
        let decode = || -> io::Result<()> {
            let mut decoder = coding.decoder(Chunks::new(chunks))?;
            let mut buffer = vec![0; PIECE];
            loop {
                let count = match decoder.read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    other => other?,
                };
                let piece = Bytes::copy_from_slice(&buffer[..count]);
                // Nobody may listen any more.
                if count == 0 || pieces.blocking_send(Ok(piece)).is_err() {
                    return Ok(());
                }
            }
        };
        let decoded = decode();
        drop(decoder);
        if let Err(error) = decoded {
            _ = pieces.blocking_send(Err(error));
        }
    });
    Pieces(decoded).boxed_unsync()
}

async fn pass_on(mut body: Body, chunks: mpsc::Sender<io::Result<Bytes>>) {
    while let Some(frame) = body.frame().await {
        let chunk = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => Ok(data),
            // Trailers tell of the coded form.
            Ok(Err(_)) => continue,
            Err(error) => Err(io::Error::other(error)),
        };
        if chunks.send(chunk).await.is_err() {
            return;
        }
    }
}

/// A body that comes through a channel.
pub struct Pieces(pub Receiver<io::Result<Bytes>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let piece = ready!(self.0.poll_recv(context));
        Poll::Ready(piece.map(|piece| piece.map(Frame::data).map_err(Into::into)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    fn page_of(pieces: &[&str], is_known: bool) -> String {
        block_on(async {
            let (sender, receiver) = mpsc::channel(100);
            for piece in pieces {
                sender.send(Ok(Bytes::copy_from_slice(piece.as_bytes()))).await.unwrap();
            }
            drop(sender);
            let page = Pieces(receiver).boxed_unsync();
            let page = Injected::new(page, "<script></script>".into(), is_known);
            String::from_utf8(page.collect().await.unwrap().to_bytes().to_vec()).unwrap()
        })
    }

    #[test]
    fn the_script_is_in_it_once_however_the_page_comes() {
        let page = "<!doctype html><html><head><p><head>";
        let expected = "<!doctype html><html><head><script></script><p><head>";
        assert_eq!(page_of(&[page], false), expected);
        let letters: Vec<String> = page.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(page_of(&letters, false), expected);
    }

    #[test]
    fn what_may_be_a_part_of_a_page_stays_as_it_is() {
        assert_eq!(page_of(&["<li>", "x"], false), "<li>x");
        assert_eq!(page_of(&["<li>", "x"], true), "<script></script><li>x");
        assert_eq!(page_of(&[], true), "");
        assert_eq!(page_of(&["<!-- not closed"], false), "<!-- not closed");
    }

    #[test]
    fn a_body_is_decoded_on_its_way() {
        let coded = b"\x0b\x02\x80hello\x03";
        let text = block_on(async {
            let decoder = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
            let body = decoded(whole(&coded[..]), Coding::Brotli, decoder);
            body.collect().await.unwrap().to_bytes()
        });
        assert_eq!(text, "hello");
    }
}
