"""The meter provider: instruments, views and readers together."""

import atexit
import os
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property
from logging import getLogger
from threading import Lock, RLock
from time import monotonic, perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, NoOpMeter
from opentelemetry.metrics import MeterProvider as ApiMeterProvider

from millrace import _native
from millrace.sdk import environment
from millrace.sdk.environment_variables import OTEL_METRICS_EXEMPLAR_FILTER, OTEL_SDK_DISABLED
from millrace.sdk.instrumentation import InstrumentationScope
from millrace.sdk.metrics._attributes import clean
from millrace.sdk.runtime_context import install_runtime_context
from millrace.sdk.upstream import stand_in

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter as ApiMeter
    from opentelemetry.util.types import Attributes

    from millrace.sdk.metrics import _streams
    from millrace.sdk.metrics._meter import Meter, _MeterConfig
    from millrace.sdk.metrics._points import MetricsData
    from millrace.sdk.metrics.view import View
    from millrace.sdk.resources import Resource

_log = getLogger("millrace.sdk.metrics")

_CALLBACK_TIMEOUT_DEFAULT_MS = 10_000

_DEFAULT_FILTER = "trace_based"

# The names of upstream's classes, and of ours: what they do is done natively.
_FILTERS = {
    "AlwaysOnExemplarFilter": "always_on",
    "AlwaysOffExemplarFilter": "always_off",
    "TraceBasedExemplarFilter": "trace_based",
}


class MetricsTimeoutError(Exception):
    """Collecting, flushing or stopping took longer than it may."""


class _RegisteredReader:
    """A reader with what it prefers, and what it has of each instrument."""

    def __init__(self, number: int, reader: Any) -> None:  # noqa: ANN401 - of ours or of upstream's
        self.number = number
        self.reader = reader
        self.streams: list[tuple[View | None, _streams.Description]] = []

    @cached_property
    def preferred(self) -> "_streams.Preferences":
        from millrace.sdk.metrics import _streams  # noqa: PLC0415 - with the first instrument

        return _streams.preferences(self.reader)

    def add(self, instrument: Any, views: "Sequence[View]") -> None:  # noqa: ANN401 - one of this package
        from millrace.sdk.metrics import _streams  # noqa: PLC0415 - as above

        for view, description in _streams.describe(instrument, views, self.preferred):
            if view is not None:
                self._warn_of_conflicts(view, description)
            self.streams.append((view, description))
            instrument._core.add_stream(self.number, description)  # noqa: SLF001

    def _warn_of_conflicts(self, view: "View", new: "_streams.Description") -> None:
        def identity(one: "_streams.Description") -> tuple[Any, ...]:
            is_monotonic = one.is_monotonic if one.aggregation == "sum" else None
            return one.name.lower(), one.unit, one.aggregation, is_monotonic

        for other, known in self.streams:
            if identity(known) == identity(new):
                _log.warning("Views %s and %s will cause conflicting metrics identities", other, view)


