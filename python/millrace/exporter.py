"""An OTLP exporter as the engine reads it: shared by gateway and SDK."""

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = [
    "SIGNAL_PATHS",
    "Resolved",
    "client_tls",
    "otlp_grpc",
    "otlp_http",
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

_REQUEST_BYTES_MAX = 64 << 20  # what the specification recommends to receivers as their limit (G2, X7)
_RESPONSE_BYTES_MAX = 4 << 20  # what it recommends to clients (X8)


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
