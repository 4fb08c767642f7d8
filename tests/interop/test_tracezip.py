"""Sessions of `otz1` between two gateways: offered, used, begun anew; and never seen by anybody else."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from benchmarks import demo_shape
from benchmarks.links import recorded_demo, resource_spans
from millrace import _native, files
from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import configuration, to_grpc, to_http, url, wait_until
from tests.conformance.messages import request
from tests.conformance.sink import Sink
from tests.python.commands import running

AGENT = "OTel-OTLP-Exporter-millrace/0"
RETRY = {"retry_on_failure": {"initial_interval": "20ms", "max_interval": "100ms", "max_elapsed_time": "60s"}}
LIMITS = "16777216,4096,1048576,1024,512,8388608,4096,16384,16,65536"
LOST_AT = 5
"""The request at which the endpoint of a test has forgotten its sessions."""
EXPORTERS = {"http": "otlphttp", "grpc": "otlp"}
CODING = {"http": ("content-encoding", "zstd"), "grpc": ("grpc-encoding", "gzip")}
"""How requests travel to others: the stock gRPC library knows no zstd."""
REQUESTS = 120
ITEMS = 30


def post(gateway: Gateway, body: bytes, **headers: str) -> httpx.Response:
    """Send traces as some client does."""
    kind = {"content-type": "application/x-protobuf"}
    return httpx.post(f"{url(gateway, 'http')}/v1/traces", content=body, headers=kind | headers)


@pytest.fixture(scope="module")
def receiver(endpoint: Sink) -> Gateway:
    """A gateway that receives."""
    return Gateway(configuration({"otlphttp": to_http(endpoint.http_url)}))


def test_the_coding_is_offered_to_our_own_exporters_and_to_nobody_else(receiver: Gateway) -> None:
    body = request("traces").SerializeToString()
    with receiver:
        ours = post(receiver, body, **{"user-agent": AGENT})
        assert "otz1" in ours.headers["accept-encoding"].split(", ")
        assert ours.headers["otz-limits"].count(",") == 9
        for other in ({"user-agent": "python-requests/2"}, {"user-agent": "OTel-OTLP-Exporter-Python/1.40"}):
            theirs = post(receiver, body, **other)
            assert not {"accept-encoding", "otz-limits", "otz-ack"} & set(theirs.headers)


def test_a_frame_of_a_session_that_nobody_began_is_answered_with_a_reset(endpoint: Sink) -> None:
    frame = bytes([0x83, 5]) + bytes(16) + bytes([7]) + bytes(4)
    with Gateway(configuration({"otlphttp": to_http(endpoint.http_url)})) as gateway:
        answer = post(gateway, frame, **{"content-encoding": "otz1"})
        assert (answer.status_code, answer.headers["otz-reset"]) == (409, "unknown-session")
        answer = post(gateway, b"nonsense", **{"content-encoding": "otz1"})
        assert (answer.status_code, answer.headers["otz-reset"]) == (409, "no-frame")


@pytest.mark.parametrize("protocol", EXPORTERS)
def test_a_third_party_never_sees_the_coding(sink: Sink, protocol: str) -> None:
    to = {"http": to_http(sink.http_url, compression="otz1"), "grpc": to_grpc(sink.grpc_url, compression="otz1")}
    with Gateway(configuration({EXPORTERS[protocol]: to[protocol]})) as gateway:
        for number in range(5):
            body = request("traces", 3, f"{number}-").SerializeToString()
            assert doors.http(gateway, "traces", body).error is None
    assert len(sink.arrivals) == 5
    for arrival in sink.arrivals:
        name, coding = CODING[protocol]
        assert arrival.headers.get(name, coding) == coding  # the gRPC library keeps it to itself
        assert not [name for name in arrival.headers if name.lower().startswith("otz")]


def sequence_of(frame: bytes) -> int:
    """Read the sequence in the header of a frame; it is short in a test."""
    length_ends = next(index for index in range(1, len(frame)) if frame[index] < 0x80)
    return frame[length_ends + 1 + 16]


class Offering(BaseHTTPRequestHandler):
    """An endpoint that offers the coding, loses its memory once, and keeps what it rebuilt."""

    server: "OfferingServer"
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a request."""
        body = self.rfile.read(int(self.headers["content-length"]))
        status, headers = 200, {"accept-encoding": "otz1, zstd", "otz-limits": LIMITS}
        coding = self.headers["content-encoding"]
        self.server.codings.append(coding)
        if coding == "otz1":
            sequence = sequence_of(body)
            if len(self.server.codings) == LOST_AT:
                self.server.sessions = _native.TracezipDecompressor()
                status, headers = 409, headers | {"otz-reset": "unknown-session"}
            else:
                self.server.rebuilt.append(self.server.sessions.decompress(body))
                headers["otz-ack"] = str(sequence)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class OfferingServer(ThreadingHTTPServer):
    """Its server."""

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Offering)
        self.codings: list[str] = []
        self.rebuilt: list[bytes] = []
        self.sessions = _native.TracezipDecompressor()


