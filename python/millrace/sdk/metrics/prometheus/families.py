"""Metric families: collected metrics as Prometheus knows them, also to be kept in a file and to be added up."""

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from millrace.sdk.metrics.prometheus.names import label_name, label_value, labels, metric_name, unit_word

__all__ = ["COUNTER", "GAUGE", "HISTOGRAM", "SUM", "Exemplar", "Families", "Family", "Labels", "Options", "Value"]

_log = logging.getLogger("millrace.sdk.metrics")

COUNTER, GAUGE, SUM, HISTOGRAM = "counter", "gauge", "sum", "histogram"
"""What a family holds; a `SUM` may go down, so that Prometheus calls it a gauge, too."""

Labels: TypeAlias = tuple[tuple[str, str], ...]
_SAMPLES = {
    COUNTER: ("", "_total", "_created"),
    GAUGE: ("",),
    SUM: ("",),
    HISTOGRAM: ("", "_bucket", "_count", "_sum", "_created"),
}
"""The ends of the names that a family takes, in either format."""

_EXEMPLAR_CHARACTERS_MAX = 128  # of all names and values together (OpenMetrics: Exemplars)


class Exemplar(NamedTuple):
    """One measurement, with the trace it belongs to."""

    labels: Mapping[str, str]
    value: float
    time_s: float


class Value(NamedTuple):
    """What one set of labels stands at."""

    number: float
    """The value; of a histogram the sum of its measurements."""
    counts: Sequence[int] = ()
    """Of a histogram: how many measurements are in each bucket."""
    bounds: Sequence[float] = ()
    exemplars: Sequence[Exemplar | None] = ()
    """Of a counter one, of a histogram one for each bucket."""


class Options(NamedTuple):
    """What a reader is to leave out, and to add."""

    prefix: str = ""
    scope_labels: bool = True
    resource_attribute_filter: Callable[[str], bool] | None = None


class Family:
    """All series of one name."""

    def __init__(self, name: str, kind: str, unit: str, documentation: str) -> None:
        self.name = name
        self.kind = kind
        self.unit = unit
        self.documentation = documentation
        self.series: dict[Labels, Value] = {}

    def add(self, of: Labels, value: Value) -> None:
        """Add a value to what these labels stand at; of a gauge, the last one counts."""
        before = self.series.get(of)
        self.series[of] = value if before is None or self.kind == GAUGE else _sum(before, value)


class Families:
    """Families by their names, none of which hides another one's."""

    def __init__(self, families: Iterable[Family] = (), resource: Mapping[str, str] | None = None) -> None:
        self.by_name: dict[str, Family] = {}
        self.resource = dict(resource or {})
        """The labels of `target_info`."""
        self._taken: dict[str, str] = {}
        for family in families:
            found = self.family(family.name, family.kind, family.unit, family.documentation)
            if found is not None:
                found.series = family.series

    def family(self, name: str, kind: str, unit: str, documentation: str) -> Family | None:
        """Return the family of a name, or `None` where that would be two things at once; which is said."""
        known = self.by_name.get(name)
        if known is not None and known.kind == kind:
            return known
        samples = [name + end for end in _SAMPLES[kind]]
        other = next((self._taken[sample] for sample in samples if sample in self._taken), None)
        if other is not None:
            _warn_once(
                f"the {kind} {name} is left out: its names are those of the metric {other}; a view can rename one"
            )
            return None
        self._taken.update(dict.fromkeys(samples, name))
        self.by_name[name] = made = Family(name, kind, unit, documentation)
        return made

    def add_collected(self, metrics_data: Any, options: Options) -> None:  # noqa: ANN401 - of ours or of upstream's
        """Add what a reader has collected."""
        for resource_metrics in metrics_data.resource_metrics:
            attributes = resource_metrics.resource.attributes
            self.resource = labels(attributes.items())
            chosen = options.resource_attribute_filter
            of_resource = {key: value for key, value in attributes.items() if chosen is not None and chosen(key)}
            for scope_metrics in resource_metrics.scope_metrics:
                of_scope = _scope_attributes(scope_metrics.scope) if options.scope_labels else {}
                for metric in scope_metrics.metrics:
                    self._add_metric(metric, of_resource | of_scope, options.prefix)

    def _add_metric(self, metric: Any, common: Mapping[str, Any], prefix: str) -> None:  # noqa: ANN401 - as above
        kind = _kind(metric.data)
        if kind is None:
            _warn_once(f"the metric {metric.name} is left out: Prometheus's text has no exponential histograms")
            return
        unit = unit_word(metric.unit or "", kind)
        name = metric_name(f"{prefix}_{metric.name}" if prefix else metric.name, unit, kind)
        family = self.family(name, kind, unit if name.endswith(f"_{unit}") else "", metric.description or "")
        if family is None:
            return
        for point in metric.data.data_points:
            of = labels([*common.items(), *point.attributes.items()])
            if kind == HISTOGRAM and "le" in of:
                of["exported_le"] = of.pop("le")
            family.add(tuple(sorted(of.items())), _value(kind, point))


