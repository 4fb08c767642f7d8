"""Makes the objects that Python readers receive of what was collected natively.

They are of upstream's classes when those are imported already, because exporters written for them ask for their type;
else they are of ours, which have the same fields.
"""

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace.sdk.instrumentation import InstrumentationScope
    from millrace.sdk.metrics._points import MetricsData
    from millrace.sdk.resources import Resource


def metrics_data(
    scopes: Sequence[tuple[int, Sequence[tuple[Any, ...]]]],
    known: "Sequence[InstrumentationScope]",
    resource: "Resource",
) -> "MetricsData | None":
    """Return the collection as an object, or `None` when there is no point in it."""
    if not scopes:
        return None
    made = _Made()
    scope_metrics = [
        made.points.ScopeMetrics(
            scope=made.scope(known[number]),
            metrics=[made.metric(*metric) for metric in metrics],
            schema_url=known[number].schema_url,
        )
        for number, metrics in scopes
    ]
    resource_metrics = made.points.ResourceMetrics(
        resource=resource, scope_metrics=scope_metrics, schema_url=resource.schema_url
    )
    data: MetricsData = made.points.MetricsData(resource_metrics=[resource_metrics])
    return data


class _Made:
    """The classes that are made, upstream's or ours."""

    points: ModuleType

    def __init__(self) -> None:
        upstream = sys.modules.get("opentelemetry.sdk.metrics")
        if upstream is not None and hasattr(upstream, "export"):
            self.points = upstream.export
            self.exemplar_class = upstream.Exemplar
            self.scope_class: Any = sys.modules["opentelemetry.sdk.util.instrumentation"].InstrumentationScope
            self.temporality = upstream.export.AggregationTemporality
        else:
            from millrace.sdk.metrics import _points  # noqa: PLC0415 - only for Python readers
            from millrace.sdk.metrics._aggregation import AggregationTemporality  # noqa: PLC0415
            from millrace.sdk.metrics._exemplar import Exemplar  # noqa: PLC0415

            self.points = _points
            self.exemplar_class = Exemplar
            self.scope_class = None
            self.temporality = AggregationTemporality

    def scope(self, scope: "InstrumentationScope") -> Any:  # noqa: ANN401 - a scope of ours or of upstream's
        if self.scope_class is None or isinstance(scope, self.scope_class):
            return scope
        return self.scope_class(scope.name, scope.version, scope.schema_url, scope.attributes)

    def metric(
        self,
        name: str,
        description: str,
        unit: str,
        kind: str,
        is_delta: bool,  # noqa: FBT001
        is_monotonic: bool,  # noqa: FBT001
        bounds: Sequence[float],
        points: Sequence[tuple[Any, ...]],
    ) -> Any:  # noqa: ANN401 - a metric of ours or of upstream's
        temporality = self.temporality.DELTA if is_delta else self.temporality.CUMULATIVE
        if kind == "explicit":
            data = self.points.Histogram([self._explicit(bounds, *point) for point in points], temporality)
        elif kind == "exponential":
            data = self.points.ExponentialHistogram([self._exponential(*point) for point in points], temporality)
        elif kind == "sum":
            data = self.points.Sum([self._number(*point) for point in points], temporality, is_monotonic)
        else:
            data = self.points.Gauge([self._number(*point) for point in points])
        return self.points.Metric(name=name, description=description, unit=unit, data=data)

    def _number(self, attributes: Any, start: int, time: int, exemplars: Any, value: float) -> Any:  # noqa: ANN401
        return self.points.NumberDataPoint(
            attributes=attributes,
            start_time_unix_nano=start or None,
            time_unix_nano=time,
            value=value,
            exemplars=self._exemplars(exemplars),
        )

    def _explicit(self, bounds: Any, attributes: Any, start: int, time: int, exemplars: Any, value: Any) -> Any:  # noqa: ANN401
        count, total, least, greatest, counts = value
        return self.points.HistogramDataPoint(
            attributes=attributes,
            start_time_unix_nano=start,
            time_unix_nano=time,
            count=count,
            sum=total,
            bucket_counts=counts,
            explicit_bounds=bounds,
            min=least,
            max=greatest,
            exemplars=self._exemplars(exemplars),
        )

    def _exponential(self, attributes: Any, start: int, time: int, exemplars: Any, value: Any) -> Any:  # noqa: ANN401
        count, total, least, greatest, scale, zero_count, positive, negative = value
        return self.points.ExponentialHistogramDataPoint(
            attributes=attributes,
            start_time_unix_nano=start,
            time_unix_nano=time,
            count=count,
            sum=total,
            scale=scale,
            zero_count=zero_count,
            positive=self._buckets(*positive),
            negative=self._buckets(*negative),
            flags=0,
            min=least,
            max=greatest,
            exemplars=self._exemplars(exemplars),
        )

    def _buckets(self, offset: int, counts: list[int]) -> Any:  # noqa: ANN401
        return self.points.Buckets(offset=offset, bucket_counts=counts)

    def _exemplars(self, exemplars: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [self.exemplar_class(*exemplar) for exemplar in exemplars]
