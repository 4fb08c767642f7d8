"""Send files of OTLP requests to an endpoint, with retries, and report what became of every item."""

import argparse
import json

from millrace.cli.arguments import Parser, add_color, add_header, add_json, duration_s
from millrace.cli.codes import DONE, FAILED, PARTIAL, UNREACHABLE
from millrace.cli.terminal import Progress, Terminal, clean, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HELP = "send files of OTLP requests to an endpoint"

_EPILOG = """\
examples:
  millrace send traffic.otlp.zst
  millrace send *.jsonl --endpoint https://otlp.example.com --header authorization="Bearer $TOKEN"
  millrace send traffic.otlp --endpoint localhost:4317 --protocol grpc --insecure --in-flight 32

Files are read by their endings: .jsonl, .json or .otlp, each also .gz or .zst (see `millrace convert --help`).
Exit codes: 0 everything was taken, 1 something was given up, 3 nobody answers, 4 the endpoint rejected something.
"""

_REJECTED = ("destination_refused", "partial_success")


_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="files to send; - is standard input, as --from says")
    parser.add_argument(
        "--endpoint",
        "--otlp-endpoint",
        metavar="URL",
        help="where to send: http://localhost:4318, or localhost:4317 for grpc, unless given",
    )
    parser.add_argument(
        "--protocol",
        choices=("http/protobuf", "http/json", "grpc"),
        help="how to send; unless given, grpc to port 4317 and http/protobuf to all others",
    )
    add_header(parser, "--otlp-header")
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), default="gzip", help="of the bodies")
    parser.add_argument("--insecure", "--otlp-insecure", action="store_true", help="grpc to host:port without TLS")
    parser.add_argument("--ca-file", metavar="FILE", help="PEM file of authorities, instead of the machine's own")
    parser.add_argument("--timeout", type=duration_s, default=10.0, metavar="TIME", help="for one attempt (10s)")
    parser.add_argument(
        "--retry-for",
        type=duration_s,
        default=30.0,
        metavar="TIME",
        help="how long a request is sent again after a failure that may pass (30s); 0 is once",
    )
    parser.add_argument("--in-flight", type=int, default=8, metavar="N", help="requests under way at once (8)")
    parser.add_argument("--from", dest="like", metavar="FORMAT", help="format, whatever the name says: jsonl or otlp")
    parser.add_argument("--signal", choices=("traces", "metrics", "logs", "profiles"), help="signal of .otlp files")
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Send them."""
    from millrace import _native, files

    terminal = Terminal(arguments.color)
    exporter = _exporter(arguments)
    if not _reachable(exporter["endpoint"], arguments.timeout, terminal):
        return UNREACHABLE
    if arguments.in_flight < 1:
        raise ValueError(f"--in-flight must be at least 1, got {arguments.in_flight}")
    sender = _native.Sender(json.dumps(exporter), arguments.in_flight)
    like = files.format_of(f"x.{arguments.like}") if arguments.like else None
    progress = Progress(terminal, "requests")
    requests = 0
    for file in arguments.files:
        for request in files.read(file, arguments.signal, like=like):
            sender.send(request.signal, request.data)
            requests += 1
            progress.update(requests, f"from {clean(file)}")
    report = json.loads(sender.finish())
    progress.close()
    _print(report, terminal, as_json=arguments.json)
    return _code(report["signals"])


def _exporter(arguments: argparse.Namespace) -> "dict[str, Any]":
    """Return the exporter that a gateway would have for these arguments, as the engine reads it."""
    from millrace.gateway.config import load

    endpoint = arguments.endpoint
    protocol = arguments.protocol or ("grpc" if (endpoint or "").rstrip("/").endswith(":4317") else "http/protobuf")
    kind = "otlp" if protocol == "grpc" else "otlphttp"
    milliseconds = max(1, int(arguments.retry_for * 1_000))
    settings: dict[str, Any] = {
        "endpoint": endpoint or ("http://localhost:4317" if kind == "otlp" else "http://localhost:4318"),
        "headers": dict(arguments.header),
        "compression": arguments.compression,
        "timeout": f"{max(1, int(arguments.timeout * 1_000))}ms",
        "tls": {"insecure": arguments.insecure, "ca_file": arguments.ca_file},
        "retry_on_failure": {
            "enabled": arguments.retry_for > 0,
            "initial_interval": "200ms",
            "max_interval": "5s",
            "max_elapsed_time": f"{milliseconds}ms",
        },
        "sending_queue": {"num_consumers": max(1, arguments.in_flight), "block_on_overflow": True},
    }
    if protocol == "http/json":
        settings["encoding"] = "json"
    if kind == "otlphttp" and endpoint and "://" not in endpoint:
        settings["endpoint"] = f"http://{endpoint}"
    pipeline = {"receivers": ["otlp"], "exporters": [kind]}
    config = {
        "receivers": {"otlp": {"protocols": {"http": None}}},
        "exporters": {kind: settings},
        "service": {"pipelines": {"traces": pipeline}, "telemetry": {"metrics": {"level": "none"}}},
    }
    exporter: dict[str, Any] = load(config, environment={}).resolved["exporters"][kind]
    return exporter


def _reachable(url: str, timeout_s: float, terminal: Terminal) -> bool:
    """Connect once: a wrong endpoint is said at once and not after all retries. A proxy may reach what we cannot."""
    import os
    import socket

    from millrace.endpoint import parse_url
    from millrace.gateway.config.endpoints import is_loopback

    parsed = parse_url(url)
    if any(map(os.environ.get, _PROXIES)) and not is_loopback(parsed.host):
        return True
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    try:
        socket.create_connection((parsed.host.strip("[]"), port), timeout_s or None).close()
    except OSError as error:
        terminal.error(f"cannot reach {parsed.host}:{port}: {error.strerror or error}")
        return False
    return True


def _print(report: "dict[str, Any]", terminal: Terminal, *, as_json: bool) -> None:
    for message in report["messages"]:
        terminal.warn(clean(message))
    if as_json:
        print(json.dumps(report))
        return
    rows = [
        (signal, row["received"], row["exported"], sum(row["dropped"].values()), row["requests_sent"], row["retries"])
        for signal, row in report["signals"].items()
    ]
    if rows:
        terminal.say(table(("signal", "items", "taken", "lost", "requests", "retries"), rows))
    else:
        terminal.say("nothing to send")


def _code(signals: "dict[str, Any]") -> int:
    dropped = {reason for row in signals.values() for reason, items in row["dropped"].items() if items}
    if not dropped:
        return DONE
    if dropped <= set(_REJECTED):
        return PARTIAL
    return UNREACHABLE if dropped == {"retries_exhausted"} else FAILED
