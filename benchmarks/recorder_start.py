"""What it costs to start: CPU time and memory of an SDK's import and set-up, beyond those of the API's own.

Run as a file, `python -P benchmarks/recorder_start.py SDK`: whatever else was imported before would come for free.
"""

import sys
import time
from pathlib import Path

import opentelemetry._logs
import opentelemetry.metrics
import opentelemetry.propagate
import opentelemetry.trace


def resident_bytes() -> int:
    """Return the memory that this process has in RAM."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def millrace() -> int:
    """Set up all signals of ours, as a user does it; return how many there are."""
    import millrace as ours

    telemetry = ours.configure(service_name="benchmark")
    providers = (telemetry.tracer_provider, telemetry.meter_provider, telemetry.logger_provider)
    return sum(provider is not None for provider in providers)


def stock() -> int:
    """Set up all signals of the SDK of OpenTelemetry with its exporters over HTTP, as its documentation shows it."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "benchmark"})
    traces, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    opentelemetry.trace.set_tracer_provider(traces)
    opentelemetry._logs.set_logger_provider(logs)  # noqa: SLF001 # its name, until logs are stable
    metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource)
    opentelemetry.metrics.set_meter_provider(metrics)
    return 3


def main() -> None:
    """Set one up, and print what that took."""
    set_up = {"millrace": millrace, "opentelemetry-sdk": stock}[sys.argv[1]]
    before, begin = resident_bytes(), time.process_time_ns()
    signals = set_up()
    used, after = time.process_time_ns() - begin, resident_bytes()
    import json
    import os

    figures = {"cpu_ms": used / 1e6, "memory_mib": (after - before) / 2**20, "signals": signals}
    print(json.dumps(figures), flush=True)
    os._exit(0)  # nobody listens; the end is measured by nobody


if __name__ == "__main__":
    main()
