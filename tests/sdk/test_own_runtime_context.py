"""A program that chose its own runtime context keeps it: spans, logs and exemplars are found there."""

import sys

from tests.sdk.programs import run_program

PROGRAM = """
from opentelemetry import context, trace
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
class Own(ContextVarsRuntimeContext):
    pass
context._RUNTIME_CONTEXT = Own()

from millrace.sdk.logs import LoggerProvider
from millrace.sdk.logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from millrace.sdk.metrics import MeterProvider
from millrace.sdk.metrics.export import InMemoryMetricReader
from millrace.sdk.trace import TracerProvider
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("shop")
assert type(context._RUNTIME_CONTEXT) is Own
assert isinstance(tracer, trace.Tracer)

records = InMemoryLogRecordExporter()
loggers = LoggerProvider(shutdown_on_exit=False)
loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
reader = InMemoryMetricReader()
counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("shop").create_counter("orders")

with tracer.start_as_current_span("outer") as outer:
    assert trace.get_current_span() is outer
    with tracer.start_as_current_span("inner") as inner:
        assert inner.parent.span_id == outer.get_span_context().span_id
        loggers.get_logger("shop").emit(body="sold")
        counter.add(1)
    assert tracer.start_span("third").parent.span_id == outer.get_span_context().span_id

@tracer.start_as_current_span("decorated")
def call():
    return trace.get_current_span().name
assert call() == "decorated"
assert not trace.get_current_span().get_span_context().is_valid

(record,) = records.get_finished_logs()
ids = inner.get_span_context()
assert (record.log_record.trace_id, record.log_record.span_id) == (ids.trace_id, ids.span_id)
point = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]
assert [one.span_id for one in point.exemplars] == [ids.span_id]
"""


def test_a_runtime_context_of_the_programs_own_stays_and_is_used() -> None:
    run = run_program(sys.executable, "-c", PROGRAM)

    assert run.returncode == 0, run.stderr
