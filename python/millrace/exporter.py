"""An OTLP exporter as the engine reads it, and the rules for endpoints and headers: shared by gateway and SDK."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "PORT_MAX",
    "SIGNAL_PATHS",
    "Resolved",
    "Url",
    "client_tls",
    "grpc_endpoint",
    "header_name_fault",
    "header_value_fault",
    "otlp_grpc",
    "otlp_http",
    "parse_host_port",
    "parse_url",
    "sending",
]

Resolved: TypeAlias = dict[str, Any]
"""A part of a configuration as the engine reads it: sizes in bytes, times in milliseconds."""

SIGNAL_PATHS = {
    "traces": "/v1/traces",
    "metrics": "/v1/metrics",
    "logs": "/v1/logs",
    "profiles": "/v1development/profiles",
}
"""What is appended to the base URL of OTLP/HTTP."""

PORT_MAX = 65_535
_REQUEST_BYTES_MAX = 64 << 20  # what the specification recommends to receivers as their limit (G2, X7)
_RESPONSE_BYTES_MAX = 4 << 20  # what it recommends to clients (X8)

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset(
    {"content-length", "content-type", "content-encoding", "host", "te", "transfer-encoding", "connection"}
)


class Url(NamedTuple):
    """An `http` or `https` URL without credentials."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str

    def __str__(self) -> str:
        """Return the URL as text."""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}{self.query}"


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Return the host (brackets kept around IPv6) and the port, if any. Raises ValueError with a sentence."""
    if text.count(":") > 1 and not text.startswith("["):
        raise ValueError("an IPv6 address needs brackets, as in [::1]:4317")
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host = text
    if host and not _HOST.fullmatch(host):
        raise ValueError("the host has characters that no host name has")
    if colon and not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        raise ValueError(f"the port is a number from 0 to {PORT_MAX}")
    return host, int(port) if colon else None


def parse_url(text: str) -> Url:
    """Take an `http` or `https` URL apart. Raises ValueError with a sentence that does not repeat credentials."""
    match = _URL.fullmatch(text)
    if not match or match[1].lower() not in {"http", "https"}:
        raise ValueError("a URL starts with http:// or https://")
    if "@" in match[2]:
        raise ValueError("credentials do not belong into a URL: set them as headers")
    if match[5]:
        raise ValueError("a URL to send to has no #fragment")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("a URL has no spaces or control characters")
    host, port = parse_host_port(match[2])
    if not host:
        raise ValueError("the URL has no host")
    return Url(match[1].lower(), host, port, match[3], match[4] or "")


def grpc_endpoint(text: str, *, insecure: bool) -> str:
    """Return the URL of a gRPC target: `host:port` means TLS unless `insecure`; a scheme decides by itself.

    Raises:
        ValueError: The text is none of `host:port`, `http://host:port`, `https://host:port`, `dns:///host:port`.
    """
    scheme, separator, rest = text.partition("://")
    if not separator and text.startswith("unix:"):
        raise ValueError("Unix sockets are not supported")
    if scheme in {"http", "https"}:
        url = parse_url(text)
        if url.path not in {"", "/"} or url.query:
            raise ValueError("a gRPC endpoint has no path")
        target = str(url._replace(path="")).partition("://")[2]
    elif not separator:
        target = text
    elif scheme in {"dns", "passthrough"}:
        target = re.sub(r"^[^/]*/", "", rest)
    else:
        raise ValueError(f"the scheme is http, https or dns, or there is none: got {scheme}")
    host, port = parse_host_port(target)
    if not host or not port:
        raise ValueError("the host and the port are needed, as in localhost:4317")
    secure = scheme == "https" or (scheme != "http" and not insecure)
    return f"{'https' if secure else 'http'}://{target}"


def header_name_fault(name: str) -> str | None:
    """Return what is wrong with the name of a header that a user adds, or `None`."""
    if not _HEADER_NAME.fullmatch(name):
        return "the name of a header has letters, digits and hyphens"
    if name.lower() in _OURS or name.lower().startswith("grpc-"):
        return "this header is set by the exporter itself"
    return None


def header_value_fault(value: str) -> str | None:
    """Return what is wrong with the value of a header, or `None`; the sentence does not repeat the value."""
    allowed = all(character == "\t" or " " <= character <= "~" for character in value)
    return None if allowed else "the value of a header is printable ASCII"


def client_tls(  # noqa: PLR0913 - one argument for each setting
    *,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
    server_name_override: str | None = None,
    insecure_skip_verify: bool = False,
    min_version: str = "1.2",
    reload_interval_ms: int | None = None,
) -> Resolved:
    """Return TLS of a client; without `ca_file` the machine's own authorities are trusted."""
    return {
        "ca_file": ca_file,
        "cert_file": cert_file,
        "key_file": key_file,
        "server_name_override": server_name_override,
        "insecure_skip_verify": insecure_skip_verify,
        "min_version": min_version,
        "reload_interval_ms": reload_interval_ms,
    }


def sending(  # noqa: PLR0913 - one argument for each setting
    *,
    headers: Mapping[str, str],
    timeout_ms: int,
    compression: str,
    compression_level: int | None,
    tls: Resolved | None,
    retry: Resolved,
    queue: Resolved,
) -> Resolved:
    """Return the part that both protocols have in common."""
    return {
        "headers": {name.lower(): value for name, value in headers.items()},
        "timeout_ms": timeout_ms,
        "compression": compression,
        "compression_level": compression_level,
        "max_request_bytes": _REQUEST_BYTES_MAX,
        "max_response_bytes": _RESPONSE_BYTES_MAX,
        "tls": tls,
        "retry_on_failure": retry,
        "sending_queue": queue,
    }


def otlp_grpc(endpoint: str, common: Resolved) -> Resolved:
    """Return an exporter over gRPC; `endpoint` as :func:`grpc_endpoint` returns it, `common` as :func:`sending`."""
    return {"kind": "otlp", "endpoint": endpoint, **common}


def otlp_http(endpoint: str, urls: Mapping[str, str], encoding: str, common: Resolved) -> Resolved:
    """Return an exporter over HTTP with the whole URL of each signal; `encoding` is `proto` or `json`."""
    return {"kind": "otlphttp", "endpoint": endpoint, "urls": dict(urls), "encoding": encoding, **common}
