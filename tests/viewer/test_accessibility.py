"""Every page by the rules of axe in both colours, by keyboard alone, and as a screen reader is told of it."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.viewer.backend import STATIC, Server, Telemetry, shop_telemetry
from tests.viewer.conftest import SIZE, settled, watched

AXE = STATIC.parents[3] / "viewer/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async runOnly => (await axe.run(document, { runOnly, resultTypes: ['violations'] })).violations
    .map(({ id, impact, nodes }) =>
        ({ id, impact, places: nodes.map(node => `${node.failureSummary} ${node.html}`.slice(0, 500)) }))"""
UNSAID = """() => [...document.querySelectorAll('canvas, svg, .uplot')]
    .filter(drawn => drawn.checkVisibility() && !drawn.closest('[aria-hidden=true]'))
    .filter(drawn => !drawn.closest('[role=img][aria-label], [role=application][aria-label], [role=group][aria-label]'))
    .map(drawn => drawn.outerHTML.slice(0, 300))"""
"""Charts without words: what is drawn, and neither hidden from screen readers nor described to them."""
TAB = """() => {
    window.reached ??= new Set([document.querySelector('.skip')]);
    const at = document.activeElement;
    if (at === document.body) return 'over';
    if (at === window.last) return 'shown';  // a field of several parts
    if (window.reached.has(at)) return 'over';
    window.reached.add(at);
    window.last = at;
    const shows = element => {
        const style = getComputedStyle(element);
        return (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none';
    };
    return shows(at) || shows(at.closest('[role=search]') ?? at) ? 'shown' : at.outerHTML.slice(0, 300);
}"""
UNREACHED = """() => [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
    .filter(element => element.checkVisibility() && element.tabIndex >= 0 && !element.disabled)
    .filter(element => !window.reached.has(element)).map(element => element.outerHTML.slice(0, 300))"""
TABS_MAX = 250


def failed_trace(telemetry: Telemetry) -> str:
    """The path of a trace with an error, its failed span chosen."""
    trace = next(trace for trace in telemetry.traces if trace.errors)
    span = next(span for span in trace.spans if span.events)
    return f"/trace/{trace.trace_id}?span={span.span_id}&critical=1"


def two_traces(telemetry: Telemetry) -> str:
    return f"/compare?a={telemetry.traces[0].trace_id}&b={telemetry.traces[1].trace_id}"


def first_row(page: Page) -> None:
    page.get_by_role("row").first.click(position={"x": 4, "y": 4})


