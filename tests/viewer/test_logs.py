"""The page of logs: search, severity, bodies with a structure, the way to the trace, and the tail."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.viewer.backend import Telemetry
from tests.viewer.conftest import Open


def rows(page: Page) -> Locator:
    return page.get_by_role("grid", name="Log records").get_by_role("row")


def test_records_are_filtered_by_severity_and_text(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/logs")
    field = page.get_by_role("combobox", name="Filter")
    field.fill("severity:error")
    field.press("Enter")
    grid = page.get_by_role("grid", name="Log records")
    failed = [record for record in telemetry.logs if record["severity_number"] >= 17]
    expect(grid).to_have_attribute("aria-rowcount", str(len(failed)))
    field.fill("/v1/charges")
    field.press("Enter")
    found = [record for record in failed if "/v1/charges" in record["body"]]
    expect(rows(page)).to_have_count(len(found))
    expect(page).to_have_url(re.compile(r"severity_min=17&q=%2Fv1%2Fcharges"))


def test_the_bars_say_of_how_many_records_they_are(open_page: Open, telemetry: Telemetry) -> None:
    assert len(telemetry.logs) > 500  # more than are fetched at once
    expect(open_page("/logs").get_by_text("of the newest 500; scroll for older ones")).to_be_visible()


def test_a_body_with_a_structure_is_shown_as_one(open_page: Open) -> None:
    page = open_page("/logs?q=charge_failed")
    rows(page).first.click()
    panel = page.get_by_role("complementary", name="Log record")
    expect(panel.get_by_text("last4", exact=True)).to_be_visible()
    expect(panel.get_by_text("4242", exact=True)).to_be_visible()


def test_a_record_leads_to_its_span_and_back_to_the_logs_of_the_trace(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/logs")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    record = telemetry.logs[1]
    page.get_by_role("link", name="Open its trace").click()
    expect(page).to_have_url(re.compile(f"/trace/{record['trace_id']}\\?span={record['span_id']}"))
    page.get_by_role("complementary", name="Span").get_by_role("link", name="All logs of the trace").click()
    of_trace = [other for other in telemetry.logs if other["trace_id"] == record["trace_id"]]
    expect(rows(page)).to_have_count(len(of_trace))


def test_the_tail_puts_new_records_on_top(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/logs?service=nobody")
    expect(page.get_by_role("heading", name="No record matches")).to_be_visible()
    page.keyboard.press("l")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text(telemetry.logs[0]["body"])
    expect(page).to_have_url(re.compile("live=1"))


def test_dragging_over_the_bars_narrows_the_time(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/logs")
    rows(page).first.wait_for()
    box = page.get_by_role("img", name=re.compile("log records over time")).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 20)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"start=\d+&end=\d+"))
    expect(page.get_by_role("grid")).not_to_have_attribute("aria-rowcount", str(min(500, len(telemetry.logs))))
