"""Spans for the browser tests, and the answers of the viewer's API that are made of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

STATUS = ("UNSET", "OK", "ERROR")
Json = dict[str, Any]


@dataclass
class Span:
    """One span; times in nanoseconds, the parent as a position in its trace."""

    span_id: str
    parent: int
    service: str
    name: str
    start: int
    duration: int
    kind: str = "INTERNAL"
    status: int = 0
    message: str = ""
    attributes: Json = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    links: list[Json] = field(default_factory=list)


@dataclass
class Trace:
    """A trace, its root first; `problems` as the server would tell them."""

    trace_id: str
    spans: list[Span]
    problems: list[str] = field(default_factory=list)

    @property
    def start(self) -> int:
        """When its first span began."""
        return min(span.start for span in self.spans)

    @property
    def duration(self) -> int:
        """From its first start to its last end."""
        return max(span.start + span.duration for span in self.spans) - self.start

    @property
    def errors(self) -> int:
        """How many of its spans failed."""
        return sum(span.status == STATUS.index("ERROR") for span in self.spans)


def attributes_of(values: Json) -> list[Json]:
    """A mapping as the API writes attributes."""
    types = {bool: "bool", int: "int", float: "double", list: "array", dict: "kvlist"}
    return [
        {"key": key, "type": types.get(type(value), "string"), "value": str(value) if type(value) is int else value}
        for key, value in values.items()
    ]


def summary(trace: Trace) -> Json:
    """A trace as an item of the list."""
    services: dict[str, Json] = {}
    for span in trace.spans:
        counts = services.setdefault(span.service, {"name": span.service, "spans": 0, "errors": 0})
        counts["spans"] += 1
        counts["errors"] += span.status == STATUS.index("ERROR")
    root = trace.spans[0]
    return {
        "trace_id": trace.trace_id, "service": root.service, "name": root.name,
        "start_time_unix_nano": str(trace.start), "duration_ns": trace.duration, "spans": len(trace.spans),
        "errors": trace.errors, "services": list(services.values()),
    }  # fmt: skip


def columns(trace: Trace) -> Json:
    """A trace as columns, in the order of start times."""
    order = sorted(range(len(trace.spans)), key=lambda at: trace.spans[at].start)
    place = {at: row for row, at in enumerate(order)}
    spans = [trace.spans[at] for at in order]
    begin = trace.start
    words: dict[str, dict[str, int]] = {"service": {}, "name": {}, "kind": {}}

    def numbered(what: str) -> list[int]:
        known = words[what]
        return [known.setdefault(getattr(span, what), len(known)) for span in spans]

    rows = {
        "span_id": [span.span_id for span in spans],
        "parent": [place.get(span.parent, -1) for span in spans],
        "service": numbered("service"), "name": numbered("name"), "kind": numbered("kind"),
        "start_ns": [span.start - begin for span in spans],
        "duration_ns": [span.duration for span in spans],
        "status": [span.status for span in spans],
        "events": [len(span.events) for span in spans],
        "links": [len(span.links) for span in spans],
    }  # fmt: skip
    return {
        "trace_id": trace.trace_id, "start_time_unix_nano": str(begin), "duration_ns": trace.duration,
        "services": list(words["service"]), "names": list(words["name"]), "kinds": list(words["kind"]),
        "spans": rows, "problems": trace.problems,
    }  # fmt: skip


def detail(trace: Trace, span: Span) -> Json:
    """One span in full."""
    return {
        "span_id": span.span_id,
        "parent_span_id": trace.spans[span.parent].span_id if 0 <= span.parent < len(trace.spans) else "",
        "name": span.name, "kind": span.kind, "service": span.service,
        "start_time_unix_nano": str(span.start), "end_time_unix_nano": str(span.start + span.duration),
        "status": {"code": STATUS[span.status], "message": span.message},
        "attributes": attributes_of(span.attributes),
        "resource": attributes_of({"service.name": span.service, "host.name": "mill-7", "process.pid": 4711}),
        "scope": {"name": "opentelemetry.instrumentation.asgi", "version": "0.66b1", "attributes": []},
        "events": [{**event, "attributes": attributes_of(event["attributes"])} for event in span.events],
        "links": [{**link, "attributes": attributes_of(link["attributes"])} for link in span.links],
        "dropped": {"attributes": 0, "events": 0, "links": 0}, "trace_state": "",
    }  # fmt: skip


def latencies(durations: Iterable[int]) -> Json:
    """Quantiles of durations."""
    ordered = sorted(durations) or [0]
    return {f"p{part}_ns": ordered[len(ordered) * part // 101] for part in (50, 95, 99)}


def all_spans(traces: Iterable[Trace]) -> Iterator[Span]:
    """The spans of all of them."""
    for trace in traces:
        yield from trace.spans


def services(traces: list[Trace]) -> list[Json]:
    """Every service with its rates and latencies."""
    found = defaultdict(list)
    for span in all_spans(traces):
        found[span.service].append(span)
    return [
        {
            "name": name, "spans": len(spans), "errors": sum(span.status == STATUS.index("ERROR") for span in spans),
            "rate_per_s": len(spans) / 3600, **latencies(span.duration for span in spans),
            "operations": len({span.name for span in spans}),
        }
        for name, spans in found.items()
    ]  # fmt: skip


def operations(traces: list[Trace], service: str) -> list[Json]:
    """Names of spans, the most frequent first."""
    found = defaultdict(list)
    for span in all_spans(traces):
        if service in {"", span.service}:
            found[span.service, span.name, span.kind].append(span)
    rows = [
        {
            "service": key[0], "name": key[1], "kind": key[2], "spans": len(spans),
            "errors": sum(span.status == STATUS.index("ERROR") for span in spans),
            **latencies(span.duration for span in spans),
        }
        for key, spans in found.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row["spans"])


def service_map(traces: list[Trace]) -> Json:
    """Who calls whom."""
    found = defaultdict(list)
    for trace in traces:
        for span in trace.spans:
            if 0 <= span.parent < len(trace.spans) and trace.spans[span.parent].service != span.service:
                found[trace.spans[span.parent].service, span.service].append(span)
    nodes = [{"service": row.pop("name"), **row} for row in services(traces)]
    edges = [
        {
            "from": key[0], "to": key[1], "calls": len(spans),
            "errors": sum(span.status == STATUS.index("ERROR") for span in spans),
            **latencies(span.duration for span in spans),
        }
        for key, spans in found.items()
    ]  # fmt: skip
    return {"nodes": nodes, "edges": edges}


def compared(a: list[Span], b: list[Span]) -> Json:
    """Two groups of spans, operation by operation."""
    sides: dict[tuple[str, str], tuple[list[Span], list[Span]]] = {}
    for at, spans in enumerate((a, b)):
        for span in spans:
            sides.setdefault((span.service, span.name), ([], []))[at].append(span)
    items = []
    for (service, name), both in sides.items():
        means = [sum(span.duration for span in spans) / max(1, len(spans)) for spans in both]
        if not both[0] or not both[1]:
            state = "gone" if both[0] else "new"
        elif max(means) <= 1.25 * min(means):
            state = "same"
        else:
            state = "slower" if means[1] > means[0] else "faster"
        numbers = [
            {
                "count": len(spans),
                "mean_ns": mean,
                "errors": sum(span.status == STATUS.index("ERROR") for span in spans),
            }
            for spans, mean in zip(both, means, strict=True)
        ]
        items.append({"service": service, "name": name, "state": state, "a": numbers[0], "b": numbers[1]})
    return {"items": items}
