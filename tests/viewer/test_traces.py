"""The page of traces: every way of searching, looking, opening and picking."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.viewer import spans
from tests.viewer.backend import Telemetry, shop_telemetry
from tests.viewer.conftest import Open


def rows(page: Page) -> Locator:
    return page.get_by_role("grid", name="Traces").get_by_role("row")


def filter_by(page: Page, text: str) -> None:
    enter(page, text)
    expect_taken(page)


def enter(page: Page, text: str) -> None:
    field = page.get_by_role("combobox", name="Filter")
    field.fill(text)
    field.press("Enter")


def expect_taken(page: Page) -> None:
    """Expect that what was entered has become a filter: proposals may have to come first."""
    expect(page.get_by_role("combobox", name="Filter")).to_have_value("")


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def count(page: Page, number: int) -> None:
    """Expect the list to hold so many traces."""
    expect(page.get_by_role("grid", name="Traces")).to_have_attribute("aria-rowcount", str(number))


def test_traces_are_listed_with_root_spans_errors_and_duration(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    newest = telemetry.traces[0]
    first = rows(page).first
    expect(first).to_contain_text(newest.spans[0].name)
    expect(first).to_contain_text("storefront")
    expect(first.get_by_role("gridcell").nth(3)).to_have_text(str(len(newest.spans)))
    count(page, len(telemetry.traces))


def test_typed_filters_narrow_the_list_and_stand_in_the_url(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    filter_by(page, "service:payments")
    filter_by(page, "status:error")
    filter_by(page, "duration>1ms")
    assert parameters(page) == {"service": ["payments"], "status": ["error"], "min_duration_ns": ["1000000"]}
    failed = [trace for trace in telemetry.traces if trace.errors]
    count(page, len(failed))
    expect(rows(page)).to_have_count(len(failed))


def test_attributes_and_free_text_are_searched(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    filter_by(page, "http.route=/checkout")
    checkouts = [trace for trace in telemetry.traces if trace.spans[0].name == "POST /checkout"]
    count(page, len(checkouts))
    filter_by(page, "fraud")
    count(page, len(checkouts))
    assert parameters(page) == {"attribute": ["http.route=/checkout"], "q": ["fraud"]}


def test_operation_is_proposed_and_completed_by_the_keyboard(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    rows(page).first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("oper")
    expect(page.get_by_role("option", name=re.compile("^operation:"))).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("search")
    expect(page.get_by_role("option", name="operation:GET /search")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect_taken(page)
    assert parameters(page) == {"operation": ["GET /search"]}
    count(page, sum(trace.spans[0].name == "GET /search" for trace in telemetry.traces))
    page.keyboard.press("Backspace")
    count(page, len(telemetry.traces))


def test_a_filter_that_makes_no_sense_is_explained(open_page: Open) -> None:
    page = open_page("/")
    enter(page, "duration>soon")
    expect(page.get_by_text("soon is no duration: type 150ms, 1.5s or 20us")).to_be_visible()
    assert parameters(page) == {}


def test_dragging_over_the_histogram_filters_by_duration(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    chart = page.get_by_role("img", name=re.compile("^Duration over time"))
    rows(page).first.wait_for()
    box = chart.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] - 40
    page.mouse.move(x, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 60)
    page.mouse.up()
    expect(page.get_by_role("button", name=re.compile("Remove the filter duration ≥"))).to_be_visible()
    low, high = (int(parameters(page)[f"{end}_duration_ns"][0]) for end in ("min", "max"))
    inside = [trace for trace in telemetry.traces if low <= trace.duration <= high]
    assert 0 < len(inside) < len(telemetry.traces)
    count(page, len(inside))


def test_dragging_over_the_scatter_narrows_time_and_duration(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    chart = page.get_by_role("img", name=re.compile("^Duration over time"))
    rows(page).first.wait_for()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 700, box["y"] + 110)
    page.mouse.up()
    expect(page.get_by_role("combobox", name="Stretch of time")).to_have_value("custom")
    start, end = (int(parameters(page)[name][0]) for name in ("start", "end"))
    assert telemetry.traces[-1].start < start < end < telemetry.traces[0].start
    assert "min_duration_ns" in parameters(page)


def test_the_slowest_come_first_when_asked(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    page.get_by_role("radio", name="Slowest").click()
    slowest = max(telemetry.traces, key=lambda trace: trace.duration)
    expect(rows(page).first.get_by_role("link")).to_have_attribute("href", re.compile(slowest.trace_id))
    assert parameters(page) == {"order": ["slowest"]}


def test_a_trace_is_found_and_opened_by_keyboard_alone(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/trace/{telemetry.traces[1].trace_id}"))
    expect(page.get_by_role("treegrid")).to_be_visible()


def test_two_picked_traces_are_compared(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.get_by_role("link", name="Compare the two").click()
    expect(page).to_have_url(re.compile("/compare"))
    assert parameters(page) == {side: [telemetry.traces[at].trace_id] for at, side in enumerate("ab")}


def test_live_traces_appear_and_what_was_dropped_is_counted(open_page: Open) -> None:
    arriving = shop_telemetry()
    arriving.live = [spans.summary(trace) for trace in arriving.traces[:2]]
    arriving.traces = arriving.traces[2:]
    page = open_page("/", arriving)
    rows(page).first.wait_for()
    page.keyboard.press("l")
    expect(rows(page).first.get_by_role("link")).to_have_attribute("href", re.compile(arriving.live[1]["trace_id"]))
    expect(page.get_by_text("3 more traces came too fast to show")).to_be_visible()
    assert parameters(page) == {"live": ["1"]}


def test_more_traces_are_fetched_where_the_list_ends(open_page: Open) -> None:
    many = shop_telemetry()
    many.traces = many.traces * 3
    page = open_page("/", many)
    rows(page).first.wait_for()
    page.keyboard.press("j")
    for number in (300, 600, len(many.traces)):
        count(page, number)
        page.keyboard.press("End")


def test_nothing_found_says_what_to_do_next(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/?q=nowhere")
    expect(page.get_by_role("heading", name="No trace matches")).to_be_visible()
    page.get_by_role("button", name="Remove the filter", exact=True).click()
    count(page, len(telemetry.traces))


def test_a_server_that_fails_is_quoted_and_asked_again(open_page: Open, telemetry: Telemetry) -> None:
    telemetry.down = True
    page = open_page("/")
    expect(page.get_by_role("alert")).to_contain_text("The store is being repaired.")
    telemetry.down = False
    page.get_by_role("button", name="Try again").click()
    count(page, len(telemetry.traces))
    expect(page.get_by_role("alert")).to_have_count(0)
