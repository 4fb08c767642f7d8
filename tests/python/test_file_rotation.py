"""Rotation of the `file` exporter as its user sets it: the Collector's defaults, and names in the time of the place."""

import json
import time
from pathlib import Path

import pytest

from millrace.gateway.config import load
from tests.python.commands import gateway_file, millrace, running

PIPELINES = "{logs: {receivers: [otlp], exporters: [file]}}"
FAR_EAST = "FAR-14:00"
"""A time zone in POSIX's own words: 14 hours ahead of UTC, without a file that describes it."""


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ("", None),
        ("rotation: , ", {"max_megabytes": 100, "max_days": 0, "max_backups": 100, "localtime": False}),
        ("rotation: {max_megabytes: 10, max_days: 3, max_backups: 2, localtime: true}, ",
         {"max_megabytes": 10, "max_days": 3, "max_backups": 2, "localtime": True}),
    ],
)  # fmt: skip
def test_rotation_has_the_collectors_settings_and_defaults(tmp_path: Path, written: str, resolved: object) -> None:
    file = gateway_file(tmp_path, f"{{file: {{{written}path: {tmp_path}/out.jsonl}}}}", PIPELINES)

    assert load(file).resolved["exporters"]["file"]["rotation"] == resolved


@pytest.mark.parametrize(("localtime", "zone_s"), [("true", 14 * 3600), ("false", 0)])
def test_a_full_file_is_named_by_the_time_and_all_of_them_together_hold_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, localtime: str, zone_s: int
) -> None:
    monkeypatch.setenv("TZ", FAR_EAST)
    rotation = f"rotation: {{max_megabytes: 1, localtime: {localtime}}}"
    config = gateway_file(tmp_path, f"{{file: {{path: {tmp_path}/out.jsonl, {rotation}}}}}", PIPELINES)
    began = time.time()
    with running("serve", "--config", config) as gateway:
        endpoint = gateway.wait_for("otlp/http listens on ")
        assert millrace("gen", "logs", "--endpoint", endpoint, "--items", 10_000, "--rate", 0).code == 0
    ended = time.time()

    backups = sorted(tmp_path.glob("out-*.jsonl"))
    assert backups
    for backup in backups:
        first, last = (time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(at + zone_s)) for at in (began, ended))
        assert first <= backup.stem.removeprefix("out-") <= f"{last}.999"
        assert backup.stat().st_size <= 1 << 20
    items = [count(file) for file in (*backups, tmp_path / "out.jsonl")]
    assert min(items) > 0
    assert sum(items) == 10_000


def count(file: Path) -> int:
    """Log records in a file, as the command counts them."""
    signals = json.loads(millrace("inspect", "--json", file).out)["signals"]
    return sum(signal["items"] for signal in signals)
