"""A browser for the tests of the page: the system's Chromium, driven by Playwright, over a backend of known data."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Playwright, ViewportSize, expect, sync_playwright

from tests.viewer.backend import STATIC, Server, Telemetry, running, shop_telemetry

CHROMIUM = "/usr/bin/chromium"
INSTALL_TIMEOUT_S = 300
SIZE: ViewportSize = {"width": 1280, "height": 800}
WAIT_MS = 15_000
"""How long an expectation may take on a busy machine."""
expect.set_options(timeout=WAIT_MS)
Open = Callable[..., Page]


def _chromium() -> str:
    """Return the browser's path; root of a Debian gets one installed."""
    if shutil.which(CHROMIUM):
        return CHROMIUM
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip(f"the page is tested in {CHROMIUM}: `apt-get install chromium` as root adds it")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        if done.returncode:
            pytest.skip(f"Chromium could not be installed: {done.stderr.strip()[-300:]}")
    return CHROMIUM


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests; each test has a context of its own."""
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page is not built: `make build` builds it where Node.js is installed")
    launched = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One context, so that the page is fetched and compiled once; what it remembers is forgotten before each test."""
    made = browser.new_context(viewport=SIZE, reduced_motion="reduce")
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    yield made
    made.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The backend."""
    with running() as serving:
        yield serving


@pytest.fixture
def telemetry() -> Telemetry:
    """The shop's last hour."""
    return shop_telemetry()


@contextmanager
def watched(page: Page) -> Iterator[Page]:
    """A page: complaints of the browser, errors of scripts, dialogs, and requests to other servers fail the test."""
    complaints: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    heard: dict[str, Callable[..., None]] = {
        "pageerror": lambda error: complaints.append(str(error)),
        "console": lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
        "dialog": dismiss,
        "request": lambda asked: complaints.append(asked.url) if "//127.0.0.1:" not in asked.url else None,
    }
    for event, handler in heard.items():
        page.on(event, handler)  # type: ignore[call-overload] # it wants to be told each by itself
    yield page
    page.goto("about:blank")  # and a page that is left asks nothing any more
    for event, handler in heard.items():
        page.remove_listener(event, handler)
    assert [text for text in complaints if "the server responded with a status of" not in text] == []


@pytest.fixture(scope="session")
def shared_page(context: BrowserContext) -> Iterator[Page]:
    """One page for all tests: a new one is a new process, and compiles everything again."""
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    yield page
    page.close()


@pytest.fixture
def page(shared_page: Page, server: Server) -> Iterator[Page]:
    """The page as if it were new."""
    shared_page.bring_to_front()  # a page behind another one asks the server nothing by itself
    shared_page.set_viewport_size(SIZE)
    shared_page.emulate_media(color_scheme="light")
    forget(shared_page, server.url)
    with watched(shared_page) as page:
        yield page


def forget(page: Page, origin: str) -> None:
    """Let the browser forget what pages of this server have kept: the colours of services, the theme."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage"})
    devtools.detach()


def settled(page: Page) -> None:
    """Wait until the page has shown all that it asked the server for when it was opened."""
    page.get_by_role("heading", level=1).first.wait_for()
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")


@pytest.fixture
def open_page(page: Page, server: Server, telemetry: Telemetry) -> Open:
    """Open a path over some telemetry: the shop's if no other is given."""

    def opened(path: str, over: Telemetry = telemetry) -> Page:
        server.serve_now(over)
        page.goto(server.url + path)
        return page

    return opened
