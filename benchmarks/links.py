"""The suite `links`: two gateways, one on each CPU, and what carries the traces between them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.request import urlopen

from benchmarks import demo_shape, machine, noise
from benchmarks.measured import Measured, StartError, free_port
from millrace import files, otlp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME = "links"
RUNS = 3
CODINGS = ("gzip", "zstd", "otz1")
PROTOCOLS = ("grpc", "http")
SPANS = 60_000
"""Of each data set; a file of them is read several times, so that a run takes seconds."""
COPIES = {"gzip": 10, "zstd": 20, "otz1": 20}
RECORDED = "otel-demo-traces.otlp.zst"
WARM_SHARE = 0.15
POLL_S = 0.02
PATIENCE_S = 120.0
_ACCEPTED = re.compile(r"^otelcol_receiver_accepted_spans\S*\{[^}]*\} (\S+)$", re.MULTILINE)


class Link(NamedTuple):
    """What is between the two gateways."""

    protocol: str
    coding: str


class Instant(NamedTuple):
    """What has been used when so many spans had arrived."""

    spans: int
    at_s: float
    sender_cpu_s: float
    receiver_cpu_s: float
    wire_bytes: int


def run(*, quick: bool, peers: Sequence[str], patience_s: float) -> dict[str, Any]:  # noqa: ARG001 # no other gateway
    """Measure each data set over each link."""
    described = machine.describe()
    results = []
    with tempfile.TemporaryDirectory(prefix="millrace-links-") as name:
        for data, requests in _data(quick=quick):
            folder = Path(name)
            spans = _write(folder / "once.otlp", requests)
            for link in (Link(protocol, coding) for protocol in PROTOCOLS for coding in CODINGS):
                copies = 2 if quick else COPIES[link.coding]
                noise.wait_for_quiet(patience_s)
                runs = [_rates(folder, link, spans, copies) for _ in range(1 if quick else RUNS)]
                measured = {key: statistics.median(each[key] for each in runs) for key in runs[0]}
                measured["wire_bytes_per_span"] = _size(folder, link, spans, requests, 1 if quick else 10)
                results.append({"data": data, "protocol": link.protocol, "coding": link.coding} | measured)
                print(f"{NAME}: {data}, {link.protocol} {link.coding}: {measured}", file=sys.stderr, flush=True)
    return {"suite": NAME, "quick": quick, "machine": described, "links": results}


def recorded_demo() -> list[bytes]:
    """Return the recorded requests; none where they do not lie beside the project."""
    folder = Path(os.environ.get("MILLRACE_DATA", str(machine.ROOT / "../shared/data")))
    if not (folder / RECORDED).exists():
        return []
    own = files.read(folder / RECORDED, "traces", like=files.Format("otlp", "zst"))
    return [request.data for request in own]


def _data(*, quick: bool) -> list[tuple[str, list[bytes]]]:
    sets = []
    if own := recorded_demo():
        sets.append(("recorded demo, its own requests", own))
    sets.append(("demo-shaped, 1,000 spans", demo_shape.requests(SPANS // (4 if quick else 1), 1_000)))
    return sets


def _write(file: Path, requests: list[bytes]) -> int:
    with files.Writer(file) as writer:
        for request in requests:
            writer.write("traces", request)
    return sum(otlp.count("traces", request) for request in requests)


def _rates(folder: Path, link: Link, spans: int, copies: int) -> dict[str, float]:
    """Measure how fast spans pass, and what they cost each gateway, once both are warm."""
    with Pair(folder, link, copies) as pair:
        warm = pair.wait(int(spans * copies * WARM_SHARE))
        end = pair.wait(spans * copies)
    passed = end.spans - warm.spans
    return {
        "spans_per_s": passed / (end.at_s - warm.at_s),
        "sender_ns_per_span": (end.sender_cpu_s - warm.sender_cpu_s) * 1e9 / passed,
        "receiver_ns_per_span": (end.receiver_cpu_s - warm.receiver_cpu_s) * 1e9 / passed,
    }


def _size(folder: Path, link: Link, spans: int, requests: list[bytes], copies: int) -> float:
    """Count what travels, through a relay that nobody's time is taken at, and check that it arrived byte for byte."""
    arrived = folder / "arrived.otlp"
    arrived.unlink(missing_ok=True)
    with Pair(folder, link, copies, arrived=arrived) as pair:
        end = pair.wait(spans * copies)
    sent = resource_spans(requests)
    got = resource_spans(request.data for request in files.read(arrived, "traces"))
    if got != Counter({resource: count * copies for resource, count in sent.items()}):
        raise AssertionError(f"over {link.protocol} {link.coding} something else arrived than was sent")
    return end.wire_bytes / end.spans


