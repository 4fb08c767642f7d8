"""The exporters: `otlp`, `otlphttp`, `file`, `store`, `debug` and `nop`."""

from collections.abc import Mapping

from millrace.endpoint import grpc_endpoint, parse_url
from millrace.exporter import SIGNAL_PATHS, otlp_grpc, otlp_http
from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.endpoints import URL
from millrace.gateway.config.kinds import Boolean, Choice, Duration, Ignored, Integer, Text, Unsupported
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.sending import MEBIBYTE, resolve_sending, sending_settings
from millrace.gateway.config.settings import Group, Setting, Values

__all__ = ["DEBUG", "FILE", "NOP", "OTLP", "OTLP_HTTP", "STORE"]

_CONNECTIONS = Ignored("sending_queue.num_consumers says how many requests travel at once")
_FRESH_MS_MAX = 1_000


def _endpoint_fault(text: str) -> str | None:
    try:
        grpc_endpoint(text, insecure=True)
    except ValueError as error:
        return str(error)
    return None


def _resolve_otlp(values: Values, problems: Problems) -> Resolved:
    tls = values["tls"]
    url = grpc_endpoint(values["endpoint"], insecure=bool(tls and tls["insecure"]))
    return otlp_grpc(url, resolve_sending(values, problems, tls=url.startswith("https:")))


def _check_otlphttp(values: Values, problems: Problems) -> None:
    if not any(values[name] for name in ("endpoint", *(f"{signal}_endpoint" for signal in SIGNAL_PATHS))):
        hint = "set endpoint: http://localhost:4318, or the whole URL of a signal as traces_endpoint"
        problems.error(values.at("endpoint"), "is missing: expected a URL such as http://localhost:4318", hint)


def _resolve_otlphttp(values: Values, problems: Problems) -> Resolved:
    base = (values["endpoint"] or "").rstrip("/")
    urls = {signal: values[f"{signal}_endpoint"] or (base and f"{base}{path}") for signal, path in SIGNAL_PATHS.items()}
    tls = any(url.startswith("https:") for url in urls.values())
    _warn_of_headers_for_many(values, urls, problems)
    endpoint = base or next(filter(None, urls.values()))
    return otlp_http(endpoint, urls, values["encoding"], resolve_sending(values, problems, tls=tls))


def _warn_of_headers_for_many(values: Values, urls: Mapping[str, str], problems: Problems) -> None:
    """Headers go to all URLs of an exporter, as in the Collector: say so when these are several hosts'."""
    servers = {(url.scheme, url.host, url.port) for url in map(parse_url, filter(None, urls.values()))}
    if values["headers"] and len(servers) > 1:
        names = ", ".join(sorted(f"{scheme}://{host}{'' if p is None else f':{p}'}" for scheme, host, p in servers))
        hint = "define one exporter for each of them when a header is a secret"
        problems.warn(values.at("headers"), f"they are sent to all of {names}", hint)


