"""Metric readers: the base class, the one that hands bytes to the engine, and the one of tests."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from logging import getLogger
from threading import RLock
from time import perf_counter
from typing import TYPE_CHECKING, Any

from millrace.sdk import environment
from millrace.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED
from millrace.sdk.metrics import _instruments as made
from millrace.sdk.metrics._aggregation import AggregationTemporality, DefaultAggregation

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from millrace.sdk.metrics._aggregation import Aggregation
    from millrace.sdk.metrics._points import MetricsData
    from millrace.sdk.self_metrics import CollectionTimes

_log = getLogger("millrace.sdk.metrics")

_CUMULATIVE, _DELTA = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA

# Each kind of instrument, under the class that users name it by.
_NAMED: Mapping[type, type] = {kind.__base__: kind for kind in made.MADE if kind.__base__ is not None}


class MetricReader(ABC):
    """Collects metrics of the provider it is given to.

    `preferred_temporality` and `preferred_aggregation` say, by the class of the instrument, since when points count
    (cumulative by default) and how measurements become points, unless a view says otherwise. Raises an exception for a
    temporality or a class that there is not.
    """

    _component_type: str | None = None
    """Of what the SDK counts of itself; by default the name of the class."""
    _times: "CollectionTimes | None" = None

    def __init__(
        self,
        preferred_temporality: "dict[type, AggregationTemporality] | None" = None,
        preferred_aggregation: "dict[type, Aggregation] | None" = None,
        **_kwargs: Any,  # noqa: ANN401 - upstream's, for the same
    ) -> None:
        self._collect: Callable[..., MetricsData | None] | None = None
        self._preferred_temporality = preferred_temporality
        self._instrument_class_temporality: dict[type, AggregationTemporality] = dict.fromkeys(made.MADE, _CUMULATIVE)
        self._instrument_class_aggregation: dict[type, Aggregation] = {kind: DefaultAggregation() for kind in made.MADE}
        for temporality in (preferred_temporality or {}).values():
            if temporality not in {_CUMULATIVE, _DELTA}:
                raise Exception(f"Invalid temporality value found {temporality}")  # noqa: TRY002 - upstream's
        for named, temporality in (preferred_temporality or {}).items():
            self._instrument_class_temporality[_made(named)] = AggregationTemporality(temporality)
        for named, aggregation in (preferred_aggregation or {}).items():
            self._instrument_class_aggregation[_made(named)] = aggregation

    def collect(self, timeout_millis: float = 10_000) -> None:
        """Collect, and receive what was collected. Raises `MetricsTimeoutError` when callbacks take longer."""
        if self._collect is None:
            _log.warning("Cannot call collect on a MetricReader until it is registered on a MeterProvider")
            return
        began = perf_counter()
        try:
            metrics = self._collect(self, timeout_millis=timeout_millis)
        finally:
            self._record_time(began)
        if metrics is not None:
            self._receive_metrics(metrics, timeout_millis=timeout_millis)

    def _set_collect_callback(self, func: "Callable[..., MetricsData | None] | None") -> None:
        self._collect = func

    def _set_meter_provider(self, meter_provider: "MeterProvider") -> None:
        """Learn who counts what the SDK itself does, where a variable asks for that."""
        if environment.boolean(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED):
            from millrace.sdk.self_metrics import CollectionTimes  # noqa: PLC0415 - for those who ask

            self._times = CollectionTimes(self._component_type or type(self).__qualname__, meter_provider)

    def _record_time(self, began: float) -> None:
        if self._times is not None:
            self._times.record(perf_counter() - began)

    @abstractmethod
    def _receive_metrics(self, metrics_data: "MetricsData", timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ANN401
        """Take what was collected."""
        raise NotImplementedError

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect now; return whether that worked."""
        self.collect(timeout_millis=timeout_millis)
        return True

    @abstractmethod
    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ANN401
        """Stop collecting."""
        raise NotImplementedError


def _made(named: type) -> type:
    """Return the class that meters make for a class that users name; upstream's classes count by their names."""
    kind = _NAMED.get(named)
    if kind is None and named.__module__.startswith("opentelemetry.sdk."):
        kind = next((ours for users, ours in _NAMED.items() if users.__name__ == named.__name__), None)
    if kind is None:
        raise Exception(f"Invalid instrument class found {named}")  # noqa: TRY002 - upstream's
    return kind


class InMemoryMetricReader(MetricReader):
    """Collects when it is asked to, and returns what it collected: for tests."""

    def __init__(
        self,
        preferred_temporality: "dict[type, AggregationTemporality] | None" = None,
        preferred_aggregation: "dict[type, Aggregation] | None" = None,
    ) -> None:
        super().__init__(preferred_temporality, preferred_aggregation)
        self._lock = RLock()
        self._metrics_data: MetricsData | None = None

    def get_metrics_data(self) -> "MetricsData | None":
        """Collect, and return what was collected."""
        with self._lock:
            self.collect()
            metrics_data, self._metrics_data = self._metrics_data, None
        return metrics_data

    def _receive_metrics(self, metrics_data: "MetricsData", timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        with self._lock:
            self._metrics_data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ANN401
        """Do nothing: there is nothing to stop."""


class EngineMetricReader(MetricReader):
    """Hands what it collects to the engine as the bytes of a request; no Python object is made of a point.

    Temporality and the aggregation of histograms are those of `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` and
    `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`, unless they are given. `exporter` is which of the
    engine's exporters of metrics sends them.
    """

    _component_type = "periodic_metric_reader"

    def __init__(
        self,
        engine: Any,  # noqa: ANN401 - the native engine
        preferred_temporality: "dict[type, AggregationTemporality] | None" = None,
        preferred_aggregation: "dict[type, Aggregation] | None" = None,
        *,
        exporter: int = 0,
    ) -> None:
        from millrace.sdk.metrics._preference import aggregation_of_histograms, temporality  # noqa: PLC0415 - a circle

        super().__init__(
            {**temporality(), **(preferred_temporality or {})},
            {**aggregation_of_histograms(), **(preferred_aggregation or {})},
        )
        self._engine = engine
        self._exporter = exporter

    def _set_request_callback(self, func: "Callable[[float], bytes | None] | None") -> None:
        self._engine.collect_metrics(func, self._exporter)

    def _receive_metrics(self, metrics_data: "MetricsData", timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ANN401
        raise NotImplementedError("the engine takes bytes")

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Let the engine collect and export everything it has."""
        return bool(self._engine.force_flush(timeout_millis / 1e3))

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Collect and export a last time, and stop collecting. The engine goes on for the other signals."""
        self._engine.force_flush(timeout_millis / 1e3)
        self._engine.collect_metrics(None, self._exporter)
