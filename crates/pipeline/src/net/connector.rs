//! Connections of the exporters: directly or through a proxy, and TLS with the certificates that are valid now.
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{
    DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, MaybeHttpsStream,
    ResolveServerName,
};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tower_service::Service;

use super::proxy::{Proxies, Way};
use super::reload::Reloading;

type Problem = Box<dyn std::error::Error + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Makes connections for a pool.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Arc<Reloading<Arc<ClientConfig>>>,
    names: Arc<dyn ResolveServerName + Send + Sync>,
    proxies: Arc<Proxies>,
}

impl Connector {
    /// `name` is expected in the certificates of servers, instead of their hosts' names.
    pub(super) fn new(
        tcp: HttpConnector,
        tls: Reloading<Arc<ClientConfig>>,
        name: Option<ServerName<'static>>,
        proxies: Arc<Proxies>,
    ) -> Self {
        Self {
            tcp,
            tls: Arc::new(tls),
            names: match name {
                Some(name) => Arc::new(FixedServerNameResolver::new(name)),
                None => Arc::new(DefaultServerNameResolver::default()),
            },
            proxies,
        }
    }

    async fn connect(self, target: Uri) -> Result<ConnectedStream, Problem> {
        let (tls, names) = (self.tls.current(), self.names);
        let (way, tcp) = (self.proxies.way(&target), self.tcp);
        let is_relayed = matches!(way, Way::Relay(_));
        let stream = match way {
            Way::Direct => call(HttpsConnector::new(tcp, tls, false, names), target).await?,
            Way::Relay(proxy) => {
                let https = HttpsConnector::new(tcp, tls, false, names);
                call(https, proxy.uri().clone()).await?
            }
            Way::Tunnel(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
                if let Some(value) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(value.clone());
                }
                call(HttpsConnector::new(tunnel, tls, false, names), target).await?
            }
        };
        Ok(ConnectedStream { stream, is_relayed })
    }
}

async fn call<S>(mut service: S, target: Uri) -> Result<Stream, Problem>
where
    S: Service<Uri, Response = Stream, Error = Problem>,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(target).await
}

impl Service<Uri> for Connector {
    type Response = ConnectedStream;
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<ConnectedStream, Problem>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        Box::pin(self.clone().connect(target))
    }
}

/// A connection that knows whether its other end relays: requests then name their destination in full.
pub(super) struct ConnectedStream {
    stream: Stream,
    is_relayed: bool,
}

impl Connection for ConnectedStream {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.is_relayed)
    }
}

impl Read for ConnectedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for ConnectedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
