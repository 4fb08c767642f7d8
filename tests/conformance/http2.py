"""An HTTP/2 client over the `h2` package, for gRPC calls that a gRPC library would never make."""

import base64
import socket
from collections.abc import Iterable
from typing import NamedTuple, Self

import h2.config
import h2.connection
import h2.events
from google.rpc import error_details_pb2, status_pb2

from tests.conformance.messages import GRPC_PATHS, HTTP_PATHS, Signal

PATIENCE_S = 15
Headers = list[tuple[str, str]]


class Http2Answer:
    """What came back on one stream so far."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self.reset: int | None = None

    @property
    def grpc_status(self) -> int:
        """The status, from the trailers or from the headers of an answer without a message."""
        return int((self.headers | self.trailers)["grpc-status"])

    @property
    def details(self) -> status_pb2.Status:
        """What `grpc-status-details-bin` holds."""
        text = (self.headers | self.trailers)["grpc-status-details-bin"]
        return status_pb2.Status.FromString(base64.b64decode(text + "=" * (-len(text) % 4)))


class Details(NamedTuple):
    """The details of a status that this project uses."""

    bad_request: error_details_pb2.BadRequest | None
    retry_info: error_details_pb2.RetryInfo | None


def details(status: status_pb2.Status) -> Details:
    """Unpack the details of a status."""
    found: dict[str, object] = {}
    for detail in status.details:
        for message in (error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()):
            if detail.Unpack(message):
                found[message.DESCRIPTOR.name] = message
    bad_request, retry_info = found.get("BadRequest"), found.get("RetryInfo")
    assert bad_request is None or isinstance(bad_request, error_details_pb2.BadRequest)
    assert retry_info is None or isinstance(retry_info, error_details_pb2.RetryInfo)
    return Details(bad_request, retry_info)


class Http2Connection:
    """One connection with prior knowledge (h2c)."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, PATIENCE_S)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.answers: dict[int, Http2Answer] = {}
        self.goaway: int | None = None
        self.pings = 0
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        """Send what the protocol has to say."""
        self.socket.sendall(self.h2.data_to_send())

    def start(self, headers: Headers, *, end: bool = False) -> int:
        """Open a stream with these headers."""
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = Http2Answer()
        self.h2.send_headers(stream, headers, end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = True) -> None:
        """Send a body, waiting for windows; stops when the stream was answered early."""
        rest = memoryview(data)
        while True:
            answer = self.answers[stream]
            if answer.ended or answer.reset is not None:
                return
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(rest))
            if size or not rest:
                self.h2.send_data(stream, bytes(rest[:size]), end_stream=end and size == len(rest))
                self.flush()
                rest = rest[size:]
                if not rest:
                    return
            else:
                self.receive()

    def receive(self) -> None:
        """Wait for bytes and take them in."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the gateway closed the connection")
        for event in self.h2.receive_data(data):
            self._take(event)
        self.flush()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                self.answers[event.stream_id].headers = _texts(event.headers)
            case h2.events.DataReceived():
                self.answers[event.stream_id].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.TrailersReceived():
                self.answers[event.stream_id].trailers = _texts(event.headers)
            case h2.events.StreamEnded():
                self.answers[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.answers[event.stream_id].reset = int(event.error_code)
            case h2.events.ConnectionTerminated():
                self.goaway = int(event.error_code or 0)
            case h2.events.PingAckReceived():
                self.pings += 1
            case _:
                pass

    def wait(self, stream: int) -> Http2Answer:
        """Wait until a stream is answered."""
        answer = self.answers[stream]
        while not answer.ended and answer.reset is None:
            self.receive()
        return answer

    def exchange(self, headers: Headers, body: bytes = b"") -> Http2Answer:
        """One request and its answer."""
        stream = self.start(headers)
        self.send(stream, body)
        return self.wait(stream)


def _texts(headers: Iterable[tuple[object, object]] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers or ()}


def grpc_headers(signal: Signal = "traces", **more: str) -> Headers:
    """The head of a gRPC call; `grpc_encoding="gzip"` becomes a header."""
    named = [(name.replace("_", "-"), value) for name, value in more.items()]
    return [*_pseudo(GRPC_PATHS[signal]), ("content-type", "application/grpc"), ("te", "trailers"), *named]


def http_headers(signal: Signal = "traces", **more: str) -> Headers:
    """The head of an OTLP/HTTP request over HTTP/2."""
    named = [(name.replace("_", "-"), value) for name, value in more.items()]
    return [*_pseudo(HTTP_PATHS[signal]), ("content-type", "application/x-protobuf"), *named]


def _pseudo(path: str) -> Headers:
    return [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]


def frame(message: bytes, *, compressed: bool = False, length: int | None = None) -> bytes:
    """A gRPC message with its prefix; `length` declares another length than the message has."""
    declared = len(message) if length is None else length
    return bytes([compressed]) + declared.to_bytes(4, "big") + message
