//! Proxies that the environment names for the exporters, as Go's programs honour them.
use std::env;
use std::net::IpAddr;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::config::StartError;

/// The ways of one client out of the machine.
#[derive(Debug)]
pub(super) struct Proxies {
    matcher: Matcher,
    /// gRPC cannot be relayed request by request, and takes the proxy of https whether it is encrypted or not.
    is_grpc: bool,
}

/// Through whom a request travels.
pub(super) enum Way {
    Direct,
    /// A proxy that is asked for a connection to the destination (CONNECT) and sees nothing of what passes.
    Tunnel(Intercept),
    /// A proxy that is asked to send the request on.
    Relay(Intercept),
}

impl Proxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or the same in lower case.
    pub(super) fn from_environment(is_grpc: bool) -> Self {
        let first = |names: [&str; 2]| {
            let values = names.into_iter().filter_map(|name| env::var(name).ok());
            values.into_iter().find(|value| !value.is_empty())
        };
        let value = |names| first(names).unwrap_or_default();
        Self {
            matcher: Matcher::builder()
                .https(value(["HTTPS_PROXY", "https_proxy"]))
                .http(value(["HTTP_PROXY", "http_proxy"]))
                .no(value(["NO_PROXY", "no_proxy"]))
                .build(),
            is_grpc,
        }
    }

    /// The way to a destination. This machine is always reached directly.
    pub(super) fn way(&self, target: &Uri) -> Way {
        if target.host().is_none_or(is_this_machine) {
            return Way::Direct;
        }
        let is_tunnel = self.is_grpc || target.scheme() == Some(&Scheme::HTTPS);
        let found = if is_tunnel {
            self.matcher.intercept(&as_https(target))
        } else {
            self.matcher.intercept(target)
        };
        match found {
            None => Way::Direct,
            Some(proxy) if is_tunnel => Way::Tunnel(proxy),
            Some(proxy) => Way::Relay(proxy),
        }
    }

    /// Refuses proxies that speak something else than plain HTTP; their URL may hold a password and is not repeated.
    pub(super) fn check(&self, setting: &str, target: &Uri) -> Result<(), StartError> {
        match self.way(target) {
            Way::Tunnel(proxy) | Way::Relay(proxy)
                if proxy.uri().scheme() != Some(&Scheme::HTTP) =>
            {
                Err(StartError::of(
                    setting,
                    "the proxy that the environment names for it (HTTPS_PROXY, HTTP_PROXY) must be reached over http://; name another, or list the host in NO_PROXY",
                ))
            }
            _ => Ok(()),
        }
    }

    /// What a proxy that relays wants to know of us in each request.
    pub(super) fn authorization(&self, target: &Uri) -> Option<HeaderValue> {
        match self.way(target) {
            Way::Relay(proxy) => proxy.basic_auth().cloned(),
            _ => None,
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn as_https(target: &Uri) -> Uri {
    let mut parts = target.clone().into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    Uri::from_parts(parts).unwrap_or_else(|_| target.clone())
}
