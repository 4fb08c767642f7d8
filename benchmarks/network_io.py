"""The suite `network_io`: what a gateway on one CPU forwards, at what cost, and how it behaves beyond its limits."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks import machine, noise
from benchmarks.gateways import PEERS, AbsentError, Gateway, Millrace
from benchmarks.measured import StartError
from benchmarks.rig import Load, Rig, Way
from benchmarks.worker import WorkerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

NAME = "network_io"
ATTEMPTS = 3
ATTEMPTS_AT_TAILS = 8

# As many requests in flight as a gateway needs to be busy all the time, over connections as clients open them.
HTTP = Load(protocol="http", connections=8)
GRPC = Load(protocol="grpc", connections=4, in_flight=2)

SATURATION: dict[str, tuple[Load, Way]] = {
    "http-none-300": (replace(HTTP, bytes_per_span=300), Way()),
    "http-none-800": (HTTP, Way()),
    "grpc-none-800": (GRPC, Way(protocol="grpc")),
    "http-gzip-zstd-800": (replace(HTTP, compression="gzip", requests=800, duration_s=30.0), Way(compression="zstd")),
    "http-none-gzip-800": (HTTP, Way(compression="gzip")),
    "http-none-800-queue": (HTTP, Way(acknowledge="queue")),
}
"""Closed loop: as fast as answers come."""

RATE_SPANS_PER_S = 100_000
RATES: dict[str, tuple[Load, Way]] = {
    "100k-http": (replace(HTTP, spans_per_second=RATE_SPANS_PER_S), Way()),
    "100k-grpc": (replace(GRPC, spans_per_second=RATE_SPANS_PER_S), Way(protocol="grpc")),
}
"""Open loop at a fixed rate."""

LATENCIES: dict[str, Way] = {"latency-end-to-end": Way(), "latency-queue": Way(acknowledge="queue")}
"""Open loop over HTTP, at half of what the same gateway forwards at most."""

FLOOR = "latency-floor"
"""The load of millrace's latency, straight into a sink on the gateway's CPU: below this nothing can be."""
LATENCY_BASE = "http-none-800"
"""Open loop at half of what the same gateway forwards at most there."""

BUDGET_MIB = 16
OFFERED = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
IDLE = "offered-0"
BUDGET_SATURATION = "budget-saturation"
FAILING = ("sink-slow", "sink-stopped", "sink-refuses")
SLOW = 20
"""How much slower than saturation the slow sink is: requests then wait longer than a gateway lets them."""
CROWD = replace(HTTP, connections=128, timeout_s=5.0)
"""So many clients that offering more than saturation reaches the gateway, rather than waiting in the sender."""


@dataclass(frozen=True)
class Scenario:
    """What is measured, for one gateway or for all."""

    name: str
    load: Load
    way: Way
    behaviour: Mapping[str, object] | None = None
    """How the sink answers; at once and with OK unless given."""


@dataclass
class Suite:
    """One execution of the suite."""

    rig: Rig
    gateways: Sequence[Gateway]
    runs: int
    seconds: float
    patience_s: float
    only: AbstractSet[str]
    """The scenarios that are wanted; all where it is empty."""
    trials: list[dict[str, Any]]

    def wants(self, *names: str) -> bool:
        """Return whether any of these scenarios is to be measured."""
        return not self.only or not self.only.isdisjoint(names)

    def measure(self, scenario: Scenario, gateways: Iterable[Gateway] | None = None) -> None:
        """Measure one scenario, the gateways in turn within each run."""
        load, way = scenario.load, scenario.way
        scenario = replace(scenario, load=load if load.requests else replace(load, duration_s=self.seconds))
        for run in range(self.runs):
            for gateway in self.gateways if gateways is None else gateways:
                if gateway.supports(self.rig.route(load, way)):
                    self.trial(scenario, gateway, run)

    def trial(self, scenario: Scenario, gateway: Gateway, run: int) -> None:
        """Measure once, and keep the figures or the reason why there are none.

        A run that others have disturbed is repeated; the least disturbed counts, and says how much it was. Where the
        slowest hundredth of the requests is what counts, much less disturbs.
        """
        trial: dict[str, Any] = {"scenario": scenario.name, "gateway": gateway.name, "run": run}
        trial["offered_spans_per_s"] = scenario.load.spans_per_second
        tails = scenario.name in LATENCIES
        quiet, attempts = (noise.QUIET_SHARE_OF_TAILS, ATTEMPTS_AT_TAILS) if tails else (noise.QUIET_SHARE, ATTEMPTS)
        measured: list[dict[str, Any]] = []
        for _ in range(attempts if self.patience_s else 1):
            noise.wait_for_quiet(self.patience_s)
            try:
                measured.append(self.rig.measure(gateway, scenario.load, scenario.way, scenario.behaviour))
            except (StartError, WorkerError) as error:
                trial["error"] = str(error)
                break
            if noise.disturbance(measured[-1]) < quiet:
                break
        if "error" not in trial:
            trial |= min(measured, key=noise.disturbance) | {"attempts": len(measured)}
        self.keep(trial)

    def keep(self, trial: dict[str, Any]) -> None:
        """Append one trial and show that it is done."""
        self.trials.append(trial)
        rate = trial.get("spans_per_s", 0.0)
        cost = trial.get("spans_per_cpu_s", 0.0)
        others = noise.disturbance(trial)
        said = trial.get("error", f"{rate:12,.0f} spans/s {cost:12,.0f} spans/CPU s, others {others:.1%} of a core")
        if "latency_ms" in trial:
            said += f", p99 {trial['latency_ms']['p99']:.2f} ms"
        if "memory_peak_mib" in trial:
            said += f", {trial['memory_peak_mib']:.1f} MiB at most"
        print(f"{trial['scenario']:24} {trial['gateway']:10} run {trial['run']} {said}", file=sys.stderr, flush=True)

    def saturation(self, scenario: str, gateway: Gateway) -> float:
        """Return the median of what a gateway forwards in a scenario that has been measured."""
        rates = [
            trial["spans_per_s"]
            for trial in self.trials
            if trial["scenario"] == scenario and trial["gateway"] == gateway.name and "error" not in trial
        ]
        return statistics.median(rates) if rates else 0.0

    def latencies(self) -> None:
        """Measure latency at half of each gateway's own saturation, beside the sink alone."""
        for gateway in self.gateways if self.wants(*LATENCIES) else ():
            rate = self.saturation(LATENCY_BASE, gateway) / 2
            for run in range(self.runs if rate else 0):
                load = replace(HTTP, spans_per_second=rate, duration_s=self.seconds)
                if gateway is self.gateways[0]:
                    self.floor(load, run)
                for name in filter(self.wants, LATENCIES):
                    self.trial(Scenario(name, load, LATENCIES[name]), gateway, run)

    def floor(self, load: Load, run: int) -> None:
        """Measure the same load with nothing between the sender and the sink: what the machine itself takes."""
        trial = {"scenario": FLOOR, "gateway": "none", "run": run, "offered_spans_per_s": load.spans_per_second}
        self.keep(trial | self.rig.floor(load))

    def beyond_saturation(self, millrace: Gateway) -> None:
        """Offer all rates from nothing to twice saturation, and take the sink away, within a small budget.

        Each run finds out anew what saturation is, so that a machine that changes its speed changes both.
        """
        way = Way(budget_mib=BUDGET_MIB)
        for run in range(self.runs if self.wants(IDLE) else 0):
            idle = {"scenario": IDLE, "gateway": millrace.name, "run": run, "offered_spans_per_s": 0.0}
            self.keep(idle | self.rig.idle(millrace, way, self.seconds))
        if not self.wants(BUDGET_SATURATION, *(f"offered-{share}" for share in OFFERED), *FAILING):
            return
        for run in range(self.runs):
            self.trial(Scenario(BUDGET_SATURATION, replace(CROWD, duration_s=self.seconds), way), millrace, run)
            most = self.trials[-1].get("spans_per_s")
            for scenario in self._beyond(most, way) if most else ():
                if self.wants(scenario.name):
                    self.trial(scenario, millrace, run)

    def _beyond(self, most: float, way: Way) -> Iterable[Scenario]:
        """Yield what can be asked of a gateway that forwards so many spans a second at most."""
        slow, stopped, refuses = FAILING
        failing: dict[str, dict[str, object]] = {
            slow: {"items_per_second": most / SLOW},
            stopped: {"hang": "before_reading"},
            refuses: {"refuse": {"status": 503}},
        }
        crowd = replace(CROWD, duration_s=self.seconds)
        for share in OFFERED:
            yield Scenario(f"offered-{share}", replace(crowd, spans_per_second=most * share), way)
        for name, behaviour in failing.items():
            yield Scenario(name, replace(crowd, spans_per_second=most / 2), way, behaviour)


