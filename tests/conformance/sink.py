"""A second OTLP endpoint, over gRPC and HTTP, that keeps what arrives and can be told to wait or to refuse."""

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeAlias

import grpc
import zstandard

from tests.conformance.messages import GRPC_PATHS, HTTP_PATHS, REQUESTS, SIGNALS, Request, Signal, names

ANSWERS_AT_ONCE = 16
PATIENCE_S = 30
"""Longest time that a handler waits at a closed gate: no test leaves one closed."""

Method: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
_raw: Callable[[bytes], bytes] = bytes


class Arrival(NamedTuple):
    """One request as it arrived, decompressed."""

    signal: Signal
    body: bytes
    headers: Mapping[str, str]

    @property
    def message(self) -> Request:
        """The request as the oracle reads it."""
        return REQUESTS[self.signal].FromString(self.body)


class Sink:
    """What arrived, and how the next request will be answered."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.gate = threading.Event()
        self.gate.set()
        """Cleared: every request waits, arrived but unanswered."""
        self.refusal: grpc.StatusCode | None = None
        """Over gRPC: the status of every answer. Over HTTP: 503 while it is set."""
        self.grpc_url = ""
        self.http_url = ""

    def reset(self) -> None:
        """Forget what arrived and take everything again."""
        self.arrivals = []
        self.refusal = None
        self.gate.set()

    def messages(self, signal: Signal) -> list[Request]:
        """The requests of a signal, in order of arrival."""
        return [arrival.message for arrival in list(self.arrivals) if arrival.signal == signal]

    def names(self, signal: Signal) -> list[str]:
        """The names of all items of a signal, in order of arrival."""
        return [name for message in self.messages(signal) for name in names(signal, message)]

    def take(self, signal: Signal, body: bytes, headers: Mapping[str, str]) -> bool:
        """Keep a request, wait at the gate, and tell whether it is accepted."""
        self.arrivals.append(Arrival(signal, body, headers))
        self.gate.wait(PATIENCE_S)
        return self.refusal is None


@contextmanager
def running_sink() -> Iterator[Sink]:
    """A sink on free ports of the loopback interface."""
    sink = Sink()
    with _grpc_server(sink), _http_server(sink):
        yield sink
        sink.gate.set()


@contextmanager
def _grpc_server(sink: Sink) -> Iterator[None]:
    class Service(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Method | None":
            signal = next((signal for signal in SIGNALS if GRPC_PATHS[signal] == handler_call_details.method), None)
            if signal is None:
                return None

            def export(body: bytes, context: grpc.ServicerContext) -> bytes:
                headers = {key: str(value) for key, value in context.invocation_metadata()}
                if not sink.take(signal, body, headers):
                    context.abort(sink.refusal or grpc.StatusCode.UNAVAILABLE, "the sink was told to refuse")
                return b""

            return grpc.unary_unary_rpc_method_handler(export, request_deserializer=_raw, response_serializer=_raw)

    with ThreadPoolExecutor(ANSWERS_AT_ONCE) as pool:
        server = grpc.server(pool, handlers=[Service()], options=[("grpc.max_receive_message_length", -1)])
        sink.grpc_url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield
        finally:
            sink.gate.set()
            server.stop(grace=1).wait()


@contextmanager
def _http_server(sink: Sink) -> Iterator[None]:
    signals: dict[str, Signal] = {path: signal for signal, path in HTTP_PATHS.items()}

    class Answerer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = decompress(self.headers.get("Content-Encoding", ""), self.rfile.read(self._length()))
            signal = signals.get(self.path)
            headers = {key.lower(): value for key, value in self.headers.items()}
            if signal is None:
                self._answer(404)
            else:
                self._answer(200 if sink.take(signal, body, headers) else 503)

        def _length(self) -> int:
            return int(self.headers["Content-Length"])

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the name in the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answerer)
    server.daemon_threads = True
    sink.http_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def decompress(coding: str, body: bytes) -> bytes:
    """Undo a content coding."""
    match coding:
        case "" | "identity":
            return body
        case "gzip":
            return gzip.decompress(body)
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    raise ValueError(f"the sink does not speak {coding!r}")
