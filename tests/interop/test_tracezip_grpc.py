"""The service for sessions of `otz1` over gRPC, with the stock gRPC library at the other end."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import grpc
import pytest

from benchmarks import demo_shape
from millrace import _native
from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import address, configuration, to_grpc, url, wait_until
from tests.conformance.http2 import Http2Answer, Http2Connection, frame, grpc_headers
from tests.conformance.messages import GRPC_PATHS, RESPONSES, invalid, request
from tests.conformance.sink import Sink

EXCHANGE = "/millrace.tracezip.v1.Sessions/Exchange"
AGENT = "OTel-OTLP-Exporter-millrace/0"
LIMITS = "16777216,4096,1048576,1024,512,8388608,4096,16384,16,65536"
"""What the service of a test has room for: not less than our exporter."""
LOST_AT = 4
"""The frame at which the service of a test has forgotten its session."""
STOP_S_MAX = 5

Method: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
_raw: Callable[[bytes], bytes] = bytes


def bodies(count: int, items: int = 100) -> list[bytes]:
    """Requests that have much in common."""
    return demo_shape.requests(count * items, items)


@pytest.fixture
def receiver(sink: Sink) -> Iterator[Gateway]:
    """A gateway that receives."""
    with Gateway(configuration({"otlp": to_grpc(sink.grpc_url)})) as gateway:
        yield gateway


def exchange(gateway: Gateway, frames: Iterable[bytes]) -> Any:  # noqa: ANN401 - an iterator that is a call, too, which the stubs have no name for
    """Call the service as any gRPC client can."""
    channel = grpc.insecure_channel("{}:{}".format(*address(gateway, "grpc")))
    call = channel.stream_stream(EXCHANGE, request_serializer=_raw, response_deserializer=_raw)
    offered = unary(gateway, AGENT).headers["otz-limits"]
    return call(iter(frames), metadata=(("otz-limits", offered),), timeout=20)


def unary(gateway: Gateway, agent: str) -> Http2Answer:
    """Send a request as OTLP has it, by a program of this name."""
    with Http2Connection(address(gateway, "grpc")) as connection:
        return connection.exchange([*grpc_headers("traces"), ("user-agent", agent)], frame(b""))


def test_the_service_is_told_of_to_our_own_exporters_and_to_nobody_else(receiver: Gateway) -> None:
    ours, theirs = unary(receiver, AGENT), unary(receiver, "grpc-python/1.70")
    assert (ours.grpc_status, ours.headers["otz-limits"].count(",")) == (0, 9)
    assert theirs.grpc_status == 0
    assert not [name for name in theirs.headers if name.startswith("otz")]


def test_each_frame_of_a_session_is_answered_in_order_and_arrives_byte_for_byte(receiver: Gateway, sink: Sink) -> None:
    compressor = _native.TracezipCompressor(77)
    sent = bodies(20)
    answers = list(exchange(receiver, (compressor.compress("traces", body) for body in sent)))
    assert answers == [b""] * len(sent)
    assert [arrival.body for arrival in sink.arrivals] == sent


def test_what_a_destination_refuses_is_said_in_the_answer_and_the_session_goes_on(receiver: Gateway) -> None:
    compressor = _native.TracezipCompressor(78)
    partly = invalid("traces", 2, 3).SerializeToString()
    frames = [compressor.compress("traces", body) for body in (partly, b"\x0a\x05no", bodies(1)[0])]
    partial, refused, taken = exchange(receiver, frames)
    assert partial[:1] == b"\x12"
    response: Any = RESPONSES["traces"].FromString(partial[2:])
    assert response.partial_success.rejected_spans == 3
    assert refused[:1] == b"\x0a"
    assert taken == b""


def flipped(frame: bytes) -> bytes:
    """Turn a bit in the middle."""
    middle = len(frame) // 2
    return frame[:middle] + bytes([frame[middle] ^ 4]) + frame[middle + 1 :]


HARMED: dict[str, tuple[Callable[[list[bytes]], bytes], str]] = {
    "lost": (lambda frames: frames[2], "seq"),
    "again": (lambda frames: frames[0], "seq"),
    "cut off": (lambda frames: frames[1][: len(frames[1]) // 2], "raw-hash"),
    "a bit": (lambda frames: flipped(frames[1]), "raw-hash"),
    "of nobody's session": (lambda _: bytes([0x83, 5]) + bytes(16) + bytes([7]) + bytes(4), "unknown-session"),
    "nonsense": (lambda _: b"nonsense", "no-frame"),
}
"""What comes instead of the second frame, and what is said to it."""


@pytest.mark.parametrize("way", HARMED)
def test_a_frame_that_was_harmed_ends_the_call_with_a_reset_and_delivers_nothing(
    receiver: Gateway, sink: Sink, way: str
) -> None:
    compressor, sent = _native.TracezipCompressor(79), bodies(3)
    frames = [compressor.compress("traces", body) for body in sent]
    harm, word = HARMED[way]
    answers = exchange(receiver, [frames[0], harm(frames)])
    assert next(answers) == b""
    with pytest.raises(grpc.RpcError) as ended:
        next(answers)
    assert ended.value.code() == grpc.StatusCode.ABORTED
    trailers: Any = ended.value.trailing_metadata()
    assert ("otz-reset", word) in trailers
    again = _native.TracezipCompressor(80)
    assert list(exchange(receiver, (again.compress("traces", body) for body in sent[1:]))) == [b"", b""]
    assert [arrival.body for arrival in sink.arrivals] == sent


def test_a_gateway_stops_although_sessions_are_open(sink: Sink) -> None:
    with Gateway(configuration({"otlp": to_grpc(sink.grpc_url)})) as second:
        settings = configuration({"otlp": to_grpc(url(second, "grpc"), compression="otz1")})
        with Gateway(settings) as first:
            for body in bodies(3):
                assert doors.http(first, "traces", body).error is None
            assert second.stop().elapsed_s < STOP_S_MAX


class Forgetful(grpc.GenericRpcHandler):
    """A server that offers the service and loses its memory once."""

    def __init__(self) -> None:
        self.alone = 0
        self.frames = 0
        self.rebuilt: list[bytes] = []
        self._lock = threading.Lock()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Method | None":
        """Serve traces, and sessions."""
        if handler_call_details.method == GRPC_PATHS["traces"]:
            return grpc.unary_unary_rpc_method_handler(
                self._export, request_deserializer=_raw, response_serializer=_raw
            )
        if handler_call_details.method == EXCHANGE:
            return grpc.stream_stream_rpc_method_handler(
                self._exchange, request_deserializer=_raw, response_serializer=_raw
            )
        return None

    def _export(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        context.send_initial_metadata((("otz-limits", LIMITS),))
        self.alone += 1
        return b""

    def _exchange(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        session = _native.TracezipDecompressor()
        for each in frames:
            with self._lock:
                self.frames += 1
                if self.frames == LOST_AT:
                    context.set_trailing_metadata((("otz-reset", "unknown-session"),))
                    context.abort(grpc.StatusCode.ABORTED, "who?")
                self.rebuilt.append(session.decompress(each))
            yield b""


def test_once_told_of_the_service_is_used_and_a_reset_is_answered_with_a_new_session_at_once() -> None:
    server_side = Forgetful()
    sent = bodies(8, 300)
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, handlers=[server_side])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        destination = to_grpc(f"http://127.0.0.1:{port}", compression="otz1")
        with Gateway(configuration({"otlp": destination})) as gateway:
            for body in sent:
                assert doors.http(gateway, "traces", body).error is None
        server.stop(grace=1).wait()
    # The first by itself; one of the others twice, without a wait in between.
    assert (server_side.alone, server_side.frames) == (1, len(sent))
    assert server_side.rebuilt == sent[1:]


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_a_receiver_without_memory_for_a_session_gets_zstd_and_nothing_is_lost(sink: Sink, way: str) -> None:
    """Of a budget of 1 MiB no session can be paid for."""
    exporters = {"grpc": "otlp", "http": "otlphttp"}
    with Gateway(configuration({"otlp": to_grpc(sink.grpc_url)}, budget_mib=1)) as second:
        to = {"endpoint": url(second, way), "compression": "otz1"} | (
            {"tls": {"insecure": True}} if way == "grpc" else {}
        )
        with Gateway(configuration({exporters[way]: to})) as first:
            for body in bodies(6):
                assert doors.http(first, "traces", body).error is None
            assert first.stats()["exporters"][exporters[way]]["traces"]["retries"] == 0
        refused = second.stats()["receivers"]["otlp"]["traces"]["refused_requests"]
    assert [arrival.body for arrival in sink.arrivals] == bodies(6)
    assert refused == {"session_refused": 1}


def test_what_sessions_hold_counts_as_held_in_memory_until_requests_need_it(sink: Sink) -> None:
    with Gateway(configuration({"otlp": to_grpc(sink.grpc_url)}, budget_mib=6)) as second:
        settings = configuration({"otlp": to_grpc(url(second, "grpc"), compression="otz1")})
        with Gateway(settings) as first:
            for body in bodies(6):
                assert doors.http(first, "traces", body).error is None
            wait_until(lambda: 0 < second.stats()["budget"]["used_bytes"] < 6 << 20, "only the session is held")
            # A request that needs nearly the whole budget gets it.
            huge = request("logs", 1, "x" * ((6 << 20) - 4096)).SerializeToString()
            assert doors.http(second, "logs", huge).error is None
            wait_until(lambda: second.stats()["budget"]["used_bytes"] == 0, "nothing is held any more")
            assert doors.http(first, "traces", bodies(1)[0]).error is None
