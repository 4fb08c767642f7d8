"""Spans as a trace of Chrome's format, which ui.perfetto.dev and chrome://tracing show."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from millrace import otlp

__all__ = ["write_chrome"]


class _Slice(NamedTuple):
    start: int
    end: int
    name: str
    attributes: dict[str, Any]


def write_chrome(requests: Iterable[bytes], file: TextIO) -> int:
    """Write the spans of requests; return how many there are.

    A service is a process, and each of its tracks holds spans that lie within or after each other, as the format wants.
    """
    services: dict[str, list[_Slice]] = {}
    for request in requests:
        for service, one in _slices(json.loads(otlp.to_json("traces", request))):
            services.setdefault(service, []).append(one)
    file.write('{"displayTimeUnit":"ms","traceEvents":[\n')
    count, separator = 0, ""
    for process, (service, slices) in enumerate(sorted(services.items()), 1):
        named = {"ph": "M", "name": "process_name", "pid": process, "args": {"name": service}}
        file.write(separator + json.dumps(named))
        separator = ",\n"
        for track, one in _on_tracks(slices):
            event = {
                "ph": "X",
                "name": one.name,
                "pid": process,
                "tid": track,
                "ts": one.start / 1_000,
                "dur": (one.end - one.start) / 1_000,
                "args": one.attributes,
            }
            file.write(separator + json.dumps(event, ensure_ascii=False))
            count += 1
    file.write("\n]}\n")
    return count


def _slices(request: dict[str, Any]) -> Iterator[tuple[str, _Slice]]:
    for resource in request.get("resourceSpans", ()):
        service = str(_plain(resource.get("resource", {})).get("service.name", ""))
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                start, end = int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))
                ids = {"trace_id": span.get("traceId", ""), "span_id": span.get("spanId", "")}
                yield service, _Slice(start, max(start, end), span.get("name", ""), ids | _plain(span))


def _plain(owner: dict[str, Any]) -> dict[str, Any]:
    """Attributes by key; what has structure stays as OTLP writes it."""
    return {one.get("key", ""): next(iter(one.get("value", {}).values()), None) for one in owner.get("attributes", ())}


def _on_tracks(slices: list[_Slice]) -> Iterator[tuple[int, _Slice]]:
    """Place each slice on the first track where it lies within or after what is there."""
    tracks: list[list[int]] = []
    for one in sorted(slices, key=lambda one: (one.start, -one.end)):
        number = next((at for at, track in enumerate(tracks) if _fits(one, track)), len(tracks))
        if number == len(tracks):
            tracks.append([])
        tracks[number].append(one.end)
        yield number, one


def _fits(one: _Slice, open_ends: list[int]) -> bool:
    """Tell whether a slice may follow on a track, of which the ends of what is still open are known."""
    while open_ends and open_ends[-1] <= one.start:
        open_ends.pop()
    return not open_ends or one.end <= open_ends[-1]
