"""The page that compares: two traces, two runs, and what it says where nothing is chosen."""

import re
from urllib.parse import urlencode

from playwright.sync_api import expect

from tests.viewer import spans
from tests.viewer.backend import Telemetry
from tests.viewer.conftest import Open

HOUR = 3_600_000_000_000


def test_two_traces_stand_one_above_the_other_with_what_is_new_and_gone(open_page: Open, telemetry: Telemetry) -> None:
    a = next(trace for trace in telemetry.traces if trace.spans[0].name == "GET /search")
    b = next(trace for trace in telemetry.traces if trace.spans[0].name == "GET /products")
    page = open_page(f"/compare?a={a.trace_id}&b={b.trace_id}")
    for side in "AB":
        expect(page.get_by_role("img", name=re.compile(f"^Spans of trace {side}"))).to_be_visible()
    items = spans.compared(a.spans, b.spans)["items"]
    expect(page.get_by_role("row")).to_have_count(len(items) + 1)
    page.get_by_role("radio", name=re.compile("^New")).click()
    new = [item for item in items if item["state"] == "new"]
    expect(page.get_by_role("row")).to_have_count(len(new) + 1)
    expect(page.get_by_role("row", name="SELECT products")).to_contain_text("new")
    expect(page).to_have_url(re.compile("state=new"))


def test_two_runs_are_compared_by_their_times(open_page: Open, telemetry: Telemetry) -> None:
    now = telemetry.now
    query = {"what": "runs", "a_start": now - HOUR, "a_end": now - HOUR // 2, "b_start": now - HOUR // 2, "b_end": now}
    page = open_page(f"/compare?{urlencode(query)}")
    expect(page.get_by_role("row", name="POST /checkout")).to_be_visible()
    asked = next(asked for asked in telemetry.asked if asked.startswith("/api/v1/compare"))
    assert f"a_start={now - HOUR}" in asked


def test_a_second_trace_is_typed_in(open_page: Open, telemetry: Telemetry) -> None:
    a, b = telemetry.traces[:2]
    page = open_page(f"/compare?a={a.trace_id}")
    expect(page.get_by_role("heading", name="Choose two traces")).to_be_visible()
    field = page.get_by_role("combobox", name="Trace B")
    field.fill(b.trace_id)
    field.press("Enter")
    expect(page.get_by_role("table")).to_be_visible()
    expect(page).to_have_url(re.compile(f"b={b.trace_id}"))


def test_where_nothing_is_chosen_a_sentence_says_how(open_page: Open) -> None:
    page = open_page("/compare")
    sentence = page.get_by_text("Pick two in the list of traces (the key x), or paste two ids above.").last
    key = sentence.locator("kbd").bounding_box()
    whole = sentence.bounding_box()
    assert key is not None
    assert whole is not None
    assert key["y"] - whole["y"] < 10  # on the first line, as a part of it


def test_the_bars_of_a_comparison_begin_at_one_place(open_page: Open, telemetry: Telemetry) -> None:
    checkouts = [trace for trace in telemetry.traces if trace.spans[0].name == "POST /checkout"]
    slow, fast = max(checkouts, key=lambda one: one.duration), min(checkouts, key=lambda one: one.duration)
    page = open_page(f"/compare?a={fast.trace_id}&b={slow.trace_id}")
    tracks = page.locator(".track")
    tracks.first.wait_for()
    assert len(set(tracks.evaluate_all("all => all.map(one => one.getBoundingClientRect().left)"))) == 1
