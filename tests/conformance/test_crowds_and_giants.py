"""Many clients who say nothing, and single items as large as a request may be: all are served, and nothing is lost."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from millrace.gateway import Gateway
from tests.conformance.conftest import MEBIBYTE
from tests.conformance.gateways import address, receiver_books
from tests.conformance.http1 import RawConnection, post
from tests.conformance.messages import Request, Signal, items, request
from tests.conformance.sink import Sink

MILLION = 1_000_000
CROWD = 2_000
BYTES_PER_IDLE_CONNECTION = 50 * 1_000


def resident_bytes() -> int:
    """Memory of this process, in which gateway and clients are."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024


def fields(number: int, contents: list[bytes]) -> bytes:
    """Short submessages in a row, as protobuf writes a repeated field."""
    return b"".join(bytes((number << 3 | 2, len(content))) + content for content in contents)


def a_million_attributes() -> Request:
    """One span with so many attributes, each with a key of its own."""
    message = request("traces")
    value = b"\x12\x02\x18\x01"  # intValue: 1
    keys = (b"k%07d" % number for number in range(MILLION))
    (span,) = items("traces", message)
    span.MergeFromString(fields(9, [b"\x0a\x08" + key + value for key in keys]))
    return message


def a_million_points() -> Request:
    """One gauge with so many points."""
    message = request("metrics")
    (point,) = items("metrics", message)
    gauge = message.resource_metrics[0].scope_metrics[0].metrics[0].gauge
    gauge.MergeFromString(fields(1, [point.SerializeToString()] * (MILLION - 1)))
    return message


def a_text_of_nearly_64_mib() -> Request:
    """One log record, as large as a request may be."""
    message = request("logs")
    (record,) = items("logs", message)
    record.body.string_value = "x" * (64 * MEBIBYTE - 1_000)
    return message


@pytest.mark.parametrize(
    ("signal", "make", "count"),
    [
        ("traces", a_million_attributes, 1),
        ("metrics", a_million_points, MILLION),
        ("logs", a_text_of_nearly_64_mib, 1),
    ],
    ids=["attributes", "points", "text"],
)
def test_f14_a_giant_is_taken_counted_and_arrives_whole(
    forwarding: Gateway, sink: Sink, signal: Signal, make: Callable[[], Request], count: int
) -> None:
    body = make().SerializeToString()
    before = receiver_books(forwarding, signal)["accepted"]

    answer = post(address(forwarding, "http"), signal, body)

    assert (answer.status, answer.body) == (200, b"")
    assert receiver_books(forwarding, signal)["accepted"] == before + count
    assert sink.arrivals[0].body == body


def test_f10_two_thousand_idle_connections_cost_little_and_delay_nobody(default: Gateway) -> None:
    body = request("logs").SerializeToString()
    with ExitStack() as stack:
        before = resident_bytes()
        for _ in range(CROWD):
            connection = stack.enter_context(RawConnection(address(default, "http")))
            connection.head("logs", content_length=len(body))
            connection.send(body)
            assert connection.answer().status == 200
        grown = resident_bytes() - before
        assert post(address(default, "http"), "logs", body).status == 200

    assert grown < CROWD * BYTES_PER_IDLE_CONNECTION
