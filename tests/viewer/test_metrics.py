"""The page of metrics: finding one, lines and their groups, the heatmap, exemplars."""

import re

from playwright.sync_api import expect

from tests.viewer.backend import Telemetry
from tests.viewer.conftest import Open


def test_a_metric_is_found_by_name_and_kept_in_the_url(open_page: Open) -> None:
    page = open_page("/metrics")
    page.get_by_role("searchbox", name="Find a metric").fill("orders")
    page.get_by_role("button", name="shop.orders").click()
    expect(page.get_by_role("heading", name="shop.orders")).to_be_visible()
    expect(page).to_have_url(re.compile("name=shop.orders"))


def test_a_sum_is_drawn_as_its_rate_with_a_line_for_each_value_of_an_attribute(
    open_page: Open, telemetry: Telemetry
) -> None:
    page = open_page("/metrics?name=shop.orders")
    expect(page.get_by_role("radio", name="Rate")).to_be_checked()
    page.get_by_label("A line for each").select_option("http.route")
    lines = page.get_by_role("row").filter(has=page.get_by_role("button"))
    expect(lines).to_have_count(4)
    expect(lines.first).to_contain_text("/products")
    assert any("aggregation=rate" in asked and "group_by=http.route" in asked for asked in telemetry.asked)
    lines.first.get_by_role("button").click()
    expect(lines.first.get_by_role("button")).to_have_attribute("aria-pressed", "false")


def test_a_unit_is_written_as_people_write_it(open_page: Open) -> None:
    badges = open_page("/metrics?name=shop.orders").locator(".badges")
    expect(badges).to_contain_text("order")
    expect(badges).not_to_contain_text("{")


def test_a_histogram_is_a_heatmap_with_quantiles(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/metrics?name=http.server.request.duration")
    expect(page.get_by_role("img", name="Heatmap of 11 buckets over time")).to_be_visible()
    for quantile in ("p50", "p90", "p99"):
        expect(page.get_by_role("row", name=quantile)).to_be_visible()
        assert any(f"aggregation={quantile}" in asked for asked in telemetry.asked)


def test_an_exemplar_leads_to_its_trace(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/metrics?name=http.server.request.duration")
    page.get_by_role("heading", name="Exemplars").wait_for()
    page.get_by_role("link", name=re.compile(r"\d m?s [0-9a-f]{8}")).first.click()
    expect(page).to_have_url(re.compile("/trace/[0-9a-f]{32}"))
    trace_id = page.url.partition("/trace/")[2][:32]
    assert trace_id in {trace.trace_id for trace in telemetry.traces}


def test_only_points_with_an_attribute_are_asked_for(open_page: Open, telemetry: Telemetry) -> None:
    page = open_page("/metrics?name=process.memory.usage")
    field = page.get_by_role("combobox", name="Filter")
    field.fill("host.name=mill-7")
    field.press("Enter")
    expect(page).to_have_url(re.compile("attribute=host.name%3Dmill-7"))
    expect(page.get_by_role("img", name=re.compile("^1 line over time"))).to_be_visible()
    assert any("attribute=host.name%3Dmill-7" in asked for asked in telemetry.asked)
