"""Every test of the SDK begins without the variables of the machine it runs on, and may have an endpoint to send to."""

import os
from collections.abc import Iterator

import pytest

from tests.conformance.sink import Sink, running_sink


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "MILLRACE_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def _sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


@pytest.fixture
def sink(_sink: Sink) -> Sink:
    """An endpoint over HTTP and gRPC that keeps what arrives."""
    _sink.reset()
    return _sink
