"""Exporters of metrics in Python, and the reader that gives them what it collects at an interval."""

import math
import os
import sys
import weakref
from abc import ABC, abstractmethod
from enum import Enum
from logging import getLogger
from threading import Event, Lock, Thread
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from millrace.sdk.metrics._preference import milliseconds
from millrace.sdk.metrics._reader import MetricReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from millrace.sdk.metrics._aggregation import Aggregation, AggregationTemporality
    from millrace.sdk.metrics._points import MetricsData

_log = getLogger("millrace.sdk.metrics")

_INTERVAL_DEFAULT_MS = 60_000
_TIMEOUT_DEFAULT_MS = 30_000


class MetricExportResult(Enum):
    """What became of an export."""

    SUCCESS = 0
    FAILURE = 1


class MetricExporter(ABC):
    """Sends metrics somewhere, in Python."""

    def __init__(
        self,
        preferred_temporality: "dict[type, AggregationTemporality] | None" = None,
        preferred_aggregation: "dict[type, Aggregation] | None" = None,
    ) -> None:
        self._preferred_temporality = preferred_temporality
        self._preferred_aggregation = preferred_aggregation

    @abstractmethod
    def export(self, metrics_data: "MetricsData", timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:  # noqa: ANN401
        """Send what was collected. Is never called while it runs."""
        raise NotImplementedError

    @abstractmethod
    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what is held back."""
        raise NotImplementedError

    @abstractmethod
    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ANN401
        """Stop sending."""
        raise NotImplementedError


class ConsoleMetricExporter(MetricExporter):
    """Writes metrics as JSON to a stream, standard output by default."""

    def __init__(
        self,
        out: IO[str] | None = None,
        formatter: "Callable[[MetricsData], str]" = lambda metrics_data: metrics_data.to_json() + os.linesep,
        preferred_temporality: "dict[type, AggregationTemporality] | None" = None,
        preferred_aggregation: "dict[type, Aggregation] | None" = None,
    ) -> None:
        super().__init__(preferred_temporality, preferred_aggregation)
        self.out = sys.stdout if out is None else out
        self.formatter = formatter

    def export(self, metrics_data: "MetricsData", timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:  # noqa: ANN401, ARG002
        """Write it."""
        self.out.write(self.formatter(metrics_data))
        self.out.flush()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        """Return True: nothing is held back."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ANN401
        """Do nothing: the stream is its owner's."""


class PeriodicExportingMetricReader(MetricReader):
    """Collects at an interval and gives it to an exporter in Python, one export after the other.

    The interval is `OTEL_METRIC_EXPORT_INTERVAL` (60000) and the time for one export `OTEL_METRIC_EXPORT_TIMEOUT`
    (30000), in milliseconds, unless they are given; an infinite interval means only on request. Raises `ValueError` for
    an interval that is not above 0.
    """

    _component_type = "periodic_metric_reader"

    def __init__(
        self,
        exporter: Any,  # noqa: ANN401 - of ours or of upstream's
        export_interval_millis: float | None = None,
        export_timeout_millis: float | None = None,
    ) -> None:
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)  # noqa: SLF001
        if export_interval_millis is None:
            export_interval_millis = milliseconds("OTEL_METRIC_EXPORT_INTERVAL", _INTERVAL_DEFAULT_MS)
        if export_timeout_millis is None:
            export_timeout_millis = milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", _TIMEOUT_DEFAULT_MS)
        if export_interval_millis <= 0:
            raise ValueError(f"interval value {export_interval_millis} is invalid and needs to be larger than zero.")
        self._exporter = exporter
        self._export_interval_millis = export_interval_millis
        self._export_timeout_millis = export_timeout_millis
        self._begin()
        _begin_in_children(self)

    def _begin(self) -> None:
        """Begin with fresh locks and a fresh thread: also in a forked child, which has neither."""
        self._export_lock = Lock()
        self._shutdown = False
        self._shutdown_event = Event()
        self._daemon_thread: Thread | None = None
        if self._export_interval_millis < math.inf:
            reader = weakref.ref(self)
            self._daemon_thread = Thread(
                name="MillracePeriodicExportingMetricReader",
                target=_tick,
                args=(reader, self._shutdown_event, self._export_interval_millis / 1e3),
                daemon=True,
            )
            self._daemon_thread.start()

    def _collect_guarded(self) -> None:
        try:
            self.collect(timeout_millis=self._export_timeout_millis)
        except Exception:  # noqa: BLE001 - it is logged with its trace
            _log.exception("Collecting metrics failed; it is tried again at the next interval.")

    def _receive_metrics(self, metrics_data: "MetricsData", timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: FBT003
        try:
            with self._export_lock:
                self._exporter.export(metrics_data, timeout_millis=timeout_millis)
        except Exception:  # noqa: BLE001 - it is logged with its trace
            _log.exception("Exception while exporting metrics")
        finally:
            detach(token)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Collect and export a last time, within the timeout."""
        deadline = monotonic() + timeout_millis / 1e3
        if self._shutdown:
            _log.warning("Can't shutdown multiple times")
            return
        self._shutdown = True
        self._shutdown_event.set()
        if self._daemon_thread is not None:
            self._daemon_thread.join(timeout=max(0.0, deadline - monotonic()))
        self._exporter.shutdown(timeout_millis=max(0.0, deadline - monotonic()) * 1e3)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect, export, and flush the exporter; return whether that worked."""
        super().force_flush(timeout_millis=timeout_millis)
        return self._exporter.force_flush(timeout_millis=timeout_millis) is not False


def _tick(reference: "weakref.ref[PeriodicExportingMetricReader]", stop: Event, interval_s: float) -> None:
    """Collect at the interval and at the end. Holds no reference between: a forgotten reader ends its thread."""
    is_last = False
    while not is_last:
        is_last = stop.wait(interval_s)
        reader = reference()
        if reader is None:
            return
        reader._collect_guarded()  # noqa: SLF001 - a part of the reader
        del reader


def _begin_in_children(reader: PeriodicExportingMetricReader) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    begin = weakref.WeakMethod(reader._begin)  # noqa: SLF001 - a part of the reader

    def after_in_child() -> None:
        in_child = begin()
        if in_child is not None:
            in_child()

    os.register_at_fork(after_in_child=after_in_child)
