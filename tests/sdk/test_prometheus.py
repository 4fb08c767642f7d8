"""Metrics for Prometheus: both formats as its own client reads them, the same as upstream's exporter gives."""

import gzip
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader as StockReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider as StockProvider
from opentelemetry.sdk.resources import Resource as StockResource
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client.parser import text_string_to_metric_families as classic_families

from millrace.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from millrace.sdk.metrics.prometheus import PrometheusMetricReader
from millrace.sdk.metrics.prometheus.names import metric_name, unit_word
from millrace.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from millrace.sdk.resources import Resource
from millrace.sdk.trace import TracerProvider

OPEN = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
ATTRIBUTES = {"service.name": "shop", "deployment.environment.name": "test"}

open_metrics_families: Any = open_metrics.text_string_to_metric_families  # without types

Samples = set[tuple[str, frozenset[tuple[str, str]], float]]


@pytest.fixture
def reader() -> Iterator[PrometheusMetricReader]:
    """A reader that listens nowhere."""
    made = PrometheusMetricReader()
    yield made
    made.shutdown()


def meters(reader: Any, **options: Any) -> MeterProvider:
    """Our provider with one reader."""
    resource = Resource(ATTRIBUTES)
    return MeterProvider([reader], resource=resource, shutdown_on_exit=False, **options)


def measure(provider: Any) -> None:
    """Use each instrument."""
    meter = provider.get_meter("shop", "1.2", "https://example.com/schema", {"team": "checkout"})
    orders = meter.create_counter("shop.orders", "{order}", 'Orders, by "state" and \\ line\nbreaks')
    orders.add(3, {"http.method": "GET", "big": True})
    orders.add(2.5, {"http.method": 'P"O\\S\nT', "sizes": [1, 2]})
    meter.create_up_down_counter("queue.length", "1").add(-4)
    latency = meter.create_histogram("http.server.request.duration", "s", "How long")
    for amount in (0.003, 7.5, 80.0, 99_999.0):
        latency.record(amount, {"route": "/"})
    meter.create_gauge("room-temperature", "Cel").set(21.5, {"room": "ä"})
    meter.create_counter("traffic", "By").add(1 << 40)

    def cpu(_: CallbackOptions) -> list[Observation]:
        return [Observation(1.25, {"cpu": 0})]

    meter.create_observable_counter("cpu.time", [cpu], "s")
    provider.get_meter("other").create_counter("second/counter", "m/s").add(1)


def page(reader: PrometheusMetricReader, accept: str = "") -> str:
    """What the reader answers."""
    return reader.exposition(accept)[1].decode()


def samples(families: Any) -> Samples:
    """What families say, whatever their order; a label without a value is none."""
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value), sample.value)
        for family in families
        for sample in family.samples
    }


def kinds(families: Any) -> dict[str, str]:
    """The kind of each family."""
    return {family.name: family.type for family in families}


def test_both_formats_say_what_upstreams_exporter_says(reader: PrometheusMetricReader) -> None:
    provider = meters(reader)
    measure(provider)
    registry = CollectorRegistry()
    stock_reader = StockReader(registry=registry)
    stock = StockProvider([stock_reader], StockResource(ATTRIBUTES), shutdown_on_exit=False)
    measure(stock)
    theirs = list(classic_families(generate_latest(registry).decode()))

    ours = list(classic_families(page(reader)))
    assert samples(ours) == samples(theirs)
    assert kinds(ours) == kinds(theirs)
    assert {family.name: family.documentation for family in ours} == {
        family.name: family.documentation for family in theirs
    }
    assert samples(open_metrics_families(page(reader, OPEN))) == samples(theirs)
    stock.shutdown()


def test_openmetrics_has_types_units_and_an_end(reader: PrometheusMetricReader) -> None:
    measure(meters(reader))
    text = page(reader, OPEN)

    families = {family.name: family for family in open_metrics_families(text)}
    assert families["shop_orders"].type == "counter"
    assert (families["http_server_request_duration_seconds"].type, families["traffic_bytes"].unit) == (
        "histogram",
        "bytes",
    )
    assert families["target"].type == "info"
    assert text.endswith("# EOF\n")


def test_exemplars_are_in_openmetrics_and_only_there(reader: PrometheusMetricReader) -> None:
    provider = meters(reader)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("shop")
    meter = provider.get_meter("shop")
    with tracer.start_as_current_span("order") as span:
        meter.create_counter("orders").add(1)
        meter.create_histogram("latency", "s").record(7.5)
    context = span.get_span_context()
    ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    families = {family.name: family for family in open_metrics_families(page(reader, OPEN))}
    (counter,) = families["orders"].samples
    assert counter.exemplar is not None
    assert (counter.exemplar.labels, counter.exemplar.value) == (ids, 1.0)
    buckets = {
        sample.labels["le"]: sample.exemplar
        for sample in families["latency_seconds"].samples
        if sample.name.endswith("_bucket") and sample.exemplar
    }
    assert {le: exemplar.value for le, exemplar in buckets.items()} == {"10.0": 7.5}
    assert "trace_id" not in page(reader)