class MeterProvider(ApiMeterProvider):
    """Makes meters, and gives readers what their instruments measured.

    Each reader collects for itself. Instruments that no view matches report by the default of their kind.
    `exemplar_filter` is `OTEL_METRICS_EXEMPLAR_FILTER` unless it is given; `shutdown_on_exit` collects a last time when
    the process exits.
    Raises an exception when a reader belongs to another provider.
    """

    _all_metric_readers_lock = Lock()
    _all_metric_readers: "weakref.WeakSet[Any]" = weakref.WeakSet()  # noqa: RUF012 - of the process

    def __init__(
        self,
        metric_readers: Sequence[Any] = (),
        resource: "Resource | None" = None,
        exemplar_filter: Any = None,  # noqa: ANN401 - of ours or of upstream's
        shutdown_on_exit: bool = True,  # noqa: FBT001, FBT002
        views: "Sequence[View]" = (),
        *,
        _engine: Any = None,  # noqa: ANN401 - the native engine
        _meter_configurator: "Callable[[InstrumentationScope], _MeterConfig] | None" = None,
    ) -> None:
        if resource is None:
            from millrace.sdk.resources import Resource  # noqa: PLC0415 - not for those who bring one

            resource = Resource.create({})
        self._sdk_config = SimpleNamespace(exemplar_filter=exemplar_filter, resource=resource, views=tuple(views))
        name = _named_filter() if exemplar_filter is None else _FILTERS.get(type(exemplar_filter).__name__)
        self._storage = _native.MetricStorage(name or "custom", None if name else exemplar_filter)
        self._tell_resource()
        self._meter_configurator = _meter_configurator
        self._disabled = environment.boolean(OTEL_SDK_DISABLED)
        self._shutdown = False
        self._atexit_handler: Callable[[], None] | None = None
        self._instruments: list[Any] = []
        self._observables: list[Any] = []
        self._meters: dict[InstrumentationScope, Meter] = {}
        self._scopes: list[InstrumentationScope] = []
        self._readers: dict[Any, _RegisteredReader] = {}
        self._next_reader = 0
        self._make_locks()
        self._engine = _engine
        for reader in metric_readers:
            with self._all_metric_readers_lock:
                if reader in self._all_metric_readers:
                    raise Exception(  # noqa: TRY002 - upstream's
                        f"MetricReader {reader} has been registered already in other MeterProvider instance"
                    )
                self._all_metric_readers.add(reader)
            self._register_reader(reader)
        stand_in("opentelemetry.sdk.metrics", type(self), "MeterProvider")
        # Exemplars find the current span where the native runtime context keeps it.
        install_runtime_context()
        if shutdown_on_exit:
            self._atexit_handler = atexit.register(self._shutdown_at_exit)
        _at_fork(self)

    def _make_locks(self) -> None:
        """Begin with fresh locks: also in a forked child, where another thread may have held them."""
        # Held while meters, instruments and readers come and go; a finalizer may come by while it is.
        self._lock = RLock()
        # Held while callbacks of the user's run, which may make instruments: so making one must not wait for it.
        self._collect_lock = RLock()

    def _in_child(self) -> None:
        self._make_locks()
        type(self)._all_metric_readers_lock = Lock()  # noqa: SLF001 - as above
        from millrace.sdk import resources  # noqa: PLC0415 - only in a child

        process_dependent = getattr(resources, "_get_process_dependent_resource", None)
        if process_dependent is not None:
            self._update_resource(process_dependent())

    def _tell_resource(self) -> None:
        resource = self._sdk_config.resource
        self._storage.set_resource(clean(resource.attributes), resource.schema_url or "")

    def _update_resource(self, resource: "Resource") -> None:
        self._sdk_config.resource = self._sdk_config.resource.merge(resource)
        self._tell_resource()

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: "Attributes" = None,
    ) -> "ApiMeter":
        """Return the meter of an instrumentation scope; without a name, or after shutdown, one that records nothing."""
        if self._disabled:
            return NoOpMeter(name, version=version, schema_url=schema_url)
        if self._shutdown:
            _log.warning("A shutdown `MeterProvider` can not provide a `Meter`")
            return NoOpMeter(name, version=version, schema_url=schema_url)
        if not name or not isinstance(name, str):
            _log.warning("Meter name cannot be None or empty.")
            return NoOpMeter(name, version=version, schema_url=schema_url)
        scope = InstrumentationScope(name, version, schema_url, attributes)
        with self._lock:
            meter = self._meters.get(scope)
            if meter is None:
                meter = self._meters[scope] = self._make_meter(scope)
        return meter

    def _make_meter(self, scope: InstrumentationScope) -> "Meter":
        from millrace.sdk.metrics._meter import Meter  # noqa: PLC0415 - a quarter of the start, for those who measure

        if self._engine is not None:
            from millrace.sdk.metrics._reader import EngineMetricReader  # noqa: PLC0415 - as above

            engine, self._engine = self._engine, None
            self.add_metric_reader(EngineMetricReader(engine))
        number = self._storage.add_scope(
            str(scope.name), str(scope.version or ""), str(scope.schema_url or ""), clean(scope.attributes or {})
        )
        self._scopes.append(scope)
        config = self._config_of(scope)
        return Meter(scope, _Registrar(self, number), _meter_config=config)

    def _config_of(self, scope: InstrumentationScope) -> "_MeterConfig":
        from millrace.sdk.metrics._meter import _MeterConfig  # noqa: PLC0415 - as above

        try:
            return self._meter_configurator(scope) if self._meter_configurator else _MeterConfig()
        except Exception:  # noqa: BLE001 - it is logged with its trace
            _log.exception("meter configurator failed for scope '%s', using default config", scope.name)
            return _MeterConfig()

    def _set_meter_configurator(self, *, meter_configurator: "Callable[[InstrumentationScope], _MeterConfig]") -> None:
        with self._lock:
            self._meter_configurator = meter_configurator
            for scope, meter in self._meters.items():
                meter._set_meter_config(self._config_of(scope))  # noqa: SLF001

    def _register_instrument(self, scope: int, instrument: Any) -> None:  # noqa: ANN401 - one of this package
        self._storage.add_instrument(scope, instrument._core)  # noqa: SLF001
        with self._lock:
            self._instruments.append(instrument)
            if hasattr(instrument, "_observe"):
                self._observables.append(instrument)
            for registered in self._readers.values():
                registered.add(instrument, self._sdk_config.views)

    def _register_reader(self, reader: Any) -> None:  # noqa: ANN401 - of ours or of upstream's
        with self._lock:
            registered = _RegisteredReader(self._next_reader, reader)
            self._next_reader += 1
            for instrument in self._instruments:
                registered.add(instrument, self._sdk_config.views)
            self._readers[reader] = registered
        if hasattr(reader, "_set_request_callback"):
            reader._set_request_callback(_Request(self, reader))  # noqa: SLF001
        reader._set_collect_callback(self._collect)  # noqa: SLF001 - all readers have it
        if hasattr(reader, "_set_meter_provider"):
            reader._set_meter_provider(self)  # noqa: SLF001

    def add_metric_reader(self, metric_reader: Any) -> None:  # noqa: ANN401 - as above
        """Let one more reader collect, from now on."""
        with self._all_metric_readers_lock:
            if metric_reader in self._all_metric_readers:
                _log.warning("MetricReader '%s' has been registered already!", metric_reader)
                return
            self._all_metric_readers.add(metric_reader)
        self._register_reader(metric_reader)

    def remove_metric_reader(self, metric_reader: Any) -> None:  # noqa: ANN401 - as above
        """Stop a reader, and forget what was not collected for it."""
        with self._all_metric_readers_lock:
            if metric_reader not in self._readers:
                _log.warning("MetricReader '%s' has not been registered!", metric_reader)
                return
            self._all_metric_readers.discard(metric_reader)
        with self._lock:
            registered = self._readers.pop(metric_reader)
            for instrument in self._instruments:
                instrument._core.remove_streams(registered.number)  # noqa: SLF001
        metric_reader._set_collect_callback(None)  # noqa: SLF001
        if hasattr(metric_reader, "_set_request_callback"):
            metric_reader._set_request_callback(None)  # noqa: SLF001
        metric_reader.shutdown()

    def _collect(self, metric_reader: Any, timeout_millis: float = 10_000) -> "MetricsData | None":  # noqa: ANN401
        """Return what a reader has to report, as objects. Raises `MetricsTimeoutError` when callbacks take too long."""
        from millrace.sdk.metrics._collected import metrics_data  # noqa: PLC0415 - only for Python readers

        with self._collect_lock:
            number = self._number_of(metric_reader)
            if number is None:
                return None
            self._observe(number, timeout_millis)
            points = self._storage.collect_points(number)
        return metrics_data(points, self._scopes, self._sdk_config.resource)

    def _collect_request(self, metric_reader: Any, timeout_millis: float = 10_000) -> bytes | None:  # noqa: ANN401
        """Return what a reader has to report, as the bytes of an export request."""
        with self._collect_lock:
            number = self._number_of(metric_reader)
            if number is None:
                return None
            began = perf_counter()
            try:
                self._observe(number, timeout_millis)
                return self._storage.collect_request(number)
            finally:
                metric_reader._record_time(began)  # noqa: SLF001 - the engine's reader, which is ours

    def _number_of(self, metric_reader: Any) -> int | None:  # noqa: ANN401 - as above
        registered = self._readers.get(metric_reader)
        return None if registered is None else registered.number

    def _observe(self, number: int, timeout_millis: float) -> None:
        """Run every callback for a reader."""
        deadline = monotonic() + timeout_millis / 1e3
        for instrument in list(self._observables):
            left_ms = (deadline - monotonic()) * 1e3
            options = CallbackOptions(timeout_millis=min(left_ms, _CALLBACK_TIMEOUT_DEFAULT_MS))
            instrument._observe(number, options)  # noqa: SLF001
            if monotonic() >= deadline:
                raise MetricsTimeoutError("Timed out while executing callback")

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Let every reader collect and export now; return whether all of them could, in time. Failures are logged."""
        return self._each_reader("force_flush", timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Collect and export a last time, and stop. Only the first call does anything; failures are logged."""
        with self._lock:
            is_first, self._shutdown = not self._shutdown, True
        if not is_first:
            _log.warning("shutdown can only be called once")
            return
        if self._atexit_handler is not None:
            atexit.unregister(self._atexit_handler)
            self._atexit_handler = None
        self._each_reader("shutdown", timeout_millis)

    def _each_reader(self, method: str, timeout_millis: float) -> bool:
        deadline = monotonic() + timeout_millis / 1e3
        succeeded = True
        for reader in list(self._readers):
            left_ms = (deadline - monotonic()) * 1e3
            try:
                if left_ms <= 0:
                    raise MetricsTimeoutError(f"no time was left for {type(reader).__name__}.{method}")  # noqa: TRY301
                succeeded &= getattr(reader, method)(timeout_millis=left_ms) is not False
            except Exception:  # noqa: BLE001 - it is logged with its trace
                _log.exception("MeterProvider.%s failed for %s", method, type(reader).__name__)
                succeeded = False
        return succeeded

    def _shutdown_at_exit(self) -> None:
        if not self._shutdown:
            self.shutdown()


