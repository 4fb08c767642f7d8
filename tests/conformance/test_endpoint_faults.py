"""A destination that misbehaves: the client gets the documented answer, the gateway lives, and the accounts add up."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from millrace.gateway import Gateway
from tests.conformance.doors import http as send
from tests.conformance.gateways import address, assert_the_accounts_add_up, configuration, to_http, wait_until
from tests.conformance.http1 import post
from tests.conformance.messages import SIGNALS, request
from tests.conformance.sink import Sink

Answer = Callable[[socket.socket, threading.Event], object]

ITEMS = 3
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
RETRY_NEVER = {"retry_on_failure": {"enabled": False}}


def _endless(connection: socket.socket, done: threading.Event) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while not done.is_set():
        connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def _says(data: bytes) -> Answer:
    return lambda connection, _: connection.sendall(data)


RETRYABLE: dict[str, Answer] = {
    "hangs": lambda _, done: done.wait(),
    "closes without an answer": lambda connection, _: connection.shutdown(socket.SHUT_RDWR),
    "resets": lambda connection, _: connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"),
    "answers 503": _says(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
    "answers 429": _says(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"),
}
FINAL: dict[str, Answer] = {
    "redirects": _says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    "answers HTML": _says(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<h1>Hi!</h1>\r\n"),
    "answers without end": _endless,
    "answers 10 GB": _says(HEAD + b"Content-Length: 10000000000\r\n\r\n"),
    "answers 400": _says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "answers 500": _says(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
}


@contextmanager
def endpoint(answer: Answer) -> Iterator[str]:
    """A server that reads a request and then does what it is told; the URL of it."""
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                threading.Thread(target=converse, args=(connection,)).start()

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            connection.recv(1 << 20)
            answer(connection, done)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server = threading.Thread(target=serve)
        server.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            server.join()


def dropped(gateway: Gateway) -> int:
    """Traces that the exporter has given up."""
    books = gateway.stats()["exporters"]["otlphttp"]["traces"]
    assert books["received"] == ITEMS
    return int(sum(books["dropped"].values()))


@pytest.mark.parametrize("fault", RETRYABLE)
def test_f7_x2_x4_after_a_fault_that_may_pass_the_client_is_asked_to_come_back(fault: str) -> None:
    with endpoint(RETRYABLE[fault]) as url:
        to = {"otlphttp": to_http(url, timeout="300ms", **RETRY_NEVER)}
        with Gateway(configuration(to)) as gateway:
            answer = post(address(gateway, "http"), "traces", request("traces", ITEMS).SerializeToString())

            assert answer.status in {429, 503}
            assert int(answer.headers["retry-after"]) >= 1
            assert dropped(gateway) == ITEMS
            assert_the_accounts_add_up(gateway.stats())


@pytest.mark.parametrize("fault", FINAL)
def test_x2_x8_x16_after_a_fault_that_will_not_pass_nothing_is_repeated_and_all_is_counted(fault: str) -> None:
    with endpoint(FINAL[fault]) as url:
        to = {"otlphttp": to_http(url, timeout="5s", retry_on_failure={"initial_interval": "1ms"})}
        with Gateway(configuration(to)) as gateway:
            answer = post(address(gateway, "http"), "traces", request("traces", ITEMS).SerializeToString())
            books = gateway.stats()["exporters"]["otlphttp"]["traces"]

            assert answer.status == 400
            assert (dropped(gateway), books["retries"]) == (ITEMS, 0)
            assert_the_accounts_add_up(gateway.stats())


def test_f6_x13_a_destination_that_hangs_does_not_hold_up_the_other(sink: Sink) -> None:
    with endpoint(RETRYABLE["hangs"]) as url:
        unwaited = {"sending_queue": {"wait_for_result": False}}
        to = {
            "otlphttp/hanging": to_http(url, timeout="500ms", **unwaited, **RETRY_NEVER),
            "otlphttp": to_http(sink.http_url),
        }
        with Gateway(configuration(to)) as gateway:
            for signal in SIGNALS:
                assert send(gateway, signal, request(signal, ITEMS).SerializeToString()).error is None
                assert len(sink.names(signal)) == ITEMS
            hanging = gateway.stats()["exporters"]["otlphttp/hanging"]
            assert {books["exported"] for books in hanging.values()} == {0}
            wait_until(
                lambda: not any(b["queued"] for b in gateway.stats()["exporters"]["otlphttp/hanging"].values()),
                "the hanging destination is given up",
            )
            assert_the_accounts_add_up(gateway.stats())


def test_f4_x4_what_was_refused_for_a_while_arrives_once(sink: Sink) -> None:
    """The destination is away at first; the exporter repeats, and the client waits for its one answer."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    retry = {"retry_on_failure": {"initial_interval": "20ms", "max_interval": "50ms"}}
    later = Gateway(configuration({"otlphttp": to_http(sink.http_url)}, http={"endpoint": f"127.0.0.1:{port}"}))
    with Gateway(configuration({"otlphttp": to_http(f"http://127.0.0.1:{port}", **retry)})) as gateway:
        answers = []
        body = request("traces", ITEMS).SerializeToString()
        client = threading.Thread(target=lambda: answers.append(send(gateway, "traces", body)))
        client.start()
        wait_until(lambda: gateway.stats()["exporters"]["otlphttp"]["traces"]["retries"] >= 2, "it was repeated")
        with later:
            client.join()

    assert [answer.error for answer in answers] == [None]
    assert len(sink.names("traces")) == ITEMS
