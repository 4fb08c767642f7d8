"""The suite `viewer`: from the click on a trace of 100,000 spans until it can be scrolled, and how smoothly it scrolls.

Everything is real: `millrace serve`, its store and its API, and Chromium. The browser is on the same machine.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import machine, noise
from benchmarks.measured import Measured, free_port
from millrace.store.catalogue import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "viewer"
CHROMIUM = "/usr/bin/chromium"
SPANS = 100_000
QUICK_SPANS = 10_000
RUNS = 7
CHUNK = 100
REQUEST_SPANS = 1_000
SETTLED_S = 2.0
SCROLL_S = 4.0
LINE_PX = 26
MS = 10**6
STEPS = (("postgres", "INSERT rows", 3), ("parser", "parse", 1), ("storage", "PUT object", 3), ("queue", "publish", 4))

WATCH = """spans => {
    const seen = {};
    window.measured = new Promise(done => {
        addEventListener('click', event => { seen.click = event.timeStamp; look(); }, { capture: true, once: true });
        const look = () => {
            const tree = document.querySelector(`[role=treegrid][aria-rowcount="${spans}"]`);
            if (!tree?.querySelector('[role=row]')) { requestAnimationFrame(look); return; }
            seen.rows = performance.now();
            tree.scrollTop = tree.scrollHeight / 2;  // it can be scrolled when rows of its middle are on the screen
            const middle = () => {
                const row = tree.querySelector('[role=row]');
                if (Math.abs(Number(row.ariaRowIndex) - spans / 2) > 200) { requestAnimationFrame(middle); return; }
                requestAnimationFrame(() => setTimeout(() => { seen.scrolled = performance.now(); done(seen); }));
            };
            requestAnimationFrame(middle);
        };
    });
}"""
"""Watches for the click, and for the frame after which rows in the middle of the trace have been drawn."""

FETCH = """() => {
    const [entry] = performance.getEntriesByType('resource').filter(each => /traces\\/[0-9a-f]{32}$/.test(each.name));
    const mark = name => performance.getEntriesByName(name).at(-1)?.startTime ?? null;
    return {
        sent: entry.requestStart, first_byte: entry.responseStart, last_byte: entry.responseEnd,
        bytes: entry.decodedBodySize, received: mark('trace received'), modelled: mark('trace modelled'),
    };
}"""

SCROLL = """([seconds, pixels]) => new Promise(done => {
    const tree = document.querySelector('[role=treegrid]');
    const times = [];
    tree.scrollTop = 0;
    const frame = now => {
        times.push(now);
        if (now - times[0] > 1000 * seconds) { done(times.slice(1).map((time, at) => time - times[at])); return; }
        // A number of pixels is a step down; without one, each frame is somewhere else.
        tree.scrollTop = pixels ?? null
            ? (tree.scrollTop + pixels) % (tree.scrollHeight - tree.clientHeight)
            : (times.length * 7_919_000) % (tree.scrollHeight - tree.clientHeight);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
})"""


def run(*, quick: bool, peers: Sequence[str], patience_s: float) -> dict[str, Any]:  # noqa: ARG001 - no peers here
    """Measure all of it, and return the results with the machine that they are of."""
    if not Path(CHROMIUM).exists():
        raise SystemExit(f"{NAME} is measured in {CHROMIUM}, which is missing: `apt-get install chromium` adds it")
    described = machine.describe()
    spans = QUICK_SPANS if quick else SPANS
    with tempfile.TemporaryDirectory(prefix="millrace-viewer-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        versions = {"Chromium": browser.version}
        with _Server(Path(folder)) as server:
            for request in _requests(spans, time.time_ns() - 60_000 * MS):
                server.send(request)
            server.settle()
            noise.wait_for_quiet(patience_s)
            opened = [_opened(browser, server.url, spans, scroll=False) for _ in range(1 if quick else RUNS)]
            scrolled = _opened(browser, server.url, spans, scroll=True)
        browser.close()
    print(f"{NAME}: measured", file=sys.stderr)
    return {
        "suite": NAME,
        "quick": quick,
        "spans": spans,
        "opened": opened,
        "scrolled": scrolled["frames_ms"],
        "versions": versions,
        "machine": described,
    }


def _opened(browser: Browser, url: str, spans: int, *, scroll: bool) -> dict[str, Any]:
    """Open the trace from the list by a click, in a browser that has seen nothing but the list."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{url}/")
    link = page.get_by_role("grid", name="Traces").get_by_role("link").first
    link.wait_for()
    page.evaluate(WATCH, spans)
    link.click()
    seen = page.evaluate("window.measured")
    fetched = page.evaluate(FETCH)
    found = {
        "total_ms": seen["scrolled"] - seen["click"],
        "server_ms": fetched["first_byte"] - fetched["sent"],
        "transfer_ms": fetched["last_byte"] - fetched["first_byte"],
        "parse_ms": fetched["received"] - fetched["last_byte"],
        "model_ms": fetched["modelled"] - fetched["received"],
        "draw_ms": seen["rows"] - fetched["modelled"],
        "scroll_ms": seen["scrolled"] - seen["rows"],
        "bytes": fetched["bytes"],
    }
    if scroll:
        ways = (("steady", 3 * LINE_PX), ("jumps", None))
        found["frames_ms"] = {name: _frames(page, pixels) for name, pixels in ways}
    context.close()
    return found


