"""Exports spans in batches through an exporter written in Python (specification: Batching processor)."""

from typing import TYPE_CHECKING

from millrace.sdk import environment
from millrace.sdk import environment_variables as names
from millrace.sdk.batch import Batcher
from millrace.sdk.trace.processor import SpanProcessor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.metrics import MeterProvider

    from millrace._native import Span
    from millrace.sdk.trace.export.exporter import SpanExporter

__all__ = ["BatchSpanProcessor"]


class BatchSpanProcessor(SpanProcessor):
    """Hands sampled spans to an exporter, many at a time, on a thread.

    Args:
        span_exporter: Takes the spans.
        max_queue_size: Spans that are held at most (`OTEL_BSP_MAX_QUEUE_SIZE`).
        schedule_delay_millis: How long spans wait for others (`OTEL_BSP_SCHEDULE_DELAY`).
        max_export_batch_size: Spans of one call (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
        export_timeout_millis: How long `shutdown` waits (`OTEL_BSP_EXPORT_TIMEOUT`).
        meter_provider: Counts what the SDK itself does, where a variable asks for that; by default the API's.

    Raises:
        ValueError: A number is not positive, or a batch is larger than the queue.
    """

    def __init__(
        self,
        span_exporter: "SpanExporter",
        max_queue_size: int | None = None,
        schedule_delay_millis: float | None = None,
        max_export_batch_size: int | None = None,
        export_timeout_millis: float | None = None,
        *,
        meter_provider: "MeterProvider | None" = None,
    ) -> None:
        self.span_exporter = span_exporter
        timeout_ms = environment.given_or_integer(export_timeout_millis, names.OTEL_BSP_EXPORT_TIMEOUT, 30000)
        self._timeout_s = timeout_ms / 1000
        self._batcher = Batcher(
            self._export,
            max_queue_size=int(environment.given_or_integer(max_queue_size, names.OTEL_BSP_MAX_QUEUE_SIZE, 2048)),
            schedule_delay_ms=environment.given_or_integer(schedule_delay_millis, names.OTEL_BSP_SCHEDULE_DELAY, 5000),
            max_export_batch_size=int(
                environment.given_or_integer(max_export_batch_size, names.OTEL_BSP_MAX_EXPORT_BATCH_SIZE, 512)
            ),
            kind="batching_span_processor",
            signal="traces",
            meter_provider=meter_provider,
        )

    def _export(self, spans: "Sequence[Span]") -> object:
        return self.span_exporter.export(spans)

    def on_end(self, span: "Span") -> None:  # noqa: D102 - as in the parent
        if span.context.trace_flags.sampled:
            self._batcher.put(span)

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._batcher.close(self._timeout_s)
        self.span_exporter.shutdown()

    def force_flush(self, timeout_millis: float | None = None) -> bool:  # noqa: D102 - as in the parent
        return self._batcher.flush(self._timeout_s if timeout_millis is None else timeout_millis / 1000)
