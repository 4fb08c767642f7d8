"""Generate telemetry: send it at a chosen rate and report what became of it, or write it to a file.

Each item carries the id of the run and a sequence number: `millrace sink` at the other end of a pipeline tells which
items were lost, doubled or reordered.
"""

import argparse
import json

from millrace.cli.arguments import Parser, add_color, add_header, add_json, count_of, duration_s
from millrace.cli.codes import DONE, FAILED, INTERRUPTED, PARTIAL, UNREACHABLE
from millrace.cli.terminal import Progress, Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HELP = "generate telemetry and send it at a chosen rate"

_EPILOG = """\
examples:
  millrace gen                                                   1,000 spans a second for 10 s, to localhost:4318
  millrace gen metrics --rate 20k --duration 1m --protocol grpc  data points over gRPC
  millrace gen --rate 0 --workers 4 --batch 1000                 as fast as the endpoint takes them
  millrace gen logs --items 100k --output logs.otlp.zst          to a file, for `millrace send`

The flags of telemetrygen are understood: --otlp-endpoint, --otlp-http, --otlp-insecure, --otlp-header, --traces,
--metrics, --logs, --child-spans, --workers, --rate, --duration. Here --rate is of all workers together.
Exit codes: 0 everything was taken, 1 something was not, 3 nobody answers, 4 the endpoint rejected something.
"""
_DEFAULT_RATE = 1_000
_DEFAULT_DURATION_S = 10.0
_PROGRESS_S = 0.1


