"""The gateways that are measured: millrace and its peers, each installed, configured and started in its own way."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks.measured import Measured, free_port
from scripts.build_otelcol import CollectorUnavailableError, build, cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROTEL_VERSION = "0.0.1a15"


class AbsentError(Exception):
    """A peer cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Route:
    """What a gateway is to do: take OTLP one way in and send it on the other way out."""

    protocol_in: str
    protocol_out: str
    compression_out: str
    sink_port: int
    acknowledge: str = "end to end"
    """`end to end`: when the sink has it; `queue`: when the gateway's queue has it."""
    budget_mib: int | None = None
    """Telemetry that millrace may hold in memory; its default where it is absent."""


@dataclass
class Running:
    """A started gateway and where it listens."""

    process: Measured
    ports: Mapping[str, int]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.__exit__()

    def endpoint(self, protocol: str) -> str:
        """Return the URL that a sender of this protocol needs."""
        return f"http://127.0.0.1:{self.ports[protocol]}"


class Gateway(ABC):
    """Something that receives OTLP and sends it on."""

    name: str

    @abstractmethod
    def install(self) -> str:
        """Make it ready to start; return its version.

        Raises:
            AbsentError: It cannot be had here.
        """

    @abstractmethod
    def command(self, route: Route, ports: Mapping[str, int], folder: Path) -> list[str]:
        """Write its configuration into the folder and return the command that runs it."""

    def supports(self, route: Route) -> bool:  # noqa: ARG002 # for those that support less
        """Return whether it can do this at all."""
        return True

    def start(self, route: Route, cpus: set[int], folder: Path) -> Running:
        """Start it and wait until it listens."""
        ports = {"http": free_port(), "grpc": free_port()}
        process = Measured(self.command(route, ports, folder), cpus)
        try:
            process.wait_until_listening(*ports.values())
        except BaseException:
            process.__exit__()
            raise
        return Running(process, ports)


def _receivers(ports: Mapping[str, int]) -> dict[str, object]:
    protocols = {protocol: {"endpoint": f"127.0.0.1:{port}"} for protocol, port in ports.items()}
    return {"otlp": {"protocols": protocols}}


def _service(exporter: str) -> dict[str, object]:
    pipeline = {"receivers": ["otlp"], "exporters": [exporter]}
    pipelines = dict.fromkeys(("traces", "metrics", "logs"), pipeline)
    return {"pipelines": pipelines, "telemetry": {"metrics": {"level": "none"}}}


class Millrace(Gateway):
    """This project."""

    name = "millrace"

    def install(self) -> str:
        """Return the version; `make bench` has built it."""
        from millrace import _native  # noqa: PLC0415 # only here does the harness need the extension

        return _native.__version__

    def command(self, route: Route, ports: Mapping[str, int], folder: Path) -> list[str]:
        """Run `millrace serve`."""
        exporter = "otlp" if route.protocol_out == "grpc" else "otlphttp"
        sending = {
            "endpoint": f"http://127.0.0.1:{route.sink_port}",
            "compression": route.compression_out,
            "sending_queue": {"wait_for_result": route.acknowledge == "end to end"},
        }
        service = _service(exporter)
        if route.budget_mib is not None:
            service["budget_mib"] = route.budget_mib
        config = {"receivers": _receivers(ports), "exporters": {exporter: sending}, "service": service}
        file = folder / "millrace.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        return [sys.executable, "-m", "millrace", "serve", "--quiet", "--config", str(file)]


class Collector(Gateway):
    """The OpenTelemetry Collector, built from Go modules, with the acknowledgement that is asked for.

    End to end means that its exporter has no queue: a receiver's goroutine exports before it answers.
    """

    name = "collector"
    _binary: Path

    def install(self) -> str:
        """Build it, or find it built."""
        try:
            self._binary = build()
        except CollectorUnavailableError as error:
            raise AbsentError(str(error)) from error
        said = subprocess.run([self._binary, "--version"], check=True, capture_output=True, text=True).stdout
        return said.split()[-1]

    def command(self, route: Route, ports: Mapping[str, int], folder: Path) -> list[str]:
        """Run it with the components of the route."""
        url = f"127.0.0.1:{route.sink_port}"
        exporter = "otlp_grpc" if route.protocol_out == "grpc" else "otlp_http"
        sending = {
            "endpoint": url if route.protocol_out == "grpc" else f"http://{url}",
            "tls": {"insecure": True},
            "compression": route.compression_out,
            "sending_queue": {"enabled": route.acknowledge == "queue"},
        }
        receivers = _receivers(ports)
        config = {"receivers": receivers, "exporters": {exporter: sending}, "service": _service(exporter)}
        file = folder / "collector.json"  # JSON is YAML
        file.write_text(json.dumps(config), encoding="utf-8")
        return [str(self._binary), "--config", str(file)]


class Rotel(Gateway):
    """Rotel, the binary inside its package on PyPI. It always acknowledges what its own batch has taken."""

    name = "rotel"
    _binary: Path

    def install(self) -> str:
        """Install the pinned package into the cache, beside nothing else."""
        target = cache_folder() / f"rotel-{ROTEL_VERSION}-{platform.machine()}"
        self._binary = target / "rotel" / "rotel-agent"
        if not self._binary.exists():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            command = [*pip, "--target", str(target), f"rotel=={ROTEL_VERSION}"]
            finished = subprocess.run(command, check=False, capture_output=True, text=True)
            if finished.returncode != 0:
                shutil.rmtree(target, ignore_errors=True)
                raise AbsentError(f"pip cannot install rotel {ROTEL_VERSION}: {finished.stderr.strip()[-300:]}")
        return ROTEL_VERSION

    def supports(self, route: Route) -> bool:
        """Return whether its exporter has this compression."""
        return route.compression_out in {"none", "gzip"}

    def command(self, route: Route, ports: Mapping[str, int], folder: Path) -> list[str]:
        """Run the agent in the foreground."""
        options = {
            "otlp-grpc-endpoint": f"127.0.0.1:{ports['grpc']}",
            "otlp-http-endpoint": f"127.0.0.1:{ports['http']}",
            "otlp-grpc-max-recv-msg-size-mib": "64",
            "exporter": "otlp",
            "otlp-exporter-endpoint": f"http://127.0.0.1:{route.sink_port}",
            "otlp-exporter-protocol": route.protocol_out,
            "otlp-exporter-compression": route.compression_out,
            "pid-file": str(folder / "rotel.pid"),
            "log-file": str(folder / "rotel.log"),
        }
        return [str(self._binary), "start", *(text for name, value in options.items() for text in (f"--{name}", value))]


PEERS: dict[str, type[Gateway]] = {Collector.name: Collector, Rotel.name: Rotel}
