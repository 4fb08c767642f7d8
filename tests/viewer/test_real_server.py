"""The page over the real thing: `millrace serve`, its store and its API, with telemetry sent over OTLP."""

import re
import signal
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.python.commands import running

FREE = "127.0.0.1:0"
TRACE = "5b8efff798038103d269b633813fc60c"
START = 1_544_712_660_000_000_000
SPANS = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "mill <b>"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "tests"},
                    "spans": [
                        {
                            "traceId": TRACE, "spanId": f"eee19b7ec3c1b17{at}", "name": name, "kind": 2,
                            "parentSpanId": "" if at == 0 else "eee19b7ec3c1b170",
                            "startTimeUnixNano": str(START + at * 1_000_000), "endTimeUnixNano": str(START + 9_000_000),
                            "status": {"code": code},
                            "attributes": [{"key": "http.route", "value": {"stringValue": "/wheel"}}],
                        }
                        for at, (name, code) in enumerate((("GET /wheel", 0), ("grind", 2)))
                    ],
                }
            ],
        }
    ]
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of page and receiver of a server that begins without any data."""
    command = ("serve", "--data", tmp_path_factory.mktemp("store"), "--grpc", FREE, "--http", FREE, "--ui", FREE)
    with running(*command) as server:
        address = server.wait_for("page at ")
        yield address, f"http://{server.wait_for('otlp/http listens on ')}"
        server.process.send_signal(signal.SIGTERM)
        server.end()


def test_what_is_sent_can_be_found_and_read(page: Page, served: tuple[str, str]) -> None:
    address, receiver = served
    page.goto(address)
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()
    expect(page.locator("pre")).to_contain_text(receiver)

    assert httpx.post(f"{receiver}/v1/traces", json=SPANS).status_code == 200
    page.goto(f"{address}/?since=all")
    filter_ = page.get_by_role("combobox", name="Filter")
    filter_.fill("http.route=/wheel")
    filter_.press("Enter")
    row = page.get_by_role("grid", name="Traces").get_by_role("row")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("mill <b>")
    page.keyboard.press("Escape")
    row.get_by_role("link").click()

    expect(page.get_by_role("treegrid").get_by_role("row")).to_have_count(2)
    page.keyboard.press("e")
    panel = page.get_by_role("complementary", name="Span")
    expect(panel.get_by_role("heading", name="grind")).to_be_visible()
    expect(panel.get_by_text("http.route")).to_be_visible()
    expect(page).to_have_url(re.compile(f"/trace/{TRACE}\\?"))


def test_the_sample_of_the_start_page_shows_every_signal(page: Page, served: tuple[str, str]) -> None:
    address, _ = served
    page.goto(f"{address}/start")
    page.get_by_role("button", name="Send a sample").click()
    page.get_by_role("link", name="Look at its trace").click()
    expect(page.get_by_role("grid", name="Traces").get_by_role("row")).to_have_count(1)
    for path, role, name in (
        ("/logs", "grid", "Log records"),
        ("/metrics", "img", re.compile("lines? over time|Heatmap")),
        ("/services", "group", re.compile("^Map of 2 services")),
    ):
        page.goto(address + path)
        expect(page.get_by_role(role, name=name)).to_be_visible()  # type: ignore[arg-type] # roles, all of them
