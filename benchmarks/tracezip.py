"""The suite `tracezip`: sizes, cost and state beside general compressors, on recorded and generated telemetry."""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import demo_shape, machine, noise, tracezip_logs
from benchmarks.measured import pinned
from benchmarks.tracezip_codecs import codecs, for_logs
from millrace import _native, files, otlp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME = "tracezip"
RUNS = 3
GENERATED_SPANS = 60_000
WARM_SPANS = 20_000
"""Of the generated spans, those that are sent before anything counts: a session lives longer than a measurement."""
RECORDED = "otel-demo-traces.otlp.zst"
STATE_POINTS = 12


def run(*, quick: bool, peers: Sequence[str], patience_s: float) -> dict[str, Any]:  # noqa: ARG001 # the peers are compressors
    """Measure each data set with each codec on one CPU."""
    described = machine.describe()
    _native.keep_freed_memory()  # as a gateway does
    results = []
    for name, requests, warm in _data(quick=quick):
        noise.wait_for_quiet(patience_s)
        with pinned(machine.cpus()[0]):
            results.append(_measure(name, requests, warm, runs=1 if quick else RUNS))
        print(f"{NAME}: {name} measured", file=sys.stderr)
    logs = [_measure_logs(name, requests) for name, requests in _logs(quick=quick)]
    return {"suite": NAME, "quick": quick, "machine": described, "data": results, "logs": logs}


def _logs(*, quick: bool) -> list[tuple[str, list[bytes]]]:
    """Data sets of log records by name."""
    own = tracezip_logs.recorded(quick=quick)
    whole = otlp.merge("logs", own)
    split = [(f"the shop's logs, {size:,} records", otlp.split_by_count("logs", whole, size)) for size in (1_000, 100)]
    return [("the shop's logs, its own requests", own), *split]


def _measure_logs(name: str, requests: list[bytes]) -> dict[str, Any]:
    """Sizes only, with every frame read back: the codec is the same as for traces."""
    records = sum(otlp.count("logs", request) for request in requests)
    sizes = {codec: _sizes(begin(), requests, 0) / records for codec, begin in for_logs().items()}
    sender, receiver = _native.TracezipCompressor(7), _native.TracezipDecompressor()
    sender.use_shapes("logs", yes=True)
    if [receiver.decompress(sender.compress("logs", request)) for request in requests] != requests:
        raise AssertionError("a request of log records did not come back byte for byte")
    raw = sum(map(len, requests)) / records
    return {"name": name, "requests": len(requests), "records": records, "raw": raw, "sizes": sizes}


def _data(*, quick: bool) -> list[tuple[str, list[bytes], int]]:
    """Data sets by name, each with the number of requests that only warm a session up."""
    sets = []
    folder = Path(os.environ.get("MILLRACE_DATA", str(machine.ROOT / "../shared/data")))
    if (folder / RECORDED).exists():
        # Messages with their lengths: an .otlp file.
        own = [request.data for request in files.read(folder / RECORDED, "traces", like=files.Format("otlp", "zst"))]
        whole = otlp.merge("traces", own)
        sets.append(("recorded demo, its own requests", own, 0))
        sets += [
            (f"recorded demo, {size:,} spans", otlp.split_by_count("traces", whole, size), 0) for size in (1_000, 100)
        ]
    for size in (100, 1_000, 10_000):
        requests = demo_shape.requests(GENERATED_SPANS // (4 if quick else 1), size)
        sets.append((f"demo-shaped, {size:,} spans", requests, WARM_SPANS // size // (4 if quick else 1)))
    return sets


def _measure(name: str, requests: list[bytes], warm: int, *, runs: int) -> dict[str, Any]:
    counted = requests[warm:]
    spans = sum(otlp.count("traces", request) for request in counted)
    sizes = {codec: _sizes(begin(), requests, warm) / spans for codec, begin in codecs().items()}
    zstd, ours = _codec("zstd-3"), _codec("tracezip")
    costs = [
        (_cost(zstd, requests, warm), _cost(ours, requests, warm), _decode_cost(requests, warm)) for _ in range(runs)
    ]
    names = ("zstd-3 encode", "tracezip encode", "tracezip decode")
    return {
        "name": name,
        "requests": len(counted),
        "spans": spans,
        "raw": sum(map(len, counted)) / spans,
        "sizes": sizes,
        "ns_per_span": {
            key: statistics.median(column) / spans for key, column in zip(names, zip(*costs, strict=True), strict=True)
        },
        "largest_excess": _largest_excess(requests),
        "state": _state(requests),
    }


def _codec(name: str) -> Callable[[], Callable[[bytes], int]]:
    return codecs()[name]


def _sizes(codec: Callable[[bytes], int], requests: list[bytes], warm: int) -> int:
    for request in requests[:warm]:
        codec(request)
    return sum(codec(request) for request in requests[warm:])


def _cost(begin: Callable[[], Callable[[bytes], int]], requests: list[bytes], warm: int) -> int:
    codec = begin()
    for request in requests[:warm]:
        codec(request)
    start = time.process_time_ns()
    for request in requests[warm:]:
        codec(request)
    return time.process_time_ns() - start


def _decode_cost(requests: list[bytes], warm: int) -> int:
    sender, receiver = _native.TracezipCompressor(7), _native.TracezipDecompressor()
    frames = [sender.compress("traces", request) for request in requests]
    for frame in frames[:warm]:
        receiver.decompress(frame)
    start = time.process_time_ns()
    rebuilt = [receiver.decompress(frame) for frame in frames[warm:]]
    taken = time.process_time_ns() - start
    if rebuilt != requests[warm:]:
        raise AssertionError("a request did not come back byte for byte")
    return taken


def _largest_excess(requests: list[bytes]) -> int:
    """How many bytes the worst frame of a session is above plain zstd."""
    ours, zstd = _codec("tracezip")(), _codec("zstd-3")()
    return max(ours(request) - zstd(request) for request in requests)


def _state(requests: list[bytes]) -> list[dict[str, int]]:
    """What both ends hold, as the session goes on."""
    sender, receiver = _native.TracezipCompressor(7), _native.TracezipDecompressor()
    points, spans = [], 0
    step = max(1, len(requests) // STATE_POINTS)
    for number, request in enumerate(requests, 1):
        receiver.decompress(sender.compress("traces", request))
        spans += otlp.count("traces", request)
        if number % step == 0 or number == len(requests):
            points.append({"spans": spans, "sender": sender.held, "receiver": receiver.held, "shapes": sender.shapes})
    return points
