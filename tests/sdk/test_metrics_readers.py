"""Readers, exporters and the environment, of ours and of upstream's."""

# ruff: noqa: SLF001

import logging
from io import StringIO
from typing import Any

import pytest
from opentelemetry.sdk.metrics import Counter as StockCounter
from opentelemetry.sdk.metrics import export as stock_export
from opentelemetry.sdk.metrics import view as stock_view

from tests.sdk.metrics_beside_stock import OURS, Engine, comparable, points

TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
HISTOGRAM = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"


def provider(*readers: Any, **options: Any) -> Any:
    return OURS.metrics.MeterProvider(readers, OURS.resource, shutdown_on_exit=False, **options)


class Exporter(stock_export.MetricExporter):
    """An exporter of a user's, written for the stock SDK."""

    def __init__(self) -> None:
        super().__init__(preferred_temporality={StockCounter: stock_export.AggregationTemporality.DELTA})
        self.exported: list[Any] = []

    def export(
        self, metrics_data: Any, timeout_millis: float = 10_000, **_kwargs: Any
    ) -> stock_export.MetricExportResult:
        self.exported.append(metrics_data)
        return stock_export.MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: Any) -> None:
        """Nothing to stop."""


@pytest.mark.parametrize("export", [stock_export, OURS.export])
def test_an_exporter_written_for_the_stock_sdk_gets_its_classes_and_its_temporality(export: Any) -> None:
    exporter = Exporter()
    reader = export.PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    metrics = provider(reader)
    counter = metrics.get_meter("shop").create_counter("requests")
    for _ in range(2):
        counter.add(3, {"k": "v"})
        assert metrics.force_flush()
    metrics.shutdown()
    values = []
    for data in exporter.exported:
        assert isinstance(data, stock_export.MetricsData)
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        assert isinstance(metric.data, stock_export.Sum)
        assert metric.data.aggregation_temporality is stock_export.AggregationTemporality.DELTA
        values.append(metric.data.data_points[0].value)
    assert values == [3, 3]


def test_a_reader_and_a_view_of_the_stock_sdk_work() -> None:
    reader = stock_export.InMemoryMetricReader(preferred_aggregation={StockCounter: stock_view.LastValueAggregation()})
    metrics = provider(reader, views=[stock_view.View(instrument_type=StockCounter, name="renamed")])
    metrics.get_meter("shop").create_counter("requests").add(3)
    metrics.get_meter("shop").create_up_down_counter("other").add(4)
    data = reader.get_metrics_data()
    assert data is not None
    names = [metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics]
    assert names == ["renamed", "other"]


def test_each_reader_collects_for_itself() -> None:
    delta = {OURS.metrics.Counter: OURS.export.AggregationTemporality.DELTA}
    first, second = OURS.export.InMemoryMetricReader(delta), OURS.export.InMemoryMetricReader()
    metrics = provider(first)
    counter = metrics.get_meter("shop").create_counter("requests")

    def value(reader: Any) -> Any:
        data = reader.get_metrics_data()
        return data and data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].value

    counter.add(1)
    metrics.add_metric_reader(second)
    counter.add(2)
    assert (value(first), value(second)) == (3, 2)
    counter.add(4)
    assert (value(first), value(second)) == (4, 6)
    metrics.remove_metric_reader(first)
    counter.add(8)
    assert (value(first), value(second)) == (None, 14)


def test_the_console_exporter_writes_json() -> None:
    out = StringIO()
    reader = OURS.export.PeriodicExportingMetricReader(OURS.export.ConsoleMetricExporter(out), float("inf"))
    metrics = provider(reader)
    metrics.get_meter("shop").create_counter("requests").add(1)
    metrics.force_flush()
    metrics.shutdown()
    assert '"name": "requests"' in out.getvalue()


def test_shutdown_collects_a_last_time_and_later_meters_record_nothing() -> None:
    exporter = Exporter()
    metrics = provider(OURS.export.PeriodicExportingMetricReader(exporter, 3_600_000))
    metrics.get_meter("shop").create_counter("requests").add(1)
    metrics.shutdown()
    assert len(exporter.exported) == 1
    metrics.get_meter("late").create_counter("late").add(1)


def test_a_failing_exporter_makes_force_flush_say_so_and_raise_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(OURS.export.InMemoryMetricReader):  # type: ignore[name-defined,misc] # found at run time
        def force_flush(self, timeout_millis: float = 10_000) -> bool:
            raise RuntimeError(str(timeout_millis))

    assert not provider(Failing()).force_flush()
    assert "force_flush failed" in caplog.text


