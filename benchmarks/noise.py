"""Who else uses the CPUs: a measurement beside a busy neighbour is not one."""

from __future__ import annotations

import time
from pathlib import Path

TICKS_PER_S = 100
"""The unit of /proc/stat; the kernel fixes it for all programs."""
WINDOW_S = 0.5
QUIET_SHARE = 0.15
"""Of one core. A desktop or a monitoring agent at rest uses less."""


def busy_s() -> float:
    """Return the CPU time that all processes of the machine have used, and that its host has withheld from it."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def wait_for_quiet(patience_s: float) -> None:
    """Wait until the machine does nothing else, or the patience is over."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        before = busy_s()
        time.sleep(WINDOW_S)
        if (busy_s() - before) / WINDOW_S < QUIET_SHARE:
            return