def _frames(page: Page, pixels: int | None) -> list[float]:
    """Return the times between frames while it is scrolled so far in each of them."""
    found: list[float] = page.evaluate(SCROLL, [SCROLL_S, pixels])
    return [round(each, 2) for each in found]


class _Server:
    """`millrace serve` with a store of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._http, ui, grpc = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{ui}"
        places = {"--grpc": grpc, "--http": self._http, "--ui": ui}
        addresses = [word for option, port in places.items() for word in (option, f"127.0.0.1:{port}")]
        command = [sys.executable, "-m", "millrace", "serve", "--data", str(path), *addresses]
        gateway, others = machine.cpus()
        self._process = Measured(command, gateway | others)
        self._process.wait_until_listening(self._http, ui)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.__exit__(*exception)

    def send(self, request: dict[str, Any]) -> None:
        """Send spans."""
        connection = http.client.HTTPConnection("127.0.0.1", self._http)
        connection.request("POST", "/v1/traces", json.dumps(request), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if answer.status != http.client.OK:
            raise RuntimeError(f"the receiver answered {answer.status}: {said[:200]!r}")

    def settle(self) -> None:
        """Wait until nothing is merged any more."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < SETTLED_S:
            now = [file.path for file in look(self.path, "traces")]
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.1)


def _requests(spans: int, start: int) -> Iterator[dict[str, Any]]:
    """Make requests of one trace: a batch job with chunks one after the other, and steps of other services in each."""
    dice = random.Random(11)  # noqa: S311 - the same trace each time
    trace_id = f"{dice.getrandbits(128):032x}"
    ids = [f"{dice.getrandbits(64):016x}" for _ in range(spans)]
    chunks = range(1, spans, CHUNK)
    whole = len(chunks) * 10 * MS
    by_service: dict[str, list[dict[str, Any]]] = {}

    def span(at: int, parent: int | None, what: tuple[str, str, int], begin: int, length: int) -> None:
        service, name, kind = what
        failed = dice.random() < 0.001  # noqa: PLR2004 - a share
        by_service.setdefault(service, []).append(
            {
                "traceId": trace_id, "spanId": ids[at], "parentSpanId": "" if parent is None else ids[parent],
                "name": name, "kind": kind, "startTimeUnixNano": str(begin), "endTimeUnixNano": str(begin + length),
                "status": {"code": 2, "message": "row refused"} if failed else {},
                "attributes": [
                    {"key": "batch.item", "value": {"intValue": str(at)}},
                    {"key": "server.address", "value": {"stringValue": f"{service}.internal"}},
                    {"key": "batch.size", "value": {"intValue": str(dice.randrange(500))}},
                ],
            }
        )  # fmt: skip

    span(0, None, ("batch", "nightly import", 1), start, whole)
    for number, chunk in enumerate(chunks):
        begin = start + number * 10 * MS
        span(chunk, 0, ("batch", "import chunk", 1), begin, 9_500_000)
        for step, at in enumerate(range(chunk + 1, min(chunk + CHUNK, spans))):
            span(at, chunk, STEPS[step % len(STEPS)], begin + step * 95_000, dice.randrange(10_000, 90_000))
        if sum(map(len, by_service.values())) >= REQUEST_SPANS or chunk == chunks[-1]:
            yield _request(by_service)
            by_service.clear()


def _request(by_service: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"scope": {"name": "benchmarks"}, "spans": found}],
            }
            for service, found in by_service.items()
        ]
    }
