"""Sessions of `otz1` between two gateways: offered, used, begun anew; and never seen by anybody else."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from millrace import files
from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import configuration, to_http, url, wait_until
from tests.conformance.messages import items, request
from tests.conformance.sink import Sink
from tests.python.commands import running

AGENT = "OTel-OTLP-Exporter-millrace/0"
RETRY = {"retry_on_failure": {"initial_interval": "20ms", "max_interval": "100ms", "max_elapsed_time": "60s"}}
REQUESTS = 120
ITEMS = 30


def post(gateway: Gateway, body: bytes, **headers: str) -> httpx.Response:
    """Send traces as some client does."""
    kind = {"content-type": "application/x-protobuf"}
    return httpx.post(f"{url(gateway, 'http')}/v1/traces", content=body, headers=kind | headers)


@pytest.fixture(scope="module")
def receiver(endpoint: Sink) -> Gateway:
    """A gateway that receives."""
    return Gateway(configuration({"otlphttp": to_http(endpoint.http_url)}))


def test_the_coding_is_offered_to_our_own_exporters_and_to_nobody_else(receiver: Gateway) -> None:
    body = request("traces").SerializeToString()
    with receiver:
        ours = post(receiver, body, **{"user-agent": AGENT})
        assert "otz1" in ours.headers["accept-encoding"].split(", ")
        assert ours.headers["otz-limits"].count(",") == 9
        for other in ({"user-agent": "python-requests/2"}, {"user-agent": "OTel-OTLP-Exporter-Python/1.40"}):
            theirs = post(receiver, body, **other)
            assert not {"accept-encoding", "otz-limits", "otz-ack"} & set(theirs.headers)


def test_a_frame_of_a_session_that_nobody_began_is_answered_with_a_reset(endpoint: Sink) -> None:
    frame = bytes([0x82, 5]) + bytes(16) + bytes([7]) + bytes(4)
    with Gateway(configuration({"otlphttp": to_http(endpoint.http_url)})) as gateway:
        answer = post(gateway, frame, **{"content-encoding": "otz1"})
        assert (answer.status_code, answer.headers["otz-reset"]) == (409, "unknown-session")
        answer = post(gateway, b"nonsense", **{"content-encoding": "otz1"})
        assert (answer.status_code, answer.headers["otz-reset"]) == (409, "no-frame")


def test_a_third_party_never_sees_the_coding(sink: Sink) -> None:
    with Gateway(configuration({"otlphttp": to_http(sink.http_url, compression="otz1")})) as gateway:
        for number in range(5):
            body = request("traces", 3, f"{number}-").SerializeToString()
            assert doors.http(gateway, "traces", body).error is None
    assert len(sink.arrivals) == 5
    for arrival in sink.arrivals:
        assert arrival.headers["content-encoding"] == "zstd"
        assert not [name for name in arrival.headers if name.lower().startswith("otz")]


class Receiving:
    """A receiving gateway as a process, always at the same port, which appends to a file."""

    def __init__(self, folder: Path) -> None:
        """Choose the port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.file = folder / "received.otlp"

    def configuration(self) -> Path:
        """Write the configuration."""
        exporters = f"{{file: {{path: '{self.file}', format: proto, append: true}}}}"
        path = self.folder / "gateway.yaml"
        path.write_text(
            f"receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{self.port}'}}}}}}}}\n"
            f"exporters: {exporters}\n"
            "service: {telemetry: {metrics: {level: none}},"
            " pipelines: {traces: {receivers: [otlp], exporters: [file]}}}\n",
            encoding="utf-8",
        )
        return path


def test_a_receiving_gateway_that_is_killed_loses_and_alters_nothing(tmp_path: Path) -> None:
    receiving = Receiving(tmp_path)
    settings = configuration(
        {"otlphttp": to_http(f"http://127.0.0.1:{receiving.port}", compression="otz1", **RETRY)},
    )
    messages = [request("traces", ITEMS, f"{number}-") for number in range(REQUESTS)]
    taken: list[int] = []

    with Gateway(settings) as gateway, ThreadPoolExecutor(4) as pool:

        def send(number: int) -> None:
            assert doors.http(gateway, "traces", messages[number].SerializeToString()).error is None
            taken.append(number)

        sending = [pool.submit(send, number) for number in range(REQUESTS)]
        for goal in range(REQUESTS // 4, REQUESTS, REQUESTS // 4):
            with running("serve", "--config", receiving.configuration()) as process:
                wait_until(lambda goal=goal: len(taken) >= goal, f"{goal} requests are taken")
                process.process.kill()  # SIGKILL, with requests on their way: no last words
                process.process.wait()
        with running("serve", "--config", receiving.configuration()):
            for future in sending:
                future.result()

    sent = {span.SerializeToString() for message in messages for span in items("traces", message)}
    received = [
        span.SerializeToString()
        for got in files.read(receiving.file, "traces")
        for span in items("traces", type(messages[0]).FromString(got.data))
    ]
    assert set(received) == sent


def test_a_sending_gateway_that_starts_again_begins_a_new_session(sink: Sink) -> None:
    with Gateway(configuration({"otlphttp": to_http(sink.http_url)})) as second:
        settings = configuration({"otlphttp": to_http(url(second, "http"), compression="otz1")})
        for turn in range(2):
            with Gateway(settings) as first:
                for number in range(8):
                    body = request("traces", 20, f"{turn}-{number}-").SerializeToString()
                    assert doors.http(first, "traces", body).error is None
        assert second.stats()["receivers"]["otlp"]["traces"]["refused"] == {}
    assert sorted(sink.names("traces")) == sorted(
        f"{turn}-{number}-{item}" for turn in range(2) for number in range(8) for item in range(20)
    )
