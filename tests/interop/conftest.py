"""The endpoint behind the gateways of the interoperability tests, and the gateways before it."""

from collections.abc import Iterator

import pytest

from millrace.gateway import Gateway
from tests.conformance.gateways import assert_the_accounts_add_up, configuration, to_grpc, to_http
from tests.conformance.sink import Sink, running_sink


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Sink]:
    """The endpoint behind the gateways, running."""
    with running_sink() as sink:
        yield sink


@pytest.fixture
def sink(endpoint: Sink) -> Iterator[Sink]:
    """An endpoint that has received nothing yet."""
    endpoint.reset()
    yield endpoint
    endpoint.reset()


@pytest.fixture(scope="session")
def gateways(endpoint: Sink) -> Iterator[dict[str, Gateway]]:
    """Gateways that forward everything to the endpoint, one over gRPC and one over HTTP."""
    exporters = {
        "grpc": {"otlp": to_grpc(endpoint.grpc_url, compression="gzip")},
        "http": {"otlphttp": to_http(endpoint.http_url, compression="zstd")},
    }
    with Gateway(configuration(exporters["grpc"])) as grpc, Gateway(configuration(exporters["http"])) as http:
        yield {"grpc": grpc, "http": http}


@pytest.fixture(params=["grpc", "http"], ids=["to grpc", "to http"])
def gateway(request: pytest.FixtureRequest, gateways: dict[str, Gateway], sink: Sink) -> Iterator[Gateway]:
    """Each of the gateways in turn; its accounts add up after the test, and nothing was refused."""
    assert not sink.arrivals
    chosen = gateways[request.param]
    yield chosen
    stats = chosen.stats()
    assert_the_accounts_add_up(stats)
    for books in stats["receivers"]["otlp"].values():
        assert (books["refused"], books["rejected"], books["accepted"]) == ({}, 0, books["received"])
