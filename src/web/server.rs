//! The thread that serves: takes connections, and gives each request to whom it is for.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::address::Upstream;
use super::body::Body;
use super::feed::{Audience, Feed};
use super::forward::Proxy;
use super::guard::Guard;
use super::own::{self, Own, PREFIX};
use super::upstream::Connections;
use crate::control::Call;

/// What is to be served.
#[derive(Debug)]
pub struct Setup {
    /// Where browsers come in, and where the program listens.
    pub proxies: Vec<(StdListener, Upstream)>,
    /// Where only our own pages are.
    pub pages: Option<StdListener>,
    /// How long requests wait for the program.
    pub patience: Duration,
    /// Names of this machine besides those that always are.
    pub hosts: Vec<String>,
}

/// How long a client may take for the first line and all headers of a request.
const HEAD_TAKES: Duration = Duration::from_secs(20);

/// How long all headers of a request may be, in bytes.
const HEAD: usize = 64 * 1024;

/// Connections to the program's pages at once, at the most; others wait in the kernel's queue.
const CONNECTIONS: u64 = 1024;

/// Connections to nothing but our own pages, which the program's do not take away.
const OWN: usize = 16;

/// What a connection holds for as long as it lasts, also when it goes on in another protocol.
pub type Seat = Arc<OwnedSemaphorePermit>;

/// Threads for what cannot be waited for otherwise: names, and content codings, which get a half of
/// them, since they last as long as who reads likes.
const HELPERS: usize = 32;

/// How long to wait before another connection is taken, after that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Begins to serve, on a thread of its own. `send` passes a request on to the main thread, and says
/// whether there is one.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub fn serve(
    setup: Setup,
    send: impl Fn(Call) -> bool + Send + Sync + 'static,
) -> io::Result<Feed> {
    let (feed, audience) = Feed::new();
    let send: Arc<own::Courier> = Arc::new(send);
    let (ready, is_ready) = std::sync::mpsc::channel();
    thread::Builder::new().name("web".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(HELPERS)
            .thread_name("web-helper")
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(async {
                _ = ready.send(begin(setup, audience, send));
                // Until the process ends.
                std::future::pending::<()>().await;
            }),
            Err(error) => _ = ready.send(Err(error)),
        }
    })?;
    is_ready.recv().map_err(io::Error::other)??;
    Ok(feed)
}

/// What all connections have in common.
struct Site {
    own: Arc<Own>,
    proxy: Option<Proxy>,
}

fn begin(setup: Setup, audience: Audience, send: Arc<own::Courier>) -> io::Result<()> {
    let [epoch, token, nonce] = [secret()?, secret()?, secret()?];
    let guard = Guard { hosts: setup.hosts, token };
    let own = Arc::new(Own { audience: audience.clone(), guard, send, epoch: epoch.clone() });
    let seats = Arc::new(Semaphore::new(seats()));
    let decoders = Arc::new(Semaphore::new(HELPERS / 2));
    for (listener, upstream) in setup.proxies {
        let proxy = Proxy {
            connections: Arc::new(Connections::new(upstream)),
            audience: audience.clone(),
            patience: setup.patience,
            own: Arc::clone(&own),
            decoders: Arc::clone(&decoders),
            epoch: epoch.clone(),
            nonce: nonce.clone(),
        };
        let site = Site { own: Arc::clone(&own), proxy: Some(proxy) };
        tokio::spawn(listen(listener_of(listener)?, Arc::new(site), Arc::clone(&seats)));
    }
    if let Some(listener) = setup.pages {
        let site = Site { own, proxy: None };
        let seats = Arc::new(Semaphore::new(OWN));
        tokio::spawn(listen(listener_of(listener)?, Arc::new(site), seats));
    }
    Ok(())
}

fn listener_of(listener: StdListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// A quarter of the descriptors that we may have: the scanner takes up to a half.
fn seats() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // Each takes two: the client's and the program's.
    usize::try_from(CONNECTIONS.min(limit / 8).max(8)).unwrap_or(usize::MAX)
}

/// 128 random bits.
fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn listen(listener: TcpListener, site: Arc<Site>, seats: Arc<Semaphore>) {
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, for example: that may pass.
            sleep(PAUSE).await;
            continue;
        };
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            connection(stream, peer.ip(), site, Arc::new(seat)).await;
        });
    }
}

/// Serves one connection until its end, by HTTP/1 or HTTP/2.
async fn connection(stream: TcpStream, peer: IpAddr, site: Arc<Site>, seat: Seat) {
    _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TAKES).max_buf_size(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD as u32)
        .keep_alive_interval(HEAD_TAKES)
        .keep_alive_timeout(HEAD_TAKES);
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let service = service_fn(move |mut request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Arc::clone(&seat));
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request, peer).await) }
    });
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    // Finding out which HTTP it is has no limit of its own. What goes wrong on a connection is
    // between its two ends.
    if timeout(HEAD_TAKES, served.as_mut()).await.is_err() && has_asked.load(Ordering::Relaxed) {
        _ = served.await;
    }
}

impl Site {
    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let path = request.uri().path();
        match (path.strip_prefix(PREFIX), &self.proxy) {
            (Some(path), _) => self.own.answer(&request, path).await,
            (None, Some(_)) if path == PREFIX.trim_end_matches('/') => own::redirect(),
            (None, Some(proxy)) => proxy.answer(request, peer).await,
            (None, None) => self.own.answer(&request, path.trim_start_matches('/')).await,
        }
    }
}