def _resolve_file(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    return {
        "kind": "file",
        "path": values["path"],
        "format": values["format"],
        "compression": values["compression"] or "none",
        "append": values["append"],
        "flush_interval_ms": values["flush_interval"],
        "fsync": values["fsync"],
        "rotation": values["rotation"] and dict(values["rotation"]),
    }


def _check_file(values: Values, problems: Problems) -> None:
    if values["compression"] == "otz1" and values["format"] != "proto":
        problems.error(values.at("compression"), "otz1 holds requests as protobuf", "set format: proto")


def _check_store(values: Values, problems: Problems) -> None:
    if values["flush_interval"] > _FRESH_MS_MAX:
        problems.error(values.at("flush_interval"), "expected at most 1s: data is to be seen within a second")


def _resolve_store(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    size = values["max_size_mib"]
    return {
        "kind": "store",
        "path": values["path"],
        "flush_interval_ms": values["flush_interval"],
        "wait_for_result": values["wait_for_result"],
        "fsync": values["fsync"],
        "max_age_ms": values["max_age"],
        "max_size_bytes": None if size is None else size * MEBIBYTE,
    }


def _resolve_debug(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    return {"kind": "debug", "verbosity": values["verbosity"]}


def _resolve_nop(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    return {"kind": "nop"}


_ROTATION = Group(
    Setting(
        "max_megabytes",
        Integer(1),
        "Size in MiB at which a new file begins; the full one gets the time into its name.",
        100,
    ),
    Setting("max_days", Integer(0, 36_500), "Age in days at which a full file is removed; 0 is never.", 0),
    Setting("max_backups", Integer(), "Full files that are kept, the newest; 0 is all.", 100),
    Setting(
        "localtime", Boolean(), "Times in names are those of the machine's time zone, instead of UTC.", default=False
    ),
    optional=True,
)

OTLP = Component(
    "otlp",
    "Sends OTLP over gRPC. `host:port` is reached over TLS unless `tls.insecure` is true.",
    Group(
        Setting(
            "endpoint",
            Text("a target such as localhost:4317", _endpoint_fault),
            "Where to send: host:port, or http:// or https:// before it.",
            required=True,
        ),
        *sending_settings(timeout_ms=5_000),
        Setting("balancer_name", Ignored("one connection pool serves the name"), ""),
        Setting("keepalive", Ignored("dead peers are found by the timeout of a request"), ""),
        Setting("wait_for_ready", Ignored("a request waits for its connection until its timeout"), ""),
        Setting("authority", Unsupported("tls.server_name_override sets the name checked in the certificate"), ""),
        Setting("user_agent", Ignored("the user agent names millrace"), ""),
    ),
    _resolve_otlp,
    aliases=("otlp_grpc",),
)

OTLP_HTTP = Component(
    "otlphttp",
    "Sends OTLP over HTTP, as protobuf or as JSON.",
    Group(
        Setting("endpoint", URL, "Base URL; /v1/traces, /v1/metrics and so on are appended."),
        *(
            Setting(f"{signal}_endpoint", URL, f"Whole URL for {signal}, instead of endpoint and the path.")
            for signal in SIGNAL_PATHS
        ),
        Setting("encoding", Choice("proto", "json"), "How requests are written.", "proto"),
        *sending_settings(timeout_ms=30_000),
        Setting("proxy_url", Unsupported("set HTTPS_PROXY or HTTP_PROXY in the environment of the gateway"), ""),
        Setting("cookies", Ignored("cookies are not kept"), ""),
        *(
            Setting(name, _CONNECTIONS, "")
            for name in ("max_idle_conns", "max_idle_conns_per_host", "max_conns_per_host", "idle_conn_timeout")
        ),
        Setting("keepalive", _CONNECTIONS, ""),
        Setting("disable_keep_alives", Ignored("connections are kept open"), ""),
        Setting("force_attempt_http2", Ignored("HTTP/1.1 is used; one connection for each request in flight"), ""),
        Setting("http2_read_idle_timeout", Ignored("HTTP/1.1 is used"), ""),
        Setting("http2_ping_timeout", Ignored("HTTP/1.1 is used"), ""),
        check=_check_otlphttp,
    ),
    _resolve_otlphttp,
    aliases=("otlp_http",),
)

FILE = Component(
    "file",
    "Appends requests to a file: JSON lines, or protobuf with 4 bytes of length before each request.",
    Group(
        Setting("path", Text("the path of a file"), "Where to write.", required=True),
        Setting("format", Choice("json", "proto"), "JSON lines, or protobuf with lengths.", "json"),
        Setting(
            "compression",
            Choice("none", "zstd", "gzip", "otz1", ""),
            "Compression of the whole file (the Collector compresses each request by itself). otz1: tracezip, as in a"
            " file that ends in .otz, with format proto.",
            "none",
        ),
        Setting("append", Boolean(), "Keep what the file holds at start.", default=False),
        Setting("flush_interval", Duration(1), "Longest time that data stays in this process.", 1_000),
        Setting(
            "fsync",
            Boolean(),
            "Acknowledge what is on the disk, instead of what the system holds in its memory.",
            default=True,
            ours=True,
        ),
        Setting(
            "rotation",
            _ROTATION,
            "Begin a new file when one is full. A file that is rotated is always continued at start.",
        ),
        Setting("group_by", Unsupported("one exporter for each file"), ""),
        Setting("encoding", Unsupported("extensions other than health_check do not exist yet"), ""),
        Setting("create_directory", Unsupported("create the directory beforehand"), ""),
        Setting("directory_permissions", Ignored("no directory is created"), ""),
        check=_check_file,
    ),
    _resolve_file,
)

STORE = Component(
    "store",
    "Keeps telemetry as Parquet files in a directory, which `millrace.store` and any tool can read at any time.",
    Group(
        Setting("path", Text("the path of a directory"), "The store; made when it is not there.", required=True),
        Setting(
            "flush_interval",
            Duration(),
            "Least time between two new files of a signal, and longest wait for the next one; at most 1s.",
            100,
            ours=True,
        ),
        Setting(
            "wait_for_result",
            Boolean(),
            "Acknowledge what is in a file. False: up to flush_interval of data is lost when the process dies.",
            default=True,
            ours=True,
        ),
        Setting(
            "fsync",
            Boolean(),
            "A file is on the disk when it counts, instead of in the system's memory.",
            default=True,
            ours=True,
        ),
        Setting("max_age", Duration(1_000), "Remove files whose youngest item is older than this.", ours=True),
        Setting("max_size_mib", Integer(1), "Remove the oldest files while there is more than this.", ours=True),
        check=_check_store,
    ),
    _resolve_store,
)

DEBUG = Component(
    "debug",
    "Writes what passes to standard error.",
    Group(
        Setting(
            "verbosity",
            Choice("basic", "normal", "detailed"),
            "A line for each request, a line for each item, or everything.",
            "basic",
        ),
        Setting("sampling_initial", Ignored("every request is written"), ""),
        Setting("sampling_thereafter", Ignored("every request is written"), ""),
        Setting("use_internal_logger", Ignored("it always writes to standard error"), ""),
        Setting("output_paths", Ignored("it always writes to standard error"), ""),
        Setting("sending_queue", Ignored("it writes at once"), ""),
    ),
    _resolve_debug,
)

NOP = Component("nop", "Forgets what it gets.", Group(), _resolve_nop)
