"""A server that speaks the viewer's API over made-up telemetry, for tests that need to know every number beforehand."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.viewer import nasty, shop, spans
from tests.viewer.spans import Json, Trace

STATIC = Path(__file__).parents[2] / "python/millrace/api/static"
POLICY = "default-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
"""What the real server sends, and the stricter of the two where they differ."""
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HUGE = "e" * 32
"""The id of a trace that is made when it is first asked for."""
Query = dict[str, list[str]]


@cache
def _huge() -> Trace:
    return nasty.huge(time.time_ns())


@dataclass
class Telemetry:
    """What a backend answers with."""

    now: int
    traces: list[Trace] = field(default_factory=list)
    logs: list[Json] = field(default_factory=list)
    metrics: list[Json] = field(default_factory=list)
    hidden: dict[str, Trace] = field(default_factory=dict)
    """Traces that can be opened but are in no list."""
    live: list[Json] = field(default_factory=list)
    """What a live view is sent at once."""
    asked: list[str] = field(default_factory=list)
    """Every request for the API, in order."""
    down: bool = False


def shop_telemetry(now: int | None = None) -> Telemetry:
    """The shop's last hour, and the traces that are hard to show."""
    now = now or time.time_ns()
    found = shop.traces(now)
    hidden = [nasty.markup(now), nasty.crooked(now), nasty.endless(), nasty.deep(now)]
    return Telemetry(now, found, shop.logs(found), shop.METRICS, {trace.trace_id: trace for trace in hidden})


def nasty_telemetry() -> Telemetry:
    """Markup in every list."""
    now = time.time_ns() - 1_000_000_000
    trace = nasty.markup(now)
    return Telemetry(now, [trace], nasty.markup_log(now, trace), nasty.markup_metrics())


class Answers:
    """The API's answers, one method for each path."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._all = telemetry

    def status(self, _: Query) -> Json:
        """What this server holds."""
        rows = {
            "traces": len(list(spans.all_spans(self._all.traces))),
            "logs": len(self._all.logs),
            "metrics": sum(metric["points"] for metric in self._all.metrics),
        }
        newest = max((trace.start for trace in self._all.traces), default=None)
        return {
            "version": "0.1.0", "uptime_s": 12.0, "read_only": False,
            "addresses": {"grpc": "127.0.0.1:4317", "http": "127.0.0.1:4318", "ui": "127.0.0.1:4319"},
            "signals": {signal: {"rows": count} for signal, count in rows.items()},
            "store": {
                "path": "/home/ada/.local/share/millrace", "bytes": 1234 * sum(rows.values()), "files": 7,
                "oldest_unix_nano": None, "newest_unix_nano": None if newest is None else str(newest),
            },
        }  # fmt: skip

    def services(self, _: Query) -> Json:
        """Every service."""
        return {"items": spans.services(self._all.traces), "next": None}

    def operations(self, query: Query) -> Json:
        """Operations of one service, or all."""
        return {"items": spans.operations(self._all.traces, _one(query, "service")), "next": None}

    def map(self, _: Query) -> Json:
        """Who calls whom."""
        return spans.service_map(self._all.traces)

    def traces(self, query: Query) -> Json:
        """Traces that fulfil every condition."""
        found = [trace for trace in self._all.traces if _matches(trace, query)]
        if _one(query, "order") == "slowest":
            found.sort(key=lambda trace: -trace.duration)
        return _page([spans.summary(trace) for trace in found], query)

    def attributes(self, _: Query) -> Json:
        """Keys of attributes."""
        keys = sorted({key for span in spans.all_spans(self._all.traces) for key in span.attributes})
        return {"items": [{"key": key, "count": 7} for key in keys], "next": None}

    def values(self, query: Query) -> Json:
        """Values of one attribute."""
        key = _one(query, "key")
        found = {str(span.attributes[key]) for span in spans.all_spans(self._all.traces) if key in span.attributes}
        return {"items": [{"value": value, "count": 3} for value in sorted(found)], "next": None}

    def logs(self, query: Query) -> Json:
        """Log records that fulfil every condition."""
        wanted = {key: _one(query, key) for key in ("service", "trace_id", "span_id") if _one(query, key)}
        least = int(_one(query, "severity_min") or 0)
        text = _one(query, "q").lower()
        found = [
            record
            for record in self._all.logs
            if all(record[key] == value for key, value in wanted.items())
            and record["severity_number"] >= least
            and text in record["body"].lower()
            and _within(int(record["time_unix_nano"]), query)
        ]
        return _page(found, query)

    def metrics(self, _: Query) -> Json:
        """Every metric."""
        return {"items": self._all.metrics, "next": None}

    def metric(self, query: Query) -> Json:
        """One metric over time."""
        return shop.metric(self._all.now, query, self._all.traces)

    def compare(self, query: Query) -> Json:
        """Two traces, or two runs."""
        if _one(query, "a"):
            a, b = (self.find(_one(query, side)).spans for side in ("a", "b"))
            return spans.compared(a, b)
        runs = [
            [
                span
                for trace in self._all.traces
                if int(_one(query, f"{side}_start")) <= trace.start < int(_one(query, f"{side}_end"))
                for span in trace.spans
            ]
            for side in ("a", "b")
        ]
        return spans.compared(*runs)

    def find(self, trace_id: str) -> Trace:
        """One trace; `KeyError` when there is none."""
        if trace_id == HUGE:
            return _huge()
        known = {trace.trace_id: trace for trace in self._all.traces} | self._all.hidden
        return known[trace_id]

    def sample(self) -> Json:
        """Make the shop's telemetry arrive."""
        filled = shop_telemetry(self._all.now)
        self._all.traces, self._all.logs, self._all.metrics = filled.traces[:1], filled.logs[:2], filled.metrics[:1]
        return {"trace_id": self._all.traces[0].trace_id}