def suggestions(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("http.route=")
    page.get_by_role("listbox").get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")


def nonsense(page: Page) -> None:
    field = page.get_by_role("combobox", name="Filter")
    field.fill("duration>soon")
    field.press("Enter")


def keys(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()


def hide_a_line(page: Page) -> None:
    page.get_by_role("button", name="/products").click()


def dropped(page: Page) -> None:
    page.get_by_text("too fast to show").wait_for()


Path = str | Callable[[Telemetry], str]
SCENES: dict[str, tuple[Path, Callable[[Page], None] | None]] = {
    "traces": ("/", first_row),
    "traces, live": ("/?service=payments&live=1", dropped),
    "traces, suggestions": ("/", suggestions),
    "traces, a filter that makes no sense": ("/", nonsense),
    "trace": (failed_trace, None),
    "trace, flame": (lambda telemetry: failed_trace(telemetry) + "&view=flame", None),
    "trace, operations": (lambda telemetry: failed_trace(telemetry) + "&view=operations", None),
    "trace, problems": (f"/trace/{'b' * 32}", None),
    "compare": (two_traces, None),
    "compare, runs": ("/compare?what=runs", None),
    "logs": ("/logs", first_row),
    "metrics, heatmap": ("/metrics?name=http.server.request.duration", None),
    "metrics, lines": ("/metrics?name=shop.orders&group_by=http.route", hide_a_line),
    "services": ("/services?service=payments", None),
    "services, list": ("/services?view=list", None),
    "start": ("/start", None),
    "keys": ("/start", keys),
    "not here": ("/nowhere", None),
}
EVERY_SCENE = pytest.mark.parametrize("scene", SCENES, indirect=True)
NO_TABS = {"keys", "traces, suggestions", "traces, live", "traces, a filter that makes no sense", "trace, problems"}
"""Where Tab does something else, because it stays in the dialog or takes the suggestion, or the same as elsewhere."""


@pytest.fixture(scope="module")
def scene_page(context: BrowserContext) -> Iterator[Page]:
    """One page for all scenes, which brings axe with it."""
    if not AXE.is_file():
        pytest.skip("axe is not installed: `npm ci` in viewer installs it")
    made = context.new_page()
    made.add_init_script(path=AXE)
    with watched(made) as page:
        yield page
    made.close()


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest, scene_page: Page, server: Server) -> Page:
    """Each scene in turn, opened once for all tests of it."""
    scene_page.bring_to_front()
    scene_page.emulate_media(color_scheme="light")
    scene_page.set_viewport_size(SIZE)
    return show(scene_page, server, shop_telemetry(), request.param)


def show(page: Page, server: Server, telemetry: Telemetry, name: str) -> Page:
    path, act = SCENES[name]
    server.serve_now(telemetry)
    page.goto(server.url + (path if isinstance(path, str) else path(telemetry)))
    settled(page)
    if act is not None:
        act(page)
        settled(page)
    return page


@EVERY_SCENE
def test_axe_finds_nothing_wrong_in_light_and_in_dark(scene: Page) -> None:
    found = scene.evaluate(RUN, {"type": "tag", "values": RULES})
    assert found == [], json.dumps(found, indent=1)
    scene.emulate_media(color_scheme="dark")  # changes nothing but colours
    found = scene.evaluate(RUN, {"type": "rule", "values": ["color-contrast"]})
    assert found == [], json.dumps(found, indent=1)


@EVERY_SCENE
def test_whatever_is_drawn_is_said_in_words_too(scene: Page) -> None:
    assert scene.evaluate(UNSAID) == []


@EVERY_SCENE
def test_nothing_leaves_the_window_sideways(scene: Page) -> None:
    for width in (390, 820, 1440):
        scene.set_viewport_size({"width": width, "height": SIZE["height"]})
        scene.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # laid out anew
        assert scene.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scene", [name for name in SCENES if name not in NO_TABS], indirect=True)
def test_tab_reaches_everything_and_shows_where_it_is(scene: Page) -> None:
    scene.set_viewport_size(SIZE)
    scene.keyboard.press("Shift")  # so that the browser shows where the focus is
    scene.locator(".skip").focus()
    for _ in range(TABS_MAX):
        scene.keyboard.press("Tab")
        step = scene.evaluate(TAB)
        if step == "over":
            break
        assert step == "shown"
    assert scene.evaluate(UNREACHED) == []


def test_a_row_of_the_waterfall_is_told_with_its_level_its_length_and_its_failure(
    page: Page, server: Server, telemetry: Telemetry
) -> None:
    show(page, server, telemetry, "trace")
    trace = next(trace for trace in telemetry.traces if trace.errors)
    charge = next(span for span in trace.spans if span.events)
    row = page.get_by_role("treegrid", name="Spans of the trace").get_by_role("row", selected=True)
    expect(row).to_have_attribute("aria-level", "3")
    expect(row.get_by_role("gridcell").first).to_contain_text("error")
    length, after = charge.duration / 1e6, (charge.start - trace.start) / 1e6
    name = row.get_by_role("gridcell").last.get_attribute("aria-label") or ""
    said = [float(number) * {"s": 1e3}.get(unit, 1) for number, unit in re.findall(r"([\d.]+) (ms|s)\b", name)]
    assert said == pytest.approx([length, after], rel=0.01)
    expect(page.get_by_role("treegrid").get_by_role("row").first).to_have_attribute("aria-expanded", "true")


def test_charts_have_their_numbers_in_words_or_in_a_table(page: Page, server: Server, telemetry: Telemetry) -> None:
    show(page, server, telemetry, "metrics, heatmap")
    table = page.get_by_role("table", name="Quantiles of the heatmap")
    expect(table.get_by_role("row")).to_have_count(4)
    expect(table.get_by_role("row").nth(1)).to_contain_text("p50")
    show(page, server, telemetry, "logs")
    counts = {17: 0, 13: 0, 9: 0}
    for record in telemetry.logs[:500]:
        counts[record["severity_number"]] += 1
    said = f"500 log records over time: {counts[17]} error, {counts[13]} warn, {counts[9]} info"
    expect(page.get_by_role("img", name=said)).to_be_visible()