def test_an_exemplar_keeps_to_the_limit_of_openmetrics(reader: PrometheusMetricReader) -> None:
    view = View(instrument_name="orders", attribute_keys=set())
    provider = meters(reader, views=[view], exemplar_filter=AlwaysOnExemplarFilter())
    provider.get_meter("shop").create_counter("orders").add(1, {"customer": "x" * 200})

    (family,) = [one for one in open_metrics_families(page(reader, OPEN)) if one.name == "orders"]
    assert family.samples[0].exemplar is not None
    assert family.samples[0].exemplar.labels == {}


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        (OPEN, True),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.1", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=much", False),
    ],
)
def test_the_format_is_the_one_that_is_liked_better(accept: str, is_open: bool, reader: PrometheusMetricReader) -> None:  # noqa: FBT001 - a parameter of the test
    assert reader.exposition(accept)[0].startswith("application/openmetrics-text") is is_open


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.server.duration", "ms", "histogram", "http_server_duration_milliseconds"),
        ("requests", "{request}", "counter", "requests"),
        ("requests.total", "", "counter", "requests"),
        ("bytes.sent", "By", "counter", "bytes_sent_bytes"),
        ("sent.bytes", "By", "counter", "sent_bytes"),
        ("utilization", "1", "gauge", "utilization_ratio"),
        ("retries", "1", "counter", "retries"),
        ("speed", "m/s", "gauge", "speed_meters_per_second"),
        ("rate", "{packet}/s", "gauge", "rate_per_second"),
        ("a..b--c", "", "gauge", "a_b_c"),
        ("2xx", "", "gauge", "_2xx"),
    ],
)
def test_names_follow_the_rules_of_the_specification(name: str, unit: str, kind: str, expected: str) -> None:
    assert metric_name(name, unit_word(unit, kind), kind) == expected


def test_labels_that_become_the_same_are_joined(reader: PrometheusMetricReader) -> None:
    meters(reader).get_meter("").create_counter("never")  # a meter without a name records nothing, and harms nothing
    provider = MeterProvider([other := PrometheusMetricReader(scope_info_enabled=False)], shutdown_on_exit=False)
    provider.get_meter("shop").create_counter("orders").add(1, {"a.b": "two", "a-b": "one", "__c": 3, "": "none"})

    (family,) = [one for one in classic_families(page(other)) if one.name == "orders"]
    assert family.samples[0].labels == {"a_b": "one;two", "_c": "3"}


def test_a_label_le_of_the_user_does_not_hide_a_bucket(reader: PrometheusMetricReader) -> None:
    meters(reader).get_meter("shop").create_histogram("latency").record(1, {"le": "mine"})

    (family,) = [one for one in open_metrics_families(page(reader, OPEN)) if one.name == "latency"]
    assert {sample.labels["exported_le"] for sample in family.samples} == {"mine"}


def test_of_two_metrics_with_the_same_names_one_is_left_out_and_said(
    reader: PrometheusMetricReader, caplog: pytest.LogCaptureFixture
) -> None:
    meter = meters(reader).get_meter("shop")
    meter.create_counter("collisions.of.orders").add(1)
    meter.create_gauge("collisions.of.orders.total").set(7)

    families = kinds(open_metrics_families(page(reader, OPEN)))
    assert families["collisions_of_orders"] == "counter"
    assert "collisions_of_orders_total" not in families
    assert "a view can rename one" in caplog.text


def test_an_exponential_histogram_is_left_out_and_said(
    reader: PrometheusMetricReader, caplog: pytest.LogCaptureFixture
) -> None:
    view = View(instrument_name="sizes.of.orders", aggregation=ExponentialBucketHistogramAggregation())
    provider = meters(reader, views=[view])
    provider.get_meter("shop").create_histogram("sizes.of.orders").record(1)

    assert "sizes_of_orders" not in page(reader)
    assert "no exponential histograms" in caplog.text


def test_a_histogram_of_what_may_be_negative_has_no_sum(reader: PrometheusMetricReader) -> None:
    view = View(instrument_name="balance", aggregation=ExplicitBucketHistogramAggregation([-10, 0, 10]))
    meters(reader, views=[view]).get_meter("shop").create_up_down_counter("balance").add(-3)

    for families in (open_metrics_families(page(reader, OPEN)), classic_families(page(reader))):
        (balance,) = [family for family in families if family.name == "balance"]
        found = {sample.labels.get("le", sample.name): sample.value for sample in balance.samples}
        assert (found["-10.0"], found["0.0"], found["+Inf"]) == (0, 1, 1)
        assert "balance_sum" not in found


def test_what_a_reader_leaves_out_and_adds() -> None:
    reader = PrometheusMetricReader(
        True,  # noqa: FBT003 - upstream's signature
        "app",
        False,  # noqa: FBT003 - as above
        resource_attribute_filter=lambda key: key == "service.name",
    )
    meters(reader).get_meter("shop", "1").create_counter("orders").add(1)

    assert (
        page(reader)
        == '# HELP app_orders_total \n# TYPE app_orders_total counter\napp_orders_total{service_name="shop"} 1\n'
    )


def test_http_serves_both_formats_and_compresses() -> None:
    reader = PrometheusMetricReader(port=0)
    measure(meters(reader))
    assert reader.server_address is not None
    url = "http://{}:{}/metrics".format(*reader.server_address)

    def get(path: str, **headers: str) -> Any:
        request = urllib.request.Request(path, headers=headers)  # noqa: S310 - of this test
        return urllib.request.urlopen(request, timeout=5)  # noqa: S310 - as above

    with get(url) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        plain = samples(classic_families(answer.read().decode()))
    with get(url, Accept=OPEN, **{"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert samples(open_metrics_families(gzip.decompress(answer.read()).decode())) == plain
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(url.replace("/metrics", "/elsewhere"))
    reader.shutdown()
    with pytest.raises(OSError, match="refused"):
        get(url)


def test_a_callback_that_fails_costs_only_its_own_metric(reader: PrometheusMetricReader) -> None:
    def fail(_: CallbackOptions) -> list[Observation]:
        raise ValueError("broken")

    meter = meters(reader).get_meter("shop")
    meter.create_observable_gauge("broken", [fail])
    meter.create_counter("orders").add(1)

    assert "orders_total" in page(reader)
