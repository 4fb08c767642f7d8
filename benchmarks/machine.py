"""What a measurement was made on: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def describe() -> dict[str, object]:
    """Return everything that a reader needs to judge a figure, or to measure again."""
    return {
        "measured_at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": _output("git", "rev-parse", "--short=12", "HEAD") or "not a git checkout",
        "modified": bool(_output("git", "status", "--porcelain", "--untracked-files=no")),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "rust": _version("rustc", "--version"),
        "go": _version("go", "version"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpus() -> tuple[set[int], set[int]]:
    """Return the CPUs of the gateway under test and those of the load: one, and all others.

    On a machine of one CPU both share it.
    """
    available = sorted(os.sched_getaffinity(0))
    gateway = {available[-1]}
    return gateway, set(available[:-1]) or gateway


def _output(*command: str) -> str:
    finished = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return finished.stdout.strip() if finished.returncode == 0 else ""


def _version(program: str, argument: str) -> str | None:
    if shutil.which(program) is None:
        return None
    found = re.search(r"\d+\.\d+(\.\d+)?", _output(program, argument))
    return found[0] if found else None


def _cpu_model() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return found[1] if found else platform.processor()
