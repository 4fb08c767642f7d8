"""The demo keeps its promise: real telemetry is kept, everything adds up, and the store tells what happened."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)  # four programs start, on a machine that may do much else
def test_the_demo_accounts_for_every_signal_and_tells_what_the_store_knows(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.demo", str(tmp_path / "demo/store")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(re.findall(r"^  (traces|metrics|logs) .*✓$", run.stdout, flags=re.MULTILINE)) == 3
    services = re.findall(r"^  (\w+) +[\d.]+% +[\d,]+ of +[\d,]+ spans failed$", run.stdout, flags=re.MULTILINE)
    assert set(services) == {"storefront", "payments", "warehouse"}
    assert "The busiest operation is POST /" in run.stdout
    slowest = run.stdout.partition("The slowest trace")[2]
    assert "run/pack" in slowest or "http send" in slowest
    assert "http://127.0.0.1:4319" in run.stdout
    assert "\x1b" not in run.stdout
