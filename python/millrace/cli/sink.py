"""Receive telemetry and count it: what `millrace gen` has sent is checked for lost, doubled and reordered items.

It ends after --items, --duration or Ctrl-C, and reports. It can also behave badly on purpose, to test a sender.
"""

import argparse
import json

from millrace.cli.arguments import Parser, add_color, add_json, count_of, duration_s
from millrace.cli.codes import DONE, FAILED, UNREACHABLE
from millrace.cli.terminal import Progress, Terminal, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HELP = "receive telemetry, count it, and report what is missing"

_EPILOG = """\
examples:
  millrace sink                                    on localhost:4317 (gRPC) and localhost:4318 (HTTP), until Ctrl-C
  millrace sink --items 100k --json                until 100,000 items have arrived
  millrace sink --refuse 503 --refuse-requests 5   refuse the first five requests, then accept
  millrace sink --delay 200ms --max-rate 10k       a slow server

Exit codes: 0 nothing is missing, 1 generated items are missing or doubled, 3 the port is taken.
"""
_WAIT_S = 0.2


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("--http", default="localhost:4318", metavar="HOST:PORT", help="OTLP/HTTP; none is without")
    parser.add_argument("--grpc", default="localhost:4317", metavar="HOST:PORT", help="OTLP/gRPC; none is without")
    parser.add_argument("--items", "-n", type=count_of, metavar="N", help="end when this many have arrived")
    parser.add_argument("--duration", type=duration_s, metavar="TIME", help="end after this time")
    parser.add_argument("--delay", type=duration_s, default=0.0, metavar="TIME", help="let every answer wait")
    parser.add_argument("--max-rate", type=count_of, metavar="N", help="items answered for in each second")
    parser.add_argument("--refuse", type=int, metavar="STATUS", help="answer with this HTTP status, such as 503")
    parser.add_argument("--refuse-requests", type=count_of, metavar="N", help="refuse so many, then accept")
    parser.add_argument("--retry-after", type=int, metavar="SECONDS", help="ask the refused to wait so long")
    parser.add_argument("--hang", choices=("before_reading", "after_reading"), help="never answer")
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Count."""
    import signal
    import time

    from millrace import _native
    from millrace.errors import UnreachableError

    terminal = Terminal(arguments.color)
    try:
        sink = _native.LoadSink(json.dumps(_options(arguments)))
    except UnreachableError as error:
        terminal.error(str(error))
        return UNREACHABLE
    for protocol, (host, port) in sink.addresses().items():
        terminal.say(f"{protocol} listens on {host}:{port}")
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stopped.append(number))
    progress = Progress(terminal, "items", arguments.items)
    deadline = time.monotonic() + arguments.duration if arguments.duration is not None else float("inf")
    while not stopped and (left := deadline - time.monotonic()) > 0:
        if sink.wait_for_items(arguments.items or 2**63, min(left, _WAIT_S)):
            break
        if terminal.is_tty:
            progress.update(json.loads(sink.report())["items"])
    report = json.loads(sink.stop())
    progress.close()
    if arguments.json:
        print(json.dumps(report))
    else:
        _print(report)
    return FAILED if report["missing_items"] or report["duplicated_items"] else DONE


def _options(arguments: argparse.Namespace) -> "dict[str, Any]":
    refuse = {"status": arguments.refuse, "requests": arguments.refuse_requests, "retry_after_s": arguments.retry_after}
    return {
        "http": _address(arguments.http),
        "grpc": _address(arguments.grpc),
        "behaviour": {
            "delay_ms": int(arguments.delay * 1_000),
            "items_per_second": arguments.max_rate and float(arguments.max_rate),
            "refuse": refuse if arguments.refuse is not None else None,
            "hang": arguments.hang,
        },
    }


def _address(text: str) -> str | None:
    from millrace.gateway.config.endpoints import listen_address

    return None if text == "none" else listen_address(text)


def _print(report: "dict[str, Any]") -> None:
    rows = [(signal, row["requests"], row["items"]) for signal, row in report["signals"].items()]
    print(table(("signal", "requests", "items"), rows) if rows else "nothing arrived")
    if not rows:
        return
    print(f"\nrate       {report['items_per_second']:,.0f} items/s for {report['elapsed_s']:.1f} s")
    print(
        f"generated  {report['unique_items']:,} different, {report['missing_items']:,} missing, "
        f"{report['duplicated_items']:,} doubled, {report['reordered_items']:,} reordered"
    )
    for name, count in (
        ("unknown", report["unidentified_items"]),
        ("malformed", report["malformed_requests"]),
        ("refused", report["refused_requests"]),
    ):
        if count:
            print(f"{name:10} {count:,}")
