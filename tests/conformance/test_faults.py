"""Clients that lie, vanish, dawdle and flood: each gets its answer, the gateway lives, and the accounts add up."""

import gzip
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import h2.errors
import pytest

from millrace.gateway import Gateway
from tests.conformance.conftest import MEBIBYTE
from tests.conformance.gateways import (
    address,
    assert_the_accounts_add_up,
    configuration,
    receiver_books,
    to_grpc,
    to_http,
    wait_until,
)
from tests.conformance.http1 import PROTOBUF, RawConnection, post
from tests.conformance.http2 import Http2Connection, frame, grpc_headers, http_headers
from tests.conformance.messages import HTTP_PATHS, SIGNALS, invalid, request
from tests.conformance.sink import Sink

BODY = request("traces").SerializeToString()
PROTOCOLS = ("http", "grpc")


def is_served(gateway: Gateway) -> bool:
    """Whether the gateway takes a request now, within a second."""
    began = time.monotonic()
    return post(address(gateway, "http"), "traces", BODY).status == 200 and time.monotonic() - began < 1


def used_bytes(gateway: Gateway) -> int:
    """Memory that is set aside for telemetry."""
    used: int = gateway.stats()["budget"]["used_bytes"]
    return used


@contextmanager
def watched_accounts(gateway: Gateway) -> Iterator[None]:
    """Assert again and again, while the test goes on, that the accounts add up."""
    done, problems = threading.Event(), list[BaseException]()

    def watch() -> None:
        while not done.is_set():
            try:
                assert_the_accounts_add_up(gateway.stats())
            except BaseException as problem:  # noqa: BLE001 - it is raised by the test below
                problems.append(problem)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert problems == []
    assert_the_accounts_add_up(gateway.stats())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_that_vanishes_in_the_middle_of_a_body_leaves_nothing_behind(default: Gateway, protocol: str) -> None:
    before = receiver_books(default, "traces")
    half = len(BODY) // 2
    for _ in range(20):
        if protocol == "http":
            with RawConnection(address(default, "http")) as connection:
                connection.head(content_length=10 * MEBIBYTE)
                connection.send(BODY[:half])
                wait_until(lambda: used_bytes(default) > 0, "the gateway has set memory aside")
                connection.reset()
        else:
            with Http2Connection(address(default, "grpc")) as calls:
                stream = calls.start(grpc_headers())
                calls.send(stream, frame(BODY)[:half], end=False)
                wait_until(lambda: used_bytes(default) > 0, "the gateway has set memory aside")
        wait_until(lambda: used_bytes(default) == 0, "the memory of the client that went is free")

    after = receiver_books(default, "traces")
    assert after["received"] == before["received"]
    assert after["refused_requests"]["client_gone"] == before["refused_requests"].get("client_gone", 0) + 20
    assert is_served(default)


def test_a_client_that_resets_its_stream_leaves_nothing_behind(default: Gateway) -> None:
    with Http2Connection(address(default, "grpc")) as connection:
        stream = connection.start(grpc_headers())
        connection.send(stream, frame(BODY)[:20], end=False)
        wait_until(lambda: used_bytes(default) > 0, "the gateway has set memory aside")
        connection.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        connection.flush()
        wait_until(lambda: used_bytes(default) == 0, "the memory of the stream is free")


def test_items_whose_client_went_before_the_answer_are_delivered_and_counted_as_refused(
    forwarding: Gateway, sink: Sink
) -> None:
    sink.gate.clear()
    before = receiver_books(forwarding, "traces")
    with RawConnection(address(forwarding, "http")) as connection:
        connection.head(content_length=len(BODY))
        connection.send(BODY)
        wait_until(lambda: sink.arrivals, "the request has arrived at the endpoint")
        connection.reset()
    wait_until(lambda: receiver_books(forwarding, "traces")["pending"] == 0, "the gateway has noticed")
    sink.gate.set()

    after = receiver_books(forwarding, "traces")
    assert after["accepted"] == before["accepted"]
    assert after["refused"]["client_gone"] == before["refused"].get("client_gone", 0) + 1
    wait_until(lambda: not forwarding.stats()["exporters"]["otlp"]["traces"]["queued"], "the exporter is done")
    assert sink.names("traces") == ["a0"]


