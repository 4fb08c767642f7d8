"""The demo keeps its promise: real telemetry goes through, everything adds up, and it says so without colours."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_accounts_for_every_signal_at_both_destinations() -> None:
    run = subprocess.run([sys.executable, "-m", "examples.demo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    accounts = re.findall(r"^  (traces|metrics|logs) +(second gateway|file) .*✓$", run.stdout, flags=re.MULTILINE)
    assert len(accounts) == 6
    assert "\x1b" not in run.stdout
