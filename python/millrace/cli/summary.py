"""Counts what a file of requests holds: by signal, by service, by scope and name."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from millrace import otlp

__all__ = ["Summary"]

_ENVELOPES: dict[otlp.Signal, tuple[str, str, str]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "profiles": ("resourceProfiles", "scopeProfiles", "profiles"),
}
_POINTS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
_STATUS_ERROR = 2
_SEVERITY_ERROR = 17


class _Item(NamedTuple):
    name: str
    error: bool
    time: int


class Summary:
    """What was found so far. Grows with the number of different names, not with the file."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.requests = 0
        self._signals: dict[otlp.Signal, dict[str, Any]] = {}
        self._names: Counter[tuple[str, otlp.Signal, str, str]] = Counter()
        self._errors: Counter[tuple[str, otlp.Signal]] = Counter()

    def add(self, signal: otlp.Signal, size: int, checked: otlp.Summary, request: dict[str, Any]) -> None:
        """Count one request, given as OTLP/JSON that was read."""
        self.requests += 1
        empty = {"requests": 0, "items": 0, "invalid": 0, "bytes": 0, "first": 0, "last": 0}
        total = self._signals.setdefault(signal, empty)
        total["requests"] += 1
        total["items"] += checked.items
        total["invalid"] += checked.invalid
        total["bytes"] += size
        resources, scopes, items = _ENVELOPES[signal]
        for resource in request.get(resources, ()):
            service = _service(resource)
            for scope in resource.get(scopes, ()):
                scope_name = scope.get("scope", {}).get("name", "")
                for item in (found for one in scope.get(items, ()) for found in _items(signal, one)):
                    self._names[service, signal, scope_name, item.name] += 1
                    self._errors[service, signal] += item.error
                    if item.time:
                        total["first"] = min(total["first"] or item.time, item.time)
                        total["last"] = max(total["last"], item.time)

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """Return the counts: `signals`, `services` and `names`, the most frequent first."""
        signals = [
            {"signal": signal, **total, "first": _time(total["first"]), "last": _time(total["last"])}
            for signal, total in self._signals.items()
        ]
        by_service: dict[tuple[str, otlp.Signal], list[int]] = {}
        for (service, signal, _, _), count in self._names.items():
            by_service.setdefault((service, signal), []).append(count)
        services = [
            {
                "service": service,
                "signal": signal,
                "items": sum(counts),
                "errors": self._errors[service, signal],
                "names": len(counts),
            }
            for (service, signal), counts in sorted(by_service.items(), key=lambda pair: (pair[0][1], -sum(pair[1])))
        ]
        ordered = sorted(self._names.items(), key=lambda pair: (pair[0][:3], -pair[1], pair[0][3]))
        names: list[dict[str, object]] = [
            {"service": service, "signal": signal, "scope": scope, "name": name, "count": count}
            for (service, signal, scope, name), count in ordered
        ]
        return {"signals": signals, "services": services, "names": names}


def _service(resource: dict[str, Any]) -> str:
    for attribute in resource.get("resource", {}).get("attributes", ()):
        if attribute.get("key") == "service.name":
            return str(next(iter(attribute.get("value", {}).values()), ""))
    return "(no service.name)"


def _items(signal: otlp.Signal, item: dict[str, Any]) -> Iterator[_Item]:
    name = item.get("name", "")
    match signal:
        case "traces":
            error = item.get("status", {}).get("code") == _STATUS_ERROR
            yield _Item(name, error, int(item.get("startTimeUnixNano", 0)))
        case "metrics":
            for kind in _POINTS:
                for point in item.get(kind, {}).get("dataPoints", ()):
                    yield _Item(name, error=False, time=int(point.get("timeUnixNano", 0)))
        case "logs":
            severity = item.get("severityNumber", 0)
            label = item.get("eventName") or item.get("severityText") or f"severity {severity}"
            time = int(item.get("timeUnixNano", 0)) or int(item.get("observedTimeUnixNano", 0))
            yield _Item(label, severity >= _SEVERITY_ERROR, time)
        case "profiles":
            yield _Item("profile", error=False, time=int(item.get("timeUnixNano", 0)))


def _time(nanoseconds: int) -> str:
    if not nanoseconds:
        return ""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError):  # a clock beyond the year 9999
        return f"{nanoseconds} ns"
