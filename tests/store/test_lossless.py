"""What a store gives back is what came, by the judgement of upstream's protobuf classes."""

from pathlib import Path

import pytest
import zstandard
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace import otlp
from millrace._native import read_store_file
from millrace.store import Store
from millrace.store.catalogue import SIGNALS, Signal, look
from tests.python.otlp_messages import REQUESTS, requests
from tests.store.running import Keeping, canonical, keeping, spans, trace_id

MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def parsed(signal: Signal, data: bytes) -> Message:
    message = REQUESTS[signal]()
    message.ParseFromString(data)
    return message


def kept(path: Path, signal: Signal, sequence: int) -> list[Message]:
    """Return what stands in the files from this place of the sequence on."""
    files = [file for file in look(path, signal) if file.from_number >= sequence]
    return [parsed(signal, data) for file in files for data in read_store_file(signal, file.path)]


RECORDED = Path(__file__).parents[2] / "../shared/data"


@pytest.mark.parametrize(
    ("signal", "name", "most"), [("traces", "otel-demo-traces", 60), ("metrics", "host-metrics", 60)]
)
def test_recorded_traffic_comes_back_as_it_was(signal: Signal, name: str, most: int, tmp_path: Path) -> None:
    if not RECORDED.exists():
        pytest.skip("the recorded telemetry is not beside the repository (shared/data)")
    sent: list[bytes] = []
    with (
        keeping(tmp_path / "store", fsync=False) as gateway,
        zstandard.open(RECORDED / f"{name}.otlp.zst", "rb") as recording,
    ):
        while len(sent) < most and (length := recording.read(4)):
            sent.append(recording.read(int.from_bytes(length, "big")))
            assert gateway.send(signal, sent[-1]) == 200

    wanted = canonical(signal, *(parsed(signal, data) for data in sent))
    assert wanted
    assert canonical(signal, *kept(tmp_path / "store", signal, 0)) == wanted


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_item_that_is_acknowledged_comes_back_as_it_was(signal: Signal, tmp_path: Path) -> None:
    with keeping(tmp_path, flush_interval="0s", fsync=False) as gateway:

        @MANY
        @given(st.data())
        def check(data: st.DataObject) -> None:
            message = data.draw(requests(signal))
            valid, *_ = otlp.reject_invalid(signal, message.SerializeToString())
            files = look(tmp_path, signal)
            next_number = max((file.to_number for file in files), default=0) + 1

            assert gateway.send(signal, message) == 200

            assert canonical(signal, *kept(tmp_path, signal, next_number)) == canonical(signal, parsed(signal, valid))

        check()


def test_a_trace_comes_back_whole_and_alone(tmp_path: Path) -> None:
    with keeping(tmp_path) as gateway:
        send_in_parts(gateway, 1, 2, 3)
        found = Store(tmp_path).trace(trace_id(2).hex())

    assert found is not None
    assert canonical("traces", parsed("traces", found)) == canonical("traces", spans(2, spans_each=3))


def test_a_trace_that_is_not_there_is_none(tmp_path: Path) -> None:
    with keeping(tmp_path) as gateway:
        send_in_parts(gateway, 1)
        store = Store(tmp_path)

    assert store.trace("ff" * 16) is None
    assert store.trace("no id at all") is None


def test_times_at_both_ends_and_an_end_before_the_start_are_seen_as_they_are(tmp_path: Path) -> None:
    request = spans(1, 2, 3)
    first, second, third = request.resource_spans[0].scope_spans[0].spans
    first.start_time_unix_nano, first.end_time_unix_nano = 0, 2**64 - 1
    second.start_time_unix_nano, second.end_time_unix_nano = 2**64 - 1, 0
    third.start_time_unix_nano, third.end_time_unix_nano = 7, 6
    third.events.add(time_unix_nano=5, name="early")
    with keeping(tmp_path) as gateway:
        assert gateway.send("traces", request) == 200
        store = Store(tmp_path)
        times = store.sql("SELECT start_time_unix_nano, end_time_unix_nano, duration_ns FROM spans ORDER BY trace_id")
        events = store.sql("SELECT time_unix_nano FROM span_events")

    assert times.tuples() == [(0, 2**64 - 1, 2**64 - 1), (2**64 - 1, 0, 0), (7, 6, 0)]
    assert events.tuples() == [(5,)]


def send_in_parts(gateway: Keeping, *traces: int) -> None:
    """Send each span of each trace in a request of its own."""
    for request in [spans(trace, spans_each=3) for trace in traces]:
        scope = request.resource_spans[0].scope_spans[0]
        of_trace = list(scope.spans)
        for span in of_trace:
            del scope.spans[:]
            scope.spans.append(span)
            assert gateway.send("traces", request) == 200
