//! Listening sockets: accept, TLS, protocol detection, and a graceful end.
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::client_stream::{ClientStream, Progress};
use super::window::{Window, Windows};
use super::{Intake, Limits};
use super::{grpc, http as http_protocol, otz_stream};
use crate::config::{SignalMap, StartError};
use crate::net::tls::ServerTlsFiles;

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 1024;
/// Longest time for a TLS handshake (S5).
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A pause after the process ran out of file descriptors: accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A client that sends its first byte alone is looked at again after this time, then after twice as long, and so on.
const SECOND_BYTE_PAUSE: Duration = Duration::from_millis(2);
/// The read buffer of an HTTP/1.1 connection. Each connection that ever brought a large body keeps its buffer, beside
/// the byte budget, so it is as small as it can be before system calls begin to cost.
const HTTP1_BUFFER: usize = 24 << 10;
/// Header lists beyond this are refused (S8).
const HEADER_LIST_BYTES: u32 = 32 << 10;

/// What one listener serves, shared by all of its connections.
pub(crate) struct Endpoint {
    /// Where requests over gRPC go.
    pub(crate) grpc: Arc<Intake>,
    /// Where requests over HTTP go.
    pub(crate) http: Arc<Intake>,
    /// Its bounds.
    pub(crate) limits: Limits,
    /// The HTTP path of each signal.
    pub(crate) paths: SignalMap,
    /// Requests in flight on one HTTP/2 connection.
    pub(crate) max_concurrent_streams: u32,
    /// Longest silence of a connection between two requests.
    pub(crate) idle: Duration,
    /// Longest time for the head of a request, from its first byte.
    pub(crate) head: Duration,
    /// Age at which a connection is closed gracefully.
    pub(crate) max_connection_age: Option<Duration>,
    /// TLS, unless absent.
    pub(crate) tls: Option<Arc<ServerTlsFiles>>,
    /// Open connections of the receiver.
    pub(crate) connections: Arc<Semaphore>,
    /// What HTTP/2 clients may send unasked.
    pub(crate) windows: Windows,
}

/// A bound socket that does not accept yet.
pub(crate) struct Listener {
    socket: StdListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `endpoint` once for each worker; the kernel spreads connections over them.
    ///
    /// `setting` names the endpoint in the error of an address that cannot be used.
    pub(crate) fn bind(
        setting: &str,
        endpoint: &str,
        workers: usize,
    ) -> Result<Vec<Self>, StartError> {
        let address = resolve(setting, endpoint)?;
        let failed = |error: io::Error| StartError::of(setting, explain(address, &error));
        // A plain socket first: sockets that share a port would hide that another process has it.
        let first = open(address, false).map_err(failed)?;
        let address = first.local_addr().map_err(failed)?;
        if workers == 1 {
            return Ok(vec![Self {
                socket: first,
                address,
            }]);
        }
        drop(first);
        (0..workers)
            .map(|_| {
                open(address, true)
                    .map(|socket| Self { socket, address })
                    .map_err(failed)
            })
            .collect()
    }

    /// The address in use, its port chosen by the system where 0 was asked for.
    #[must_use]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves OTLP until `stopping` turns true, then finishes the requests that are in progress.
    pub(crate) async fn serve(
        self,
        endpoint: Arc<Endpoint>,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let permits = Arc::clone(&endpoint.connections);
        self.accept(permits, stopping, move |stream, stopping| {
            let endpoint = Arc::clone(&endpoint);
            async move { connection(stream, endpoint, stopping).await }
        })
        .await
    }

    /// Accepts connections and runs `handle` for each, at most `permits` at once.
    pub(crate) async fn accept<F>(
        self,
        permits: Arc<Semaphore>,
        mut stopping: watch::Receiver<bool>,
        handle: impl Fn(TcpStream, watch::Receiver<bool>) -> F,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::from_std(self.socket)?;
        let mut connections = JoinSet::new();
        loop {
            // A full house leaves newcomers in the kernel's queue instead of refusing them.
            let permit = tokio::select! {
                permit = Arc::clone(&permits).acquire_owned() => permit,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            let Ok(permit) = permit else { break };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            let Ok((stream, _)) = accepted else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Small answers must not wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let work = handle(stream, stopping.clone());
            connections.spawn(async move {
                work.await;
                drop(permit);
            });
            while connections.try_join_next().is_some() {}
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

fn resolve(setting: &str, endpoint: &str) -> Result<SocketAddr, StartError> {
    let found = endpoint
        .to_socket_addrs()
        .map(|mut addresses| addresses.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(StartError::of(
            setting,
            format!("{endpoint:?} names no address"),
        )),
        Err(error) => Err(StartError::of(
            setting,
            format!("expected host:port, got {endpoint:?} ({error})"),
        )),
    }
}

fn open(address: SocketAddr, shared: bool) -> io::Result<StdListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} of {} is taken by another process; stop it, or set another port (0 lets the system choose)",
            address.port(),
            address.ip()
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!(
                "{} is not an address of this machine; 127.0.0.1 always is",
                address.ip()
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "this user may not listen on port {}; ports above 1023 are open to everybody",
                address.port()
            )
        }
        _ => format!("{address} cannot be used: {error}"),
    }
}

