"""What an OTLP/gRPC server does: rules G1 to G9."""

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
import zstandard

from millrace.gateway import Gateway
from tests.conformance.conftest import MEBIBYTE
from tests.conformance.gateways import address, configuration, receiver_books, to_grpc, wait_until
from tests.conformance.http1 import RawConnection
from tests.conformance.http2 import Http2Connection, details, frame, grpc_headers
from tests.conformance.messages import GRPC_PATHS, RESPONSES, SIGNALS, Request, Signal, request
from tests.conformance.sink import Sink

INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 3, 8, 12, 13, 14
ENHANCE_YOUR_CALM = 11
DEFAULT_LIMIT = 64 * MEBIBYTE

signals = pytest.mark.parametrize("signal", SIGNALS)


@contextmanager
def channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    """A channel of the stock library."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(str(gateway.addresses["otlp/grpc"]), options=options) as opened:
        yield opened


def export(opened: grpc.Channel, signal: Signal) -> "grpc.UnaryUnaryMultiCallable[Request, Request]":
    """The `Export` method of a signal, with the generated classes."""
    return opened.unary_unary(
        GRPC_PATHS[signal],
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=RESPONSES[signal].FromString,
    )


def log_of(size: int) -> bytes:
    """A request for logs of exactly that many bytes."""
    message = request("logs")
    (scope,) = message.resource_logs[0].scope_logs
    body = scope.log_records[0].body
    body.string_value = "a" * (size - 100)
    body.string_value += "a" * (size - message.ByteSize())
    assert message.ByteSize() == size
    encoded: bytes = message.SerializeToString()
    return encoded


@signals
def test_g1_each_signal_has_its_service(default: Gateway, signal: Signal) -> None:
    with channel(default) as opened:
        response = export(opened, signal)(request(signal, 2), timeout=10)

    assert response == RESPONSES[signal]()


@pytest.mark.parametrize(
    "path",
    [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.events.v1.EventsService/Export",
        "/grpc.health.v1.Health/Check",
        "/",
    ],
)
def test_g1_another_method_is_unimplemented(default: Gateway, path: str) -> None:
    with channel(default) as opened:
        call = opened.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_g1_a_signal_without_a_pipeline_is_unimplemented() -> None:
    only_traces = configuration({"nop": {}})
    only_traces["service"]["pipelines"] = {"traces": only_traces["service"]["pipelines"]["traces"]}
    with Gateway(only_traces) as gateway, channel(gateway) as opened, pytest.raises(grpc.RpcError) as caught:
        export(opened, "logs")(request("logs"), timeout=10)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "logs" in (caught.value.details() or "")


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize(("size", "expected"), [(-1, 0), (0, 0), (1, RESOURCE_EXHAUSTED)])
def test_g2_the_limit_of_64_mib_holds_after_decompression(
    default: Gateway, coding: str, size: int, expected: int
) -> None:
    message = log_of(DEFAULT_LIMIT + size)
    body = gzip.compress(message, 1) if coding == "gzip" else message
    with Http2Connection(address(default, "grpc")) as connection:
        answer = connection.exchange(
            grpc_headers("logs", grpc_encoding=coding), frame(body, compressed=coding == "gzip")
        )

    assert answer.grpc_status == expected
    assert "grpc-status-details-bin" not in answer.headers | answer.trailers, "RetryInfo would invite a repetition"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_g2_a_bomb_is_refused_at_the_limit(strict: Gateway, coding: str) -> None:
    zeros = bytes(16 * MEBIBYTE)
    bomb = gzip.compress(zeros) * 4 if coding == "gzip" else zstandard.ZstdCompressor().compress(zeros * 16)
    assert len(bomb) < MEBIBYTE / 8
    with Http2Connection(address(strict, "grpc")) as connection:
        answer = connection.exchange(grpc_headers("traces", grpc_encoding=coding), frame(bomb, compressed=True))

    assert answer.grpc_status == RESOURCE_EXHAUSTED


def test_g3_bad_data_is_invalid_argument_with_its_byte(default: Gateway) -> None:
    with Http2Connection(address(default, "grpc")) as connection:
        answer = connection.exchange(grpc_headers(), frame(b"\x0a\x05ab"))

    assert answer.grpc_status == INVALID_ARGUMENT
    assert answer.details.code == INVALID_ARGUMENT
    bad_request = details(answer.details).bad_request
    assert bad_request is not None
    assert "byte" in bad_request.field_violations[0].description


def test_g3_g4_overload_is_unavailable_and_says_when_to_come_back(sink: Sink) -> None:
    crowded = configuration(
        {"otlp": to_grpc(sink.grpc_url, sending_queue={"queue_size": 1, "num_consumers": 1})},
        admission_timeout="0s",
        budget_mib=1,
    )
    sink.gate.clear()
    body = frame(log_of(300_000))
    with Gateway(crowded) as gateway, Http2Connection(address(gateway, "grpc")) as connection:
        streams = [connection.start(grpc_headers("logs")) for _ in range(8)]
        for stream in streams:
            connection.send(stream, body)
        while sum(answer.ended for answer in connection.answers.values()) < 5:
            connection.receive()
        sink.gate.set()
        answers = [connection.wait(stream) for stream in streams]

    refused = [answer for answer in answers if answer.grpc_status]
    assert {answer.grpc_status for answer in refused} == {UNAVAILABLE}
    for answer in refused:
        retry_info = details(answer.details).retry_info
        assert retry_info is not None
        assert 0 < retry_info.retry_delay.ToTimedelta().total_seconds() <= 30
    assert len(sink.names("logs")) == 8 - len(refused)


def test_g5_a_thousand_calls_on_one_connection_are_in_flight_at_once(forwarding: Gateway, sink: Sink) -> None:
    sink.gate.clear()
    before = receiver_books(forwarding, "logs")["accepted"]
    body = frame(request("logs").SerializeToString())
    with Http2Connection(address(forwarding, "grpc")) as connection:
        while not connection.h2.remote_settings.max_concurrent_streams < 2**31:
            connection.receive()
        streams = [connection.start(grpc_headers("logs")) for _ in range(1_000)]
        for stream in streams:
            connection.send(stream, body)
        wait_until(lambda: receiver_books(forwarding, "logs")["pending"] == 1_000, "a thousand requests are pending")
        assert receiver_books(forwarding, "logs")["accepted"] == before
        sink.gate.set()
        answers = [connection.wait(stream) for stream in streams]

    assert {answer.grpc_status for answer in answers} == {0}
    assert len(sink.names("logs")) == 1_000


def test_g6_a_compressed_message_without_grpc_encoding_is_an_error(default: Gateway) -> None:
    message = gzip.compress(request("traces").SerializeToString())
    with Http2Connection(address(default, "grpc")) as connection:
        answer = connection.exchange(grpc_headers(), frame(message, compressed=True))

    assert answer.grpc_status == INTERNAL


def test_g6_an_unknown_grpc_encoding_is_told_which_are_known(default: Gateway) -> None:
    with Http2Connection(address(default, "grpc")) as connection:
        answer = connection.exchange(grpc_headers(grpc_encoding="snappy"), frame(b"", compressed=True))

    assert answer.grpc_status == UNIMPLEMENTED
    assert set(answer.headers["grpc-accept-encoding"].split(",")) == {"identity", "gzip", "zstd"}


def test_g6_an_uncompressed_message_may_come_under_any_grpc_encoding(default: Gateway) -> None:
    with Http2Connection(address(default, "grpc")) as connection:
        answer = connection.exchange(
            grpc_headers(grpc_encoding="gzip"), frame(request("traces").SerializeToString(), compressed=False)
        )

    assert answer.grpc_status == 0


FRAMES = {
    "declares 4 GiB": frame(b"ten bytes.", length=0xFFFFFFFF),
    "declares too little": frame(b"ten bytes.", length=9),
    "declares too much": frame(b"ten bytes.", length=11),
    "prefix cut short": b"\0\0\0",
    "nothing at all": b"",
    "two messages": frame(b"") + frame(b""),
    "unknown flag": b"\x02" + frame(b"")[1:],
}


@pytest.mark.parametrize("kind", FRAMES)
def test_g7_a_frame_that_is_not_one_message_is_an_error(default: Gateway, kind: str) -> None:
    with Http2Connection(address(default, "grpc")) as connection:
        answer = connection.exchange(grpc_headers(), FRAMES[kind])

    assert answer.grpc_status in {INTERNAL, UNIMPLEMENTED, INVALID_ARGUMENT, RESOURCE_EXHAUSTED}


def test_g8_a_flood_of_pings_leaves_the_service_to_others(default: Gateway) -> None:
    with Http2Connection(address(default, "grpc")) as flooding, channel(default) as opened:
        call = export(opened, "traces")
        call(request("traces"), timeout=10)
        for _ in range(100):
            for _ in range(100):
                flooding.h2.ping(b"12345678")
            flooding.flush()
        began = time.monotonic()
        call(request("traces"), timeout=10)
        assert time.monotonic() - began < 1
        try:
            while flooding.pings < 10_000 and flooding.goaway is None:
                flooding.receive()
        except ConnectionError:
            pass

    assert flooding.pings == 10_000 or flooding.goaway in {None, ENHANCE_YOUR_CALM}


def test_g8_a_connection_is_closed_gracefully_at_its_age() -> None:
    aging = configuration({"nop": {}}, grpc={"keepalive": {"server_parameters": {"max_connection_age": "50ms"}}})
    with Gateway(aging) as gateway, channel(gateway) as opened, RawConnection(address(gateway, "grpc")) as idle:
        idle.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
        call, end = export(opened, "traces"), time.monotonic() + 0.4
        while time.monotonic() < end:
            call(request("traces"), timeout=10)
        goaway = b"\0\0\x08\x07\0"
        received = b""
        while goaway not in received:
            received += idle.socket.recv(1_000)


def test_g9_a_deadline_that_passes_is_reported_and_nothing_counts_as_accepted(forwarding: Gateway, sink: Sink) -> None:
    sink.gate.clear()
    before = receiver_books(forwarding, "logs")
    with channel(forwarding) as opened, pytest.raises(grpc.RpcError) as caught:
        export(opened, "logs")(request("logs", 3), timeout=0.2)
    wait_until(lambda: receiver_books(forwarding, "logs")["pending"] == 0, "the books know of the deadline")
    after = receiver_books(forwarding, "logs")

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert after["accepted"] == before["accepted"]
    assert sum(after["refused"].values()) - sum(before["refused"].values()) == 3


def test_g9_a_deadline_without_a_client_that_enforces_it_is_kept_by_the_gateway(
    forwarding: Gateway, sink: Sink
) -> None:
    sink.gate.clear()
    with Http2Connection(address(forwarding, "grpc")) as connection:
        answer = connection.exchange(
            grpc_headers("logs", grpc_timeout="100m"), frame(request("logs").SerializeToString())
        )

    assert answer.grpc_status == 4


@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc+proto", "application/grpc;a=b"])
def test_h11_both_ports_serve_grpc(default: Gateway, content_type: str) -> None:
    headers = [(name, value) for name, value in grpc_headers("logs") if name != "content-type"]
    with Http2Connection(address(default, "http")) as connection:
        answer = connection.exchange(
            [*headers, ("content-type", content_type)], frame(request("logs").SerializeToString())
        )

    assert answer.grpc_status == 0
