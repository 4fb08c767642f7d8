"""One measurement: sender -> gateway -> sink, each a process, and what each of them saw."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks import machine, noise
from benchmarks.gateways import Gateway, Route
from benchmarks.measured import StartError
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

ARRIVAL_S = 20.0
SETTLE_S = 0.3
WARM_UP_REQUESTS = 300
WARM_UP_S = 4.0


@dataclass(frozen=True)
class Load:
    """What the sender does."""

    bytes_per_span: int = 800
    spans_per_request: int = 1000
    protocol: str = "http"
    compression: str = "none"
    connections: int = 8
    in_flight: int = 1
    spans_per_second: float | None = None
    """Offered rate of the open loop; absent means as fast as answers come."""
    duration_s: float | None = 5.0
    requests: int | None = None
    timeout_s: float = 30.0

    def options(self, endpoint: str) -> dict[str, object]:
        """Return the options of the load generator."""
        return {
            "endpoint": endpoint,
            "protocol": self.protocol,
            "compression": self.compression,
            "shape": {"items": self.spans_per_request, "bytes_per_item": self.bytes_per_span, "attributes": 6},
            "connections": self.connections,
            "in_flight": self.in_flight,
            "items_per_second": self.spans_per_second,
            "duration_ms": None if self.duration_s is None else int(self.duration_s * 1000),
            "requests": self.requests,
            "compress_ahead": self.requests or 0,  # no effect without compression
            "timeout_ms": int(self.timeout_s * 1000),
        }

    def warm_up(self) -> Load:
        """Return the same load, closed loop and short."""
        requests = min(WARM_UP_REQUESTS, self.requests or WARM_UP_REQUESTS)
        return replace(self, spans_per_second=None, duration_s=WARM_UP_S, requests=requests)


@dataclass(frozen=True)
class Way:
    """How the gateway sends on; the sink's port is the rig's to know."""

    protocol: str = "http"
    compression: str = "none"
    acknowledge: str = "end to end"
    budget_mib: int | None = None


class Rig:
    """The load generator, the sink and the folder that all measurements of a suite share."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.gateway_cpus, self.load_cpus = machine.cpus()

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="millrace-benchmarks-")))
        self._sender = self._stack.enter_context(Worker(self.load_cpus))
        self._sink = self._stack.enter_context(Worker(self.load_cpus))
        ports = self._sink.start_sink({"http": "127.0.0.1:0", "grpc": "127.0.0.1:0"})
        self._sink_ports = {protocol: address[1] for protocol, address in ports.items()}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def route(self, load: Load, way: Way) -> Route:
        """Return what the gateway is asked to do."""
        return Route(
            protocol_in=load.protocol,
            protocol_out=way.protocol,
            compression_out=way.compression,
            sink_port=self._sink_ports[way.protocol],
            acknowledge=way.acknowledge,
            budget_mib=way.budget_mib,
        )

    def measure(
        self, gateway: Gateway, load: Load, way: Way, behaviour: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Start the gateway, warm it up, load it, and return the figures of one run.

        `behaviour` is how the sink answers after the warm-up; by default at once and with OK.
        """
        self._sink.behave({})
        with gateway.start(self.route(load, way), self.gateway_cpus, self._folder) as running:
            endpoint = running.endpoint(load.protocol)
            warm = self._sender.run(load.warm_up().options(endpoint))
            arrived = self._sink.report(items=warm["accepted_items"], timeout_s=ARRIVAL_S)["items"]
            if not arrived:
                raise StartError(f"{gateway.name} forwarded nothing of {warm['accepted_items']} spans it had accepted")
            time.sleep(SETTLE_S)
            self._sink.reset()
            self._sink.behave(behaviour or {})
            running.process.reset_memory()
            sink_cpu_s, cpu_s = self._sink.report()["cpu_s"], running.process.cpu_s()
            busy_s, started = noise.busy_s() - _own_cpu_s(), time.monotonic()
            stolen_s = noise.stolen_s()
            sent = self._sender.run(load.options(endpoint))
            patience_s = 0.0 if behaviour else ARRIVAL_S
            received = self._sink.report(items=sent["accepted_items"], timeout_s=patience_s)
            cpu_s = running.process.cpu_s() - cpu_s
            figures = _figures(sent, received, cpu_s)
            figures["sink_cpu_s"] = received["cpu_s"] - sink_cpu_s
            known_s = cpu_s + figures["sink_cpu_s"] + sent["cpu_s"]
            others_s = noise.busy_s() - _own_cpu_s() - busy_s - known_s
            elapsed_s = time.monotonic() - started
            figures["others_cpu_share"] = max(0.0, others_s) / elapsed_s
            figures["stolen_cpu_share"] = (noise.stolen_s() - stolen_s) / elapsed_s
            figures |= {f"memory_{name}": value for name, value in running.process.memory().items()}
            figures["survived"] = running.process.is_running()
            return figures

    def floor(self, load: Load) -> dict[str, Any]:
        """Send to a sink on the gateway's CPU, with no gateway between, and return how long the answers took."""
        with Worker(self.gateway_cpus) as sink:
            port = sink.start_sink({"http": "127.0.0.1:0"})["http"][1]
            endpoint = f"http://127.0.0.1:{port}"
            self._sender.run(load.warm_up().options(endpoint))
            sent = self._sender.run(load.options(endpoint))
        return {
            "spans_per_s": sent["accepted_items"] / max(sent["elapsed_s"], 1e-9),
            "latency_ms": sent["latency_ms"],
            "lag_ms": sent["lag_ms"],
        }

    def idle(self, gateway: Gateway, way: Way, duration_s: float) -> dict[str, Any]:
        """Start the gateway, send it nothing, and return what it uses."""
        with gateway.start(self.route(Load(), way), self.gateway_cpus, self._folder) as running:
            time.sleep(SETTLE_S)
            cpu_s = running.process.cpu_s()
            time.sleep(duration_s)
            figures: dict[str, Any] = {f"memory_{name}": value for name, value in running.process.memory().items()}
            return figures | {"cpu_share": (running.process.cpu_s() - cpu_s) / duration_s}


def _own_cpu_s() -> float:
    """Return the CPU time of the harness itself."""
    times = os.times()
    return times.user + times.system


def _figures(sent: Mapping[str, Any], received: Mapping[str, Any], cpu_s: float) -> dict[str, Any]:
    """Reduce two reports to what is kept."""
    elapsed_s = max(sent["elapsed_s"], received["elapsed_s"], 1e-9)
    return {
        "elapsed_s": elapsed_s,
        "wire_bytes_per_span": received["wire_bytes"] / max(1, received["items"]),
        "spans_per_s": received["unique_items"] / elapsed_s,
        "bytes_per_s": received["body_bytes"] / elapsed_s,
        "spans_per_cpu_s": received["unique_items"] / max(cpu_s, 0.01),
        "cpu_s": cpu_s,
        "cpu_share": cpu_s / elapsed_s,
        "offered_spans": sent["offered_items"],
        "accepted_spans": sent["accepted_items"],
        "lost_spans": max(0, sent["accepted_items"] - sent["rejected_items"] - received["unique_items"]),
        "duplicated_spans": received["duplicated_items"],
        "refused_requests": sent["refused_requests"],
        "failed_requests": sent["failed_requests"],
        "latency_ms": sent["latency_ms"],
        "transit_ms": received["transit_ms"],
        "lag_ms": sent["lag_ms"],
        "sender_cpu_s": sent["cpu_s"],
    }
