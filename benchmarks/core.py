"""The suite `core`: the wire code beside prost, measured by its own benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from benchmarks import machine, noise
from benchmarks.measured import pinned

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "core"


def run(*, quick: bool, peers: Sequence[str], patience_s: float) -> dict[str, Any]:  # noqa: ARG001 # prost is the peer
    """Run it on one CPU and return its results with the machine that they are of."""
    described = machine.describe()
    command = ["cargo", "bench", "--quiet", "-p", "millrace-wire", "--bench", "core"]
    subprocess.run([*command, "--no-run"], cwd=machine.ROOT, check=True)  # built on all CPUs
    gateway_cpus, _ = machine.cpus()
    noise.wait_for_quiet(patience_s)
    with pinned(gateway_cpus):
        finished = subprocess.run(
            [*command, "--", *(["--quick"] if quick else [])],
            cwd=machine.ROOT,
            env={**os.environ, "MILLRACE_DATA": os.environ.get("MILLRACE_DATA", str(machine.ROOT / "../shared/data"))},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    lines = [line for line in finished.stdout.splitlines() if line.startswith("{")]
    print(f"{NAME}: measured", file=sys.stderr)
    results: dict[str, Any] = json.loads(lines[-1])
    return results | {"machine": described}
