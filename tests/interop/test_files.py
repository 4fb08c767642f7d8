"""Files between two gateways: what the `file` exporter writes, the `file` receiver reads, and so do the commands."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks import demo_shape
from millrace import files
from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import Settings, configuration, to_grpc, wait_until
from tests.conformance.messages import SIGNALS, Signal, request
from tests.conformance.sink import Sink
from tests.python.commands import millrace

FORMS = {
    "jsonl": {"format": "json"},
    "otlp": {"format": "proto"},
    "otz": {"format": "proto", "compression": "otz1"},
}


def writing(file: Path, form: str, **more: object) -> dict[str, Any]:
    """A gateway that writes a file."""
    return configuration({"file": {"path": str(file), "append": True, "fsync": False} | FORMS[form] | more})


def reading(pattern: Path, sink: Sink, **more: object) -> dict[str, Any]:
    """A gateway that reads files."""
    source = {"include": [str(pattern)], "start_at": "beginning", "poll_interval": "10ms"} | more
    pipeline = {"receivers": ["file"], "exporters": ["otlp"]}
    return {
        "receivers": {"file": source},
        "exporters": {"otlp": to_grpc(sink.grpc_url)},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            "pipelines": dict.fromkeys(SIGNALS, pipeline),
        },
    }


def send(gateway: Gateway, numbers: range, signal: Signal = "traces") -> list[bytes]:
    """Send requests, one after the other, and return them."""
    if signal == "traces":
        sent = demo_shape.requests(len(numbers) * 20, 20, seed=numbers.start)
    else:
        sent = [request(signal, 20, f"{number}-").SerializeToString() for number in numbers]
    for body in sent:
        assert doors.http(gateway, signal, body).error is None
    return sent


def arrived(sink: Sink) -> list[bytes]:
    """What has arrived, in no order, as requests may overtake each other."""
    return sorted(arrival.body for arrival in list(sink.arrivals))


def wait_for(sink: Sink, wanted: list[bytes]) -> None:
    """Wait until so much has arrived, and compare it."""
    wait_until(lambda: len(sink.arrivals) >= len(wanted), f"{len(wanted)} requests have arrived")
    assert arrived(sink) == sorted(wanted)


forms = pytest.mark.parametrize("form", FORMS)


@forms
def test_a_file_is_read_byte_for_byte_while_another_gateway_writes_it(tmp_path: Path, form: str, sink: Sink) -> None:
    file = tmp_path / f"a.{form}"
    sent = []
    with Gateway(writing(file, form)) as writer:
        for signal in SIGNALS:
            sent += send(writer, range(3), signal)
        with Gateway(reading(file, sink)) as reader:
            wait_for(sink, sent)
            sent += send(writer, range(3, 6))
            wait_for(sink, sent)
            books = reader.stats()["receivers"]["file"]
    assert {signal: books[signal]["accepted"] > 0 for signal in SIGNALS} == dict.fromkeys(SIGNALS, True)


@forms
def test_from_the_end_only_what_comes_later_is_read(tmp_path: Path, form: str, sink: Sink) -> None:
    file = tmp_path / f"a.{form}"
    with Gateway(writing(file, form)) as writer:
        send(writer, range(5))
        with Gateway(reading(file, sink, start_at="end")):
            wait_until(lambda: is_open(file), "the file is followed")
            later = send(writer, range(5, 8))
            wait_for(sink, later)


def is_open(file: Path) -> bool:
    """Tell whether this process has a file open twice: to write it and to read it."""
    links = (link for link in Path("/proc/self/fd").iterdir())
    found = 0
    for link in links:
        try:
            found += link.readlink() == file
        except OSError:
            continue
    return found == 2


def test_rotated_files_are_sessions_of_their_own_and_are_read_to_their_ends(tmp_path: Path, sink: Sink) -> None:
    file = tmp_path / "a.otz"
    with (
        Gateway(writing(file, "otz", rotation={"max_megabytes": 1})) as writer,
        Gateway(reading(tmp_path / "*.otz", sink)),
    ):
        sent = []
        for number in range(4):
            # Text that does not compress fills a file soon.
            noise = "".join(chr(33 + (number * 7919 + index * index * 31) % 90) for index in range(600_000))
            body = request("logs", 1, noise).SerializeToString()
            assert doors.http(writer, "logs", body).error is None
            sent.append(body)
        wait_for(sink, sent)
    backups = [each for each in tmp_path.iterdir() if each != file]
    for each in [file, *backups]:
        assert list(files.read(each))


def test_a_line_that_is_none_is_passed_over_and_counted(tmp_path: Path, sink: Sink) -> None:
    good = [json.dumps({"resourceSpans": []}), '{"resourceLogs": 7}', "no json", '{"a": 1}']
    one = request("traces", 1)
    file = tmp_path / "a.jsonl"
    with files.Writer(tmp_path / "good.jsonl") as writer:
        writer.write("traces", one.SerializeToString())
    file.write_text("\n".join(good) + "\n" + (tmp_path / "good.jsonl").read_text(), encoding="utf-8")
    with Gateway(reading(file, sink)) as reader:
        wait_for(sink, [one.SerializeToString()])
        assert reader.stats()["receivers"]["file"]["logs"]["refused_requests"] == {"malformed": 1}


def test_what_the_destination_refuses_for_now_is_offered_again(tmp_path: Path, sink: Sink) -> None:
    file = tmp_path / "a.otlp"
    body = request("traces", 3).SerializeToString()
    with files.Writer(file) as writer:
        writer.write("traces", body)
    settings: Settings = reading(file, sink)
    settings["exporters"]["otlp"]["retry_on_failure"] = {"enabled": False}
    sink.refusal = grpc.StatusCode.UNAVAILABLE
    with Gateway(settings):
        wait_until(lambda: len(sink.arrivals) >= 2, "it is offered again")
        sink.refusal = None
        count = len(sink.arrivals)
        wait_until(lambda: len(sink.arrivals) > count, "it is offered once more")


def test_the_commands_read_what_the_exporter_writes(tmp_path: Path, sink: Sink) -> None:
    file = tmp_path / "a.otz"
    with Gateway(writing(file, "otz")) as writer:
        sent = send(writer, range(6))
    shown = millrace("inspect", file)
    assert shown.code == 0
    assert "120" in shown.out
    assert millrace("convert", file, tmp_path / "b.otlp").code == 0
    assert [each.data for each in files.read(tmp_path / "b.otlp")] == sent
    assert millrace("send", file, "--endpoint", sink.http_url).code == 0
    assert arrived(sink) == sorted(sent)
