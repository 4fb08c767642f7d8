//! Two small pages for machines: `/metrics` for Prometheus and the health check.
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::receivers::Listener;
use crate::receivers::reply::Reply;
use crate::self_metrics::{Observed, prometheus};

/// A scraper and a few people; more is a mistake.
const CONNECTIONS: usize = 64;
/// Longest time for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Which page a listener serves.
#[derive(Clone, Debug)]
pub(crate) enum Page {
    /// `/metrics`.
    Metrics,
    /// The health check.
    Health {
        /// The path that answers.
        path: String,
    },
}

/// Serves one page until the gateway has stopped; a gateway that is stopping says so in its health.
pub(crate) async fn serve(
    listener: Listener,
    page: Page,
    observed: Arc<Observed>,
    stopping: watch::Receiver<Option<Instant>>,
    closing: watch::Receiver<bool>,
) -> io::Result<()> {
    // The page outlives the closing of the receivers: an orchestrator watches the drain.
    drop(closing);
    let (_open, never) = watch::channel(false);
    let page = Arc::new(page);
    listener
        .accept(
            Arc::new(Semaphore::new(CONNECTIONS)),
            never,
            move |stream, _| {
                connection(
                    stream,
                    Arc::clone(&page),
                    Arc::clone(&observed),
                    stopping.clone(),
                )
            },
        )
        .await
}

async fn connection(
    stream: TcpStream,
    page: Arc<Page>,
    observed: Arc<Observed>,
    stopping: watch::Receiver<Option<Instant>>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&page, &observed, stopping.borrow().is_some(), &request);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(
    page: &Page,
    observed: &Observed,
    stopping: bool,
    request: &Request<Incoming>,
) -> Response<Reply> {
    let path = match page {
        Page::Metrics => "/metrics",
        Page::Health { path } => path,
    };
    if request.uri().path() != path {
        return text(
            StatusCode::NOT_FOUND,
            "text/plain",
            format!("there is only {path} here\n"),
        );
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "use GET\n".into(),
        );
    }
    match page {
        Page::Metrics => text(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            prometheus::render(&observed.measure()),
        ),
        Page::Health { .. } if stopping => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "application/json",
            r#"{"status":"Server stopping"}"#.into(),
        ),
        Page::Health { .. } => {
            let uptime = observed.started.elapsed().as_secs_f64();
            text(
                StatusCode::OK,
                "application/json",
                format!(r#"{{"status":"Server available","uptime":"{uptime:.3}s"}}"#),
            )
        }
    }
}

fn text(status: StatusCode, media_type: &'static str, body: String) -> Response<Reply> {
    let mut response = Response::new(Reply::data(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