class _Registrar:
    """What a meter registers its instruments with."""

    def __init__(self, provider: MeterProvider, scope: int) -> None:
        self._provider = provider
        self._scope = scope

    def register_instrument(self, instrument: Any) -> None:  # noqa: ANN401 - one of this package
        self._provider._register_instrument(self._scope, instrument)  # noqa: SLF001 - a part of the provider


class _Request:
    """What the engine calls for a request; it does not keep the provider alive."""

    def __init__(self, provider: MeterProvider, reader: Any) -> None:  # noqa: ANN401 - as above
        self._provider = weakref.ref(provider)
        self._reader = weakref.ref(reader)

    def __call__(self, timeout_s: float) -> bytes | None:
        provider, reader = self._provider(), self._reader()
        if provider is None or reader is None:
            return None
        try:
            return provider._collect_request(reader, timeout_s * 1e3)  # noqa: SLF001 - a part of the provider
        except Exception:  # noqa: BLE001 - it is logged with its trace
            _log.exception("Collecting metrics failed; it is tried again at the next interval.")
            return None


def _named_filter() -> str:
    return environment.choice(OTEL_METRICS_EXEMPLAR_FILTER, (*_FILTERS.values(),)) or _DEFAULT_FILTER


def _at_fork(provider: MeterProvider) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    method = weakref.WeakMethod(provider._in_child)  # noqa: SLF001 - a part of the provider

    def after_in_child() -> None:
        in_child = method()
        if in_child is not None:
            in_child()

    os.register_at_fork(after_in_child=after_in_child)
