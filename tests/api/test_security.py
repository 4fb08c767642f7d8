"""Who may ask the server of the page, and what a browser may do with its answers (S12, S13, S18)."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from millrace.api import application, page, queries
from millrace.store import Result, Store
from tests.api.conftest import serving
from tests.api.shop import DECLINED, NASTY

TOKEN = "a-token-of-this-test"  # noqa: S105 - it protects a test


@pytest.fixture(scope="module")
def guarded(store: Store) -> Iterator[str]:
    with serving(application(store, hosts=["box.example"], token=TOKEN)) as url:
        yield url


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/api/v1/nothing", "/api/services", "/api/v1/traces?x=1"])
def test_s13_every_answer_forbids_scripts_that_are_not_files_of_the_server(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("origin", ["null", "https://evil.example.com.attacker", "http://127.0.0.1:1"])
def test_s12_no_other_origin_is_let_in(client: httpx.Client, origin: str) -> None:
    answer = client.get("/api/v1/status", headers={"Origin": origin})
    assert [name for name in answer.headers if name.startswith("access-control")] == []
    asked = client.options("/api/v1/sample", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert [name for name in asked.headers if name.startswith("access-control")] == []
    assert client.post("/api/v1/sample", headers={"Origin": origin}).status_code == 403
    assert client.post("/api/v1/sample", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4319", "[::2]", ""])
def test_s12_a_name_that_was_made_to_lead_here_is_refused(client: httpx.Client, host: str) -> None:
    answer = client.get("/api/v1/status", headers={"Host": host})
    assert answer.status_code in {400, 403}
    assert "version" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:4319", "[::1]:4319", "LOCALHOST:80", "mill.localhost"])
def test_s12_names_of_this_machine_are_known(client: httpx.Client, host: str) -> None:
    assert client.get("/api/v1/status", headers={"Host": host}).status_code == 200


def test_a_token_is_asked_for_everywhere(guarded: str) -> None:
    for path in ("/", "/api/v1/status", "/api/echo", "/api/v1/openapi.json", "/assets/x.js"):
        answer = httpx.get(guarded + path)
        assert answer.status_code == 401
        assert TOKEN not in answer.text
    assert httpx.get(f"{guarded}/api/v1/status", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert httpx.get(f"{guarded}/api/v1/status", headers={"Cookie": "millrace_token=wrong"}).status_code == 401


def test_a_token_opens_the_server_by_header_and_by_cookie(guarded: str) -> None:
    assert httpx.get(f"{guarded}/api/v1/status", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    with httpx.Client(base_url=guarded) as browser:
        opened = browser.get("/traces", params={"token": TOKEN})
        assert (opened.status_code, opened.headers["location"]) == (303, "/traces")
        cookie = opened.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert browser.get("/api/v1/status").status_code == 200


def test_a_token_leads_to_no_other_host(guarded: str) -> None:
    answer = httpx.get(f"{guarded}//evil.example/x?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/x"


def test_a_server_with_a_token_is_known_by_its_addresses_and_allowed_names(guarded: str) -> None:
    for host, status in (("192.0.2.7:4319", 200), ("box.example:4319", 200), ("other.example", 403)):
        headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
        assert httpx.get(f"{guarded}/api/v1/status", headers=headers).status_code == status


def test_s13_markup_in_telemetry_is_json_text(client: httpx.Client) -> None:
    answer = client.get(f"/api/v1/traces/{DECLINED}")
    assert answer.headers["content-type"] == "application/json"
    assert NASTY in json.loads(answer.text)["names"]


def test_the_page_says_what_it_lacks_when_it_was_not_built(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "is_built", lambda: False)
    answer = client.get("/traces/anything")
    assert answer.status_code == 404
    assert "make build" in answer.text


@pytest.mark.parametrize("path", ["/..%2f..%2fsource.py", "/%2e%2e/source.py", "/source.py%00", "/..\\source.py"])
def test_s15_no_file_beside_the_page_can_be_read(client: httpx.Client, path: str) -> None:
    assert "What the query APIs ask of a store" not in client.get(path).text


class SlowStore(Store):
    """A store whose queries take until they are interrupted."""

    def __init__(self) -> None:
        """Count what has begun and what has ended; nothing is opened."""
        self.path = Path("/nowhere")
        self.begun = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def sql(self, *_: object, on_start: Callable[[Callable[[], object]], object] | None = None, **__: object) -> Result:
        interrupted = threading.Event()
        assert on_start is not None
        on_start(interrupted.set)
        self.begun.release()
        interrupted.wait(30)
        self.ended.release()
        return Result([], [], [])


def test_a_query_ends_when_its_client_goes() -> None:
    store = SlowStore()
    with serving(application(store)) as url, httpx.Client(base_url=url, timeout=30) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get("/api/v1/logs", timeout=0.3)
        assert store.begun.acquire(timeout=10)
        assert store.ended.acquire(timeout=10)


def test_s18_more_queries_than_may_wait_are_refused_and_the_server_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "WAITING_MAX", 0)
    store = SlowStore()

    with serving(application(store)) as url, ExitStack() as open_sockets:
        host, port = url.removeprefix("http://").split(":")
        for _ in range(queries.THREADS):
            asking = open_sockets.enter_context(socket.create_connection((host, int(port))))
            asking.sendall(f"GET /api/v1/logs HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert store.begun.acquire(timeout=20)
        answer = httpx.get(f"{url}/api/v1/logs", timeout=20)
        assert (answer.status_code, answer.json()) == (
            503,
            {"error": "too many queries are waiting; try again in a moment"},
        )
