"""What the engine is told: for each signal where it goes and when, from arguments and environment variables."""

from typing import TYPE_CHECKING

from millrace.sdk import environment
from millrace.sdk.environment_variables import (
    OTEL_BLRP_EXPORT_TIMEOUT,
    OTEL_BLRP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BLRP_MAX_QUEUE_SIZE,
    OTEL_BLRP_SCHEDULE_DELAY,
    OTEL_BSP_EXPORT_TIMEOUT,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_LOGS_EXPORTER,
    OTEL_METRIC_EXPORT_INTERVAL,
    OTEL_METRIC_EXPORT_TIMEOUT,
    OTEL_METRICS_EXPORTER,
    OTEL_TRACES_EXPORTER,
)
from millrace.sdk.otlp_exporter import Destination, EndpointError, resolve_exporter

if TYPE_CHECKING:
    from collections.abc import Collection

    from millrace.exporter import Resolved

__all__ = ["QUEUE_BYTES_MAX", "SIGNALS", "SdkSettings", "batching", "periodic", "settings_from_environment"]

SIGNALS = ("traces", "metrics", "logs")

QUEUE_BYTES_MAX = 64 << 20
"""Finished telemetry of a signal that may wait: a minute of a busy service whose endpoint is gone."""


_EXPORTERS = {"traces": OTEL_TRACES_EXPORTER, "metrics": OTEL_METRICS_EXPORTER, "logs": OTEL_LOGS_EXPORTER}
_OTLP = frozenset({"otlp", "otlp_proto_http", "otlp_proto_grpc", "otlp_json_http"})
"""Names of upstream's exporters that the engine replaces; the protocol is what OTEL_EXPORTER_OTLP_PROTOCOL says."""


class SdkSettings:
    """What the environment and the arguments amount to.

    Args:
        engine: The settings of the native engine; a signal that it does not export is empty.
        exporters: By signal, the names of exporters written in Python: `console`, and those of installed packages.
        faults: Sentences about what makes exporting impossible.
    """

    def __init__(self, engine: "Resolved", exporters: dict[str, list[str]], faults: tuple[str, ...]) -> None:
        self.engine = engine
        self.exporters = exporters
        self.faults = faults


def settings_from_environment(destination: Destination, signals: "Collection[str]") -> SdkSettings:
    """Return the settings of the `signals` that are wanted at all."""
    engine: Resolved = {}
    exporters: dict[str, list[str]] = {}
    faults: list[str] = []
    for signal in SIGNALS:
        names = _exporter_names(signal) if signal in signals else []
        exporters[signal] = [name for name in names if name not in _OTLP]
        engine[signal] = [] if signal == "metrics" else None
        if len(exporters[signal]) == len(names):
            continue
        try:
            exporter = resolve_exporter(signal, destination)
        except EndpointError as error:
            faults.append(str(error))
            continue
        engine[signal] = [periodic(exporter)] if signal == "metrics" else batching(signal, exporter)
    return SdkSettings(engine, exporters, tuple(dict.fromkeys(faults)))


def _exporter_names(signal: str) -> list[str]:
    names = [name.lower() for name in environment.names(_EXPORTERS[signal])] or ["otlp"]
    if "none" in names:
        if len(names) > 1:
            environment.warn(_EXPORTERS[signal], "none beside other exporters: nothing is exported")
        return []
    return names


def batching(signal: str, exporter: "Resolved") -> "Resolved":
    """Return the settings of traces or logs, with the defaults of the specification."""
    delay, timeout, queue, batch = (
        (OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_EXPORT_TIMEOUT, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE)
        if signal == "traces"
        else (
            OTEL_BLRP_SCHEDULE_DELAY,
            OTEL_BLRP_EXPORT_TIMEOUT,
            OTEL_BLRP_MAX_QUEUE_SIZE,
            OTEL_BLRP_MAX_EXPORT_BATCH_SIZE,
        )
    )
    max_queue_size = environment.integer(queue, minimum=1)
    max_export_batch_size = environment.integer(batch, minimum=1)
    if max_queue_size and max_export_batch_size and max_export_batch_size > max_queue_size:
        environment.warn(batch, f"is larger than {queue}; {max_queue_size} is used")
        max_export_batch_size = max_queue_size
    return {
        "exporters": [exporter],
        "schedule_delay_ms": _or(environment.integer(delay), 5_000 if signal == "traces" else 1_000),
        "export_timeout_ms": _or(environment.integer(timeout, minimum=1), 30_000),
        "max_export_batch_size": max_export_batch_size,
        "max_queue_size": max_queue_size,
        "max_queue_bytes": QUEUE_BYTES_MAX,
    }


def periodic(exporter: "Resolved") -> "Resolved":
    """Return the settings of metrics, with the defaults of the specification."""
    return {
        "exporter": exporter,
        "interval_ms": _or(environment.integer(OTEL_METRIC_EXPORT_INTERVAL, minimum=1), 60_000),
        "timeout_ms": _or(environment.integer(OTEL_METRIC_EXPORT_TIMEOUT, minimum=1), 30_000),
    }


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
