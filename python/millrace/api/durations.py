"""Durations and times as Go programs write them, which is what Jaeger and Tempo take."""

import re
from datetime import UTC, datetime

from millrace.api.endpoint import Fault

__all__ = ["parse_duration_ns", "parse_time_ns"]

_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[ +-]\d\d:\d\d)")


def parse_duration_ns(text: str, name: str) -> int:
    """Read a duration such as `1.5s` or `1m30s`."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Fault(f"{name} must be a duration such as 100ms or 1m30s, got {text[:80]!r}")
    return int(sum(float(number) * _UNIT_NS[unit] for number, unit in parts))


def parse_time_ns(text: str, name: str) -> int:
    """Read a time of RFC 3339, to the nanosecond.

    A `+` that a client has not encoded has become a space on the way.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise Fault(f"{name} must be a time of RFC 3339 such as 2026-01-31T12:00:00.5Z, got {text[:80]!r}")
    day, fraction, zone = match.groups()
    zone = "+00:00" if zone in "Zz" else zone.replace(" ", "+")
    try:
        seconds = int(datetime.fromisoformat(day.upper().replace(" ", "T") + zone).astimezone(UTC).timestamp())
    except (ValueError, OverflowError) as error:
        raise Fault(f"{name} is no time: {text[:80]!r}") from error
    return max(0, seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0")))