def _kind(data: Any) -> str | None:  # noqa: ANN401 - as above
    match type(data).__name__:
        case "Sum":
            return COUNTER if data.is_monotonic else SUM
        case "Gauge":
            return GAUGE
        case "Histogram":
            return HISTOGRAM
    return None


def _scope_attributes(scope: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    found = {f"otel_scope_{key}": value for key, value in (scope.attributes or {}).items()}
    own = {"name": scope.name, "version": scope.version, "schema_url": scope.schema_url}
    return found | {f"otel_scope_{key}": value for key, value in own.items() if value}


def _value(kind: str, point: Any) -> Value:  # noqa: ANN401 - as above
    if kind == HISTOGRAM:
        bounds = tuple(point.explicit_bounds)
        found: list[Exemplar | None] = [None] * (len(bounds) + 1)
        for exemplar in map(_exemplar, point.exemplars):
            bucket = bisect_left(bounds, exemplar.value)
            other = found[bucket]
            if other is None or other.value < exemplar.value:
                found[bucket] = exemplar
        return Value(point.sum, tuple(point.bucket_counts), bounds, found if any(found) else ())
    if kind == COUNTER and point.exemplars:
        return Value(point.value, exemplars=(max(map(_exemplar, point.exemplars), key=lambda one: one.time_s),))
    return Value(point.value)


def _exemplar(exemplar: Any) -> Exemplar:  # noqa: ANN401 - as above
    ids = {}
    if exemplar.trace_id and exemplar.span_id:
        ids = {"trace_id": f"{exemplar.trace_id:032x}", "span_id": f"{exemplar.span_id:016x}"}
    attributes = exemplar.filtered_attributes or {}
    full = {label_name(key): label_value(value) for key, value in attributes.items()} | ids
    fits = sum(len(name) + len(value) for name, value in full.items()) <= _EXEMPLAR_CHARACTERS_MAX
    return Exemplar(full if fits else ids, exemplar.value, exemplar.time_unix_nano / 1e9)


def _sum(one: Value, other: Value) -> Value:
    """Return two values together; histograms with other bounds cannot be, and the newer one counts."""
    if tuple(one.bounds) != tuple(other.bounds):
        return other
    counts = [sum(pair) for pair in zip(one.counts, other.counts, strict=True)]
    return Value(one.number + other.number, counts, one.bounds, _newer(one.exemplars, other.exemplars))


def _newer(one: Sequence[Exemplar | None], other: Sequence[Exemplar | None]) -> Sequence[Exemplar | None]:
    if not one or not other:
        return one or other
    pairs = zip(one, other, strict=True)
    return [max((a, b), key=lambda exemplar: exemplar.time_s if exemplar else 0.0) for a, b in pairs]


_warned: set[str] = set()


def _warn_once(sentence: str) -> None:
    if sentence not in _warned:
        _warned.add(sentence)
        _log.warning("Prometheus: %s. This is said once.", sentence)
