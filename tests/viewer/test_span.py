"""The panel of one span: attributes, events, stack traces, links, logs, and what can be copied."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.viewer.backend import Telemetry
from tests.viewer.conftest import Open
from tests.viewer.shop import STACK_TRACE
from tests.viewer.spans import Span, Trace


@pytest.fixture
def failed(telemetry: Telemetry) -> Trace:
    """A checkout whose payment failed."""
    return next(trace for trace in telemetry.traces if trace.errors)


@pytest.fixture
def charge(failed: Trace) -> Span:
    """The call that failed, with an exception."""
    return next(span for span in failed.spans if span.events)


@pytest.fixture
def panel(open_page: Open, failed: Trace, charge: Span) -> Locator:
    """Its panel, opened by its link."""
    return open_page(f"/trace/{failed.trace_id}?span={charge.span_id}").get_by_role("complementary", name="Span")


def copied(page: Page, button: Locator) -> str:
    button.click()
    expect(page.get_by_role("status").filter(has_text="Copied").first).to_be_attached()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def test_a_link_opens_a_span_with_its_numbers(panel: Locator, charge: Span) -> None:
    expect(panel.get_by_role("heading", name=charge.name)).to_be_visible()
    expect(panel).to_contain_text("card_declined: insufficient funds")
    expect(panel).to_contain_text(f"{charge.duration / 1e6:.3g} ms")


def test_attributes_show_their_structure_and_lead_to_others_with_the_same_value(panel: Locator) -> None:
    attributes = panel.locator("details", has_text="Attributes").first
    for text in ("shop.tenant", "north", "shop.cart", "total", "81.5"):
        expect(attributes.get_by_text(text, exact=True).first).to_be_visible()
    link = panel.get_by_role("link", name="Find others with this shop.tenant")
    expect(link).to_have_attribute("href", re.compile(r"/\?attribute=shop\.tenant%3Dnorth"))


def test_an_exception_comes_first_with_its_stack_trace(panel: Locator) -> None:
    first = panel.get_by_role("listitem").first
    expect(first).to_contain_text("payments.errors.CardDeclinedError")
    first.get_by_text("Stack trace").click()
    assert first.locator("pre").inner_text() == STACK_TRACE


def test_a_link_of_a_span_is_followed_into_the_other_trace(open_page: Open, telemetry: Telemetry) -> None:
    trace = next(trace for trace in telemetry.traces if any(span.links for span in trace.spans))
    span = next(span for span in trace.spans if span.links)
    page = open_page(f"/trace/{trace.trace_id}?span={span.span_id}")
    page.get_by_role("complementary", name="Span").get_by_role("link", name=span.links[0]["trace_id"]).click()
    expect(page).to_have_url(re.compile(f"/trace/{span.links[0]['trace_id']}\\?span={span.links[0]['span_id']}"))
    expect(page.get_by_role("complementary", name="Span").get_by_role("heading", name="storefront")).to_have_count(0)


def test_the_logs_of_a_span_are_listed_with_it(open_page: Open, telemetry: Telemetry) -> None:
    record = telemetry.logs[0]
    page = open_page(f"/trace/{record['trace_id']}?span={record['span_id']}")
    panel = page.get_by_role("complementary", name="Span")
    expect(panel.get_by_text(record["body"])).to_be_visible()
    panel.get_by_role("link", name="All logs of the trace").click()
    expect(page).to_have_url(re.compile(f"/logs\\?.*trace_id={record['trace_id']}"))


def test_id_link_and_json_of_a_span_are_copied(panel: Locator, charge: Span) -> None:
    page = panel.page
    expect(panel.get_by_text("shop.tenant")).to_be_visible()
    assert copied(page, panel.get_by_role("button", name="Copy the span id")) == charge.span_id
    assert f"span={charge.span_id}" in copied(page, panel.get_by_role("button", name="Copy a link to this span"))
    assert json.loads(copied(page, panel.get_by_role("button", name="Copy the span as JSON")))["name"] == charge.name


def test_the_parent_is_one_click_away(panel: Locator, failed: Trace, charge: Span) -> None:
    parent = failed.spans[charge.parent]
    panel.get_by_text("More", exact=True).click()
    panel.get_by_role("button", name=parent.span_id).click()
    expect(panel.get_by_role("heading", name=parent.name)).to_be_visible()
