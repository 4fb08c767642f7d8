//! Destinations on loopback: a server that answers as a test says, and sockets that misbehave.
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A whole request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Which of the accepted connections brought it.
    pub(crate) connection: usize,
}

pub(crate) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;
type Script = dyn Fn(usize, &Arrived) -> Reply + Send + Sync;

/// A server for HTTP/1.1 and HTTP/2, plain or TLS.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Endpoint {
    pub(crate) async fn start(
        script: impl Fn(usize, &Arrived) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with_tls(None, script).await
    }

    pub(crate) async fn with_tls(
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(usize, &Arrived) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let endpoint = Self {
            address,
            arrived: Arc::clone(&arrived),
        };
        let script: Arc<Script> = Arc::new(script);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (arrived, script, tls) =
                    (Arc::clone(&arrived), Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, connection, arrived, script).await,
                        Some(tls) => {
                            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                                serve(stream, connection, arrived, script).await;
                            }
                        }
                    }
                });
            }
        });
        endpoint
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: usize,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    script: Arc<Script>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (arrived, script) = (Arc::clone(&arrived), Arc::clone(&script));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let request = Arrived {
                path: head.uri.path().to_owned(),
                query: head.uri.query().map(str::to_owned),
                version: head.version,
                headers: head.headers,
                body,
                connection,
            };
            let number = {
                let mut arrived = arrived.lock().unwrap();
                arrived.push(request.clone());
                arrived.len() - 1
            };
            Ok::<_, io::Error>(script(number, &request))
        }
    });
    let _ = Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// An HTTP answer.
pub(crate) fn http(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Reply {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(*name, HeaderValue::from_str(value).unwrap());
    }
    response
}

/// The answer of OTLP/HTTP that everything was taken.
pub(crate) fn http_ok() -> Reply {
    http(200, &[("content-type", "application/x-protobuf")], "")
}

/// A gRPC answer with a message (prefix included) and trailers.
pub(crate) fn grpc(message: &[u8], trailers: &[(&'static str, &str)]) -> Reply {
    let trailers: HeaderMap = trailers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let body =
        Full::new(Bytes::copy_from_slice(message)).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed_unsync());
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// The answer of OTLP/gRPC that everything was taken.
pub(crate) fn grpc_ok() -> Reply {
    grpc(&[0; 5], &[("grpc-status", "0")])
}

/// An address where nobody listens.
pub(crate) async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// How a raw socket treats its peer once a request began.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misbehaviour {
    /// Reads and says nothing.
    Hangs,
    /// Resets the connection.
    Resets,
    /// Says this, then closes.
    Says(&'static [u8]),
    /// Says the first, then the second without end.
    Repeats(&'static [u8], &'static [u8]),
    /// Says the first, then one byte every 20 ms.
    Drips(&'static [u8]),
}

/// A socket that misbehaves on every connection.
pub(crate) async fn misbehaving(how: Misbehaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(misbehave(stream, how));
        }
    });
    address
}

async fn misbehave(mut stream: TcpStream, how: Misbehaviour) -> io::Result<()> {
    let mut buffer = [0; 4096];
    if stream.read(&mut buffer).await? == 0 {
        return Ok(());
    }
    match how {
        Misbehaviour::Hangs => while stream.read(&mut buffer).await? > 0 {},
        Misbehaviour::Resets => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?,
        Misbehaviour::Says(words) => {
            stream.write_all(words).await?;
            stream.shutdown().await?;
            while stream.read(&mut buffer).await? > 0 {}
        }
        Misbehaviour::Repeats(first, again) => {
            stream.write_all(first).await?;
            loop {
                stream.write_all(again).await?;
            }
        }
        Misbehaviour::Drips(first) => {
            stream.write_all(first).await?;
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                tick.tick().await;
                stream.write_all(b"x").await?;
            }
        }
    }
    Ok(())
}
