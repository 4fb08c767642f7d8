"""Exports log records in batches through an exporter written in Python (specification: Batching processor)."""

from typing import TYPE_CHECKING

from millrace.sdk import environment
from millrace.sdk import environment_variables as names
from millrace.sdk.batch import Batcher
from millrace.sdk.logs.export.readable import readable
from millrace.sdk.logs.processor import LogRecordProcessor

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from millrace.sdk.logs.export.exporter import LogRecordExporter
    from millrace.sdk.logs.record import ReadWriteLogRecord

__all__ = ["BatchLogRecordProcessor"]


class BatchLogRecordProcessor(LogRecordProcessor):
    """Hands records to an exporter, many at a time, on a thread.

    Args:
        exporter: Takes the records.
        schedule_delay_millis: How long records wait for others (`OTEL_BLRP_SCHEDULE_DELAY`).
        max_export_batch_size: Records of one call (`OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`).
        export_timeout_millis: How long `shutdown` waits (`OTEL_BLRP_EXPORT_TIMEOUT`).
        max_queue_size: Records that are held at most (`OTEL_BLRP_MAX_QUEUE_SIZE`).
        meter_provider: Counts what the SDK itself does, where a variable asks for that; by default the API's.

    Raises:
        ValueError: A number is not positive, or a batch is larger than the queue.
    """

    def __init__(
        self,
        exporter: "LogRecordExporter",
        schedule_delay_millis: float | None = None,
        max_export_batch_size: int | None = None,
        export_timeout_millis: float | None = None,
        max_queue_size: int | None = None,
        *,
        meter_provider: "MeterProvider | None" = None,
    ) -> None:
        self._exporter = exporter
        self._timeout_s = (
            environment.given_or_integer(export_timeout_millis, names.OTEL_BLRP_EXPORT_TIMEOUT, 30000) / 1000
        )
        self._batcher = Batcher(
            exporter.export,
            max_queue_size=int(environment.given_or_integer(max_queue_size, names.OTEL_BLRP_MAX_QUEUE_SIZE, 2048)),
            schedule_delay_ms=environment.given_or_integer(schedule_delay_millis, names.OTEL_BLRP_SCHEDULE_DELAY, 1000),
            max_export_batch_size=int(
                environment.given_or_integer(max_export_batch_size, names.OTEL_BLRP_MAX_EXPORT_BATCH_SIZE, 512)
            ),
            kind="batching_log_processor",
            signal="logs",
            meter_provider=meter_provider,
        )

    def on_emit(self, log_record: "ReadWriteLogRecord") -> None:  # noqa: D102 - as in the parent
        self._batcher.put(readable(log_record))

    def shutdown(self) -> None:  # noqa: D102 - as in the parent
        self._batcher.close(self._timeout_s)
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: float | None = None) -> bool:  # noqa: D102 - as in the parent
        return self._batcher.flush(self._timeout_s if timeout_millis is None else timeout_millis / 1000)
