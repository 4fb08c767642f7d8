//! Connections of the exporters: TCP, and TLS with the certificates that are valid when the connection is made.
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_rustls::{
    DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, MaybeHttpsStream,
    ResolveServerName,
};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tower_service::Service;

use super::reload::Reloading;

/// Makes connections for a pool.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Arc<Reloading<Arc<ClientConfig>>>,
    names: Arc<dyn ResolveServerName + Send + Sync>,
}

impl Connector {
    /// `name` is expected in the certificates of servers, instead of their hosts' names.
    pub(super) fn new(
        tcp: HttpConnector,
        tls: Reloading<Arc<ClientConfig>>,
        name: Option<ServerName<'static>>,
    ) -> Self {
        Self {
            tcp,
            tls: Arc::new(tls),
            names: match name {
                Some(name) => Arc::new(FixedServerNameResolver::new(name)),
                None => Arc::new(DefaultServerNameResolver::default()),
            },
        }
    }
}

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send>>;
type Problem = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = Problem;
    type Future = Connecting<Connection>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let tls = self.tls.current();
        let mut https = HttpsConnector::new(self.tcp.clone(), tls, false, Arc::clone(&self.names));
        Box::pin(async move {
            poll_fn(|context| https.poll_ready(context)).await?;
            https.call(target).await
        })
    }
}
