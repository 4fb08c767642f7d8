"""The tracer provider: whose spans they are, what is sampled, and where they go."""

import atexit
import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from millrace import _native
from millrace.sdk import environment, process, resources
from millrace.sdk.environment_variables import (
    OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED,
    OTEL_SDK_DISABLED,
    OTEL_TRACES_SAMPLER,
)
from millrace.sdk.instrumentation import InstrumentationScope
from millrace.sdk.runtime_context import install_runtime_context, is_runtime_context_ours
from millrace.sdk.trace.limits import SpanLimits
from millrace.sdk.upstream import stand_in

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.util.types import Attributes

    from millrace.sdk.resources import AnyResource
    from millrace.sdk.trace.processor import SpanProcessor, SynchronousMultiSpanProcessor

__all__ = ["TracerProvider"]

_log = logging.getLogger(__name__)

trace.Tracer.register(_native.Tracer)
trace.Span.register(_native.Span)
trace.NonRecordingSpan.register(_native.NonRecordingSpan)


class TracerProvider(trace.TracerProvider):
    """Makes tracers whose spans are recorded natively.

    Args:
        sampler: Which spans are recorded; by default what `OTEL_TRACES_SAMPLER` says.
        resource: Whose spans they are; by default what the environment says.
        shutdown_on_exit: Deliver what is held when the interpreter exits.
        active_span_processor: What calls the span processors.
        id_generator: Where ids come from; by default they are random, natively.
        span_limits: The limits of spans; by default what the environment says.
        meter_provider: Counts what the SDK itself does, where a variable asks for that; by default the API's.
    """

    def __init__(
        self,
        sampler: Any = None,  # noqa: ANN401 - ours or upstream's
        resource: "AnyResource | None" = None,
        shutdown_on_exit: bool = True,  # noqa: FBT001, FBT002 - upstream's own
        active_span_processor: "SynchronousMultiSpanProcessor | None" = None,
        id_generator: Any = None,  # noqa: ANN401 - ours or upstream's
        span_limits: Any = None,  # noqa: ANN401 - ours or upstream's
        *,
        meter_provider: "MeterProvider | None" = None,
        _buffer: "_native.Buffer | None" = None,
    ) -> None:
        install_runtime_context()
        stand_in("opentelemetry.sdk.trace", type(self), "TracerProvider")
        if active_span_processor is not None:
            self._active_span_processor = active_span_processor
        if id_generator is not None:
            self.id_generator = id_generator
        if sampler or environment.text(OTEL_TRACES_SAMPLER):
            self.sampler = sampler or self.sampler
        self._resource = resources.Resource.create() if resource is None else resource
        self._span_limits = span_limits or SpanLimits()
        self._disabled = environment.boolean(OTEL_SDK_DISABLED)
        self._buffer = _buffer
        is_counted = environment.boolean(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED)
        self._recorder = _native.SpanRecorder(
            self._counting_sampler(meter_provider) if is_counted else vars(self).get("sampler"),
            _to_be_asked(id_generator),
            self._span_limits,
            _buffer,
            self._resource,
        )
        self._set_buffer_resource()
        self._counted: Any = None
        if is_counted:
            from millrace.sdk.self_metrics import CountedSpans  # noqa: PLC0415 - for those who ask

            self._counted = CountedSpans(self._active_span_processor, meter_provider)
        if active_span_processor is not None or is_counted:
            self._recorder.set_processor(self._counted or self._active_span_processor)
        self._tracers: dict[InstrumentationScope, _native.Tracer] = {}
        self._lock = threading.Lock()
        self._atexit_handler = atexit.register(self.shutdown) if shutdown_on_exit else None
        process.after_fork_while_alive(self._in_child)

    @cached_property
    def _active_span_processor(self) -> "SynchronousMultiSpanProcessor":
        """What calls the span processors; imported when there is one."""
        from millrace.sdk.trace.processor import SynchronousMultiSpanProcessor  # noqa: PLC0415 - see above

        return SynchronousMultiSpanProcessor()

    @cached_property
    def id_generator(self) -> Any:  # noqa: ANN401 - ours or upstream's
        """Where ids come from; native ones are random."""
        from millrace.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - for those who ask

        return RandomIdGenerator()

    @cached_property
    def sampler(self) -> Any:  # noqa: ANN401 - ours or upstream's
        """Which spans are recorded; unless somebody says otherwise, what the native code does without being told."""
        from millrace.sdk.trace.sampling import sampler_from_environment  # noqa: PLC0415 - 0.7 ms for those who ask

        return sampler_from_environment()

    def _counting_sampler(self, meter_provider: "MeterProvider | None") -> object:
        from millrace.sdk.self_metrics import CountingSampler  # noqa: PLC0415 - as below

        return CountingSampler(self.sampler, meter_provider)

    @property
    def resource(self) -> "AnyResource":
        """Whose spans they are."""
        return self._resource

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: "Attributes" = None,
    ) -> trace.Tracer:
        """Return the tracer of an instrumentation scope; the same one for the same scope."""
        if self._disabled:
            return trace.NoOpTracer()
        if not instrumenting_module_name or not isinstance(instrumenting_module_name, str):
            _log.error("get_tracer was called without the name of a module")
            instrumenting_module_name = ""
        scope = InstrumentationScope(
            instrumenting_module_name, instrumenting_library_version or "", schema_url, attributes
        )
        with self._lock:
            tracer = self._tracers.get(scope)
            if tracer is None:
                tracer = self._tracers[scope] = self._recorder.tracer(scope)
        if not is_runtime_context_ours():
            from millrace.sdk.trace.api_context import ApiContextTracer  # noqa: PLC0415 - for the few who have their own

            return ApiContextTracer(tracer)
        return tracer  # type: ignore[return-value] # a virtual subclass

    def add_span_processor(self, span_processor: "SpanProcessor") -> None:
        """Have `span_processor` called for each span, in the order in which they were added."""
        self._active_span_processor.add_span_processor(span_processor)
        self._recorder.set_processor(self._counted or self._active_span_processor)

    def shutdown(self) -> None:
        """Shut the processors down; spans that start afterwards are not recorded."""
        if "_active_span_processor" in vars(self):
            self._active_span_processor.shutdown()
        self._recorder.close()
        if self._atexit_handler is not None:
            atexit.unregister(self._atexit_handler)
            self._atexit_handler = None

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Have the processors deliver what they hold; False when that took too long or failed."""
        return "_active_span_processor" not in vars(self) or self._active_span_processor.force_flush(timeout_millis)

    def set_resource(self, resource: "AnyResource") -> None:
        """Say whose spans they are from now on, as in a forked child."""
        self._resource = resource
        self._recorder.set_resource(resource)
        self._set_buffer_resource()

    def _in_child(self) -> None:
        self._lock = threading.Lock()
        self.set_resource(resources.for_this_process(self._resource))

    def _set_buffer_resource(self) -> None:
        if self._buffer is not None:
            self._buffer.set_resource(self._resource.attributes, self._resource.schema_url or "")


def _to_be_asked(id_generator: Any) -> Any:  # noqa: ANN401 - ours or upstream's
    """Return a generator, or `None` where native ids are what it would make."""
    if id_generator is None:
        return None
    from millrace.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - for those who bring one

    return None if type(id_generator) is RandomIdGenerator else id_generator
