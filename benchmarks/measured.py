"""A process under measurement: pinned to its CPUs, with the CPU time and the memory that it uses."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLE_S = 0.05
START_S = 30.0
STOP_S = 20.0


class StartError(Exception):
    """A process ended, or did not listen, before it could be measured."""


@contextlib.contextmanager
def pinned(cpus: set[int]) -> Iterator[None]:
    """Let processes that are started meanwhile run on these CPUs only.

    Set before they start rather than after, as runtimes count their CPUs once, at the start.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Memory:
    """Resident memory in bytes, sampled while a process ran."""

    samples: list[int] = field(default_factory=list)
    peak: int = 0

    def summary(self) -> dict[str, float]:
        """Return average and peak in MiB."""
        average = sum(self.samples) / max(1, len(self.samples))
        return {"average_mib": average / 2**20, "peak_mib": self.peak / 2**20}


class Measured:
    """One process, from its start to its end."""

    def __init__(self, command: Sequence[str], cpus: set[int], environment: dict[str, str] | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 # closed by __exit__
        with pinned(cpus):
            self._process = subprocess.Popen(
                command, stdout=self._log, stderr=self._log, env={**os.environ, **(environment or {})}
            )
        self._psutil = psutil.Process(self._process.pid)
        self._memory = Memory()
        self._stopped = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._sampler.join()
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def wait_until_listening(self, *ports: int) -> None:
        """Wait until all these ports of the loopback accept connections.

        Raises:
            StartError: The process ended first, or took too long; with the end of what it said.
        """
        deadline = time.monotonic() + START_S
        for port in ports:
            while True:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise StartError(f"{self._process.args!r} does not listen on port {port}:\n{self.said()}")
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)

    def said(self) -> str:
        """Return the end of what the process has printed."""
        self._log.seek(0)
        return self._log.read()[-4000:].decode(errors="replace")

    def cpu_s(self) -> float:
        """Return the CPU time that all threads have used, to 10 ms."""
        times = self._psutil.cpu_times()
        return float(times.user + times.system)

    def resident_mib(self) -> float:
        """Return the resident memory of now, in MiB."""
        return self._psutil.memory_info().rss / 2**20

    def memory(self) -> dict[str, float]:
        """Return average and peak resident memory since the start or the last reset, in MiB."""
        self._memory.peak = max(self._memory.peak, self._peak())
        return self._memory.summary()

    def reset_memory(self) -> None:
        """Forget the samples and the kernel's own high-water mark, so that only what follows counts."""
        with contextlib.suppress(OSError):
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", encoding="ascii")
        self._memory = Memory()

    def is_running(self) -> bool:
        """Return whether the process lives."""
        return self._process.poll() is None

    def _peak(self) -> int:
        """Read VmHWM: the kernel misses no peak between two samples."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
            return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
        return 0

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            with contextlib.suppress(psutil.Error):
                resident = self._psutil.memory_info().rss
                self._memory.samples.append(resident)
                self._memory.peak = max(self._memory.peak, resident)
