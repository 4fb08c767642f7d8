"""The page for those who have sent nothing yet."""

import re
import time

from playwright.sync_api import expect

from tests.viewer.backend import Telemetry
from tests.viewer.conftest import Open


def test_an_empty_server_shows_how_to_send_with_its_own_addresses(open_page: Open) -> None:
    page = open_page("/", Telemetry(time.time_ns()))
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()
    ways = page.get_by_role("radiogroup", name="Way of sending").get_by_role("radio")
    for name in ways.all_inner_texts():
        ways.filter(has_text=name).click()
        port = "4317" if name == "Collector" else "4318"
        expect(page.locator("pre")).to_contain_text(f"127.0.0.1:{port}")
        assert page.locator("pre").inner_text().count("\n") == 2


def test_a_sample_is_sent_and_seen(open_page: Open) -> None:
    page = open_page("/start", Telemetry(time.time_ns()))
    page.get_by_role("button", name="Send a sample").click()
    page.get_by_role("link", name="Look at its trace").click()
    expect(page.get_by_role("grid", name="Traces").get_by_role("row")).to_have_count(1)


def test_who_waits_for_the_first_span_sees_its_trace_when_it_comes(open_page: Open, telemetry: Telemetry) -> None:
    nothing_yet = Telemetry(time.time_ns())
    page = open_page("/", nothing_yet)
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()
    nothing_yet.traces.append(telemetry.traces[0])
    expect(page.get_by_role("grid", name="Traces").get_by_role("row")).to_have_count(1)


def test_the_lines_are_copied(open_page: Open) -> None:
    page = open_page("/start?way=any")
    page.get_by_role("button", name="Copy these lines").click()
    expect(page.get_by_text("Copied").first).to_be_visible()
    copied: str = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"^export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318$", copied, re.MULTILINE)
