"""A trace of 100,000 spans: what is in sight exists, and everything else is still there."""

from playwright.sync_api import Page, expect

from tests.viewer.conftest import Open

HUGE = f"/trace/{'e' * 32}"
SPANS = 100_000
ELEMENTS_MAX = 2500


def test_only_rows_in_sight_exist(open_page: Open) -> None:
    page = open_page(HUGE)
    tree = page.get_by_role("treegrid")
    expect(tree).to_have_attribute("aria-rowcount", str(SPANS))
    assert tree.get_by_role("row").count() < 60
    assert page.evaluate("document.querySelectorAll('*').length") < ELEMENTS_MAX


def test_its_end_is_one_key_away(open_page: Open) -> None:
    page = open_page(HUGE)
    tree = page.get_by_role("treegrid")
    tree.focus()
    page.keyboard.press("End")
    expect(tree.locator(f"[aria-rowindex='{SPANS}']")).to_contain_text("finish")
    assert elements_at_the_edges_of(page) == ["finish", "finish"]


def elements_at_the_edges_of(page: Page) -> list[str]:
    """The names in the last two rows in sight."""
    return page.locator("[role=treegrid] .operation").all_inner_texts()[-2:]


def test_its_one_error_is_one_key_away(open_page: Open) -> None:
    page = open_page(HUGE)
    expect(page.get_by_role("treegrid")).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator("[role=row][aria-selected=true]")).to_contain_text("storage")
    page.keyboard.press("c")
    page.keyboard.press("f")
    expect(page.get_by_role("application")).to_be_visible()
    page.keyboard.press("o")
    expect(page.get_by_role("row").filter(has_text="import chunk")).to_contain_text("1,000")
