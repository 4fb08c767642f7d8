"""Two gateways in a row move everything, also what has to wait and is joined on the way."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import assert_the_accounts_add_up, configuration, to_grpc, to_http, url, wait_until
from tests.conformance.messages import SIGNALS, Signal, items, request
from tests.conformance.sink import Sink

LINKS = {
    "grpc zstd": ("grpc", {"compression": "zstd"}),
    "grpc otz1": ("grpc", {"compression": "otz1"}),
    "grpc gzip": ("grpc", {"compression": "gzip"}),
    "http zstd": ("http", {"compression": "zstd"}),
    "http otz1": ("http", {"compression": "otz1"}),
    "http json gzip": ("http", {"compression": "gzip", "encoding": "json"}),
}
REQUESTS = 40
ITEMS = 25

signals = pytest.mark.parametrize("signal", SIGNALS)
Chain = tuple[Gateway, Gateway]


@pytest.fixture(scope="module", params=LINKS)
def chain(request: pytest.FixtureRequest, endpoint: Sink) -> Iterator[Chain]:
    """A gateway that sends to a second one, which sends to the endpoint."""
    protocol, settings = LINKS[request.param]
    with ExitStack() as stack:
        second = stack.enter_context(Gateway(configuration({"otlp": to_grpc(endpoint.grpc_url)})))
        to = (to_grpc if protocol == "grpc" else to_http)(url(second, protocol), **settings)
        queue = {"sending_queue": {"num_consumers": 2}}
        yield (
            stack.enter_context(Gateway(configuration({"otlp" if protocol == "grpc" else "otlphttp": to | queue}))),
            second,
        )


def pending_items(gateway: Gateway, signal: Signal) -> int:
    """Items that were received and not answered yet."""
    pending: int = gateway.stats()["receivers"]["otlp"][signal]["pending"]
    return pending


@signals
def test_everything_passes_two_gateways(chain: Chain, sink: Sink, signal: Signal) -> None:
    first, second = chain
    wanted = sorted(f"{number}-{item}" for number in range(REQUESTS) for item in range(ITEMS))

    def send(number: int) -> None:
        door = (doors.http, doors.grpc)[number % 2]
        assert door(first, signal, request(signal, ITEMS, f"{number}-").SerializeToString()).error is None

    sink.gate.clear()  # what comes meanwhile has to wait, and travels together
    with ThreadPoolExecutor(REQUESTS) as pool:
        sending = [pool.submit(send, number) for number in range(REQUESTS)]
        wait_until(lambda: pending_items(first, signal) == REQUESTS * ITEMS, "every request waits for its answer")
        sink.gate.set()
        for sent in sending:
            sent.result()

    assert sorted(sink.names(signal)) == wanted
    for gateway in (first, second):
        assert_the_accounts_add_up(gateway.stats())


def test_p6_profiles_that_wait_together_keep_their_meaning(chain: Chain, sink: Sink) -> None:
    """Each profile names itself twice, by an index into the strings and by one into the attributes."""
    first, _ = chain
    sink.gate.clear()
    with ThreadPoolExecutor(REQUESTS) as pool:
        bodies = [request("profiles", 3, f"{number}-").SerializeToString() for number in range(REQUESTS)]
        sending = [pool.submit(doors.http, first, "profiles", body) for body in bodies]
        wait_until(lambda: sink.arrivals, "the first request has arrived")
        sink.gate.set()
        assert all(sent.result().error is None for sent in sending)

    seen = set()
    for message in sink.messages("profiles"):
        tables = message.dictionary
        for profile in items("profiles", message):
            name = tables.string_table[profile.sample_type.type_strindex]
            attribute = tables.attribute_table[profile.attribute_indices[0]]
            assert tables.string_table[attribute.key_strindex] == attribute.value.string_value == name
            seen.add(name)
    assert len(seen) == REQUESTS * 3
