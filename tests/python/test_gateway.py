"""`millrace.gateway.Gateway`: a gateway inside a test suite, in one line."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from millrace.errors import GatewayError, MillraceError
from millrace.gateway import Gateway
from tests.python.commands import gateway_file

CONFIG: dict[str, Any] = {
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "localhost:0"}}}},
    "exporters": {"nop": None},
    "service": {
        "telemetry": {"metrics": {"level": "none"}},
        "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["nop"]}},
    },
}
SPAN = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x"}]}]}]}' % (1, 1)


def post(gateway: Gateway, body: bytes) -> int:
    """Send OTLP/JSON; return the status."""
    url = f"http://{gateway.addresses['otlp/http']}/v1/traces"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
        status: int = answer.status
        return status


def test_a_gateway_runs_within_a_with_block() -> None:
    with Gateway(CONFIG) as gateway:
        assert post(gateway, SPAN) == 200

    with pytest.raises(GatewayError, match="not running"):
        gateway.stats()


def test_ports_chosen_by_the_system_are_told() -> None:
    with Gateway(CONFIG) as gateway:
        host, port = gateway.addresses["otlp/http"]

    assert host == "127.0.0.1"
    assert port > 0


def test_statistics_add_up() -> None:
    with Gateway(CONFIG) as gateway:
        post(gateway, SPAN)
        stats = gateway.stats()

    received = stats["receivers"]["otlp"]["traces"]
    assert received["received"] == received["accepted"] == 1
    assert stats["exporters"]["nop"]["traces"]["exported"] == 1


def test_a_stop_tells_what_became_of_everything() -> None:
    gateway = Gateway(CONFIG).start()
    post(gateway, SPAN)

    report = gateway.stop(timeout_s=5)

    assert report.undelivered == {}
    assert report.stats["exporters"]["nop"]["traces"]["exported"] == 1


def test_a_file_is_a_configuration(tmp_path: Path) -> None:
    file = gateway_file(tmp_path, "{nop: }", "{traces: {receivers: [otlp], exporters: [nop]}}")

    with Gateway(file) as gateway:
        assert gateway.addresses.keys() == {"otlp/grpc", "otlp/http"}


def test_a_stopped_gateway_can_start_again() -> None:
    gateway = Gateway(CONFIG)

    for _ in range(2):
        with gateway:
            assert post(gateway, SPAN) == 200


def test_a_gateway_starts_only_once() -> None:
    with Gateway(CONFIG) as gateway, pytest.raises(GatewayError, match="running already"):
        gateway.start()


def test_a_gateway_may_be_stopped_within_its_block() -> None:
    with Gateway(CONFIG) as gateway:
        gateway.stop()


def test_a_timeout_below_zero_is_refused() -> None:
    with Gateway(CONFIG) as gateway, pytest.raises(ValueError, match="zero or more"):
        gateway.stop(timeout_s=-1)


def test_a_directory_that_does_not_exist_is_a_start_error() -> None:
    config = CONFIG | {
        "exporters": {"file": {"path": "/nonexistent/out.jsonl"}},
        "service": CONFIG["service"] | {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}}},
    }

    with pytest.raises(MillraceError, match=r"/nonexistent/out\.jsonl"):
        Gateway(config).start()
