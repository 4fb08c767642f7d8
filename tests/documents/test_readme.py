"""What README.md shows works as it stands there."""

import re
import sys
from pathlib import Path

import pytest

from millrace.gateway.config import load
from tests.conformance.sink import running_sink
from tests.sdk.programs import run_program

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
