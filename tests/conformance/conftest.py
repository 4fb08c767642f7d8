"""The gateways of the conformance tests, one of each kind for the whole session, and the endpoint behind them."""

from collections.abc import Iterator

import pytest

from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import assert_the_accounts_add_up, configuration, to_grpc
from tests.conformance.sink import Sink, running_sink

MEBIBYTE = 1 << 20


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
def forwarding_gateway(endpoint: Sink) -> Iterator[Gateway]:
    """Forwards everything to the endpoint, and answers only when it has answered."""
    with Gateway(configuration({"otlp": to_grpc(endpoint.grpc_url)})) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def default_gateway() -> Iterator[Gateway]:
    """Forgets everything; every limit has its default."""
    with Gateway(configuration({"nop": {}})) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def strict_gateway() -> Iterator[Gateway]:
    """Forgets everything; every limit is small, so that a test can pass it in little time."""
    limits = configuration(
        {"nop": {}},
        receiver={"body_timeout": "300ms"},
        grpc={"max_recv_msg_size_mib": 1},
        http={"max_request_body_size": MEBIBYTE, "read_header_timeout": "300ms", "idle_timeout": "300ms"},
        budget_mib=16,
        admission_timeout="100ms",
    )
    with Gateway(limits) as gateway:
        yield gateway


@pytest.fixture
def forwarding(forwarding_gateway: Gateway, sink: Sink) -> Iterator[Gateway]:
    """The forwarding gateway, before an empty endpoint; its accounts add up after the test."""
    assert not sink.arrivals
    yield forwarding_gateway
    assert_the_accounts_add_up(forwarding_gateway.stats())


@pytest.fixture
def default(default_gateway: Gateway) -> Iterator[Gateway]:
    """The gateway with default limits; its accounts add up after the test."""
    yield default_gateway
    assert_the_accounts_add_up(default_gateway.stats())


@pytest.fixture
def strict(strict_gateway: Gateway) -> Iterator[Gateway]:
    """The gateway with small limits; its accounts add up after the test."""
    yield strict_gateway
    assert_the_accounts_add_up(strict_gateway.stats())


@pytest.fixture(params=[doors.http, doors.grpc], ids=["http", "grpc"])
def door(request: pytest.FixtureRequest) -> doors.Door:
    """Both protocols in turn."""
    chosen: doors.Door = request.param
    return chosen
