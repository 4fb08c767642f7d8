"""What the engine is told by the variables of batching, reading and the choice of exporters (E5, E9)."""

import pytest

from millrace.sdk.otlp_exporter import Destination
from millrace.sdk.settings import SIGNALS, SdkSettings, settings_from_environment


def settings(*signals: str, endpoint: str | None = None) -> SdkSettings:
    return settings_from_environment(Destination(endpoint), signals or SIGNALS)


def test_the_defaults_of_batching_and_reading_are_those_of_the_specification() -> None:
    engine = settings().engine

    assert {name: engine["traces"][name] for name in ("schedule_delay_ms", "export_timeout_ms")} == {
        "schedule_delay_ms": 5_000,
        "export_timeout_ms": 30_000,
    }
    assert engine["logs"]["schedule_delay_ms"] == 1_000
    (metrics,) = engine["metrics"]
    assert (metrics["interval_ms"], metrics["timeout_ms"]) == (60_000, 30_000)


def test_the_queue_is_bounded_in_bytes_unless_a_number_of_items_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().engine["traces"]["max_queue_size"] is None
    assert settings().engine["traces"]["max_queue_bytes"] == 64 << 20
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "200")

    assert settings().engine["traces"]["max_queue_size"] == 100
    assert settings().engine["logs"]["max_queue_size"] == 200


def test_a_batch_larger_than_the_queue_is_cut_to_it_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512")

    assert settings().engine["traces"]["max_export_batch_size"] == 100
    assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: is larger than OTEL_BSP_MAX_QUEUE_SIZE" in caplog.text


def test_e9_a_delay_that_is_no_number_is_said_and_the_default_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "soon")

    assert settings().engine["traces"]["schedule_delay_ms"] == 5_000
    assert "OTEL_BSP_SCHEDULE_DELAY" in caplog.text


def test_a_signal_exported_nowhere_is_not_given_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    found = settings("traces", "metrics")

    assert found.engine["traces"] is not None
    assert (found.engine["metrics"], found.engine["logs"]) == ([], None)


def test_exporters_beside_otlp_are_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp, console,zipkin")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "console")
    found = settings()

    assert found.exporters == {"traces": ["console", "zipkin"], "metrics": [], "logs": ["console"]}
    assert found.engine["traces"] is not None
    assert found.engine["logs"] is None


def test_an_endpoint_that_cannot_be_used_is_one_fault_for_all_its_signals() -> None:
    found = settings(endpoint="nonsense")

    assert [found.engine[signal] for signal in SIGNALS] == [None, [], None]
    assert len(found.faults) == 1
    assert found.faults[0].startswith("endpoint: a URL starts with http://")
