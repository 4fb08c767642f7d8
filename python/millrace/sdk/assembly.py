"""Puts an SDK together: the engine, a provider for each signal, and exporters written in Python beside them."""

import logging
from typing import TYPE_CHECKING, Any

from millrace.sdk import environment, process, resources
from millrace.sdk.environment_variables import OTEL_PYTHON_ID_GENERATOR, OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from millrace._native import Engine
    from millrace.exporter import Resolved
    from millrace.sdk.logs import LoggerProvider
    from millrace.sdk.resources import AnyResource
    from millrace.sdk.settings import SdkSettings

__all__ = ["NOTHING", "Assembly", "Plan", "assemble", "install_providers"]

_log = logging.getLogger("millrace")


class Plan:
    """What is to be put together.

    Args:
        settings: Where telemetry goes.
        signals: Those that are recorded, whether or not they are exported.
        resource: Whose telemetry it is.
        sampler: Of traces; `None` leaves the choice to the environment.
        options: By signal, what makes further arguments of its provider once the provider's module is wanted.
    """

    def __init__(
        self,
        settings: "SdkSettings",
        signals: tuple[str, ...],
        resource: "AnyResource",
        sampler: Any = None,  # noqa: ANN401 - ours or upstream's
        options: "Mapping[str, Callable[[], dict[str, Any]]] | None" = None,
    ) -> None:
        self.settings = settings
        self.signals = signals
        self.resource = resource
        self.sampler = sampler
        self.options = options

    def options_of(self, signal: str) -> dict[str, Any]:
        """Return the further arguments of a signal's provider."""
        return self.options[signal]() if self.options and signal in self.options else {}


class Assembly:
    """What was put together; a signal that is not recorded has no provider."""

    def __init__(
        self,
        engine: "Engine | None" = None,
        tracer_provider: "TracerProvider | None" = None,
        meter_provider: "MeterProvider | None" = None,
        logger_provider: "LoggerProvider | None" = None,
        summary: str = "nothing is recorded",
    ) -> None:
        self.engine = engine
        self.tracer_provider = tracer_provider
        self.meter_provider = meter_provider
        self.logger_provider = logger_provider
        self.summary = summary

    @property
    def providers(self) -> list[Any]:
        """The providers there are; the SDK's classes, which can flush and shut down."""
        return [one for one in (self.tracer_provider, self.meter_provider, self.logger_provider) if one is not None]


NOTHING = Assembly()
"""An SDK that is switched off."""


def assemble(plan: Plan, *, strict: bool = False) -> Assembly:
    """Make the engine and the providers of `plan`; one that fails is logged and left out, or raises if `strict`."""
    from millrace._native import Engine  # noqa: PLC0415 - a process whose SDK is disabled needs no engine

    settings = plan.settings.engine
    engine = Engine(settings) if any(settings.values()) else None
    makers = {"traces": _tracer_provider, "metrics": _meter_provider, "logs": _logger_provider}
    made = {}
    for signal in plan.signals:
        try:
            made[signal] = makers[signal](plan, engine if settings[signal] else None)
        except Exception:
            if strict:
                raise
            _log.exception("No %s are recorded", signal)  # and the other signals all the same
            continue
        if plan.options is not None:
            made[signal]._disabled = False  # noqa: SLF001 - by OTEL_SDK_DISABLED, which does not count beside a file
    assembly = Assembly(engine, made.get("traces"), made.get("metrics"), made.get("logs"), _summary(plan))
    process.after_fork(_Identity(plan.resource, assembly.providers).renew)
    if engine and assembly.meter_provider and environment.boolean(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED):
        from millrace.sdk import self_metrics  # noqa: PLC0415 - for those who ask

        self_metrics.count_engine(engine, settings, assembly.meter_provider)
    return assembly


class _Identity:
    """Whose telemetry it is: in a forked child another pid and another instance, while what users set stays."""

    def __init__(self, resource: "AnyResource", providers: list[Any]) -> None:
        self._resource = resource
        self._providers = providers

    def renew(self) -> None:
        self._resource = resources.for_this_process(self._resource)
        for provider in self._providers:
            tell = getattr(provider, "set_resource", None) or provider._update_resource  # noqa: SLF001 - the SDK's own
            tell(self._resource)


def _tracer_provider(plan: Plan, engine: "Engine | None") -> Any:  # noqa: ANN401 - the SDK's class, which is loaded here
    from millrace.sdk.trace import TracerProvider  # noqa: PLC0415 - only where traces are recorded

    buffer = engine.buffer("traces") if engine else None
    options = {"sampler": plan.sampler} | plan.options_of("traces")
    provider = TracerProvider(
        resource=plan.resource, shutdown_on_exit=False, id_generator=_id_generator(), _buffer=buffer, **options
    )
    for exporter in _python_exporters("traces", plan):
        from millrace.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - only for those who name one

        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _meter_provider(plan: Plan, engine: "Engine | None") -> Any:  # noqa: ANN401 - as above
    from millrace.sdk.metrics import MeterProvider  # noqa: PLC0415 - only where metrics are recorded

    readers: list[Any] = []
    options = plan.options_of("metrics")
    for exporter in _python_exporters("metrics", plan, options.pop("exporters", {})):
        if hasattr(exporter, "_set_collect_callback"):
            readers.append(exporter)  # one that is asked, such as Prometheus's
            continue
        from millrace.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415 - for those who name one

        readers.append(PeriodicExportingMetricReader(exporter))
    declared = options.pop("preferences", [])
    if engine and declared:
        from millrace.sdk.metrics.export import EngineMetricReader  # noqa: PLC0415 - else the provider makes it

        readers += [EngineMetricReader(engine, exporter=at, **preferences) for at, preferences in enumerate(declared)]
        engine = None
    resource: Any = plan.resource  # of either SDK
    return MeterProvider(resource=resource, metric_readers=readers, shutdown_on_exit=False, _engine=engine, **options)


