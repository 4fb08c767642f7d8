"""The rules of the log SDK: limits, processors, enabled, resources, shutdown (specification: logs/sdk)."""

import sys
from typing import Any

import pytest
from opentelemetry._logs import Logger as ApiLogger
from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor as StockBatchProcessor
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter as StockConsoleExporter
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter as StockMemoryExporter
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor as StockSimpleProcessor

from millrace import _native
from millrace.sdk.logs import LoggerProvider, LogRecordLimits, LogRecordProcessor, ReadWriteLogRecord
from millrace.sdk.logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter, SimpleLogRecordProcessor
from millrace.sdk.resources import Resource
from tests.sdk.logs import attributes_of, logs_of, provider_with_buffer


class Editing(LogRecordProcessor):
    """Does something with each record."""

    def __init__(self, edit: Any) -> None:
        self._edit = edit

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._edit(log_record.log_record)

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


@pytest.mark.parametrize("with_processor", [False, True])
def test_limits_keep_the_first_attributes_and_count_the_others(*, with_processor: bool) -> None:
    provider, buffer = provider_with_buffer(log_record_limits=LogRecordLimits(max_log_record_attributes=2))
    if with_processor:
        provider.add_log_record_processor(Editing(lambda _: None))
    provider.get_logger("library").emit(attributes={"a": 1, "b": 2, "c": 3, "d": 4})
    (record,) = logs_of(buffer)
    assert (attributes_of(record), record.dropped_attributes_count) == ({"a": 1, "b": 2}, 2)


def test_limits_of_length_are_for_attributes_and_not_for_the_body() -> None:
    provider, buffer = provider_with_buffer(log_record_limits=LogRecordLimits(max_log_record_attribute_length=2))
    provider.get_logger("library").emit(body="a long body", attributes={"text": "long", "list": ["long", 1]})
    (record,) = logs_of(buffer)
    assert record.body.string_value == "a long body"
    assert [pair.value.string_value or pair.value.array_value.values[0].string_value for pair in record.attributes] == [
        "lo",
        "lo",
    ]


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "7")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "9")
    monkeypatch.setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "3")
    limits = LogRecordLimits()
    assert (limits.max_log_record_attributes, limits.max_log_record_attribute_length) == (3, 9)


def test_e9_a_limit_that_is_no_number_leaves_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "-1")
    assert LogRecordLimits().max_log_record_attributes == 128


def test_unset_is_no_limit() -> None:
    limits = LogRecordLimits(max_log_record_attributes=LogRecordLimits.UNSET)
    provider, buffer = provider_with_buffer(log_record_limits=limits)
    provider.get_logger("library").emit(attributes={str(number): number for number in range(1000)})
    assert len(logs_of(buffer)[0].attributes) == 1000


def test_d1_a_trace_without_a_span_is_kept_and_a_span_without_a_trace_is_not() -> None:
    provider, buffer = provider_with_buffer()
    record = LogRecord(body="half")
    record.trace_id, record.span_id = 0xABC, 0
    provider.get_logger("library").emit(record)
    record.trace_id, record.span_id = 0, 0xDEF
    provider.get_logger("library").emit(record)
    first, second = logs_of(buffer)
    assert (len(first.trace_id), first.span_id, second.trace_id, second.span_id) == (16, b"", b"", b"")


def test_the_observed_time_is_set_by_emit() -> None:
    provider, buffer = provider_with_buffer()
    provider.get_logger("library").emit(body="seen")
    (record,) = logs_of(buffer)
    assert record.time_unix_nano == 0
    assert record.observed_time_unix_nano > 0


def test_what_a_processor_changes_is_what_is_exported() -> None:
    def redact(record: LogRecord) -> None:
        record.body = "redacted"
        record.attributes["more"] = 1  # type: ignore[index] # the SDK's attributes can be set

    provider, buffer = provider_with_buffer()
    provider.add_log_record_processor(Editing(redact))
    provider.get_logger("library").emit(body="secret", attributes={"a": 1})
    (record,) = logs_of(buffer)
    assert (record.body.string_value, attributes_of(record)) == ("redacted", {"a": 1, "more": 1})


