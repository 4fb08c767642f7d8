"""`millrace serve` without a configuration: one command that receives, keeps and shows, and ends cleanly."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from tests.api.shop import SOLD, logs, metrics, traces
from tests.python.commands import Result, Running, millrace, running

FREE = "127.0.0.1:0"


class Server:
    """A `millrace serve` at work."""

    def __init__(self, process: Running, data: Path) -> None:
        """Wait until it says where it is."""
        self.process = process
        self.data = data
        self.page = process.wait_for("page at ")
        self.http = "http://" + process.wait_for("otlp/http listens on ")
        self.grpc = process.wait_for("otlp/grpc listens on ")

    def send_shop(self) -> None:
        for path, requests in (("traces", traces()), ("logs", logs()), ("metrics", metrics())):
            for request in requests:
                assert httpx.post(f"{self.http}/v1/{path}", json=request).status_code == 200

    def when(self, path: str, is_right: object) -> object:
        """Ask until the answer is right; fresh data are promised within a second."""
        deadline = time.monotonic() + 20
        while True:
            found = httpx.get(f"{self.page}/api/v1{path}", timeout=20).json()
            if is_right(found):  # type: ignore[operator] # a condition
                return found
            assert time.monotonic() < deadline, found

    def stop(self) -> Result:
        self.process.process.send_signal(signal.SIGTERM)
        return self.process.end()


@contextmanager
def serving(data: Path, *more: str) -> Iterator[Server]:
    with running("serve", "--data", data, "--grpc", FREE, "--http", FREE, "--ui", FREE, *more) as process:
        yield Server(process, data)


def has_the_shop(found: dict[str, dict[str, dict[str, int]]]) -> bool:
    return {name: one["rows"] for name, one in found["signals"].items()} == {
        "traces": 6,
        "logs": 3,
        "metrics": 11,
        "profiles": 0,
    }


def test_what_is_sent_is_kept_shown_and_still_there_afterwards(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, "--json") as server:
        server.send_shop()
        found = server.when("/status", has_the_shop)
        assert found["addresses"]["http"] == server.http.removeprefix("http://")  # type: ignore[index] # JSON
        asked = millrace("trace", "get", SOLD, "--data", data)
        assert (asked.code, asked.out.splitlines()[0]) == (0, "POST /orders  120 ms · 4 spans · 2 services · no errors")
        assert (server.data.stat().st_mode & 0o777, (data / "server.json").stat().st_mode & 0o777) == (0o700, 0o600)
        ended = server.stop()
    assert ended.code == 0, ended.err
    kept = json.loads(ended.out)["stats"]["exporters"]["store"]["traces"]
    assert (kept["received"], kept["exported"], kept["queued"]) == (6, 6, 0)
    assert not (data / "server.json").exists()
    assert millrace("trace", "get", SOLD, "--data", data).out == asked.out
    found = millrace("logs", "--data", data, "--json")
    assert len(found.out.splitlines()) == 3


def test_the_sample_comes_through_the_servers_own_door(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        sent = httpx.post(f"{server.page}/api/v1/sample", headers={"Origin": server.page}).json()
        server.when("/status", lambda found: found["signals"]["traces"]["rows"] == sent["spans"])
        trace = httpx.get(f"{server.page}/api/v1/traces/{sent['trace_id']}", timeout=20).json()
        assert len(trace["spans"]["span_id"]) == 5
        assert trace["problems"] == []


def test_the_sample_is_listed_as_soon_as_it_is_sent(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for number in range(1, 4):
            httpx.get(f"{server.page}/api/v1/traces", timeout=20)  # the store has just been looked at
            sent = httpx.post(f"{server.page}/api/v1/sample", headers={"Origin": server.page}, timeout=20).json()
            listed = httpx.get(f"{server.page}/api/v1/traces", timeout=20).json()["items"]
            assert [sent["trace_id"], number] == [listed[0]["trace_id"], len(listed)]


def test_a_second_serve_on_the_same_store_attaches_and_says_so(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as server,
        running("serve", "--data", tmp_path, "--grpc", FREE, "--http", FREE, "--ui", FREE) as second,
    ):
        assert second.wait_for(f"{tmp_path} is served already, by process ").startswith(str(server.process.process.pid))
        assert second.wait_for("page at ") == server.page
        second.wait_for("what arrives follows")
        second.process.send_signal(signal.SIGINT)
        assert second.end().code == 0
        assert httpx.get(f"{server.page}/api/v1/status", timeout=20).status_code == 200


def test_a_server_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.process.process.kill()
        server.process.process.wait()
    assert (tmp_path / "server.json").exists()
    with serving(tmp_path) as server:
        assert httpx.get(f"{server.page}/api/v1/status", timeout=20).status_code == 200


def test_a_taken_address_of_the_page_is_said_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = millrace("serve", "--data", tmp_path, "--grpc", FREE, "--http", FREE, "--ui", address)
    assert done.code == 3
    assert done.err == (
        f"error: cannot listen on {address}: Address already in use; --ui gives the page another address\n"
    )


def test_a_taken_address_of_a_receiver_is_said_by_the_option_that_gave_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = millrace("serve", "--data", tmp_path, "--grpc", f"127.0.0.1:{port}", "--http", FREE, "--ui", FREE)
    assert done.code == 1
    assert done.err.startswith(f"error: --grpc: port {port} of 127.0.0.1 is taken by another process")


def test_a_wide_page_has_a_token_that_is_printed_once(tmp_path: Path) -> None:
    with running("serve", "--data", tmp_path, "--grpc", FREE, "--http", FREE, "--ui", "0.0.0.0:0") as process:
        address = process.wait_for("page at ")
        page, token = address.split("/?token=")
        assert httpx.get(f"{page}/api/v1/status", timeout=20).status_code == 401
        answer = httpx.get(f"{page}/api/v1/status", headers={"Authorization": f"Bearer {token}"}, timeout=20)
        assert answer.status_code == 200
        process.process.send_signal(signal.SIGTERM)
        ended = process.end()
    assert ended.err.count(token) == 1
    assert token not in ended.out


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    blocked = "import sys; sys.modules['duckdb'] = None; from millrace.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", blocked, "serve", "--data", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'millrace[store]'" in done.stderr


HEAVY = ("duckdb", "starlette", "uvicorn", "anyio", "asyncio", "millrace.api", "millrace.store")


def test_a_gateway_with_a_configuration_imports_nothing_of_the_page(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "receivers: {otlp: {protocols: {http: {endpoint: 'localhost:0'}}}}\nexporters: {nop: }\n"
        "service: {telemetry: {metrics: {level: none}}, pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}\n"
    )
    program = (
        "import atexit, sys; from millrace.cli import main;"
        f"atexit.register(lambda: print([m for m in {HEAVY!r} if m in sys.modules]));"
        "sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--config", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("traces: "):
            break
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert out.splitlines()[-1] == "[]"


def test_nothing_is_left_running_after_a_signal_while_a_page_watches(tmp_path: Path) -> None:
    with serving(tmp_path) as server, httpx.stream("GET", f"{server.page}/api/v1/live", timeout=20) as live:
        assert live.status_code == 200
        children = psutil.Process(server.process.process.pid).children(recursive=True)
        ended = server.stop()
        assert ended.code == 0, ended.err
        assert children == []