async fn connection(
    stream: TcpStream,
    endpoint: Arc<Endpoint>,
    mut stopping: watch::Receiver<bool>,
) {
    match &endpoint.tls {
        None => {
            let version = tokio::select! {
                version = timeout(endpoint.idle, first_bytes(&stream, endpoint.head)) => version,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            if let Ok(Ok(version)) = version {
                serve_connection(stream, version, &endpoint, stopping).await;
            }
        }
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls.current()).accept(stream);
            let stream = tokio::select! {
                stream = timeout(HANDSHAKE, handshake) => stream,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            if let Ok(Ok(stream)) = stream {
                let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let version = if h2 {
                    Version::HTTP_2
                } else {
                    Version::HTTP_11
                };
                serve_connection(stream, version, &endpoint, stopping).await;
            }
        }
    }
}

/// Tells HTTP/2 with prior knowledge ("PRI * HTTP/2.0") from HTTP/1.1 by the second byte.
///
/// hyper can detect the version too, but waits for ever for a client that sends nothing (S5).
async fn first_bytes(stream: &TcpStream, head_timeout: Duration) -> io::Result<Version> {
    let mut bytes = [0; 2];
    let mut pause = SECOND_BYTE_PAUSE;
    loop {
        match stream.peek(&mut bytes).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            1 if bytes.starts_with(b"P") => {
                sleep(pause).await;
                pause *= 2;
                if pause > head_timeout {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            _ if bytes == *b"PR" => return Ok(Version::HTTP_2),
            _ => return Ok(Version::HTTP_11),
        }
    }
}

async fn serve_connection<S>(
    stream: S,
    version: Version,
    endpoint: &Arc<Endpoint>,
    mut stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Arc::new(Progress::default());
    // Streams would keep a connection that is to end: they are told.
    let (close, closing) = watch::channel(false);
    let service = service_fn(|request: Request<Incoming>| {
        let endpoint = Arc::clone(endpoint);
        let in_progress = progress.start();
        let closing = closing.clone();
        async move {
            let _in_progress = in_progress;
            let limits = &endpoint.limits;
            let is_grpc = grpc::is_grpc(request.headers());
            Ok::<_, Infallible>(if is_grpc && otz_stream::is_called(&request) {
                otz_stream::answer(endpoint, request, closing)
            } else if is_grpc {
                grpc::answer(&endpoint.grpc, limits, request).await
            } else {
                http_protocol::answer(&endpoint.http, limits, &endpoint.paths, request).await
            })
        }
    });
    let is_http2 = version == Version::HTTP_2;
    let window = is_http2.then(|| endpoint.windows.give());
    let builder = protocol(endpoint, window.as_ref());
    let stream = ClientStream::new(stream, Arc::clone(&progress), is_http2, endpoint.head);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let age = endpoint.max_connection_age.map_or_else(
        || Instant::now() + Duration::from_secs(86_400 * 365),
        |age| Instant::now() + age,
    );
    let mut is_aged = false;
    loop {
        tokio::select! {
            // The outcome is a connection error at most: requests that were cut off are in the books.
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|stop| *stop), if !progress.is_leaving() => progress.leave(),
            () = tokio::time::sleep_until(age), if !is_aged => is_aged = true,
        }
        connection.as_mut().graceful_shutdown();
        close.send_replace(true);
    }
}

/// HTTP/2 within its window, or HTTP/1.1 where there is none.
fn protocol(endpoint: &Endpoint, window: Option<&Window>) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let Some(window) = window else {
        builder
            .http1()
            .timer(TokioTimer::new())
            // hyper counts the silence between two requests as part of the next head; `ClientStream` counts the head alone.
            .header_read_timeout(endpoint.idle)
            .max_buf_size(HTTP1_BUFFER);
        return builder.http1_only();
    };
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(window.bytes)
        .initial_connection_window_size(window.bytes)
        .max_frame_size(window.frame_bytes)
        .max_concurrent_streams(endpoint.max_concurrent_streams)
        .max_header_list_size(HEADER_LIST_BYTES)
        // A peer that vanished is noticed, so that its streams and memory are freed.
        .keep_alive_interval(endpoint.idle)
        .keep_alive_timeout(Duration::from_secs(20));
    builder.http2_only()
}
