"""The receivers: `otlp`, over gRPC and HTTP."""

from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.endpoints import LISTEN, is_loopback, listen_address
from millrace.gateway.config.kinds import Choice, Duration, Ignored, Integer, Text, Unsupported
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.sending import MEBIBYTE
from millrace.gateway.config.settings import Group, Setting, Values
from millrace.gateway.config.tls import SERVER_TLS, resolve_server_tls

__all__ = ["OTLP"]

_NO_AUTH = "restrict who reaches the port with tls.client_ca_file (mTLS) or the network"
_NO_EXTENSIONS = "extensions other than health_check do not exist yet"
_BUFFERS = "buffers size themselves"


def _path_fault(path: str) -> str | None:
    ok = path.startswith("/") and path.isascii() and path.isprintable() and not set(path) & set(" ?#")
    return None if ok else "a path starts with / and has no query"


_PATH = Text("a path such as /v1/traces", _path_fault)
_TRANSPORT = Choice(
    "tcp", absent=dict.fromkeys(("tcp4", "tcp6", "unix", "npipe"), "listen on tcp; the address decides v4 or v6")
)

_KEEPALIVE = Group(
    Setting(
        "server_parameters",
        Group(
            Setting("max_connection_age", Duration(1), "Close connections gracefully at this age, to spread clients."),
            Setting("max_connection_age_grace", Ignored("requests in flight always finish"), ""),
            Setting("max_connection_idle", Ignored("connections that are idle cost little and are counted"), ""),
            Setting("time", Ignored("dead peers are found by HTTP/2 pings after idle_timeout"), ""),
            Setting("timeout", Ignored("dead peers are found by HTTP/2 pings after idle_timeout"), ""),
        ),
        "Life of a connection.",
    ),
    Setting(
        "enforcement_policy", Ignored("a client that sends 2,000 pings with nothing between them is disconnected"), ""
    ),
)

_GRPC = Group(
    Setting("endpoint", LISTEN, "Address to listen on; port 0 lets the system choose.", "localhost:4317"),
    Setting("transport", _TRANSPORT, "Kind of socket.", "tcp"),
    Setting("max_recv_msg_size_mib", Integer(1, 2_047), "Largest request after decompression, in MiB.", 64),
    Setting("max_concurrent_streams", Integer(1, 1_000_000), "Requests in flight on one connection.", 1_000),
    Setting("keepalive", _KEEPALIVE, "Life of a connection."),
    Setting("tls", SERVER_TLS, "Serve over TLS."),
    Setting("auth", Unsupported(_NO_AUTH), ""),
    Setting("middlewares", Unsupported(_NO_EXTENSIONS), ""),
    Setting("include_metadata", Unsupported("no component reads the metadata of a client"), ""),
    Setting("read_buffer_size", Ignored(_BUFFERS), ""),
    Setting("write_buffer_size", Ignored(_BUFFERS), ""),
    Setting("dialer", Ignored("a server does not dial"), ""),
    optional=True,
)

