"""The page of one trace: waterfall, folding, filters, errors, critical path, zoom, flame graph, operations."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.viewer.backend import Telemetry
from tests.viewer.conftest import Open
from tests.viewer.spans import Span, Trace

MS = 1_000_000


def rows(page: Page) -> Locator:
    return page.get_by_role("treegrid").get_by_role("row")


def names(page: Page) -> list[str]:
    """The spans as they stand in the waterfall."""
    return page.locator("[role=treegrid] [role=row] .operation").all_inner_texts()


def bars(page: Page) -> list[tuple[str, str]]:
    """Where each bar begins and how wide it is, in percent."""
    found = page.locator("[role=treegrid] .bar").evaluate_all(
        "all => all.map(bar => [bar.style.left, bar.style.width])"
    )
    return [(left, width) for left, width in found]


@pytest.fixture
def failed(telemetry: Telemetry) -> Trace:
    """A checkout whose payment failed."""
    return next(trace for trace in telemetry.traces if trace.errors)


@pytest.fixture
def known(telemetry: Telemetry) -> Trace:
    """A trace whose tree, times and critical path are easy to say."""
    start = telemetry.now
    spans = [
        Span("00000000000000f1", -1, "shop", "root", start, 100 * MS),
        Span("00000000000000f2", 0, "shop", "first", start + 10 * MS, 30 * MS),
        Span("00000000000000f3", 1, "db", "inner", start + 15 * MS, 20 * MS),
        Span("00000000000000f4", 0, "shop", "beside", start + 45 * MS, 20 * MS, status=2),
        Span("00000000000000f5", 0, "shop", "last", start + 50 * MS, 40 * MS),
    ]
    trace = Trace("1" * 32, spans)
    telemetry.hidden[trace.trace_id] = trace
    return trace


@pytest.fixture
def open_known(open_page: Open, known: Trace) -> Callable[[str], Page]:
    """Open it, with parameters."""

    def opened(parameters: str) -> Page:
        return open_page(f"/trace/{known.trace_id}{parameters}")

    return opened


def test_spans_stand_below_their_parents_where_they_ran(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    expect(rows(page)).to_have_count(5)
    assert names(page) == ["root", "first", "inner", "beside", "last"]
    levels = rows(page).evaluate_all("all => all.map(row => row.ariaLevel)")
    assert levels == ["1", "2", "3", "2", "2"]
    assert bars(page) == [("0%", "100%"), ("10%", "30%"), ("15%", "20%"), ("45%", "20%"), ("50%", "40%")]


def test_the_tree_is_walked_and_folded_by_keyboard(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    page.get_by_role("treegrid").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    expect(rows(page)).to_have_count(4)
    expect(rows(page).nth(1)).to_have_attribute("aria-expanded", "false")
    expect(rows(page).nth(1)).to_contain_text("+1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("complementary", name="Span").get_by_role("heading", name="inner")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("complementary", name="Span").get_by_role("heading", name="first")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_have_count(0)


def test_the_tree_is_folded_to_a_depth_that_a_link_keeps(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    page.get_by_label("Fold to a depth").select_option("1")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("depth=1"))
    page.reload()
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("]")
    expect(rows(page)).to_have_count(5)


def test_short_spans_are_hidden_but_not_what_leads_to_long_ones(open_known: Callable[[str], Page]) -> None:
    page = open_known(f"?min={25 * MS}")
    expect(rows(page)).to_have_count(3)
    assert names(page) == ["root", "first", "last"]
    expect(page.get_by_text("3 of 5 spans")).to_be_visible()


def test_spans_are_found_by_text_with_those_above_them(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    page.get_by_role("searchbox").fill("INN")
    expect(rows(page)).to_have_count(3)
    assert names(page) == ["root", "first", "inner"]
    expect(page).to_have_url(re.compile("q=INN"))


def test_errors_are_jumped_to_even_where_they_are_folded_away(open_known: Callable[[str], Page]) -> None:
    page = open_known("?depth=1")
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("e")
    panel = page.get_by_role("complementary", name="Span")
    expect(panel.get_by_role("heading", name="beside")).to_be_visible()
    assert "beside" in names(page)
    expect(page).to_have_url(re.compile("span=00000000000000f4"))


def test_errors_are_walked_in_both_directions(open_page: Open, failed: Trace) -> None:
    page = open_page(f"/trace/{failed.trace_id}")
    wrong = [span.name for span in failed.spans if span.status == 2]
    heading = page.get_by_role("complementary", name="Span").get_by_role("heading", level=2)
    rows(page).first.wait_for()
    for name in wrong:
        page.keyboard.press("e")
        expect(heading).to_have_text(name)
    page.keyboard.press("Shift+E")
    expect(heading).to_have_text(wrong[-2])


def test_the_critical_path_is_what_the_end_waited_for(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    rows(page).first.wait_for()
    page.keyboard.press("c")
    page.locator("[role=treegrid] .critical").first.wait_for()
    segments = rows(page).evaluate_all(
        "all => all.map(row => [...row.querySelectorAll('.critical')].map(s => [s.style.left, s.style.width]))"
    )
    # From the end: root alone, last, root alone, first with inner inside it, root alone. What ran beside is not on it.
    assert segments == [
        [["0%", "10%"], ["40%", "10%"], ["90%", "10%"]],
        [["10%", "5%"], ["35%", "5%"]],
        [["15%", "20%"]],
        [],
        [["50%", "40%"]],
    ]


def test_the_marks_of_the_ruler_differ_however_near_one_looks(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    marks = page.locator(".ticks span")
    expect(marks.first).to_have_text("0")
    page.get_by_role("treegrid").focus()
    for _ in range(25):
        page.keyboard.press("+")
    expect(marks.first).not_to_have_text("0")
    found = [text for text in marks.all_inner_texts() if text]
    assert len(found) > 1
    assert len(set(found)) == len(found)


def test_dragging_over_the_whole_zooms_and_the_link_keeps_it(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    strip = page.get_by_role("img", name=re.compile("^The whole trace"))
    box = strip.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], box["y"] + 10)
    page.mouse.up()
    expect(page.get_by_role("button", name="Whole trace")).to_be_visible()
    expect(rows(page).nth(1)).to_contain_text("earlier")
    left, width = bars(page)[-1]
    assert (float(left[:-1]), float(width[:-1])) == pytest.approx((0, 80), abs=1)
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    page.reload()
    expect(rows(page).nth(1)).to_contain_text("earlier")
    page.keyboard.press("0")
    expect(page.get_by_role("button", name="Whole trace")).to_have_count(0)


def test_services_keep_colours_of_their_own_where_motion_is_reduced(open_page: Open, failed: Trace) -> None:
    page = open_page(f"/trace/{failed.trace_id}")  # the context of all tests asks for reduced motion
    rows(page).first.wait_for()
    page.keyboard.press("f")
    graph = page.get_by_role("application", name=re.compile("^Flame graph"))
    seen: int = graph.evaluate(
        """canvas => {
            const points = new Uint32Array(
                canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
            const drawn = new Set(points);
            const probe = document.body.appendChild(document.createElement('span'));
            let seen = 0;
            for (let slot = 0; slot < 10; slot += 1) {
                probe.style.color = `var(--service-${slot})`;
                const [red, green, blue] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
                seen += drawn.has((255 << 24 | blue << 16 | green << 8 | red) >>> 0);
            }
            probe.remove();
            return seen;
        }"""
    )
    assert seen == len({span.service for span in failed.spans})


def test_the_flame_graph_gathers_spans_by_path_and_is_walked_by_keyboard(open_known: Callable[[str], Page]) -> None:
    page = open_known("")
    rows(page).first.wait_for()
    page.keyboard.press("f")
    expect(page).to_have_url(re.compile("view=flame"))
    graph = page.get_by_role("application", name=re.compile("^Flame graph"))
    graph.focus()
    page.keyboard.press("ArrowDown")
    said = page.get_by_role("status").filter(has_text="in all")
    # Of 100 ms: `last` took 40 by itself, and that is the widest box below the root.
    expect(said).to_contain_text("shop · last")
    expect(said).to_contain_text("itself 40.0 ms")
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("shop · first")
    expect(said).to_contain_text("30.0 ms in all")
    expect(said).to_contain_text("itself 10.0 ms")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="All of it")).to_be_visible()


def test_operations_are_summed_and_lead_to_their_longest_span(open_known: Callable[[str], Page]) -> None:
    page = open_known("?view=operations")
    cells = page.get_by_role("row").filter(has_text="inner").get_by_role("cell")
    for place, text in enumerate(["1", "", "20.0 ms", "20.0 ms", "20.0 ms"], 1):
        expect(cells.nth(place)).to_have_text(text)
    page.get_by_role("button", name="inner").click()
    expect(page.get_by_role("complementary", name="Span").get_by_role("heading", name="inner")).to_be_visible()
    expect(page.get_by_role("treegrid")).to_be_visible()


def test_the_whole_trace_is_offered_as_a_file(open_page: Open, failed: Trace) -> None:
    page = open_page(f"/trace/{failed.trace_id}")
    link = page.get_by_role("link", name="Download as OTLP JSON")
    expect(link).to_have_attribute("href", f"/api/v1/traces/{failed.trace_id}/otlp")
    expect(link).to_have_attribute("download", f"{failed.trace_id}.json")


def test_a_trace_that_is_not_there_is_explained(open_page: Open) -> None:
    page = open_page(f"/trace/{'9' * 32}")
    expect(page.get_by_role("alert")).to_contain_text("no span of trace")
    expect(page.get_by_role("heading", name="This trace is not here")).to_be_visible()
