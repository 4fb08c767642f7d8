"""The load generator or the counting sink in a process of its own, one JSON command a line.

Run as a program it reads commands from stdin and answers each with a line on stdout; `Worker` is the other end.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Report = dict[str, Any]


class WorkerError(Exception):
    """The other process refused a command or died; the message is its own."""


class Worker:
    """A load process, pinned to its CPUs."""

    def __init__(self, cpus: set[int]) -> None:
        from benchmarks.measured import pinned  # noqa: PLC0415 # psutil must not weigh on the worker itself

        with pinned(cpus):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def run(self, options: Mapping[str, object]) -> Report:
        """Run the load generator to its end and return its report."""
        return self._ask("run", options)

    def start_sink(self, options: Mapping[str, object]) -> Report:
        """Listen, and return the addresses by protocol."""
        return self._ask("start_sink", options)

    def behave(self, behaviour: Mapping[str, object]) -> None:
        """Make the sink answer in another way, or with `{}` at once and with OK."""
        self._ask("behave", behaviour)

    def reset(self) -> None:
        """Make the sink forget what it has counted."""
        self._ask("reset", {})

    def report(self, *, items: int = 0, timeout_s: float = 0.0) -> Report:
        """Return what the sink has counted, as soon as that is `items` or the time is over."""
        return self._ask("report", {"items": items, "timeout_s": timeout_s})

    def _ask(self, command: str, options: Mapping[str, object]) -> Report:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, "options": dict(options)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"the load process died at `{command}`")
        answer: Report = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer


def main() -> None:
    """Answer commands until stdin ends."""
    from millrace import _native  # noqa: PLC0415 # the harness itself runs without the extension

    sinks: list[_native.LoadSink] = []

    def start_sink(options: Report) -> Report:
        sinks[:] = [_native.LoadSink(json.dumps(options))]
        return dict(sinks[0].addresses())

    def report(options: Report) -> Report:
        sinks[0].wait_for_items(options["items"], options["timeout_s"])
        return dict(json.loads(sinks[0].report()))

    commands: dict[str, Callable[[Report], Report | None]] = {
        "run": lambda options: json.loads(_native.LoadRun(json.dumps(options)).finish()),
        "start_sink": start_sink,
        "behave": lambda options: sinks[0].behave(json.dumps(options)),
        "reset": lambda _: sinks[0].reset(),
        "report": report,
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = commands[request["command"]](request["options"]) or {}
        except Exception as error:  # noqa: BLE001 # whatever it is, the harness must hear of it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
