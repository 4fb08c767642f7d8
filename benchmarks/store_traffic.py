"""Traces in the shape of the OpenTelemetry demo, made once and sent again and again with new ids and later times."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = 20
PODS = 55
OPERATIONS = 85
SPANS_IN_TRACE = 14
SPANS_IN_REQUEST = 1_000
SECOND = 10**9
START = 1_750_000_000 * SECOND


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004 - seven bits at a time
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _delimited(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _fixed64(number: int, value: int) -> bytes:
    return _varint(number << 3 | 1) + value.to_bytes(8, "little")


def _pair(number: int, key: str, value: str | float) -> bytes:
    if isinstance(value, str):
        content = _delimited(1, value.encode())
    elif isinstance(value, int):
        content = _varint(3 << 3) + _varint(value)
    else:
        content = _varint(4 << 3 | 1) + np.float64(value).tobytes()
    return _delimited(number, _delimited(1, key.encode()) + _delimited(2, content))


class Traffic:
    """Requests of a thousand spans each; every call of `next_round` gives all of them, as if time had gone on."""

    def __init__(self, spans: int, seed: int = 7, *, every_s: float | None = None) -> None:
        """Make one round of so many spans; a later one begins `every_s` after it, unless that is too soon."""
        self._random = random.Random(seed)  # noqa: S311 - the same traffic each time
        self._ids: list[tuple[int, int]] = []
        self._round = 0
        self.spans = spans
        self.seconds = max(1, spans // 10_000)
        self._every_ns = int(max(every_s or 0, self.seconds + 1) * SECOND)
        self._pods = [self._resource(number) for number in range(PODS)]
        self._requests = [self._request(index, SPANS_IN_REQUEST) for index in range(max(1, spans // SPANS_IN_REQUEST))]

    def _resource(self, pod: int) -> bytes:
        service = f"service-{pod % SERVICES}"
        fixed = {f"k8s.label.{number}": f"value {number} of {service}" for number in range(24)}
        attributes = {
            "service.name": service,
            "k8s.pod.name": f"{service}-{self._random.getrandbits(40):010x}",
            "k8s.pod.ip": f"10.1.{pod}.{self._random.randrange(256)}",
            "process.pid": self._random.randrange(1, 40_000),
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.language": ("go", "java", "nodejs", "python")[pod % 4],
            "host.name": f"node-{pod % 6}",
            **fixed,
        }
        return _delimited(1, b"".join(_pair(1, key, value) for key, value in attributes.items()))

    def _request(self, index: int, count: int) -> tuple[bytearray, list[int], list[int], list[int]]:
        """Return the bytes of a request, and where in them trace ids, span ids and times stand."""
        by_pod: dict[int, list[tuple[bytes, list[tuple[int, str]]]]] = {}
        base = START + index * self.seconds * SECOND * SPANS_IN_REQUEST // max(self.spans, SPANS_IN_REQUEST)
        made = 0
        while made < count:
            trace, known = self._random.randbytes(16), [b""]
            at = base + self._random.randrange(SECOND)
            for depth in range(min(SPANS_IN_TRACE, count - made)):
                operation = self._random.randrange(OPERATIONS)
                pod = (operation * 7 + self._random.randrange(3) * SERVICES) % PODS
                own = self._random.randbytes(8)
                span = self._span(
                    trace, own, known[max(0, self._random.randrange(len(known)))], operation, at + depth * 10**6
                )
                known.append(own)
                by_pod.setdefault(pod, []).append(span)
                made += 1
        return _assemble([(self._pods[pod], spans) for pod, spans in by_pod.items()])

    def _span(
        self, trace: bytes, own: bytes, parent: bytes, operation: int, at: int
    ) -> tuple[bytes, list[tuple[int, str]]]:
        rng = self._random
        start = at + rng.randrange(10**6)
        end = start + int(rng.lognormvariate(15, 1.5))
        marks: list[tuple[int, str]] = []
        out = bytearray()

        def mark(kind: str, content: bytes, length: int) -> None:
            out.extend(content)
            marks.append((len(out) - length, kind))

        mark("trace", _delimited(1, trace), 16)
        mark("span", _delimited(2, own), 8)
        if parent:
            mark("span", _delimited(4, parent), 8)
        out += _delimited(5, f"{('GET', 'POST')[operation % 2]} /api/{operation}".encode())
        out += _varint(6 << 3) + _varint(1 + operation % 5)
        mark("time", _fixed64(7, start), 8)
        mark("time", _fixed64(8, end), 8)
        attributes: dict[str, str | float] = {
            "http.request.method": ("GET", "POST")[operation % 2],
            "http.route": f"/api/{operation}",
            "http.response.status_code": 500 if rng.random() < 0.004 else 200,  # noqa: PLR2004 - a share
            "server.address": f"service-{operation % SERVICES}",
            "server.port": 8080,
            "network.peer.address": f"10.1.{rng.randrange(PODS)}.7",
            "network.peer.port": 30_000 + rng.randrange(20_000),
            "app.user.id": f"user-{rng.randrange(2_000)}",
        }
        if operation % 4 == 0:
            attributes["app.order.amount"] = rng.randrange(10_000) / 100
        if operation % 10 == 0:
            attributes["app.session.id"] = f"session-{rng.randrange(5_000)}"
        out += b"".join(_pair(9, key, value) for key, value in attributes.items())
        if rng.random() < 0.29:  # noqa: PLR2004 - events for each span of the demo
            before = len(out)
            event = _fixed64(1, start + (end - start) // 2) + _delimited(2, b"message") + _pair(3, "message.id", 1)
            out += _delimited(11, event)
            marks.append((before + len(_delimited(11, event)) - len(event) + 1, "time"))
        return bytes(out), marks

    def one_trace(self, trace: bytes, spans: int, at: int) -> Iterator[bytes]:
        """Return requests with a single trace, each span a child of one of the last hundred."""
        known: list[bytes] = []
        for begin in range(0, spans, SPANS_IN_REQUEST):
            by_pod: dict[int, list[tuple[bytes, list[tuple[int, str]]]]] = {}
            for number in range(begin, min(begin + SPANS_IN_REQUEST, spans)):
                own = self._random.randbytes(8)
                operation = self._random.randrange(OPERATIONS)
                parent = self._random.choice(known[-100:]) if known else b""
                made = self._span(trace, own, parent, operation, at + number * 100_000)
                by_pod.setdefault((operation * 7) % PODS, []).append(made)
                known.append(own)
            yield bytes(_assemble([(self._pods[pod], made) for pod, made in by_pod.items()])[0])

    def next_round(self) -> Iterator[bytes]:
        """Return each request, with ids that no round before had and times after those of the round before."""
        masks = random.Random(self._round)  # noqa: S311 - the same traffic each time
        trace = np.frombuffer(masks.randbytes(16), np.uint8)
        span = np.frombuffer(masks.randbytes(8), np.uint8)
        shift = np.uint64(self._round * self._every_ns)
        self._round += 1
        for content, traces, spans, times in self._requests:
            new = np.frombuffer(bytes(content), np.uint8).copy()
            new[np.add.outer(traces, np.arange(16))] ^= trace
            new[np.add.outer(spans, np.arange(8))] ^= span
            places = np.add.outer(times, np.arange(8))
            moved = new[places].view(np.uint64) + shift
            new[places] = moved.view(np.uint8).reshape(places.shape)
            yield new.tobytes()


def _assemble(
    pods: list[tuple[bytes, list[tuple[bytes, list[tuple[int, str]]]]]],
) -> tuple[bytearray, list[int], list[int], list[int]]:
    out = bytearray()
    found: dict[str, list[int]] = {"trace": [], "span": [], "time": []}
    scope_head = _delimited(1, _delimited(1, b"demo") + _delimited(2, b"1.0"))
    for resource, spans in pods:
        scope = bytearray(scope_head)
        places = []
        for content, marks in spans:
            field = _delimited(2, content)
            places += [(len(scope) + len(field) - len(content) + at, kind) for at, kind in marks]
            scope += field
        scope_field = _delimited(2, bytes(scope))
        whole = _delimited(1, resource + scope_field)
        start = len(out) + len(whole) - len(scope)
        for at, kind in places:
            found[kind].append(start + at)
        out += whole
    return out, found["trace"], found["span"], found["time"]