def resource_spans(requests: Iterable[bytes]) -> Counter[bytes]:
    """Return the `ResourceSpans` of requests as they stand there: what waits together travels in one request."""
    found: Counter[bytes] = Counter()
    for request in requests:
        at = 0
        while at < len(request):
            length, shift, start = 0, 0, at
            while True:
                at += 1
                length |= (request[at] & 0x7F) << shift
                shift += 7
                if request[at] < 0x80:  # noqa: PLR2004 # the last byte of a varint
                    break
            at += 1 + length
            found[hashlib.sha256(request[start:at]).digest()] += 1
    return found


class Pair:
    """A gateway that reads files and sends them to another one, each a process on a CPU of its own."""

    def __init__(self, folder: Path, link: Link, copies: int, *, arrived: Path | None = None) -> None:
        self._folder, self._link, self._copies, self._arrived = folder, link, copies, arrived
        self._stack = ExitStack()
        self._relay: Relay | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        port, self._metrics = free_port(), free_port()
        one, two = machine.cpus()
        self._receiver = self._stack.enter_context(Measured(self._serve("receiver", self._receiving(port)), one))
        self._receiver.wait_until_listening(port, self._metrics)
        if self._arrived:
            self._relay = self._stack.enter_context(closing(Relay(port)))
            port = self._relay.port
        spool = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
        for copy in range(self._copies):
            shutil.copyfile(self._folder / "once.otlp", spool / f"{copy}.otlp")
        self._sender = self._stack.enter_context(Measured(self._serve("sender", self._sending(spool, port)), two))

    def _serve(self, name: str, configuration: dict[str, object]) -> list[str]:
        file = self._folder / f"{name}.json"
        file.write_text(json.dumps(configuration), encoding="utf-8")
        return [sys.executable, "-m", "millrace", "serve", "--quiet", "--config", str(file)]

    def _receiving(self, port: int) -> dict[str, object]:
        arrived = {"path": str(self._arrived), "format": "proto", "fsync": False}
        exporters: dict[str, object] = {"file": arrived} if self._arrived else {"nop": {}}
        reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self._metrics}}}}
        return {
            "receivers": {"otlp": {"protocols": {self._link.protocol: {"endpoint": f"127.0.0.1:{port}"}}}},
            "exporters": exporters,
            "service": {
                "telemetry": {"metrics": {"readers": [reader]}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": list(exporters)}},
            },
        }

    def _sending(self, spool: Path, port: int) -> dict[str, object]:
        exporter = "otlp" if self._link.protocol == "grpc" else "otlphttp"
        to: dict[str, object] = {"endpoint": f"http://127.0.0.1:{port}", "compression": self._link.coding}
        return {
            "receivers": {"file": {"include": [str(spool / "*.otlp")], "start_at": "beginning"}},
            "exporters": {exporter: to},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["file"], "exporters": [exporter]}},
            },
        }

    def wait(self, spans: int) -> Instant:
        """Wait until so many spans have arrived."""
        deadline = time.monotonic() + PATIENCE_S
        while (arrived := self._accepted()) < spans:
            if time.monotonic() > deadline or not self._sender.is_running():
                raise StartError(f"{arrived} of {spans} spans arrived over {self._link.protocol} {self._link.coding}")
            time.sleep(POLL_S)
        wire_bytes = self._relay.bytes if self._relay else 0
        return Instant(arrived, time.monotonic(), self._sender.cpu_s(), self._receiver.cpu_s(), wire_bytes)

    def _accepted(self) -> int:
        with urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as page:  # our own page
            return int(sum(float(number) for number in _ACCEPTED.findall(page.read().decode())))


class Relay:
    """Passes connections on and counts what travels towards their destination."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._to = port
        self.port: int = self._listener.getsockname()[1]
        self.bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass, args=(client, server), kwargs={"counts": True}, daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, *, counts: bool = False) -> None:
        try:
            while data := source.recv(1 << 18):
                if counts:
                    self.bytes += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()
