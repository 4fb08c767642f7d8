"""Collected metrics as Python exporters know them: classes and fields of `opentelemetry.sdk.metrics.export`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from json import dumps, loads
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes

    from millrace.sdk.instrumentation import InstrumentationScope
    from millrace.sdk.metrics._aggregation import AggregationTemporality
    from millrace.sdk.metrics._exemplar import Exemplar
    from millrace.sdk.resources import Resource

__all__ = [
    "Buckets",
    "DataPointT",
    "DataT",
    "ExponentialHistogram",
    "ExponentialHistogramDataPoint",
    "Gauge",
    "Histogram",
    "HistogramDataPoint",
    "Metric",
    "MetricsData",
    "NumberDataPoint",
    "ResourceMetrics",
    "ScopeMetrics",
    "Sum",
]


class _Point:
    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        return dumps(asdict(self), indent=indent)  # type: ignore[call-overload] # every subclass is a dataclass


def _parts(items: Sequence[Any], indent: int | None) -> list[Any]:
    return [loads(item.to_json(indent=indent)) for item in items]


@dataclass(frozen=True)
class NumberDataPoint(_Point):
    """A point of a sum or gauge."""

    attributes: "Attributes"
    start_time_unix_nano: int | None
    time_unix_nano: int
    value: float
    exemplars: "Sequence[Exemplar]" = field(default_factory=list)


@dataclass(frozen=True)
class HistogramDataPoint(_Point):
    """A point of a histogram with explicit bounds."""

    attributes: "Attributes"
    start_time_unix_nano: int
    time_unix_nano: int
    count: int
    sum: float
    bucket_counts: Sequence[int]
    explicit_bounds: Sequence[float]
    min: float
    max: float
    exemplars: "Sequence[Exemplar]" = field(default_factory=list)


@dataclass(frozen=True)
class Buckets:
    """One side of an exponential histogram."""

    offset: int
    bucket_counts: Sequence[int]


@dataclass(frozen=True)
class ExponentialHistogramDataPoint(_Point):
    """A point of an exponential histogram."""

    attributes: "Attributes"
    start_time_unix_nano: int
    time_unix_nano: int
    count: int
    sum: float
    scale: int
    zero_count: int
    positive: Buckets
    negative: Buckets
    flags: int
    min: float
    max: float
    exemplars: "Sequence[Exemplar]" = field(default_factory=list)


@dataclass(frozen=True)
class ExponentialHistogram:
    """The points of an exponential histogram."""

    data_points: Sequence[ExponentialHistogramDataPoint]
    aggregation_temporality: "AggregationTemporality"

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        points = _parts(self.data_points, indent)
        return dumps({"data_points": points, "aggregation_temporality": self.aggregation_temporality}, indent=indent)


@dataclass(frozen=True)
class Sum:
    """The points of a sum."""

    data_points: Sequence[NumberDataPoint]
    aggregation_temporality: "AggregationTemporality"
    is_monotonic: bool

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        content = {
            "data_points": _parts(self.data_points, indent),
            "aggregation_temporality": self.aggregation_temporality,
            "is_monotonic": self.is_monotonic,
        }
        return dumps(content, indent=indent)


@dataclass(frozen=True)
class Gauge:
    """The points of a gauge."""

    data_points: Sequence[NumberDataPoint]

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        return dumps({"data_points": _parts(self.data_points, indent)}, indent=indent)


@dataclass(frozen=True)
class Histogram:
    """The points of a histogram with explicit bounds."""

    data_points: Sequence[HistogramDataPoint]
    aggregation_temporality: "AggregationTemporality"

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        points = _parts(self.data_points, indent)
        return dumps({"data_points": points, "aggregation_temporality": self.aggregation_temporality}, indent=indent)


DataT = Sum | Gauge | Histogram | ExponentialHistogram
DataPointT = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint


@dataclass(frozen=True)
class Metric:
    """A metric with its points."""

    name: str
    description: str | None
    unit: str | None
    data: DataT

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        content = {
            "name": self.name,
            "description": self.description or "",
            "unit": self.unit or "",
            "data": loads(self.data.to_json(indent=indent)),
        }
        return dumps(content, indent=indent)


@dataclass(frozen=True)
class ScopeMetrics:
    """The metrics of an instrumentation scope."""

    scope: "InstrumentationScope"
    metrics: Sequence[Metric]
    schema_url: str

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        content = {
            "scope": loads(self.scope.to_json(indent=indent)),
            "metrics": _parts(self.metrics, indent),
            "schema_url": self.schema_url,
        }
        return dumps(content, indent=indent)


@dataclass(frozen=True)
class ResourceMetrics:
    """The metrics of a resource."""

    resource: "Resource"
    scope_metrics: Sequence[ScopeMetrics]
    schema_url: str

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        content = {
            "resource": loads(self.resource.to_json(indent=indent)),
            "scope_metrics": _parts(self.scope_metrics, indent),
            "schema_url": self.schema_url,
        }
        return dumps(content, indent=indent)


@dataclass(frozen=True)
class MetricsData:
    """All metrics of one collection."""

    resource_metrics: Sequence[ResourceMetrics]

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        return dumps({"resource_metrics": _parts(self.resource_metrics, indent)}, indent=indent)
