"""A destination that answers as it is told to, over HTTP or gRPC, and keeps what arrived and when."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from tests.conformance.messages import REQUESTS, names

__all__ = ["GrpcAnswer", "HttpAnswer", "Standin", "grpc_standin", "http_standin"]

_bytes: Callable[[bytes], bytes] = bytes


class HttpAnswer(NamedTuple):
    """What is answered to a request over HTTP; the length is that of the body unless the headers say otherwise."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/x-protobuf"),)
    body: bytes = b""


class GrpcAnswer(NamedTuple):
    """What is answered to a call: a code, and the seconds of a `RetryInfo` unless they are `None`."""

    code: grpc.StatusCode
    retry_s: int | None = None


Answer: TypeAlias = HttpAnswer | GrpcAnswer | None


class Standin:
    """What arrived, and what the next requests are answered; after those, everything is accepted."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Answer] = []
        self.bodies: list[bytes] = []
        self.times: list[float] = []

    @property
    def requests(self) -> list[list[str]]:
        """The names of the spans of each request."""
        return [names("traces", REQUESTS["traces"].FromString(body)) for body in self.bodies]

    def take(self, body: bytes) -> Answer:
        """Keep a request, and say what to answer."""
        self.times.append(time.monotonic())
        self.bodies.append(body)
        return self.answers.pop(0) if self.answers else None


@contextmanager
def http_standin(*answers: HttpAnswer) -> Iterator[Standin]:
    """A stand-in over HTTP."""
    standin = Standin()
    standin.answers += answers

    class Answerer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            answer = standin.take(self.rfile.read(int(self.headers["Content-Length"])))
            assert not isinstance(answer, GrpcAnswer)
            status, headers, body = answer or HttpAnswer()
            self.send_response(status)
            for name, value in dict((("Content-Length", str(len(body))), *headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answerer)
    server.daemon_threads = True
    standin.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_standin(*answers: GrpcAnswer) -> Iterator[Standin]:
    """A stand-in over gRPC."""
    standin = Standin()
    standin.answers += answers

    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        answer = standin.take(body)
        if isinstance(answer, GrpcAnswer):
            context.abort_with_status(rpc_status.to_status(_status(answer)))
        return b""

    class Service(grpc.GenericRpcHandler):
        def service(self, _: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
            return grpc.unary_unary_rpc_method_handler(export, request_deserializer=_bytes, response_serializer=_bytes)

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=[Service()])
        standin.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield standin
        finally:
            server.stop(grace=None).wait()


def _status(answer: GrpcAnswer) -> Status:
    status = Status(code=answer.code.value[0], message="the stand-in was told to")
    if answer.retry_s is not None:
        detail = AnyMessage()
        detail.Pack(RetryInfo(retry_delay=Duration(seconds=answer.retry_s)))
        status.details.append(detail)
    return status
