"""The OpenTelemetry Collector before and behind the gateway, in every protocol, encoding and compression of its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from millrace.gateway import Gateway
from scripts.build_otelcol import CollectorUnavailableError
from tests.conformance.doors import http as send
from tests.conformance.gateways import assert_the_accounts_add_up, configuration, to_grpc, url, wait_until
from tests.conformance.http1 import PROTOBUF
from tests.conformance.http1 import request as http_request
from tests.conformance.messages import HTTP_PATHS, SIGNALS, Request, Signal, items, names, request
from tests.conformance.sink import Sink
from tests.interop.collector import Collector, pipelines, receivers, running_collector

COMPRESSIONS = ("none", "gzip", "zstd")
WAYS = [
    *(f"otlp/{compression}" for compression in COMPRESSIONS),
    *(f"otlphttp/{compression}" for compression in COMPRESSIONS),
    *(f"otlphttp/json-{compression}" for compression in COMPRESSIONS),
]
ITEMS = 100

signals = pytest.mark.parametrize("signal", SIGNALS)
ways = pytest.mark.parametrize("way", WAYS)


def exporter(way: str, grpc_url: str, http_url: str) -> dict[str, Any]:
    """The exporter of one way: the vocabulary is the same on both sides."""
    kind, _, details = way.partition("/")
    settings = {"compression": details.removeprefix("json-"), "tls": {"insecure": True}}
    if kind == "otlp":
        return settings | {"endpoint": grpc_url}
    return settings | {"endpoint": http_url, "encoding": "json" if details.startswith("json") else "proto"}


def a_request(signal: Signal) -> Request:
    """A request that the Collector, which decodes and encodes everything, writes as it was."""
    message = request(signal, ITEMS)
    if signal == "traces":
        for span in items(signal, message):
            span.status.SetInParent()
    return message


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Collector's configuration lies."""
    return tmp_path_factory.mktemp("collector")


@pytest.fixture(scope="module")
def before(endpoint: Sink, folder: Path) -> Iterator[tuple[Collector, Gateway]]:
    """A Collector that forwards to a gateway, a receiver of its for each way; the gateway forwards to the endpoint."""
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway(configuration({"otlp": to_grpc(endpoint.grpc_url)})))
        routes = {f"otlp/{way.replace('/', '-')}": way for way in WAYS}
        config = {
            "receivers": receivers(*routes),
            "exporters": {way: exporter(way, url(gateway, "grpc"), url(gateway, "http")) for way in WAYS},
            "service": {"pipelines": pipelines(routes), "telemetry": {"metrics": {"level": "none"}}},
        }
        try:
            collector = stack.enter_context(running_collector(config, folder))
        except CollectorUnavailableError as error:
            pytest.skip(str(error))
        yield collector, gateway
        assert_the_accounts_add_up(gateway.stats())


@ways
@signals
def test_the_collector_sends_to_the_gateway(
    before: tuple[Collector, Gateway], sink: Sink, way: str, signal: Signal
) -> None:
    collector, gateway = before
    message = a_request(signal)
    accepted = gateway.stats()["receivers"]["otlp"][signal]["accepted"]
    host, _, port = collector.urls[f"otlp/{way.replace('/', '-')}/http"].removeprefix("http://").partition(":")
    answer = http_request(
        (host, int(port)), "POST", HTTP_PATHS[signal], message.SerializeToString(), {"Content-Type": PROTOBUF}
    )
    assert answer.status == 200
    wait_until(lambda: len(sink.names(signal)) >= ITEMS, f"all {signal} have arrived")

    assert_arrived(sink, signal, message)
    wait_until(
        lambda: gateway.stats()["receivers"]["otlp"][signal]["accepted"] == accepted + ITEMS,
        "the gateway knows that everything has arrived",
    )


