"""The two protocols of a gateway behind one call, for the rules that hold for both."""

import gzip
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

import zstandard
from google.rpc import status_pb2

from millrace.gateway import Gateway
from tests.conformance import http1
from tests.conformance.gateways import address
from tests.conformance.http2 import Http2Connection, frame, grpc_headers
from tests.conformance.messages import RESPONSES, Request, Signal

Coding: TypeAlias = Literal["identity", "gzip", "zstd"]
CODINGS: Final[tuple[Coding, ...]] = ("identity", "gzip", "zstd")

BAD_DATA: Final = frozenset({400, 3})
"""HTTP 400 and gRPC INVALID_ARGUMENT."""


class Outcome(NamedTuple):
    """What a client was told."""

    code: int
    """The HTTP status, or the gRPC status."""
    message: bytes
    """The response message; empty when the request was refused."""
    error: status_pb2.Status | None
    """Why it was refused; None when it was accepted."""

    def response(self, signal: Signal) -> Request:
        """The response as the oracle reads it."""
        assert self.error is None, self.error
        return RESPONSES[signal].FromString(self.message)


Door: TypeAlias = Callable[..., Outcome]


def http(gateway: Gateway, signal: Signal, body: bytes, coding: str = "identity") -> Outcome:
    """Send a body, compressed already, over OTLP/HTTP."""
    answer = http1.post(address(gateway, "http"), signal, body, content_encoding=coding)
    if answer.status == 200:
        return Outcome(200, answer.body, None)
    return Outcome(answer.status, b"", answer.error)


def grpc(gateway: Gateway, signal: Signal, body: bytes, coding: str = "identity") -> Outcome:
    """Send a message, compressed already, over OTLP/gRPC."""
    with Http2Connection(address(gateway, "grpc")) as connection:
        headers = grpc_headers(signal, grpc_encoding=coding)
        answer = connection.exchange(headers, frame(body, compressed=coding != "identity"))
    if answer.grpc_status == 0:
        assert answer.body[:5] == frame(answer.body[5:])[:5]
        return Outcome(0, answer.body[5:], None)
    fields = answer.headers | answer.trailers
    status = status_pb2.Status(code=answer.grpc_status, message=fields.get("grpc-message", ""))
    return Outcome(answer.grpc_status, b"", answer.details if "grpc-status-details-bin" in fields else status)


def compress(coding: Coding, body: bytes) -> bytes:
    """Apply a content coding, with implementations that are not the gateway's."""
    match coding:
        case "identity":
            return body
        case "gzip":
            return gzip.compress(body, 1)
        case "zstd":
            return zstandard.ZstdCompressor().compress(body)
