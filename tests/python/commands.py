"""Runs the command `millrace` as a user does: in a process of its own."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PROGRAM = (sys.executable, "-m", "millrace")
WAIT_S = 30.0


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def millrace(*arguments: object, stdin: bytes = b"", environment: dict[str, str] | None = None) -> Result:
    """Run a command to its end."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "100"} | (environment or {}),
        timeout=WAIT_S,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


class Running:
    """A command at work, whose lines on standard error can be waited for."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Follow a process."""
        self.process = process
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, start: str) -> str:
        """Return what follows `start` on the first line that starts so."""
        for line in self.lines:
            if line.startswith(start):
                return line.removeprefix(start).strip()
        while (line := self._queue.get(timeout=WAIT_S)) is not None:  # type: ignore[assignment]
            self.lines.append(line)
            if line.startswith(start):
                return line.removeprefix(start).strip()
        raise AssertionError(f"ended without saying {start!r}: {''.join(self.lines)}")

    def end(self) -> Result:
        """Wait for the end."""
        code = self.process.wait(timeout=WAIT_S)
        out = self.process.stdout.read() if self.process.stdout else ""
        while (line := self._queue.get(timeout=WAIT_S)) is not None:
            self.lines.append(line)
        return Result(code, out, "".join(self.lines))

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line)
        self._queue.put(None)


@contextmanager
def running(*arguments: object) -> Iterator[Running]:
    """Start a command; kill it when the block ends before it does."""
    process = subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    with process:
        try:
            yield Running(process)
        finally:
            process.kill()


def gateway_file(folder: Path, exporters: str, pipelines: str, service: str = "") -> Path:
    """Write a configuration with an `otlp` receiver on free ports and no metrics endpoint; return its path."""
    file = folder / "gateway.yaml"
    file.write_text(
        "receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}, http: {endpoint: 'localhost:0'}}}}\n"
        f"exporters: {exporters}\n"
        f"service: {{telemetry: {{metrics: {{level: none}}}}, {service} pipelines: {pipelines}}}\n",
        encoding="utf-8",
    )
    return file