@pytest.fixture(scope="module")
def behind(endpoint: Sink, folder: Path) -> Iterator[Collector]:
    """A Collector that forwards to the endpoint."""
    config = {
        "receivers": receivers("otlp"),
        "exporters": {"otlp": {"endpoint": endpoint.grpc_url, "tls": {"insecure": True}, "compression": "none"}},
        "service": {"pipelines": pipelines({"otlp": "otlp"}), "telemetry": {"metrics": {"level": "none"}}},
    }
    try:
        with running_collector(config, folder) as collector:
            yield collector
    except CollectorUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=WAYS)
def sending(request: pytest.FixtureRequest, behind: Collector) -> Iterator[Gateway]:
    """A gateway that sends to the Collector in one of the ways."""
    way: str = request.param
    to = exporter(way, behind.urls["otlp/grpc"], behind.urls["otlp/http"])
    with Gateway(configuration({way: to})) as gateway:
        yield gateway
        stats = gateway.stats()
        assert_the_accounts_add_up(stats)
        assert all(stats["exporters"][way][signal]["dropped"] == {} for signal in ("traces", "metrics", "logs"))


@signals
def test_the_gateway_sends_to_the_collector(sending: Gateway, sink: Sink, signal: Signal) -> None:
    message = a_request(signal)

    assert send(sending, signal, message.SerializeToString()).error is None

    wait_until(lambda: len(sink.names(signal)) >= ITEMS, f"all {signal} have arrived")
    assert_arrived(sink, signal, message)
    if signal == "profiles":
        (arrived,) = sink.messages(signal)
        assert profile_ids(arrived) == profile_ids(message)


def assert_arrived(sink: Sink, signal: Signal, message: Request) -> None:
    """What arrived is what was sent, as the Collector writes it: it decodes and encodes everything anew."""
    (arrived,) = sink.messages(signal)
    assert sink.names(signal) == names(signal, message)
    if signal != "profiles":  # the Collector rebuilds the dictionary
        for part in _resources(arrived):
            part.ClearField("resource")
            for scope in part.ListFields()[0][1]:
                scope.ClearField("scope")
        assert arrived == message


def profile_ids(message: Request) -> list[bytes]:
    """The ids of all profiles."""
    return [profile.profile_id for profile in items("profiles", message)]


def _resources(message: Request) -> list[Any]:
    """The outermost envelopes of a request."""
    (_, envelopes), *_ = message.ListFields()
    return list(envelopes)


def test_a_refusal_of_the_gateway_is_understood_by_the_collector(endpoint: Sink, folder: Path) -> None:
    """A gateway that answers 503 gets the data later: the Collector repeats what it may repeat."""
    endpoint.reset()
    closed = to_grpc(endpoint.grpc_url, retry_on_failure={"enabled": False})
    endpoint.refusal = grpc.StatusCode.UNAVAILABLE
    retry = {"retry_on_failure": {"initial_interval": "50ms", "max_interval": "100ms"}}
    with Gateway(configuration({"otlp": closed})) as gateway, ExitStack() as stack:
        config = {
            "receivers": receivers("otlp"),
            "exporters": {"otlphttp": exporter("otlphttp/none", "", url(gateway, "http")) | retry},
            "service": {"pipelines": pipelines({"otlp": "otlphttp"}), "telemetry": {"metrics": {"level": "none"}}},
        }
        try:
            collector = stack.enter_context(running_collector(config, folder))
        except CollectorUnavailableError as error:
            pytest.skip(str(error))
        host, _, port = collector.urls["otlp/http"].removeprefix("http://").partition(":")
        http_request(
            (host, int(port)), "POST", "/v1/logs", request("logs").SerializeToString(), {"Content-Type": PROTOBUF}
        )
        wait_until(
            lambda: gateway.stats()["receivers"]["otlp"]["logs"]["refused"], "the gateway has refused the request"
        )
        refused = len(endpoint.arrivals)
        endpoint.refusal = None
        wait_until(lambda: len(endpoint.arrivals) > refused, "the Collector has repeated the request")
        wait_until(lambda: gateway.stats()["receivers"]["otlp"]["logs"]["accepted"] == 1, "it was accepted once")
    endpoint.reset()
