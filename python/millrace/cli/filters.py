"""Options that choose traces and logs, the same for every command that lists them."""

import argparse
import time
from typing import Any

from millrace.cli.arguments import Parser, count_of, duration_s, trace_id

__all__ = ["SEVERITIES", "add_log_filters", "add_span_filters", "log_parameters", "span_parameters"]

SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
"""The lowest number of each range of severities."""


def add_span_filters(parser: Parser) -> None:
    """Add the options that choose spans."""
    parser.add_argument("--service", metavar="NAME", help="a span of this service")
    parser.add_argument("--operation", metavar="NAME", help="a span of this name")
    parser.add_argument("--min-duration", type=duration_s, metavar="TIME", help="a span that took at least so long")
    parser.add_argument("--max-duration", type=duration_s, metavar="TIME", help="a span that took at most so long")
    parser.add_argument("--status", choices=("error", "ok", "unset"), help="a span of this status")
    _add_shared(parser)


def add_log_filters(parser: Parser) -> None:
    """Add the options that choose log records."""
    parser.add_argument("--service", metavar="NAME", help="of this service")
    parser.add_argument("--severity", choices=tuple(SEVERITIES), help="of this severity or above")
    parser.add_argument("--trace", type=trace_id, metavar="ID", help="of this trace")
    parser.add_argument("--span", metavar="ID", help="of this span")
    _add_shared(parser)


def _add_shared(parser: Parser) -> None:
    parser.add_argument(
        "--attribute", action="append", default=[], metavar="KEY=VALUE", help="with this attribute; may be repeated"
    )
    parser.add_argument("--search", metavar="TEXT", help="that contain this text")
    parser.add_argument("--since", type=duration_s, metavar="TIME", help="not older than this, such as 15m")
    parser.add_argument("--limit", "-n", type=count_of, default=20, metavar="N", help="at most so many (20)")


def _shared(arguments: argparse.Namespace) -> dict[str, Any]:
    since = arguments.since
    return {
        "service": arguments.service,
        "attribute": arguments.attribute,
        "q": arguments.search,
        "start": None if since is None else max(0, time.time_ns() - int(since * 1e9)),
    }


def span_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of the API."""
    return {
        **_shared(arguments),
        "operation": arguments.operation,
        "min_duration_ns": _nanoseconds(arguments.min_duration),
        "max_duration_ns": _nanoseconds(arguments.max_duration),
        "status": arguments.status,
    }


def log_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of the API."""
    return {
        **_shared(arguments),
        "severity_min": SEVERITIES.get(arguments.severity),
        "trace_id": arguments.trace,
        "span_id": arguments.span,
    }


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1e9)