def _logger_provider(plan: Plan, engine: "Engine | None") -> Any:  # noqa: ANN401 - as above
    from millrace.sdk.logs import LoggerProvider  # noqa: PLC0415 - only where logs are recorded

    buffer = engine.buffer("logs") if engine else None
    options = plan.options_of("logs")
    provider = LoggerProvider(resource=plan.resource, shutdown_on_exit=False, _buffer=buffer, **options)
    for exporter in _python_exporters("logs", plan):
        from millrace.sdk.logs.export import BatchLogRecordProcessor  # noqa: PLC0415 - only for those who name one

        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


def _python_exporters(
    signal: str, plan: Plan, declared: "Mapping[str, Callable[[], object]] | None" = None
) -> "list[Any]":
    """Return the exporters of `OTEL_..._EXPORTER` that the engine does not have; one that fails is left out.

    `declared` are those that a file describes, which are made of its settings.
    """
    exporters = []
    for name in plan.settings.exporters[signal]:
        try:
            make = (declared or {}).get(name) or _exporter_class(signal, name)
            exporters.append(make())
        except Exception as error:  # noqa: BLE001 - whatever an installed package does
            hint = environment.nearest(name, ("otlp", "console", "none"))
            environment.warn(f"OTEL_{signal.upper()}_EXPORTER", f"{name} is left out: {error}{hint}")
    return exporters


def _exporter_class(signal: str, name: str) -> Any:  # noqa: ANN401 - whatever an installed package has
    if (signal, name) in _OWN:
        from importlib import import_module  # noqa: PLC0415 - as below

        module, kind = _OWN[signal, name]
        return getattr(import_module(module), kind)
    from millrace.sdk import entry_points  # noqa: PLC0415 - 10 ms for those who name one

    return entry_points.load(f"opentelemetry_{signal}_exporter", name)


_OWN = {
    ("traces", "console"): ("millrace.sdk.trace.export", "ConsoleSpanExporter"),
    ("metrics", "console"): ("millrace.sdk.metrics.export", "ConsoleMetricExporter"),
    ("metrics", "prometheus"): ("millrace.sdk.metrics.prometheus.reader", "reader_from_environment"),
    ("logs", "console"): ("millrace.sdk.logs.export", "ConsoleLogRecordExporter"),
}
"""By signal and name, the exporters in Python that are ours."""


def _id_generator() -> Any:  # noqa: ANN401 - whatever an installed package has
    name = environment.text(OTEL_PYTHON_ID_GENERATOR)
    if name in {None, "random", "millrace"}:
        return None  # the native one
    from millrace.sdk import entry_points  # noqa: PLC0415 - 10 ms for those who name one

    try:
        return entry_points.load("opentelemetry_id_generator", name)()
    except Exception as error:  # noqa: BLE001 - whatever an installed package does
        environment.warn(OTEL_PYTHON_ID_GENERATOR, f"random ids are used: {error}")
        return None


def _summary(plan: Plan) -> str:
    """Return the sentence that says where telemetry goes."""
    places: dict[str, list[str]] = {}
    for signal in plan.signals:
        settings, names = plan.settings.engine[signal], plan.settings.exporters[signal]
        exporters = [] if not settings else settings["exporters"] if signal != "metrics" else _of_metrics(settings)
        where = [_place(signal, exporter) for exporter in exporters]
        places.setdefault(" and ".join(where + names) or "nowhere", []).append(signal)
    parts = [f"{_listed(signals)} to {place}" for place, signals in places.items()]
    return f"Telemetry of {plan.resource.attributes.get('service.name')!r} goes: {'; '.join(parts) or 'nowhere'}"


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _of_metrics(settings: "list[Resolved]") -> "list[Resolved]":
    return [one["exporter"] for one in settings]


def _place(signal: str, exporter: "Resolved") -> str:
    if exporter["kind"] == "otlp":
        return f"{exporter['endpoint']} (grpc)"
    return f"{exporter['urls'][signal]} (http/{'json' if exporter['encoding'] == 'json' else 'protobuf'})"


def install_providers(assembly: Assembly) -> None:
    """Make the providers the global ones of the API."""
    if assembly.tracer_provider is not None:
        from opentelemetry import trace  # noqa: PLC0415 - with the provider it is loaded already

        trace.set_tracer_provider(assembly.tracer_provider)
        _check("tracer", assembly.tracer_provider, trace.get_tracer_provider())
    if assembly.meter_provider is not None:
        from opentelemetry import metrics  # noqa: PLC0415 - as above

        metrics.set_meter_provider(assembly.meter_provider)
        _check("meter", assembly.meter_provider, metrics.get_meter_provider())
    if assembly.logger_provider is not None:
        from opentelemetry import _logs  # noqa: PLC0415 - as above

        _logs.set_logger_provider(assembly.logger_provider)
        _check("logger", assembly.logger_provider, _logs.get_logger_provider())


def _check(kind: str, ours: object, current: object) -> None:
    if current is not ours:
        _log.warning(
            "The API has another %s provider already (%s), and takes none after the first: call millrace.configure "
            "before whatever sets that one",
            kind,
            type(current).__name__,
        )
