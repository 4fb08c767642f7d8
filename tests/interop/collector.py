"""The OpenTelemetry Collector as a process: built once per machine from Go modules, started with a configuration."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.build_otelcol import build
from tests.conformance.gateways import wait_until
from tests.conformance.messages import SIGNALS

READY = "Everything is ready"
STARTING = {"Starting GRPC server": "grpc", "Starting HTTP server": "http"}
STOP_TIMEOUT_S = 20


class Collector:
    """A running Collector and what it has logged."""

    def __init__(self, binary: Path, config: Mapping[str, object], folder: Path) -> None:
        file = folder / "collector.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        command = [str(binary), "--config", str(file), "--feature-gates=service.profilesSupport"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.log: list[str] = []
        self.urls: dict[str, str] = {}
        """Where it listens, by receiver and protocol, as in `otlp/grpc`."""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            for words, protocol in STARTING.items():
                if words in line:
                    fields = json.loads(line[line.index("{") :])
                    self.urls[f"{fields['otelcol.component.id']}/{protocol}"] = f"http://{fields['endpoint']}"
            self.log.append(line)

    def is_ready(self) -> bool:
        """Whether it listens; fails when it has given up."""
        assert self.process.poll() is None, "".join(self.log)
        return any(READY in line for line in self.log)

    def stop(self) -> None:
        """Let it deliver what it holds, and end it."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        finally:
            self.process.kill()
            self._reader.join()
            assert self.process.stderr is not None
            self.process.stderr.close()


@contextmanager
def running_collector(config: Mapping[str, object], folder: Path) -> Iterator[Collector]:
    """A Collector that listens; it has delivered what it took when the context ends.

    Raises:
        scripts.build_otelcol.CollectorUnavailableError: It cannot be built here.
    """
    collector = Collector(build(), config, folder)
    try:
        wait_until(collector.is_ready, "the Collector is ready")
        yield collector
    finally:
        collector.stop()


def pipelines(routes: Mapping[str, str]) -> dict[str, Any]:
    """Pipelines of all signals from receivers to exporters."""
    return {
        f"{signal}/{number}": {"receivers": [receiver], "exporters": [exporter]}
        for number, (receiver, exporter) in enumerate(routes.items())
        for signal in SIGNALS
    }


def receivers(*names: str) -> dict[str, Any]:
    """OTLP receivers on free ports of the loopback interface."""
    protocols = {protocol: {"endpoint": "127.0.0.1:0"} for protocol in ("grpc", "http")}
    return {name: {"protocols": protocols} for name in names}