def configure(parser: Parser) -> None:
    """Add the arguments."""
    signals = ("traces", "metrics", "logs", "profiles")
    parser.add_argument("signal", nargs="?", choices=signals, default="traces", help="what to generate (traces)")
    parser.add_argument("--endpoint", "--otlp-endpoint", metavar="URL", help="where to send (http://localhost:4318)")
    parser.add_argument("--protocol", choices=("http", "grpc"), help="how; unless given, grpc to port 4317")
    parser.add_argument("--otlp-http", action="store_true", help="the same as --protocol http")
    parser.add_argument("--insecure", "--otlp-insecure", action="store_true", help="without TLS: it always is")
    add_header(parser, "--otlp-header")
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), default="none", help="of the bodies")
    parser.add_argument(
        "--rate",
        type=count_of,
        default=_DEFAULT_RATE,
        metavar="N",
        help=f"items a second, over all workers ({_DEFAULT_RATE}); 0 is as fast as possible",
    )
    parser.add_argument("--duration", type=duration_s, metavar="TIME", help="how long (10s, unless --items is given)")
    parser.add_argument("--items", "-n", "--metrics", "--logs", type=count_of, metavar="N", help="how many items")
    parser.add_argument("--traces", type=count_of, metavar="N", help="how many traces, instead of --items")
    parser.add_argument(
        "--child-spans", type=int, default=3, metavar="N", help="spans of each trace beside its root (3)"
    )
    parser.add_argument("--batch", type=count_of, default=100, metavar="N", help="items in each request (100)")
    parser.add_argument("--workers", "--connections", type=int, default=1, metavar="N", help="connections (1)")
    parser.add_argument("--in-flight", type=int, default=1, metavar="N", help="requests at once on each connection (1)")
    parser.add_argument("--item-bytes", type=count_of, default=300, metavar="N", help="bytes of each item (300)")
    parser.add_argument("--attributes", type=int, default=5, metavar="N", help="attributes of each item (5)")
    parser.add_argument("--events", type=int, default=0, metavar="N", help="events of each span (0)")
    parser.add_argument("--services", type=int, default=1, metavar="N", help="resources in each request (1)")
    parser.add_argument("--retry", action="store_true", help="send refused requests again until they are taken")
    parser.add_argument("--timeout", type=duration_s, default=30.0, metavar="TIME", help="for one answer (30s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what the values are drawn from (1)")
    parser.add_argument("--output", "-o", metavar="FILE", help="write to a .jsonl or .otlp file instead of sending")
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Generate it."""
    return _write(arguments) if arguments.output else _send(arguments)


def shape_of(arguments: argparse.Namespace) -> "dict[str, Any]":
    """Return the form of a request, as the engine reads it."""
    return {
        "signal": arguments.signal,
        "items": arguments.batch,
        "bytes_per_item": arguments.item_bytes,
        "attributes": arguments.attributes,
        "events": arguments.events,
        "services": arguments.services,
        "spans_per_trace": arguments.child_spans + 1,
        "seed": arguments.seed,
    }


def _items(arguments: argparse.Namespace) -> int | None:
    if arguments.traces is not None:
        return int(arguments.traces * (arguments.child_spans + 1))
    return arguments.items  # type: ignore[no-any-return] # argparse has no types


def _options(arguments: argparse.Namespace) -> "dict[str, Any]":
    endpoint = arguments.endpoint or (
        "http://localhost:4317" if arguments.protocol == "grpc" else "http://localhost:4318"
    )
    grpc = arguments.protocol == "grpc" or (endpoint.rstrip("/").endswith(":4317") and arguments.protocol is None)
    items = _items(arguments)
    duration_s = arguments.duration if arguments.duration is not None or items else _DEFAULT_DURATION_S
    return {
        "endpoint": endpoint,
        "protocol": "grpc" if grpc and not arguments.otlp_http else "http",
        "compression": arguments.compression,
        "shape": shape_of(arguments),
        "connections": arguments.workers,
        "in_flight": arguments.in_flight,
        "items_per_second": float(arguments.rate) or None,
        "requests": None if items is None else -(-items // max(1, arguments.batch)),
        "duration_ms": None if duration_s is None else int(duration_s * 1_000),
        "retry": arguments.retry,
        "timeout_ms": int(arguments.timeout * 1_000),
        "headers": dict(arguments.header),
    }


def _send(arguments: argparse.Namespace) -> int:
    import time

    from millrace import _native
    from millrace.errors import UnreachableError

    terminal = Terminal(arguments.color)
    options = _options(arguments)
    try:
        generator = _native.LoadRun(json.dumps(options))
    except UnreachableError as error:
        terminal.error(str(error))
        return UNREACHABLE
    total = options["requests"] and options["requests"] * arguments.batch
    progress = Progress(terminal, "items", total)
    interrupted = False
    while not generator.is_finished():
        try:
            time.sleep(_PROGRESS_S)
        except KeyboardInterrupt:
            interrupted = True
            generator.stop()
        now = json.loads(generator.progress())
        progress.update(now["accepted_items"], f"{now['accepted_items'] / max(now['elapsed_s'], 1e-9):,.0f} a second")
    report = json.loads(generator.finish())
    progress.close()
    if arguments.json:
        print(json.dumps(report))
    else:
        _print(report)
    if interrupted:
        return INTERRUPTED
    return code_of(report)


def code_of(report: "dict[str, Any]") -> int:
    """Return the exit code that a report of a run deserves."""
    if report["offered_requests"] and not report["accepted_requests"] and not report["refused_requests"]:
        return UNREACHABLE
    if report["unsent_items"]:
        return FAILED
    return PARTIAL if report["rejected_items"] else DONE


def _print(report: "dict[str, Any]") -> None:
    latency = report["latency_ms"]
    print(
        f"sent       {report['accepted_items']:,} of {report['offered_items']:,} items "
        f"in {report['accepted_requests']:,} requests, generator {report['generator']}"
    )
    print(
        f"rate       {report['items_per_second']:,.0f} items/s, {report['bytes_per_second'] / 1e6:,.1f} MB/s "
        f"for {report['elapsed_s']:.1f} s"
    )
    print(
        f"latency    p50 {latency['p50']:.2f} ms, p95 {latency['p95']:.2f} ms, p99 {latency['p99']:.2f} ms, "
        f"max {latency['max']:.2f} ms"
    )
    for name, counts in (("refused", report["refused_requests"]), ("failed", report["failed_requests"])):
        if counts:
            print(f"{name:10} {', '.join(f'{count:,} requests ({reason})' for reason, count in counts.items())}")
    if report["resent_requests"]:
        print(f"resent     {report['resent_requests']:,} requests")
    if report["rejected_items"]:
        print(f"rejected   {report['rejected_items']:,} items, by partial success")


def _write(arguments: argparse.Namespace) -> int:
    import os
    import time

    from millrace import _native, files

    terminal = Terminal(arguments.color)
    shape = shape_of(arguments)
    generator = int.from_bytes(os.urandom(8), "big")
    items = _items(arguments)
    if items is None:
        items = int(arguments.rate * (arguments.duration or _DEFAULT_DURATION_S))
    begun_ns = time.time_ns()
    step_ns = 10**9 // arguments.rate if arguments.rate else 0
    full = _native.LoadTemplate(json.dumps(shape), generator)
    with files.Writer(arguments.output) as writer:
        for first in range(0, items, arguments.batch):
            left = min(arguments.batch, items - first)
            one = shape | {"items": left, "services": min(arguments.services, left)}
            template = full if left == arguments.batch else _native.LoadTemplate(json.dumps(one), generator)
            writer.write(arguments.signal, template.request(first + 1, begun_ns + first * step_ns))
    terminal.say(f"{items:,} items written to {arguments.output}")
    return DONE