def test_s5_a_head_that_dawdles_is_cut_off(strict: Gateway) -> None:
    """The limit is 300 ms; a byte every 50 ms must not extend it."""
    began = time.monotonic()
    with RawConnection(address(strict, "http")) as connection:
        connection.socket.settimeout(0.05)
        for byte in b"POST /v1/traces HTTP/1.1\r\nX-Slow: " + b"a" * 200:
            connection.send(bytes([byte]))
            try:
                if connection.socket.recv(1_000) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        assert 0.2 < time.monotonic() - began < 3

    assert is_served(strict)


@pytest.mark.parametrize("first", [b"", b"P", b"PO", b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n"])
def test_s5_a_connection_that_says_nothing_more_is_closed(strict: Gateway, first: bytes) -> None:
    with RawConnection(address(strict, "http")) as connection:
        connection.send(first)
        connection.socket.settimeout(3)
        assert connection.is_closed()


def test_s5_a_silent_connection_is_closed_after_its_last_answer(strict: Gateway) -> None:
    with RawConnection(address(strict, "http")) as connection:
        connection.head(content_length=len(BODY))
        connection.send(BODY)
        assert connection.answer().status == 200
        connection.socket.settimeout(3)
        assert connection.is_closed()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_s5_h8_a_body_that_dawdles_may_be_sent_again_and_its_memory_is_free(strict: Gateway, protocol: str) -> None:
    if protocol == "http":
        with RawConnection(address(strict, "http")) as connection:
            connection.head(content_length=1_000)
            connection.send(BODY[:10])
            assert connection.answer().status == 503
            assert connection.is_closed()
    else:
        with Http2Connection(address(strict, "grpc")) as calls:
            stream = calls.start(grpc_headers())
            calls.send(stream, b"\0\0\0", end=False)
            assert calls.wait(stream).grpc_status in {4, 14}

    wait_until(lambda: used_bytes(strict) == 0, "the memory of the slow client is free")


def test_f11_s5_many_slow_clients_leave_the_service_to_others(default: Gateway) -> None:
    with ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(RawConnection(address(default, "http")))
            connection.send(b"POST" if number % 2 else b"POST /v1/traces HTTP/1.1\r\nContent-Length: 9\r\n\r\n1")
        assert is_served(default)


@pytest.mark.parametrize(
    ("body", "reason"), [(b"\x0f", "malformed"), (bytes(MEBIBYTE + 1), "too_large"), (None, "deadline_exceeded")]
)
def test_a_request_whose_items_nobody_could_count_is_counted_with_its_reason(
    strict: Gateway, body: bytes | None, reason: str
) -> None:
    before = receiver_books(strict, "metrics")["refused_requests"].get(reason, 0)
    with RawConnection(address(strict, "http")) as connection:
        connection.head("metrics", content_length=9 if body is None else len(body))
        connection.send(body or b"")
        assert connection.answer().status in {400, 413, 503}

    assert receiver_books(strict, "metrics")["refused_requests"][reason] == before + 1


def test_f12_bombs_at_once_are_all_refused_and_the_service_lives(strict: Gateway) -> None:
    bomb = gzip.compress(bytes(64 * MEBIBYTE))
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: post(address(strict, "http"), "logs", bomb, content_encoding="gzip").status, range(100))
        )

    assert set(answers) <= {413, 429, 503}
    assert used_bytes(strict) == 0
    assert is_served(strict)


def test_s1_ten_thousand_gzip_members_are_one_body(default: Gateway) -> None:
    members = b"".join(gzip.compress(BODY[index : index + 1]) for index in range(len(BODY)))
    members += gzip.compress(b"") * 10_000

    assert post(address(default, "http"), "traces", members, content_encoding="gzip").status == 200


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("flood", ["resets", "pings", "settings", "empty data", "window updates", "priorities"])
def test_f11_g8_s4_a_flood_of_http2_frames_ends_with_enhance_your_calm_and_others_are_served(
    default: Gateway, flood: str, protocol: str
) -> None:
    with Http2Connection(address(default, protocol)) as connection:
        stream = connection.start(grpc_headers())
        with suppress(BrokenPipeError, ConnectionResetError):  # what it was told can still be read
            for _ in range(200):
                for _ in range(100):
                    _one_frame(connection, flood, stream)
                connection.flush()
        assert is_served(default)
        assert _is_closed(connection)
        assert connection.goaway == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM

    assert is_served(default)


