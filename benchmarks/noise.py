"""Who else uses the CPUs: a measurement beside a busy neighbour is not one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TICKS_PER_S = 100
"""The unit of /proc/stat; the kernel fixes it for all programs."""
WINDOW_S = 0.5
QUIET_SHARE = 0.15
"""Of one core. A desktop or a monitoring agent at rest uses less."""
QUIET_SHARE_OF_TAILS = 0.02
"""Of one core, where the slowest hundredth counts: it would be those requests that waited for others' programs."""


def busy_s() -> float:
    """Return the CPU time that all processes of the machine have used, and that its host has withheld from it."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def stolen_s() -> float:
    """Return the CPU time that the host of a virtual machine has given to others while this one wanted it."""
    return int(Path("/proc/stat").read_text(encoding="ascii").split()[8]) / TICKS_PER_S


def disturbance(figures: Mapping[str, Any]) -> float:
    """Return the share of a core that a measurement did not have: other programs', or withheld by the host.

    What the host withholds shows in one or the other: the time of a process goes on while it is not run.
    """
    shares: list[float] = [figures.get(f"{who}_cpu_share", 0.0) for who in ("others", "stolen")]
    return max(shares)


def wait_for_quiet(patience_s: float) -> None:
    """Wait until the machine does nothing else, or the patience is over."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        before = busy_s()
        time.sleep(WINDOW_S)
        if (busy_s() - before) / WINDOW_S < QUIET_SHARE:
            return
