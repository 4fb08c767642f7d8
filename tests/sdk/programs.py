"""Small programs in processes of their own, with the variables they are given and no others."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["environment", "run_program", "script"]

ROOT = Path(__file__).parents[2]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a program: nothing of OpenTelemetry but `variables`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "MILLRACE_"))}
    return {**inherited, "PYTHONWARNINGS": "error", **variables}


def script(name: str) -> str:
    """The path of a command that is installed beside this interpreter."""
    return str(Path(sys.executable).with_name(name))


def run_program(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, which comes within a minute."""
    return subprocess.run(
        [str(part) for part in command],
        env=environment(**variables), timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
