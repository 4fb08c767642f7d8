#!/usr/bin/env python3
"""Build the pinned OpenTelemetry Collector from Go modules, once, and print the path of the binary.

Used by the benchmarks (as a peer) and by the interoperability tests (as a client and as a server). The
binary is kept in the user's cache folder under a name made from the sources and the Go version, so that a
second call costs milliseconds. Needs the `go` command and a Go module proxy or an already filled module cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "benchmarks" / "peers" / "otelcol"


class CollectorUnavailableError(Exception):
    """The Collector cannot be built here; the message says what is missing and how to get it."""


def cache_folder() -> Path:
    """Return the folder of everything that is built or downloaded once per user."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "millrace"


def build() -> Path:
    """Return the path of the Collector's binary, building it when this is the first time.

    Raises:
        CollectorUnavailableError: Go is absent or too old, or the modules could not be fetched or compiled.
    """
    go = shutil.which("go")
    if go is None:
        message = (
            "The OpenTelemetry Collector needs the `go` command to be built, and there is none on the PATH: "
            "install Go 1.26 or newer (https://go.dev/dl, or the distribution's `golang` package)."
        )
        raise CollectorUnavailableError(message)
    binary = cache_folder() / f"otelcol-{_fingerprint(go)}"
    if not binary.exists():
        _compile(go, binary)
    return binary


def _fingerprint(go: str) -> str:
    """Name this build by its sources and its compiler, so that a change of either builds anew."""
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    digest.update(subprocess.run([go, "version"], check=True, capture_output=True).stdout)
    return digest.hexdigest()[:16]


def _compile(go: str, binary: Path) -> None:
    """Build into a file of this process and rename it, so that two builds at once cannot harm each other."""
    binary.parent.mkdir(parents=True, exist_ok=True)
    unfinished = binary.with_name(f"{binary.name}.{os.getpid()}")
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(unfinished), "."]
    finished = subprocess.run(command, cwd=SOURCES, check=False, capture_output=True, text=True)
    if finished.returncode != 0:
        unfinished.unlink(missing_ok=True)
        message = f"The OpenTelemetry Collector could not be built with {go}: {_reason(finished.stderr)}"
        raise CollectorUnavailableError(message)
    unfinished.rename(binary)


def _reason(stderr: str) -> str:
    """Reduce the output of a failed build to what a reader can act on."""
    needed = re.search(r"requires go >= (\S+)", stderr)
    if needed:
        return f"it needs Go {needed[1]} or newer; set GOTOOLCHAIN=auto or install that version."
    lines = [line for line in stderr.strip().splitlines() if not line.startswith("go: downloading")]
    return " ".join(lines[-3:]) or "the compiler said nothing."


def main() -> int:
    """Print the path to stdout, or one sentence about what is missing to stderr."""
    try:
        print(build())
    except CollectorUnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
