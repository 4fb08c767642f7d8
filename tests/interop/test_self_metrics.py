"""What the gateway tells about itself has the names that the Collector gave it, so that its dashboards work."""

import socket
from collections.abc import Iterator
from typing import TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from millrace.gateway import Gateway
from scripts.build_otelcol import CollectorUnavailableError
from tests.conformance import http1
from tests.conformance.doors import grpc, http
from tests.conformance.gateways import configuration, to_grpc, to_http, wait_until
from tests.conformance.http2 import Http2Connection, frame, grpc_headers
from tests.conformance.messages import HTTP_PATHS, Signal, request
from tests.conformance.sink import Sink
from tests.interop.collector import pipelines, receivers, running_collector

SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
ITEMS = 7

Page: TypeAlias = dict[str, list[dict[str, str]]]
"""The labels of each sample, by the sample's name."""


def scrape(host: str, port: int) -> str:
    """A page of metrics."""
    answer = http1.request((host, port), "GET", "/metrics")
    assert answer.status == 200
    return answer.body.decode()


def samples(text: str) -> Page:
    """What a page tells, as the client library of Prometheus reads it."""
    page: Page = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            page.setdefault(sample.name.removesuffix("_total"), []).append(sample.labels)
    return page


def reader(port: int) -> dict[str, object]:
    """Telemetry settings that both programs understand."""
    return {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port}}}}]}}


@pytest.fixture(scope="module")
def text(endpoint: Sink) -> Iterator[str]:
    """The page of a gateway with traffic over both protocols to both kinds of exporter."""
    endpoint.reset()
    exporters = {"otlp": to_grpc(endpoint.grpc_url), "otlphttp": to_http(endpoint.http_url)}
    with Gateway(configuration(exporters, telemetry=reader(0))) as gateway:
        for signal in SIGNALS:
            body = request(signal, ITEMS).SerializeToString()
            assert http(gateway, signal, body).error is None
            assert grpc(gateway, signal, body).error is None
        assert http(gateway, "traces", b"\x0f").error is not None
        yield scrape(*gateway.addresses["telemetry/metrics"])


@pytest.fixture(scope="module")
def of_the_collector(endpoint: Sink, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """What a Collector with the same traffic tells."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port: int = chosen.getsockname()[1]
    endpoint.reset()
    config = {
        "receivers": receivers("otlp"),
        "exporters": {
            "otlp": {"endpoint": endpoint.grpc_url, "tls": {"insecure": True}},
            "otlphttp": {"endpoint": endpoint.http_url},
        },
        "service": {"pipelines": pipelines({"otlp": "otlp"}), "telemetry": reader(port)},
    }
    for pipeline in config["service"]["pipelines"].values():
        pipeline["exporters"] = ["otlp", "otlphttp"]
    try:
        with running_collector(config, tmp_path_factory.mktemp("collector")) as collector:
            for protocol in ("http", "grpc"):
                host, _, receiver_port = collector.urls[f"otlp/{protocol}"].removeprefix("http://").partition(":")
                for signal in SIGNALS:
                    body = request(signal, ITEMS).SerializeToString()
                    _send(protocol, (host, int(receiver_port)), signal, body)
            wait_until(lambda: len(endpoint.arrivals) == 12, "everything has arrived at the endpoint")
            return samples(scrape("127.0.0.1", port))
    except CollectorUnavailableError as error:
        pytest.skip(str(error))


def _send(protocol: str, address: tuple[str, int], signal: Signal, body: bytes) -> None:
    if protocol == "http":
        head = {"Content-Type": http1.PROTOBUF}
        assert http1.request(address, "POST", HTTP_PATHS[signal], body, head).status == 200
    else:
        with Http2Connection(address) as connection:
            assert connection.exchange(grpc_headers(signal), frame(body)).grpc_status == 0


def test_every_name_that_begins_with_otelcol_is_one_of_the_collector_and_has_labels_that_it_has(
    text: str, of_the_collector: Page
) -> None:
    not_shown_without_a_failure = ("send_failed", "enqueue_failed")
    ours = {name: labels for name, labels in samples(text).items() if name.startswith("otelcol_")}
    assert len(ours) > 10
    for name, labels in ours.items():
        if any(words in name for words in not_shown_without_a_failure) or name.endswith("_profiles"):
            continue
        assert name in of_the_collector
        known = {label for sample in of_the_collector[name] for label in sample}
        assert {label for sample in labels for label in sample} <= known, name


@pytest.mark.parametrize(
    "name",
    [
        *(
            f"otelcol_receiver_{what}_{items}"
            for what in ("accepted", "refused")
            for items in ("spans", "metric_points")
        ),
        "otelcol_receiver_accepted_log_records",
        "otelcol_exporter_sent_spans",
        "otelcol_exporter_sent_metric_points",
        "otelcol_exporter_sent_log_records",
        "otelcol_exporter_queue_size",
        "otelcol_exporter_queue_capacity",
        "otelcol_process_uptime",
        "otelcol_process_cpu_seconds",
        "otelcol_process_memory_rss",
    ],
)
def test_what_dashboards_of_the_collector_show_is_there(text: str, of_the_collector: Page, name: str) -> None:
    assert name in of_the_collector, "the Collector has renamed it"
    assert name in samples(text)


def test_the_numbers_are_those_of_the_traffic(text: str) -> None:
    values = {
        (sample.name.removesuffix("_total"), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    for items in ("spans", "metric_points", "log_records"):
        for transport in ("grpc", "http"):
            labels = (("receiver", "otlp"), ("transport", transport))
            assert values[(f"otelcol_receiver_accepted_{items}", *labels)] == ITEMS
            assert values[(f"otelcol_receiver_refused_{items}", *labels)] == 0
        for exporter in ("otlp", "otlphttp"):
            assert values[(f"otelcol_exporter_sent_{items}", ("exporter", exporter))] == 2 * ITEMS
            assert values[(f"otelcol_exporter_send_failed_{items}", ("exporter", exporter))] == 0
    for exporter in ("otlp", "otlphttp"):
        queue = (("data_type", "traces"), ("exporter", exporter))
        assert values[("otelcol_exporter_queue_size", *queue)] == 0
        assert values[("otelcol_exporter_queue_capacity", *queue)] == 1_000
    malformed = (("reason", "malformed"), ("receiver", "otlp"), ("signal", "traces"), ("transport", "http"))
    assert values[("millrace_receiver_refused_requests", *malformed)] == 1


def test_a_page_is_read_by_the_library_of_prometheus_with_a_type_and_help_for_each(text: str) -> None:
    families = list(text_string_to_metric_families(text))

    assert all(family.type in {"counter", "gauge"} and family.documentation for family in families)
    assert len({family.name for family in families}) == len(families)