def run(
    *,
    quick: bool,
    peers: Sequence[str],
    patience_s: float,
    only: AbstractSet[str] = frozenset(),
    effort: tuple[int, float] = (5, 5.0),
) -> dict[str, Any]:
    """Measure everything, or `only` these scenarios and what they build on; return the results as they are kept.

    `effort` is how many runs there are of each scenario, and how many seconds each takes.
    """
    described = machine.describe()
    gateways: list[Gateway] = []
    versions: dict[str, str] = {}
    absent: dict[str, str] = {}
    for gateway in (Millrace(), *(PEERS[name]() for name in peers)):
        try:
            versions[gateway.name] = gateway.install()
            gateways.append(gateway)
        except AbsentError as error:
            absent[gateway.name] = str(error)
            print(f"absent: {gateway.name}: {error}", file=sys.stderr)
    with Rig() as rig:
        runs, seconds = (1, 2.0) if quick else effort
        suite = Suite(rig, gateways, runs, seconds, patience_s, only, trials=[])
        for name, (load, way) in (SATURATION | RATES).items():
            if suite.wants(name, *(LATENCIES if name == LATENCY_BASE else ())):
                suite.measure(Scenario(name, load, way))
        suite.latencies()
        suite.beyond_saturation(gateways[0])
        return {
            "suite": NAME,
            "quick": quick,
            "machine": described,
            "cpus": {"gateway": sorted(rig.gateway_cpus), "load": sorted(rig.load_cpus)},
            "versions": versions,
            "absent": absent,
            "budget_mib": BUDGET_MIB,
            "trials": suite.trials,
        }
