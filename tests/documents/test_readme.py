"""What README.md shows works as it stands there."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from millrace.gateway.config import load
from tests.conformance.sink import running_sink
from tests.python.commands import millrace, running
from tests.sdk.programs import run_program, script

README = (Path(__file__).parents[2] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Every block of code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_the_configuration_in_the_readme_is_valid(tmp_path: Path) -> None:
    (shown,) = blocks("yaml")
    file = tmp_path / "gateway.yaml"
    file.write_text(shown)
    configuration = load(file)
    assert configuration.warnings == ()
    assert configuration.resolved["exporters"]["otlphttp"]["compression"] == "zstd"


def test_the_sdk_in_the_readme_records_and_exports() -> None:
    shown, _ = blocks("python")
    span = "from opentelemetry import trace\ntrace.get_tracer('readme').start_span('one').end()\n"
    with running_sink() as sink:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_url}
        done = run_program(sys.executable, "-c", shown + span, **endpoint)
        assert (done.returncode, done.stderr) == (0, "")
        assert sink.names("traces") == ["one"]


def test_the_gateway_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, shown = blocks("python")
    monkeypatch.chdir(tmp_path)
    exec(compile(shown, "README.md", "exec"), {})  # noqa: S102 - our own document
    assert (tmp_path / "received.jsonl").exists()


SERVICE = """
import logging
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def greet() -> str:
    logging.getLogger("shop").warning("somebody came")
    return "good day"
"""
FREE = "127.0.0.1:0"


def command_of(start: str) -> list[str]:
    """The words of the command in the README that begins so, without its remark."""
    (line,) = re.findall(rf"^{re.escape(start)}.*$", README, flags=re.MULTILINE)
    return shlex.split(line, comments=True)[1:]


def test_a_service_under_the_commands_of_the_readme_is_a_trace_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SERVICE)
    with (
        running(
            *command_of("millrace serve    #"), "--data", tmp_path, "--grpc", FREE, "--http", FREE, "--ui", FREE
        ) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,  # the first request waits until the service has started
    ):
        page, http = server.wait_for("page at "), server.wait_for("otlp/http listens on ")
        service = command_of("millrace run --service-name shop --")
        service[-1:] = ["--app-dir", str(tmp_path), service[-1], "--fd", str(listener.fileno())]
        environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{http}"}
        program = [script("millrace"), *service]
        with subprocess.Popen(program, env=environment, pass_fds=[listener.fileno()]) as shop:
            try:
                address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
                assert httpx.get(address, timeout=60).json() == "good day"
            finally:
                shop.send_signal(signal.SIGINT)  # what it holds is sent before it ends
        search = [*command_of("millrace trace search --service shop"), "--server", page]
        assert "  shop  GET /  " in millrace(*search).out
        assert "  shop  somebody came" in millrace("logs", "--server", page).out