_HTTP = Group(
    Setting("endpoint", LISTEN, "Address to listen on; port 0 lets the system choose.", "localhost:4318"),
    Setting("transport", _TRANSPORT, "Kind of socket.", "tcp"),
    Setting("traces_url_path", _PATH, "Path of traces.", "/v1/traces"),
    Setting("metrics_url_path", _PATH, "Path of metrics.", "/v1/metrics"),
    Setting("logs_url_path", _PATH, "Path of logs.", "/v1/logs"),
    Setting("profiles_url_path", _PATH, "Path of profiles.", "/v1development/profiles"),
    Setting(
        "max_request_body_size",
        Integer(1),
        "Largest request after decompression, in bytes. The Collector's default is 20 MiB.",
        64 * MEBIBYTE,
    ),
    Setting("read_header_timeout", Duration(1), "Longest time for the head of a request.", 10_000),
    Setting("idle_timeout", Duration(1), "Longest silence between two requests of a connection.", 60_000),
    Setting(
        "keepalive",
        Group(
            Setting("enabled", Ignored("connections are kept open; idle_timeout closes them"), ""),
            Setting("idle_timeout", Duration(1), "The same as idle_timeout above; wins over it."),
        ),
        "Life of a connection.",
    ),
    Setting("tls", SERVER_TLS, "Serve over TLS."),
    Setting("auth", Unsupported(_NO_AUTH), ""),
    Setting("middlewares", Unsupported(_NO_EXTENSIONS), ""),
    Setting("cors", Unsupported("browsers send through a reverse proxy that adds CORS headers"), ""),
    Setting("include_metadata", Unsupported("no component reads the metadata of a client"), ""),
    Setting("response_headers", Unsupported("answers carry the headers of OTLP and no others"), ""),
    Setting("compression_algorithms", Ignored("none, gzip and zstd are always accepted"), ""),
    Setting("read_timeout", Ignored("receivers.otlp.body_timeout bounds the time for a body"), ""),
    Setting("write_timeout", Ignored("answers are a few bytes"), ""),
    Setting("keep_alives_enabled", Ignored("connections are kept open; idle_timeout closes them"), ""),
    optional=True,
)


def _check(values: Values, problems: Problems) -> None:
    protocols = values["protocols"]
    if protocols["grpc"] is None and protocols["http"] is None:
        hint = "write `grpc:` or `http:`, or both, under protocols"
        problems.error(protocols.place, "no protocol is enabled", hint)
    for protocol in filter(None, protocols.values()):
        if not is_loopback(protocol["endpoint"]) and protocol["tls"] is None:
            message = "everybody who reaches this address can send, and without TLS"
            problems.warn(protocol.at("endpoint"), message, "listen on localhost, or set tls.client_ca_file")


def _resolve(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    grpc, http = values["protocols"]["grpc"], values["protocols"]["http"]
    return {
        "kind": "otlp",
        "grpc": grpc and _resolve_grpc(grpc),
        "http": http and _resolve_http(http),
        "body_timeout_ms": values["body_timeout"],
        "max_concurrent_requests": values["max_concurrent_requests"],
        "max_connections": values["max_connections"],
    }


def _resolve_grpc(values: Values) -> Resolved:
    return {
        "endpoint": listen_address(values["endpoint"]),
        "max_request_bytes": values["max_recv_msg_size_mib"] * MEBIBYTE,
        "max_concurrent_streams": values["max_concurrent_streams"],
        "max_connection_age_ms": values["keepalive"]["server_parameters"]["max_connection_age"],
        "tls": resolve_server_tls(values["tls"]),
    }


def _resolve_http(values: Values) -> Resolved:
    return {
        "endpoint": listen_address(values["endpoint"]),
        "max_request_bytes": values["max_request_body_size"],
        "paths": {signal: values[f"{signal}_url_path"] for signal in ("traces", "metrics", "logs", "profiles")},
        "header_timeout_ms": values["read_header_timeout"],
        "idle_timeout_ms": values["keepalive"]["idle_timeout"] or values["idle_timeout"],
        "tls": resolve_server_tls(values["tls"]),
    }


OTLP = Component(
    "otlp",
    "Receives OTLP over gRPC and over HTTP (protobuf and JSON), all four signals.",
    Group(
        Setting(
            "protocols",
            Group(
                Setting("grpc", _GRPC, "OTLP/gRPC. `grpc:` alone takes every default."),
                Setting("http", _HTTP, "OTLP/HTTP. `http:` alone takes every default."),
            ),
            "What to listen for.",
            required=True,
        ),
        Setting("body_timeout", Duration(1), "Longest time for the body of a request.", 30_000, ours=True),
        Setting("max_concurrent_requests", Integer(1), "Requests that are read or answered at once.", 1_024, ours=True),
        Setting("max_connections", Integer(1), "Open connections, over both protocols.", 4_096, ours=True),
        check=_check,
    ),
    _resolve,
)