def _one(query: Query, name: str) -> str:
    return query.get(name, [""])[0]


def _within(time_ns: int, query: Query) -> bool:
    return int(_one(query, "start") or 0) <= time_ns < int(_one(query, "end") or 2**65)


def _matches(trace: Trace, query: Query) -> bool:
    text = _one(query, "q").lower()
    service, operation, status = (_one(query, name) for name in ("service", "operation", "status"))
    pairs = [pair.split("=", 1) for pair in query.get("attribute", [])]
    return (
        _within(trace.start, query)
        and int(_one(query, "min_duration_ns") or 0) <= trace.duration <= int(_one(query, "max_duration_ns") or 2**65)
        and (not service or any(span.service == service for span in trace.spans))
        and (not operation or any(span.name == operation for span in trace.spans))
        and (status != "error" or trace.errors > 0)
        and (not text or any(text in span.name.lower() for span in trace.spans))
        and all(any(str(span.attributes.get(key)) == value for span in trace.spans) for key, value in pairs)
    )


def _page(items: list[Json], query: Query) -> Json:
    start, limit = int(_one(query, "cursor") or 0), int(_one(query, "limit") or 100)
    shown = items[start : start + limit]
    return {"items": shown, "next": str(start + limit) if start + limit < len(items) else None}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if not url.path.startswith("/api/v1/"):
            self._file(url.path)
            return
        self.server.telemetry.asked.append(self.path)
        if self.server.telemetry.down:
            self._json({"error": "The store is being repaired."}, HTTPStatus.SERVICE_UNAVAILABLE)
        elif url.path == "/api/v1/live":
            self._live(parse_qs(url.query))
        else:
            self._answer(url.path.removeprefix("/api/v1/"), parse_qs(url.query))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._json(self.server.answers.sample())

    def _answer(self, path: str, query: Query) -> None:
        names = {"attributes/values": "values", "metrics/query": "metric"}
        parts = [unquote(part) for part in path.split("/")]
        try:
            if parts[0] == "traces" and len(parts) > 1:
                trace = self.server.answers.find(parts[1])
                if len(parts) == 2:
                    self._body(self.server.columns(trace), "application/json")
                else:
                    self._json(spans.detail(trace, next(span for span in trace.spans if span.span_id == parts[3])))
            else:
                self._json(getattr(self.server.answers, names.get(path, path))(query))
        except KeyError:
            self._json({"error": f"no span of trace {parts[-1][:80]} is kept here"}, HTTPStatus.NOT_FOUND)

    def _live(self, query: Query) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        stopping = self.server.stopping
        signal = query["signal"][0]
        for item in self.server.telemetry.live if signal == "traces" else self.server.telemetry.logs[:1]:
            self.wfile.write(f"data: {json.dumps(item)}\n\n".encode())
        self.wfile.write(b'event: dropped\ndata: {"count":3}\n\n')
        self.wfile.flush()
        stopping.wait()

    def _file(self, path: str) -> None:
        file = STATIC / path.lstrip("/")
        if not file.is_file():
            file = STATIC / "index.html"
        self._body(file.read_bytes(), TYPES.get(file.suffix, "text/plain"))

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:  # noqa: ANN401 - anything JSON can say
        self._body(json.dumps(value).encode(), "application/json", status)

    def _body(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-security-policy", POLICY)
        self.send_header("x-content-type-options", "nosniff")
        self.send_header("cache-control", "public, max-age=3600" if self.path.startswith("/assets/") else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests read what was asked from `Telemetry.asked`."""


class Server(ThreadingHTTPServer):
    """Serves one telemetry after the other from one address, so that a browser keeps what it has compiled."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stopping = Event()
        self.serve_now(Telemetry(0))

    def serve_now(self, telemetry: Telemetry) -> None:
        """Answer with this from now on."""
        self.stopping.set()  # ends live views of what was served before
        self.stopping = Event()
        self.telemetry = telemetry
        self.answers = Answers(telemetry)
        kept = getattr(self, "_columns", {})
        self._columns: dict[str, bytes] = {id_: body for id_, body in kept.items() if id_ == HUGE}

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.server_port}"

    def columns(self, trace: Trace) -> bytes:
        """A trace as columns; made once, so that a measurement is one of the browser."""
        if trace.trace_id not in self._columns:
            self._columns[trace.trace_id] = json.dumps(spans.columns(trace)).encode()
        return self._columns[trace.trace_id]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's
        """A page that is left closes its connections: that is no error."""


@contextmanager
def running() -> Iterator[Server]:
    """Serve."""
    server = Server()
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
