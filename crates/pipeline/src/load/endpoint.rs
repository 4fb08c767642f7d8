//! Where a run sends: the address and the path of an `http://` endpoint.
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use http::Uri;

use super::LoadError;

/// A parsed endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Host and port, for the `Host` header and for connecting.
    pub authority: String,
    /// The path to post to.
    pub path: String,
}

impl Endpoint {
    /// Parses `http://host:port` or `host:port`; without a path in the text it is `default_path`.
    pub(super) fn parse(
        text: &str,
        default_port: u16,
        default_path: &str,
    ) -> Result<Self, LoadError> {
        let invalid = |why: &str| {
            LoadError::Options(format!(
                "expected an endpoint like http://127.0.0.1:{default_port}, got `{text}`: {why}"
            ))
        };
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let uri: Uri = with_scheme
            .parse()
            .map_err(|_| invalid("it is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid("the load generator speaks http only"));
        }
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| invalid("it names no host"))?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(default_port));
        let path = if matches!(uri.path(), "" | "/") {
            default_path
        } else {
            uri.path()
        };
        Ok(Self {
            authority,
            path: path.to_owned(),
        })
    }

    /// Connects, trying each address that the host has.
    pub(super) fn connect(&self, timeout: Duration) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_without_port_and_path_gets_those_of_otlp() {
        let endpoint = Endpoint::parse("localhost", 4318, "/v1/logs").unwrap();
        assert_eq!(
            (endpoint.authority.as_str(), endpoint.path.as_str()),
            ("localhost:4318", "/v1/logs")
        );
    }

    #[test]
    fn a_path_in_the_endpoint_is_kept() {
        let endpoint =
            Endpoint::parse("http://[::1]:80/otlp/v1/traces", 4318, "/v1/traces").unwrap();
        assert_eq!(
            (endpoint.authority.as_str(), endpoint.path.as_str()),
            ("[::1]:80", "/otlp/v1/traces")
        );
    }

    #[test]
    fn an_https_endpoint_is_refused_with_the_reason() {
        let error = Endpoint::parse("https://localhost", 4318, "/").unwrap_err();
        assert!(error.to_string().contains("http only"), "{error}");
    }
}
