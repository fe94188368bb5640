//! Connections to the program: those that are idle are kept for the next request.

use std::io;
use std::sync::{Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::address::Upstream;
use super::body::Body;

/// Connections that are kept although nothing goes through them.
const IDLE: usize = 64;

/// Where the program listens, and connections to it.
pub struct Connections {
    upstream: Upstream,
    idle: Mutex<Vec<SendRequest<Body>>>,
}

/// Why there is no answer.
pub enum NoAnswer {
    /// Nothing listens there, or cannot be reached.
    NotReached(io::Error, Box<Request<Body>>),
    /// Nothing of the request has reached the program.
    NotSent(Box<Request<Body>>),
    /// The program may have seen it, and hung up.
    HungUp(hyper::Error),
}

impl Connections {
    pub fn new(upstream: Upstream) -> Self {
        Self { upstream, idle: Mutex::default() }
    }

    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Sends a request. What must not be sent twice goes through a connection of its own: an idle
    /// one may just be closed by the program.
    pub async fn send(
        self: &std::sync::Arc<Self>,
        request: Request<Body>,
        is_repeatable: bool,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let kept = if is_repeatable { self.take() } else { None };
        let mut sender = match kept {
            Some(sender) => sender,
            None => match self.connect().await {
                Ok(sender) => sender,
                Err(error) => return Err(NoAnswer::NotReached(error, Box::new(request))),
            },
        };
        let answer = sender.try_send_request(request).await;
        match answer {
            Ok(answer) => {
                let connections = std::sync::Arc::clone(self);
                tokio::spawn(async move {
                    // When the answer was read to its end.
                    if sender.ready().await.is_ok() {
                        connections.keep(sender);
                    }
                });
                Ok(answer)
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => NoAnswer::NotSent(Box::new(request)),
                None => NoAnswer::HungUp(error.into_error()),
            }),
        }
    }

    async fn connect(&self) -> io::Result<SendRequest<Body>> {
        match &self.upstream {
            Upstream::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // Small answers are not to wait for acknowledgements.
                _ = stream.set_nodelay(true);
                begin(stream).await
            }
            Upstream::Unix(path) => begin(UnixStream::connect(path).await?).await,
        }
    }

    fn take(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(SendRequest::is_ready)
    }

    fn keep(&self, sender: SendRequest<Body>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() == IDLE {
            idle.remove(0);
        }
        idle.push(sender);
    }
}

async fn begin(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<SendRequest<Body>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the sender; what goes wrong shows at the sender.
    tokio::spawn(async move { _ = connection.with_upgrades().await });
    Ok(sender)
}