def test_once_offered_the_coding_is_used_and_a_reset_is_answered_with_a_new_session_at_once() -> None:
    bodies = demo_shape.requests(8 * 300, 300)
    with OfferingServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        destination = to_http(f"http://127.0.0.1:{server.server_address[1]}", compression="otz1")
        with Gateway(configuration({"otlphttp": destination})) as gateway:
            for body in bodies:
                assert doors.http(gateway, "traces", body).error is None
        server.shutdown()
    # The first in zstd; one of the others twice, without a wait in between.
    assert server.codings == ["zstd", *["otz1"] * len(bodies)]
    assert server.rebuilt == bodies[1:]


class Receiving:
    """A receiving gateway as a process, always at the same port, which appends to a file."""

    def __init__(self, folder: Path, protocol: str) -> None:
        """Choose the port."""
        self.protocol = protocol
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.file = folder / "received.otlp"

    def configuration(self) -> Path:
        """Write the configuration."""
        exporters = f"{{file: {{path: '{self.file}', format: proto, append: true}}}}"
        path = self.folder / "gateway.yaml"
        path.write_text(
            f"receivers: {{otlp: {{protocols: {{{self.protocol}: {{endpoint: '127.0.0.1:{self.port}'}}}}}}}}\n"
            f"exporters: {exporters}\n"
            "service: {telemetry: {metrics: {level: none}},"
            " pipelines: {traces: {receivers: [otlp], exporters: [file]}}}\n",
            encoding="utf-8",
        )
        return path


def has_taken(taken: list[int], goal: int) -> bool:
    """Tell whether so many requests were acknowledged."""
    return len(taken) >= goal


@pytest.mark.parametrize("protocol", EXPORTERS)
def test_a_receiving_gateway_that_is_killed_loses_and_alters_nothing(tmp_path: Path, protocol: str) -> None:
    receiving = Receiving(tmp_path, protocol)
    to = to_grpc if protocol == "grpc" else to_http
    destination = to(f"http://127.0.0.1:{receiving.port}", compression="otz1", **RETRY)
    settings = configuration({EXPORTERS[protocol]: destination})
    sent = recorded_demo()[:REQUESTS] or demo_shape.requests(REQUESTS * ITEMS, ITEMS)
    taken: list[int] = []

    with Gateway(settings) as gateway, ThreadPoolExecutor(4) as pool:

        def send(number: int) -> None:
            assert doors.http(gateway, "traces", sent[number]).error is None
            taken.append(number)

        sending = [pool.submit(send, number) for number in range(REQUESTS)]
        for goal in range(REQUESTS // 4, REQUESTS, REQUESTS // 4):
            with running("serve", "--config", receiving.configuration()) as process:
                wait_until(partial(has_taken, taken, goal), f"{goal} requests are taken")
                process.process.kill()  # SIGKILL, with requests on their way: no last words
                process.process.wait()
        with running("serve", "--config", receiving.configuration()):
            for future in sending:
                future.result()

    # What was on its way when the receiver died may arrive twice, and joined with other requests.
    received = resource_spans(got.data for got in files.read(receiving.file, "traces"))
    assert received >= resource_spans(sent)
    assert received.keys() == resource_spans(sent).keys()


@pytest.mark.parametrize("protocol", EXPORTERS)
def test_a_sending_gateway_that_starts_again_begins_a_new_session(sink: Sink, protocol: str) -> None:
    with Gateway(configuration({"otlphttp": to_http(sink.http_url)})) as second:
        to = to_grpc if protocol == "grpc" else to_http
        settings = configuration({EXPORTERS[protocol]: to(url(second, protocol), compression="otz1")})
        for turn in range(2):
            with Gateway(settings) as first:
                for number in range(8):
                    body = request("traces", 20, f"{turn}-{number}-").SerializeToString()
                    assert doors.http(first, "traces", body).error is None
        assert second.stats()["receivers"]["otlp"]["traces"]["refused"] == {}
    assert sorted(sink.names("traces")) == sorted(
        f"{turn}-{number}-{item}" for turn in range(2) for number in range(8) for item in range(20)
    )
