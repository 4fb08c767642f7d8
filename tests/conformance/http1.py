"""An HTTP/1.1 client for what a polite one would never send, and the answers as their reader sees them."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPResponse, parse_headers
from typing import Any, NamedTuple, Self

from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from tests.conformance.messages import HTTP_PATHS, Signal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
PATIENCE_S = 15

_DETAILS = (error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
"""Importing them lets the oracle print details that are packed into an Any."""


class HttpAnswer(NamedTuple):
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> status_pb2.Status:
        """The body as `google.rpc.Status`, in the encoding that its Content-Type names (H4)."""
        status = status_pb2.Status()
        if self.headers["content-type"] == JSON:
            return json_format.Parse(self.body, status)
        assert self.headers["content-type"] == PROTOBUF
        status.ParseFromString(self.body)
        return status


def read(response: HTTPResponse) -> HttpAnswer:
    """Read an answer to its end."""
    body = response.read()
    return HttpAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def request(
    address: tuple[str, int],
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpAnswer:
    """Send one request over a connection of its own."""
    with closing(HTTPConnection(*address, timeout=PATIENCE_S)) as connection:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        return read(connection.getresponse())


def post(
    address: tuple[str, int], signal: Signal, body: bytes, content_type: str = PROTOBUF, **headers: str
) -> HttpAnswer:
    """Send a request of OTLP; `content_encoding="gzip"` becomes a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return request(address, "POST", HTTP_PATHS[signal], body, {"Content-Type": content_type} | named)


class RawConnection:
    """A connection over which any bytes can be sent."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        """Keeps what it has read of the next answer."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all of it, as far as the other side still listens."""
        with suppress(BrokenPipeError, ConnectionResetError):  # what it answered can still be read
            self.socket.sendall(data)

    def head(self, signal: Signal = "traces", content_type: str = PROTOBUF, **headers: object) -> None:
        """Send the head of a request; `content_length=5` becomes a header."""
        lines = [f"POST {HTTP_PATHS[signal]} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def finish(self) -> None:
        """Send nothing more; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def answer(self) -> HttpAnswer:
        """Read the next answer."""
        status_line = self.reader.readline()
        if not status_line:
            raise ConnectionError("the gateway closed the connection without an answer")
        headers = {name.lower(): value for name, value in parse_headers(self.reader).items()}
        return HttpAnswer(int(status_line.split()[1]), headers, self.reader.read(int(headers["content-length"])))

    def is_closed(self) -> bool:
        """Wait until the other side closes; what it still sends is skipped."""
        try:
            while self.reader.read1(65_536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def reset(self) -> None:
        """Vanish: the other side gets a reset instead of an orderly end."""
        linger: Any = b"\1\0\0\0\0\0\0\0"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.reader.close()
        self.socket.close()
