"""What README.md shows works as it stands there."""

import re
from pathlib import Path

import pytest

from millrace.gateway.config import load

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


def test_the_python_example_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    exec(compile(shown, "README.md", "exec"), {})  # noqa: S102 - our own document
    assert (tmp_path / "received.jsonl").exists()