@pytest.mark.parametrize(
    ("preference", "deltas"),
    [
        ("cumulative", set()),
        ("DELTA", {"counter", "histogram", "observable_counter"}),
        ("lowmemory", {"counter", "histogram"}),
        ("nonsense", set()),
        ("", set()),
    ],
)
def test_the_engine_gets_the_temporality_of_the_environment_e9(
    monkeypatch: pytest.MonkeyPatch, preference: str, deltas: set[str]
) -> None:
    from opentelemetry.metrics import Observation  # noqa: PLC0415

    monkeypatch.setenv(TEMPORALITY, preference)
    engine = Engine()
    meter = provider(OURS.export.EngineMetricReader(engine)).get_meter("shop")
    meter.create_counter("counter").add(1)
    meter.create_up_down_counter("up_down_counter").add(1)
    meter.create_histogram("histogram").record(1)
    meter.create_observable_counter("observable_counter", [lambda _options: [Observation(1)]])
    found = set()
    for metric in engine.request().resource_metrics[0].scope_metrics[0].metrics:
        if getattr(metric, str(metric.WhichOneof("data"))).aggregation_temporality == 1:
            found.add(metric.name)
    assert found == deltas


def test_the_engine_gets_the_histograms_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HISTOGRAM, "base2_exponential_bucket_histogram")
    engine = Engine()
    provider(OURS.export.EngineMetricReader(engine)).get_meter("shop").create_histogram("latency").record(1)
    (point,) = points(engine.request(), "latency")
    assert point.scale == 20


@pytest.mark.parametrize(("name", "exemplars"), [("always_on", 1), ("always_off", 0), ("trace_based", 0), ("what", 0)])
def test_the_exemplar_filter_of_the_environment_is_used_e9(
    monkeypatch: pytest.MonkeyPatch, name: str, exemplars: int
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", name)
    engine = Engine()
    provider(OURS.export.EngineMetricReader(engine)).get_meter("shop").create_counter("requests").add(1)
    assert len(points(engine.request(), "requests")[0].exemplars) == exemplars


def test_intervals_that_are_no_numbers_are_said_and_the_defaults_used_e9(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "soon")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_TIMEOUT", "250")
    reader = OURS.export.PeriodicExportingMetricReader(Exporter())
    assert (reader._export_interval_millis, reader._export_timeout_millis) == (60_000, 250)
    assert "OTEL_METRIC_EXPORT_INTERVAL" in caplog.text
    reader.shutdown()


def test_the_same_instrument_is_made_once_and_another_of_its_name_is_said(caplog: pytest.LogCaptureFixture) -> None:
    meter = provider().get_meter("shop")
    counter = meter.create_counter("Requests", "1")
    assert meter.create_counter("requests", "1") is counter
    with caplog.at_level(logging.WARNING):
        meter.create_histogram("requests", "1")
    assert "has been created already" in caplog.text


def test_views_that_make_one_metric_of_two_instruments_are_said(caplog: pytest.LogCaptureFixture) -> None:
    metrics = provider(
        OURS.export.InMemoryMetricReader(), views=[OURS.view.View(instrument_type=OURS.metrics.Counter, name="same")]
    )
    metrics.get_meter("shop").create_counter("one")
    metrics.get_meter("shop").create_counter("two")
    assert "conflicting metrics identities" in caplog.text


def test_bounds_of_the_instrument_hold_unless_a_view_gives_others() -> None:
    engine = Engine()
    view = OURS.view.View(instrument_name="viewed", aggregation=OURS.view.ExplicitBucketHistogramAggregation([7]))
    meter = provider(OURS.export.EngineMetricReader(engine), views=[view]).get_meter("shop")
    for name in ("advised", "viewed"):
        meter.create_histogram(name, explicit_bucket_boundaries_advisory=[1, 2]).record(1)
    request = engine.request()
    assert list(points(request, "advised")[0].explicit_bounds) == [1, 2]
    assert list(points(request, "viewed")[0].explicit_bounds) == [7]


def test_a_disabled_meter_records_nothing_and_asks_no_callback() -> None:
    from millrace.sdk.metrics._meter import _disable_meter_configurator  # noqa: PLC0415

    asked: list[object] = []
    engine = Engine()
    metrics = provider(OURS.export.EngineMetricReader(engine), _meter_configurator=_disable_meter_configurator)
    meter = metrics.get_meter("shop")
    meter.create_counter("requests").add(1)
    meter.create_observable_gauge("load", [asked.append])
    assert comparable(engine.request()) == []
    assert not asked


def test_code_that_asks_for_classes_of_the_stock_sdk_hears_yes() -> None:
    import opentelemetry.sdk.metrics as stock  # noqa: PLC0415

    metrics = provider()
    meter = metrics.get_meter("shop")
    assert isinstance(metrics, stock.MeterProvider)
    assert isinstance(meter.create_counter("requests"), stock.Counter)
    assert isinstance(meter.create_observable_gauge("load"), stock.ObservableGauge)
    assert not isinstance(meter.create_histogram("latency"), stock.Counter)
