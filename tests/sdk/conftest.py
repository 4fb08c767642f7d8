"""The endpoint that the tests of the SDK export to, one for the whole session."""

from collections.abc import Iterator

import pytest

from tests.conformance.sink import Sink, running_sink


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Sink]:
    """A running endpoint."""
    with running_sink() as sink:
        yield sink


@pytest.fixture
def sink(endpoint: Sink) -> Iterator[Sink]:
    """An endpoint that has received nothing yet."""
    endpoint.reset()
    yield endpoint
    endpoint.reset()
