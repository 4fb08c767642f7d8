"""What all pages share: ways to get around by keyboard, names for screen readers, colours, the URL, one server."""

import gzip
import re

from playwright.sync_api import expect

from tests.viewer.backend import STATIC, Telemetry
from tests.viewer.conftest import Open

GZIP_BYTES_MAX = 500_000
LIGHT, DARK = "rgb(251, 251, 250)", "rgb(16, 18, 20)"


def test_every_page_is_two_keys_away(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("row").first.wait_for()
    for keys, path in (("gl", "/logs"), ("gm", "/metrics"), ("gs", "/services"), ("gc", "/compare"), ("gt", "/")):
        for key in keys:
            page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f":\\d+{path}$"))
        expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_keys_of_a_page_are_listed_in_a_dialog(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("row").first.wait_for()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog.get_by_text("Go to traces")).to_be_visible()
    expect(dialog.get_by_text("Pick to compare")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_keyboard_skips_the_rail(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_role("row").first.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_link_brings_everything_back(open_page: Open) -> None:
    page = open_page("/?service=payments&order=slowest&since=6h")
    grid = page.get_by_role("grid", name="Traces")
    shown = grid.get_by_role("row").first.inner_text()
    expect(page.get_by_role("button", name="Remove the filter service: payments")).to_be_visible()
    expect(page.get_by_role("radio", name="Slowest")).to_be_checked()
    expect(page.get_by_role("combobox", name="Stretch of time")).to_have_value("6h")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("treegrid").wait_for()
    page.go_back()
    expect(grid.get_by_role("row").first).to_have_text(re.compile(re.escape(shown.split("\n")[1])))
    expect(page.get_by_role("radio", name="Slowest")).to_be_checked()


def test_colours_follow_the_system_until_somebody_chooses(open_page: Open) -> None:
    page = open_page("/logs")
    body = page.locator("body")
    page.get_by_role("heading", level=1).wait_for()
    page.emulate_media(color_scheme="dark")
    expect(body).to_have_css("background-color", DARK)
    page.emulate_media(color_scheme="light")
    expect(body).to_have_css("background-color", LIGHT)
    page.get_by_role("button", name="Colours: as the system").click()
    page.get_by_role("button", name="Colours: light").click()
    expect(body).to_have_css("background-color", DARK)
    page.reload()
    expect(body).to_have_css("background-color", DARK)
    page.get_by_role("button", name="Colours: dark").click()
    expect(body).to_have_css("background-color", LIGHT)


def test_the_rail_says_what_it_counts(open_page: Open, telemetry: Telemetry) -> None:
    rail = open_page("/").get_by_role("navigation")
    spans = sum(len(trace.spans) for trace in telemetry.traces)
    expect(rail.get_by_text(f"{spans:,} spans")).to_be_visible()
    expect(rail.get_by_text(f"{len(telemetry.logs)} records")).to_be_visible()


def test_a_page_that_does_not_exist_leads_back(open_page: Open) -> None:
    page = open_page("/nowhere")
    page.get_by_role("link", name="Go to the traces").click()
    expect(page.get_by_role("grid", name="Traces")).to_be_visible()


def test_the_whole_page_is_small(open_page: Open) -> None:
    open_page("/")  # so there is one
    sent = sum(len(gzip.compress(file.read_bytes())) for file in STATIC.rglob("*") if file.is_file())
    assert sent < GZIP_BYTES_MAX


def test_a_server_that_went_away_is_said_in_the_rail(open_page: Open, telemetry: Telemetry) -> None:
    telemetry.down = True
    page = open_page("/start")
    expect(page.get_by_role("navigation").get_by_text("Server does not answer")).to_be_visible()