def test_a_processor_that_fails_costs_neither_the_record_nor_the_next_processor() -> None:
    def fail(_: LogRecord) -> None:
        raise RuntimeError("no")

    seen: list[Any] = []
    provider, buffer = provider_with_buffer()
    provider.add_log_record_processor(Editing(fail))
    provider.add_log_record_processor(Editing(seen.append))
    provider.get_logger("library").emit(body="kept")
    assert (len(seen), len(logs_of(buffer))) == (1, 1)


@pytest.mark.parametrize("processor", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
@pytest.mark.parametrize("stock", [StockSimpleProcessor, StockBatchProcessor])
def test_upstreams_processors_and_exporters_get_what_ours_get(processor: Any, stock: Any) -> None:
    ours: Any = InMemoryLogRecordExporter()
    theirs: Any = StockMemoryExporter()  # type: ignore[no-untyped-call]
    provider, buffer = provider_with_buffer()
    provider.add_log_record_processor(processor(theirs))
    provider.add_log_record_processor(stock(ours))
    logger = provider.get_logger("library", "1.0", "https://example.org/schema")
    logger.emit(body={"a": [1]}, attributes={"b": 2}, severity_number=SeverityNumber.INFO, exception=ValueError("no"))
    assert provider.force_flush()
    provider.shutdown()
    through_python = [encode_logs(exporter.get_finished_logs()).SerializeToString() for exporter in (ours, theirs)]
    assert through_python[0] == through_python[1]
    (native,) = logs_of(buffer)
    decoded = encode_logs(ours.get_finished_logs()).resource_logs[0].scope_logs[0].log_records[0]
    assert sorted(native.attributes, key=str) == sorted(decoded.attributes, key=str)
    assert (native.body, native.severity_number) == (decoded.body, decoded.severity_number)


def test_upstreams_console_exporter_prints_our_records(capsys: pytest.CaptureFixture[str]) -> None:
    exporter: Any = StockConsoleExporter(out=sys.stdout)
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("library").emit(body="printed")
    assert '"body": "printed"' in capsys.readouterr().out


def test_enabled_is_true_where_records_go_somewhere() -> None:
    assert provider_with_buffer()[0].get_logger("library").enabled()
    provider = LoggerProvider(shutdown_on_exit=False)
    logger = provider.get_logger("library")
    assert not logger.enabled()
    provider.add_log_record_processor(Editing(lambda _: None))
    assert logger.enabled(severity_number=SeverityNumber.INFO, event_name="item.sold")


def test_nothing_is_recorded_after_shutdown() -> None:
    provider, buffer = provider_with_buffer()
    logger = provider.get_logger("library")
    provider.shutdown()
    logger.emit(body="late")
    assert (logs_of(buffer), logger.enabled()) == ([], False)


def test_a_disabled_sdk_hands_out_loggers_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert isinstance(LoggerProvider(shutdown_on_exit=False).get_logger("library"), NoOpLogger)


def test_loggers_are_the_apis_and_the_same_for_the_same_scope() -> None:
    provider, _ = provider_with_buffer()
    logger = provider.get_logger("library", "1.0")
    assert isinstance(logger, ApiLogger)
    assert provider.get_logger("library", "1.0") is logger
    assert provider.get_logger("library", "2.0") is not logger


def test_an_updated_resource_is_that_of_later_records() -> None:
    buffer = _native.Buffer(64 << 20)
    provider = LoggerProvider(Resource({"a": "1", "b": "old"}), shutdown_on_exit=False, _buffer=buffer)
    logger: Any = provider.get_logger("library")
    provider._update_resource(Resource({"b": "new"}))  # noqa: SLF001 - upstream's own name
    assert dict(logger.resource.attributes) == {"a": "1", "b": "new"}
