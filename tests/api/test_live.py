"""The live tail: what arrives is shown to everyone who watches, once."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from millrace.api import application, live
from millrace.store import Store
from tests.api import shop
from tests.api.conftest import serving
from tests.api.keeping import Keeper, keeping


def events_of(answer: httpx.Response) -> Iterator[dict[str, object]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def now_span(span_id: str) -> dict[str, object]:
    ago = (time.time_ns() - shop.BEGIN) // shop.MS
    return shop.span("cd" * 16, span_id, "", f"live {span_id}", ago - 10, ago)


def send(keeper: Keeper, span_id: str) -> None:
    keeper.send("traces", shop.wrapped("live", "resourceSpans", "scopeSpans", "spans", [now_span(span_id)]))


def test_a_trace_is_shown_when_it_arrives_and_again_when_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.05)
    with (
        keeping(tmp_path) as keeper,
        serving(application(Store(tmp_path))) as url,
        httpx.stream("GET", f"{url}/api/v1/live?signal=traces", timeout=30) as answer,
    ):
        events = events_of(answer)
        assert answer.headers["content-type"].startswith("text/event-stream")
        send(keeper, "00000000000000c0")
        first = next(events)
        send(keeper, "00000000000000c1")
        found = next(events)
        assert (first["trace_id"], first["spans"]) == ("cd" * 16, 1)
        assert (found["trace_id"], found["spans"]) == ("cd" * 16, 2)


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_what_is_beyond_a_second_s_items_is_counted_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(live, "ITEMS_MAX", 3)
    moment = {"timeUnixNano": str(shop.BEGIN), "traceId": shop.SOLD}
    old = [moment | {"body": {"stringValue": str(number)}} for number in range(10)]
    request = shop.wrapped("live", "resourceLogs", "scopeLogs", "logRecords", old)
    if signal == "traces":
        new = [shop.span(f"{number:032x}", "00000000000000c0", "", "burst", number, 100) for number in range(1, 11)]
        request = shop.wrapped("live", "resourceSpans", "scopeSpans", "spans", new)
    with (
        keeping(tmp_path) as keeper,
        serving(application(Store(tmp_path))) as url,
        httpx.stream("GET", f"{url}/api/v1/live?signal={signal}", timeout=30) as answer,
    ):
        lines = answer.iter_lines()
        keeper.send(signal, request)
        seen = [next(line for line in lines if line.startswith(("event", "data"))) for _ in range(5)]

    assert seen[:2] == ["event: dropped", 'data: {"count":7}']
    assert all(line.startswith("data: ") for line in seen[2:])


def test_a_slow_watcher_is_told_how_much_it_missed() -> None:
    watcher = live.Watcher()
    for _ in range(live.WAITING_MAX + 7):
        watcher.offer({})
    assert watcher.dropped == 7
