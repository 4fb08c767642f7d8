"""The page of services: the map, the same as lists, and one service."""

import re

from playwright.sync_api import expect

from tests.viewer import spans
from tests.viewer.backend import Telemetry
from tests.viewer.conftest import Open


def test_the_map_shows_every_service_and_call(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/services")
    known = spans.service_map(telemetry.traces)
    drawn = page.get_by_role("group", name=re.compile(f"^Map of {len(known['nodes'])} services"))
    expect(drawn.get_by_role("button")).to_have_count(len(known["nodes"]))
    expect(drawn.locator(".edge")).to_have_count(len(known["edges"]))
    payments = next(node for node in known["nodes"] if node["service"] == "payments")
    expect(drawn.get_by_role("button", name=re.compile(rf"^payments\s*{payments['spans']} spans"))).to_be_visible()


def test_a_service_is_chosen_by_keyboard_and_leads_to_its_failed_traces(open_page: Open) -> None:
    page = open_page("/services")
    page.get_by_role("button", name=re.compile(r"^payments\s*\d")).focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="Service")
    expect(panel.get_by_role("link", name="fraud check")).to_be_visible()
    panel.get_by_role("link", name="With errors").click()
    expect(page).to_have_url(re.compile(r"/\?service=payments&status=error"))


def test_the_list_has_what_the_map_has(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/services?view=list")
    edges = spans.service_map(telemetry.traces)["edges"]
    table = page.get_by_role("table", name="Connections between services")
    expect(table.get_by_role("row")).to_have_count(len(edges) + 1)
    expect(table.get_by_role("row").nth(1)).to_contain_text(str(edges[0]["calls"]))


def test_services_are_sorted_by_what_somebody_clicks(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/services?view=list")
    page.get_by_role("button", name="p99").click()
    slowest = max(spans.services(telemetry.traces), key=lambda service: service["p99_ns"])
    expect(page.get_by_role("table").first.get_by_role("row").nth(1)).to_contain_text(slowest["name"])
