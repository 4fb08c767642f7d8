"""Telemetry that attacks the page or makes no sense: shown as the text and the numbers that it is."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.viewer import nasty
from tests.viewer.backend import POLICY, Telemetry, nasty_telemetry
from tests.viewer.conftest import Open, settled

A = "a" * 32
PAGES = {
    "traces": "/?since=all",
    "trace": f"/trace/{A}?span={2:016x}&critical=1",
    "trace, javascript link": f"/trace/{A}?span={4:016x}",
    "flame": f"/trace/{A}?view=flame",
    "operations": f"/trace/{A}?view=operations",
    "logs": "/logs?since=all",
    "metrics": "/metrics?group_by=%3Cimg%20src=x%20onerror=alert(6)%3E",
    "services": "/services?service=%3Cscript%3Ealert(7)%3C/script%3E",
    "services list": "/services?view=list",
    "compare": f"/compare?a={A}&b={A}",
    "filters": "/?q=%3Cimg%20src=x%20onerror=alert(8)%3E&attribute=%3Cb%3E=%3Cscript%3Ealert(9)%3C/script%3E",
    "path": "/trace/%3Cimg%20src=x%20onerror=alert(10)%3E",
}
FOREIGN = """() => [...document.querySelectorAll('*')].filter(element =>
    ['SCRIPT', 'IMG', 'IFRAME', 'B', 'OBJECT'].includes(element.tagName)
    && !(element.tagName === 'SCRIPT' && element.src.startsWith(location.origin + '/assets/'))
    && !(element.tagName === 'B' && element.parentElement.className.includes('scale'))
    || [...element.attributes].some(attribute => attribute.name.startsWith('on'))
    || /^(javascript|data):/i.test(element.href ?? '')).map(element => element.outerHTML)"""


@pytest.fixture
def attacked() -> Telemetry:
    """Markup in every field."""
    return nasty_telemetry()


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_s13_markup_in_telemetry_is_text(open_page: Open, attacked: Telemetry, path: str) -> None:
    page = open_page(path, attacked)
    settled(page)
    assert page.evaluate(FOREIGN) == []


def test_s13_markup_can_be_read_as_what_it_is(open_page: Open, attacked: Telemetry) -> None:
    page = open_page(PAGES["trace"], attacked)
    panel = page.get_by_role("complementary", name="Span")
    expect(panel.get_by_role("heading", name=nasty.MARKUP[1])).to_be_visible()
    expect(panel.get_by_role("term").filter(has_text=nasty.MARKUP[1]).first).to_be_visible()
    page = open_page(PAGES["logs"], attacked)
    for text in nasty.MARKUP[:4]:
        expect(page.get_by_role("row").filter(has_text=text)).to_be_visible()


def test_s13_the_policy_of_the_server_forbids_nothing_that_the_page_does(open_page: Open) -> None:
    page = open_page("/")  # and the fixture fails for every complaint of the browser
    page.get_by_role("row").first.wait_for()
    answer = page.request.get(page.url)
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", answer.text())


def names(page: Page) -> list[str]:
    return page.locator("[role=treegrid] .operation").all_inner_texts()


def test_cycles_missing_parents_and_double_ids_are_shown_and_told(open_page: Open) -> None:
    page = open_page(f"/trace/{'b' * 32}")
    expect(page.get_by_role("treegrid").get_by_role("row")).to_have_count(9)
    assert sorted(names(page)) == sorted(
        [
            "root", "before its parent", "no name", "the same id again", "in a cycle", "in a cycle too", "and back",
            "its own parent", "parent missing",
        ]
    )  # fmt: skip
    expect(page.get_by_text("3 spans are their own ancestors")).to_be_visible()
    for key in ("c", "f", "o", "w", "e"):
        page.keyboard.press(key)
    expect(page.get_by_role("complementary", name="Span").get_by_role("heading", level=2)).to_have_text(
        "the same id again"
    )


def test_times_at_both_ends_of_64_bits_are_shown(open_page: Open) -> None:
    page = open_page(f"/trace/{'c' * 32}")
    expect(page.get_by_role("treegrid").get_by_role("row")).to_have_count(3)
    expect(page.get_by_text("585 years").first).to_be_visible()
    page.keyboard.press("e")
    panel = page.get_by_role("complementary", name="Span")
    panel.get_by_text("More", exact=True).click()
    expect(panel.get_by_text(f"{nasty.LAST_NANO} ns since 1970").first).to_be_visible()


def test_a_trace_of_three_thousand_levels_is_walked_to_its_end(open_page: Open) -> None:
    page = open_page(f"/trace/{'d' * 32}")
    tree = page.get_by_role("treegrid")
    expect(tree).to_have_attribute("aria-rowcount", "3000")
    tree.focus()
    page.keyboard.press("End")
    expect(tree.locator("[aria-level='3000']")).to_be_visible()
    for key in ("c", "f", "o"):
        page.keyboard.press(key)
    expect(page.get_by_role("table")).to_be_visible()