def test_g8_a_flood_of_pings_costs_no_more_than_it_takes_to_refuse_it(default: Gateway) -> None:
    """A million pings: answering them all takes seconds of processor time, refusing them next to none."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
    pings = (b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)) * 10_000
    before = time.process_time()
    with RawConnection(address(default, "grpc")) as connection:
        connection.send(preface)
        for _ in range(100):
            connection.send(pings)
        assert connection.is_closed()

    assert time.process_time() - before < 1


def test_g8_pings_between_requests_are_answered(default: Gateway) -> None:
    with Http2Connection(address(default, "grpc")) as connection:
        for number in range(1_000):
            for _ in range(5):
                connection.h2.ping(number.to_bytes(8, "big"))
            assert connection.exchange(grpc_headers(), frame(BODY)).grpc_status == 0
        while connection.pings < 5_000:
            connection.receive()


def _is_closed(connection: Http2Connection) -> bool:
    """Wait until the gateway ends a connection; what it still says is taken in."""
    try:
        while True:
            connection.receive()
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def _one_frame(connection: Http2Connection, flood: str, stream: int) -> None:
    match flood:
        case "resets":
            doomed = connection.h2.get_next_available_stream_id()
            connection.h2.send_headers(doomed, grpc_headers())
            connection.h2.reset_stream(doomed, h2.errors.ErrorCodes.CANCEL)
        case "pings":
            connection.h2.ping(bytes(8))
        case "priorities":
            connection.h2.prioritize(stream, weight=2)
        case "settings":
            connection.h2.update_settings({4: 65_535})
        case "empty data":
            connection.h2.send_data(stream, b"")
        case _:
            connection.h2.increment_flow_control_window(1)


def test_f11_s4_a_flood_of_continuation_frames_ends_the_connection_and_nobody_else(default: Gateway) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
    headers = b"\0\0\x01\x01\0\0\0\0\x01\x82"
    continuation = b"\x00\x40\x00\x09\0\0\0\0\x01" + b"\x00\x01a\x7f\x80\x7f" + b"b" * (0x4000 - 6)
    with RawConnection(address(default, "grpc")) as connection:
        connection.send(preface + headers)
        for _ in range(1_000):
            connection.send(continuation)
        assert connection.is_closed()

    assert is_served(default)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_f16_h8_g4_every_refusal_under_overload_can_be_retried_and_nothing_accepted_is_lost(
    sink: Sink, protocol: str
) -> None:
    """64 clients, a budget for a dozen requests, and an endpoint that takes its time."""
    overloaded = configuration(
        {"otlp": to_grpc(sink.grpc_url, sending_queue={"queue_size": 4, "num_consumers": 2})},
        budget_mib=1,
        admission_timeout="5ms",
    )
    message = request("logs", 10)
    for record in message.resource_logs[0].scope_logs[0].log_records:
        record.body.string_value += "x" * 8_000
    body = message.SerializeToString()
    told: Counter[int] = Counter()

    def client(_: int) -> list[int]:
        if protocol == "http":
            return [post(address(gateway, "http"), "logs", body).status for _ in range(10)]
        with Http2Connection(address(gateway, "grpc")) as connection:
            return [connection.exchange(grpc_headers("logs"), frame(body)).grpc_status for _ in range(10)]

    with Gateway(overloaded) as gateway, watched_accounts(gateway), ThreadPoolExecutor(64) as pool:
        sink.gate.clear()
        opening = threading.Timer(0.5, sink.gate.set)
        opening.start()
        for codes in pool.map(client, range(64)):
            told.update(codes)
        opening.join()
        books = receiver_books(gateway, "logs")
        accepted = told[200] + told[0]

        assert set(told) <= {200, 0, 429, 503, 14}
        assert 0 < accepted < 640
        assert books["accepted"] == accepted * 10
        wait_until(lambda: used_bytes(gateway) == 0, "all memory is free again")

    assert len(sink.names("logs")) == accepted * 10


def test_the_accounts_add_up_while_clients_do_everything_at_once(sink: Sink) -> None:
    both = configuration({"otlp": to_grpc(sink.grpc_url), "otlphttp": to_http(sink.http_url), "nop": {}}, budget_mib=16)

    def client(number: int) -> None:
        signal = SIGNALS[number % 4]
        post(address(gateway, "http"), signal, request(signal, number + 1).SerializeToString())
        post(address(gateway, "http"), "traces", invalid("traces", 2, number).SerializeToString())
        post(address(gateway, "http"), signal, b"\x0f")
        with RawConnection(address(gateway, "http")) as connection:
            connection.head(signal, content_length=len(BODY))
            connection.send(BODY[: number + 10])
            connection.reset()
        with Http2Connection(address(gateway, "grpc")) as connection2:
            connection2.exchange(grpc_headers(signal), frame(request(signal, 3).SerializeToString()))

    with Gateway(both) as gateway, watched_accounts(gateway), ThreadPoolExecutor(16) as pool:
        list(pool.map(client, range(40)))
        stats = gateway.stats()

    assert stats["receivers"]["otlp"]["traces"]["rejected"] == sum(range(40))
    for signal in SIGNALS:
        accepted = stats["receivers"]["otlp"][signal]["accepted"]
        assert {stats["exporters"][name][signal]["exported"] for name in ("otlp", "otlphttp", "nop")} == {accepted}
        assert len(sink.names(signal)) == 2 * accepted


def test_a_stop_delivers_what_is_held_although_clients_hang(sink: Sink) -> None:
    """Half a head and half a body must not use up the time that the queue needs."""
    queued = configuration(
        {"otlp": to_grpc(sink.grpc_url, sending_queue={"wait_for_result": False, "num_consumers": 1})}
    )
    sink.gate.clear()
    gateway = Gateway(queued).start()
    with RawConnection(address(gateway, "http")) as head, RawConnection(address(gateway, "http")) as body:
        head.send(b"POST /v1/traces HTTP/1.1\r\nHost:")
        body.head(content_length=100)
        body.send(b"\x0a")
        for number in range(5):
            assert (
                post(address(gateway, "http"), "logs", request("logs", 1, f"{number}-").SerializeToString()).status
                == 200
            )
        threading.Timer(0.2, sink.gate.set).start()
        report = gateway.stop(timeout_s=4)

    assert report.undelivered == {}
    assert report.elapsed_s < 4
    assert sorted(sink.names("logs")) == [f"{number}-0" for number in range(5)]


def test_f18_a_stop_answers_the_requests_in_flight(sink: Sink) -> None:
    sink.gate.clear()
    gateway = Gateway(configuration({"otlp": to_grpc(sink.grpc_url)})).start()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(post, address(gateway, "http"), "traces", BODY) for _ in range(8)]
        wait_until(lambda: receiver_books(gateway, "traces")["pending"] == 8, "eight requests are in flight")
        threading.Timer(0.1, sink.gate.set).start()
        report = gateway.stop(timeout_s=10)

    assert [answer.result().status for answer in answers] == [200] * 8
    assert report.elapsed_s < 5
    assert len(sink.names("traces")) == 8


def test_a_connection_after_the_stop_is_refused(default: Gateway) -> None:
    gateway = Gateway(default.configuration).start()
    where = address(gateway, "http")
    gateway.stop()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where, 1).close()


def test_a_body_over_both_protocols_of_http2_may_come_in_single_bytes(default: Gateway) -> None:
    with Http2Connection(address(default, "http")) as connection:
        stream = connection.start(http_headers())
        for index in range(len(BODY)):
            connection.send(stream, BODY[index : index + 1], end=index == len(BODY) - 1)
        assert connection.wait(stream).headers[":status"] == "200"


def test_h10_a_head_may_come_in_single_bytes(default: Gateway) -> None:
    head = f"POST {HTTP_PATHS['traces']} HTTP/1.1\r\nHost: a\r\nContent-Type: {PROTOBUF}\r\n"
    with RawConnection(address(default, "http")) as connection:
        for byte in head.encode() + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY:
            connection.send(bytes([byte]))
        assert connection.answer().status == 200
