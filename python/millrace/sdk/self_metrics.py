"""What the SDK counts of itself, `otel.sdk.*` of the semantic conventions (in development): for those who ask for it.

Counting costs each span a call into Python, and needs a provider of metrics; without it, nothing here is ever called.
"""

from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.metrics import Observation, get_meter_provider
from opentelemetry.trace import get_current_span

from millrace.sdk import environment, process
from millrace.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider

    from millrace._native import Engine, Span
    from millrace.sdk.logs.processor import LogRecordProcessor
    from millrace.sdk.logs.record import ReadWriteLogRecord
    from millrace.sdk.trace.processor import SpanProcessor

__all__ = [
    "CollectionTimes",
    "CountedRecords",
    "CountedSpans",
    "CountingSampler",
    "are_enabled",
    "count_engine",
    "processed_by",
]

_SCOPE = "opentelemetry-sdk"

_ITEMS: dict[str, tuple[str, str, str, str]] = {
    "traces": ("span", "spans", "span", "{span}"),
    "logs": ("log", "log records", "Log Record", "{log_record}"),
}
"""Of a signal: its part of a name, its items, the kind of its processor, and the unit."""

_QUEUE_SIZE_UNITS = {"traces": "{span}", "logs": "{log}"}

_component_lock = Lock()
_components: dict[str, int] = {}


def are_enabled() -> bool:
    """Return whether a variable asks for them."""
    return environment.boolean(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED)


def _meter(meter_provider: "MeterProvider | None") -> "Meter":
    return (meter_provider or get_meter_provider()).get_meter(_SCOPE)


def _component(kind: str) -> dict[str, str]:
    """Return the attributes of one more component of a kind."""
    with _component_lock:
        number = _components.get(kind, 0)
        _components[kind] = number + 1
    return {"otel.component.type": kind, "otel.component.name": f"{kind}/{number}"}


def nothing(_count: int, _error_type: str | None = None) -> None:
    """Count nothing."""


def processed_by(
    kind: str,
    signal: Literal["traces", "logs"],
    meter_provider: "MeterProvider | None",
    *,
    capacity: int | None = None,
    queue_size: "Callable[[], int] | None" = None,
) -> "Callable[[int, str | None], None]":
    """Return what a processor tells of items that it has handed over, or dropped for a reason.

    Args:
        kind: The type of the component, such as `batching_span_processor`.
        signal: Of the items.
        meter_provider: Who counts; by default the API's.
        capacity: Items that the processor's queue holds at most.
        queue_size: Returns how many wait there.
    """
    if not are_enabled():
        return nothing
    meter, component = _meter(meter_provider), _component(kind)
    part, items, processor, unit = _ITEMS[signal]
    processed = meter.create_counter(
        f"otel.sdk.processor.{part}.processed",
        unit,
        f"The number of {items} for which the processing has finished, either successful or failed.",
    )
    if capacity is not None:
        meter.create_up_down_counter(
            f"otel.sdk.processor.{part}.queue.capacity",
            unit,
            f"The maximum number of {items} the queue of a given instance of an SDK {processor} processor can hold.",
        ).add(capacity, component)
    if queue_size is not None:

        def observe(_options: "CallbackOptions") -> "Iterable[Observation]":
            return (Observation(queue_size(), component),)

        meter.create_observable_up_down_counter(
            f"otel.sdk.processor.{part}.queue.size",
            [observe],
            _QUEUE_SIZE_UNITS[signal],
            f"The number of {part}s in the queue of a given instance of an SDK {part} processor.",
        )

    def count(items: int, error_type: str | None = None) -> None:
        processed.add(items, component if error_type is None else component | {"error.type": error_type})

    return count


def count_engine(engine: "Engine", settings: "Mapping[str, Any]", meter_provider: "MeterProvider") -> None:
    """Count what the engine exports as what a batching processor does: items are processed once they are delivered."""
    for signal, kind in _ENGINE_KINDS.items():
        of_signal = settings.get(signal)
        if of_signal is not None:
            books = _Books(engine, signal)
            capacity = of_signal["max_queue_size"]  # in items, where somebody asked for a number; else it is in bytes
            books.tell = processed_by(kind, signal, meter_provider, capacity=capacity, queue_size=books.read)


