"""What lies between two gateways that speak `otz1`: a load balancer that moves them apart, a way that harms frames."""

import http.client
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import demo_shape
from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import address, configuration, receiver_books, to_grpc, to_http
from tests.conformance.sink import Sink

Address = tuple[str, int]
Harm = Callable[[list[bytes]], list[bytes]]
"""What of the frames so far, the last one new, arrives instead of it."""
RETRY = {"retry_on_failure": {"initial_interval": "10ms", "max_interval": "50ms", "max_elapsed_time": "60s"}}
EXPORTERS = {"http": ("otlphttp", to_http), "grpc": ("otlp", to_grpc)}
REQUESTS = 13
STAYS = 3
"""Requests after which a connection is moved."""
EVERY = 3
"""Each third frame is harmed; in turns, until it was each of them once."""


def bodies() -> list[bytes]:
    """Requests that have much in common."""
    return demo_shape.requests(REQUESTS * 40, 40)


def sending(protocol: str, port: int) -> Gateway:
    """A gateway that sends to this port, with one request in flight and so one session."""
    exporter, to = EXPORTERS[protocol]
    destination = to(f"http://127.0.0.1:{port}", compression="otz1", sending_queue={"num_consumers": 1}, **RETRY)
    return Gateway(configuration({exporter: destination}))


@pytest.fixture
def receivers(sink: Sink) -> Iterator[list[Gateway]]:
    """Two gateways that receive for the same endpoint."""
    to = configuration({"otlphttp": to_http(sink.http_url)})
    with Gateway(to) as one, Gateway(to) as two:
        yield [one, two]


def pump(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until either side ends."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Balancer:
    """Leads each connection to the next of its targets, and ends those that it has when it is told to move them."""

    def __init__(self, targets: list[Address]) -> None:
        self._targets = itertools.cycle(targets)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._threads) - 1

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self.move()
        for thread in self._threads[1:]:
            thread.join()

    def move(self) -> None:
        """End the connections: their clients will come again."""
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with self._listener, suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                self._threads.append(threading.Thread(target=self._carry, args=(client, next(self._targets))))
                self._threads[-1].start()

    def _carry(self, client: socket.socket, target: Address) -> None:
        with client, socket.create_connection(target) as server:
            there = threading.Thread(target=pump, args=(client, server))
            there.start()
            pump(server, client)
            there.join()


@pytest.mark.parametrize("protocol", EXPORTERS)
def test_a_connection_that_a_load_balancer_moves_costs_a_session_and_nothing_else(
    receivers: list[Gateway], sink: Sink, protocol: str
) -> None:
    sent = bodies()
    with (
        closing(Balancer([address(receiver, protocol) for receiver in receivers])) as balancer,
        sending(protocol, balancer.port) as first,
    ):
        for number, body in enumerate(sent):
            assert doors.http(first, "traces", body).error is None
            if number % STAYS == STAYS - 1:
                balancer.move()
        assert balancer.connections > REQUESTS // STAYS
    # Whoever ends a connection may do so just when a request comes, which then travels twice.
    assert list(dict.fromkeys(arrival.body for arrival in sink.arrivals)) == sent
    assert all(receiver_books(receiver, "traces")["accepted"] for receiver in receivers)


class Way(BaseHTTPRequestHandler):
    """Passes requests on to one target after the other, and what it makes of the frames among them."""

    server: "WayServer"
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Pass a request on."""
        body = self.rfile.read(int(self.headers["content-length"]))
        pieces = [body]
        if self.headers["content-encoding"] == "otz1":
            pieces = self.server.passed(body)
        answers = [self._ask(piece) for piece in pieces]
        if not answers:
            self.close_connection = True
            return
        status, headers, content = answers[0]
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "connection", "date", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        host, port = next(self.server.targets)
        with closing(http.client.HTTPConnection(host, port)) as target:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
            target.request("POST", self.path, body, headers)
            answer = target.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class WayServer(ThreadingHTTPServer):
    """Its server."""

    def __init__(self, targets: list[Address], harm: Harm | None = None, turn: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Way)
        self.targets = itertools.cycle(targets)
        self.frames: list[bytes] = []
        self.harmed = 0
        self._harm = harm
        self._turn = turn

    def passed(self, frame: bytes) -> list[bytes]:
        """What arrives instead of a frame."""
        self.frames.append(frame)
        if self._harm is None or len(self.frames) % EVERY != self._turn:
            return [frame]
        self.harmed += 1
        return self._harm(self.frames)


@contextmanager
def way(targets: list[Address], harm: Harm | None = None, turn: int = 0) -> Iterator[WayServer]:
    """Run one."""
    with WayServer(targets, harm, turn) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_requests_that_are_dealt_to_two_gateways_in_turn_arrive_once_each(receivers: list[Gateway], sink: Sink) -> None:
    sent = bodies()
    targets = [address(receiver, "http") for receiver in receivers]
    with way(targets) as between, sending("http", between.server_address[1]) as first:
        for body in sent:
            assert doors.http(first, "traces", body).error is None
    assert [arrival.body for arrival in sink.arrivals] == sent
    assert len(between.frames) > len(sent)  # nearly every session met a gateway that did not know it


def flipped(frames: list[bytes]) -> list[bytes]:
    """Turn one bit, another one in each frame."""
    harmed = bytearray(frames[-1])
    at = len(frames) * 7919 % (len(harmed) * 8)
    harmed[at // 8] ^= 1 << at % 8
    return [bytes(harmed)]


HARMS: dict[str, Harm] = {
    "lost": lambda _: [],
    "twice": lambda frames: [frames[-1], frames[-1]],
    "an older one": lambda frames: [frames[-2] if len(frames) > 1 else b""],
    "cut off": lambda frames: [frames[-1][: len(frames[-1]) * (len(frames) % 5) // 5]],
    "a bit": flipped,
}


@pytest.mark.parametrize("turn", range(EVERY))
@pytest.mark.parametrize("harm", HARMS)
def test_whatever_becomes_of_a_frame_every_request_arrives_as_it_was_and_nothing_else_does(
    receivers: list[Gateway], sink: Sink, harm: str, turn: int
) -> None:
    sent = bodies()
    with (
        way([address(receivers[0], "http")], HARMS[harm], turn) as between,
        sending("http", between.server_address[1]) as first,
    ):
        for body in sent:
            assert doors.http(first, "traces", body).error is None
    assert [arrival.body for arrival in sink.arrivals] == sent
    assert between.harmed >= REQUESTS // EVERY