_ENGINE_KINDS: dict[Literal["traces", "logs"], str] = {
    "traces": "batching_span_processor",
    "logs": "batching_log_processor",
}


class _Books:
    """The engine's books of one signal, told whenever somebody asks how many items wait."""

    def __init__(self, engine: "Engine", signal: str) -> None:
        self.tell: Callable[[int, str | None], None] = nothing
        self._engine = engine
        self._signal = signal
        self._forget()
        process.after_fork_while_alive(self._forget)

    def _forget(self) -> None:
        """Begin anew: also in a forked child, whose engine counts from zero."""
        self._told: dict[str | None, int] = {}

    def read(self) -> int:
        """Tell what has become of items since it was asked last, and return how many wait."""
        import json  # noqa: PLC0415 - for those who ask

        books = json.loads(self._engine.stats())[self._signal]
        for error_type, items in [(None, books["exported"]), *books["dropped"].items()]:
            new = items - self._told.get(error_type, 0)
            if new:
                self._told[error_type] = items
                self.tell(new, error_type)
        queued: int = books["queued"]
        return queued


class CountingSampler:
    """Counts the spans that are started, by what another sampler decides about them."""

    def __init__(self, sampler: Any, meter_provider: "MeterProvider | None") -> None:  # noqa: ANN401 - ours or upstream's
        self._sampler = sampler
        meter = _meter(meter_provider)
        self._started = meter.create_counter("otel.sdk.span.started", "{span}", "The number of created spans.")

    def should_sample(self, parent_context: "Context | None", *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the samplers'
        """Return the decision of the other sampler."""
        result = self._sampler.should_sample(parent_context, *arguments, **named)
        parent = get_current_span(parent_context).get_span_context()
        origin = "none" if not parent.is_valid else "remote" if parent.is_remote else "local"
        self._started.add(1, {"otel.span.parent.origin": origin, "otel.span.sampling_result": result.decision.name})
        return result

    def get_description(self) -> str:
        """Return the description of the other sampler."""
        description: str = self._sampler.get_description()
        return description


class CountedSpans:
    """Counts the spans that are recorded and have not ended, and calls a processor."""

    def __init__(self, processor: "SpanProcessor", meter_provider: "MeterProvider | None") -> None:
        self._processor = processor
        self._live = _meter(meter_provider).create_up_down_counter(
            "otel.sdk.span.live",
            "{span}",
            "The number of created spans with `recording=true` for which the end operation has not been called yet.",
        )

    def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:
        """Count a span that has started."""
        self._live.add(1, _sampling_result(span))
        self._processor.on_start(span, parent_context=parent_context)

    def _on_ending(self, span: "Span") -> None:
        self._processor._on_ending(span)  # noqa: SLF001 - the method's own name

    def on_end(self, span: "Span") -> None:
        """Count a span that has ended."""
        self._live.add(-1, _sampling_result(span))
        self._processor.on_end(span)


def _sampling_result(span: "Span") -> dict[str, str]:
    sampled = span.context.trace_flags.sampled
    return {"otel.span.sampling_result": "RECORD_AND_SAMPLE" if sampled else "RECORD_ONLY"}


class CountedRecords:
    """Counts the log records that are emitted, and calls a processor."""

    def __init__(self, processor: "LogRecordProcessor", meter_provider: "MeterProvider | None") -> None:
        self._processor = processor
        self._created = _meter(meter_provider).create_counter(
            "otel.sdk.log.created", "{log_record}", "The number of logs submitted to enabled SDK Loggers."
        )

    def on_emit(self, log_record: "ReadWriteLogRecord") -> None:
        """Count a record."""
        self._created.add(1)
        self._processor.on_emit(log_record)

    def enabled(self, **question: Any) -> bool:  # noqa: ANN401 - the arguments of the other's
        """Return whether the processor wants such a record."""
        return self._processor.enabled(**question)


class CollectionTimes:
    """Says how long a metric reader takes to collect."""

    def __init__(self, kind: str, meter_provider: "MeterProvider") -> None:
        self._component = _component(kind)
        self._duration = _meter(meter_provider).create_histogram(
            "otel.sdk.metric_reader.collection.duration",
            "s",
            "The duration of the collect operation of the metric reader.",
        )

    def record(self, seconds: float) -> None:
        """Add one collection."""
        self._duration.record(seconds, self._component)
