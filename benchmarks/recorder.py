"""The suite `recorder`: our SDK beside the stock one, in turn, each measurement in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks import machine, noise, recorder_ddtrace
from benchmarks.recorder_figures import DDTRACE, NONE, OURS, STOCK
from benchmarks.recorder_sdks import AbsentError, versions
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "recorder"
ATTEMPTS = 2
PROGRAM_S_MAX = 120
ARRIVAL_S = 0.5
HANGS = {"hang": "after_reading"}
RATE_FIRST, RATE_FACTOR, RATE_STEPS = 6_000, 1.15, 20
STARTS_PER_ROUND = 3
"""They are short, and vary."""

BOTH = (OURS, STOCK)
IN_PROCESS: dict[str, tuple[str, ...]] = {
    "span-3": BOTH,
    "span-3-threads": BOTH,
    "span-10": BOTH,
    "span-unsampled": BOTH,
    "counter-add": BOTH,
    "histogram-record": BOTH,
    "logger-info": (*BOTH, NONE),
    "fastapi-request": (*BOTH, NONE),
}
"""Who is measured; `none` is the program without an SDK."""

SENT_SPANS = {OURS: 300_000, STOCK: 12_000, DDTRACE: 12_000}
"""About a second of work for each."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int
    seconds: float
    flat_out_s: Mapping[str, float]
    rate_rounds: int
    rate_s: float
    latency_s: float
    latency_runs: int


FULL = Effort(
    rounds=5, seconds=0.6, flat_out_s={OURS: 10.0, STOCK: 3.0}, rate_rounds=3, rate_s=3.0, latency_s=1.5, latency_runs=3
)
QUICK = Effort(
    rounds=1, seconds=0.3, flat_out_s=dict.fromkeys(BOTH, 2.0), rate_rounds=1, rate_s=2.0, latency_s=1.0, latency_runs=1
)


@dataclass
class Suite:
    """One pass over everything, and what came out of it."""

    sink: Worker
    endpoint: str
    patience_s: float
    trials: list[dict[str, Any]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    """Where SDKs are that are not installed beside this program."""

    def in_process(self, run: int, effort: Effort) -> None:
        """Measure what needs no sink."""
        for scenario, sdks in IN_PROCESS.items():
            for sdk in sdks:
                self.measure(scenario, sdk, run, {"seconds": effort.seconds})

    def sending(self, run: int, effort: Effort) -> None:
        """Measure those that send."""
        for sdk, spans in SENT_SPANS.items():
            if sdk not in self.absent:
                self.measure("sent-0a", sdk, run, {"spans": spans})
        for sdk, seconds in effort.flat_out_s.items():
            self.measure("sent-flat-out", sdk, run, {"seconds": seconds})
        if run < effort.rate_rounds:
            self.lossless(run, effort)
        for _ in range(effort.latency_runs):
            self.latency(run, effort)

    def latency(self, run: int, effort: Effort) -> None:
        """Measure an application beside both endpoints, in turn: many short runs, as the tail of one says little."""
        for sdk in BOTH:
            for name, behaviour in (("latency-healthy", {}), ("latency-hangs", HANGS)):
                options = {"seconds": effort.latency_s}
                self.measure(name, sdk, run, options, program="loop-latency", behaviour=behaviour)

    def lossless(self, run: int, effort: Effort) -> None:
        """Offer the stock SDK ever more, until it loses some."""
        for step in range(RATE_STEPS):
            rate = RATE_FIRST * RATE_FACTOR**step
            trial = self.measure(
                "sent-paced", STOCK, run, {"seconds": effort.rate_s, "spans_per_s": rate}, repeated=False
            )
            if trial.get("lost", 1):
                return

    def measure(  # noqa: PLR0913 # what a measurement is made of
        self,
        scenario: str,
        sdk: str,
        run: int,
        options: Mapping[str, object],
        *,
        program: str | None = None,
        behaviour: Mapping[str, object] | None = None,
        repeated: bool = True,
    ) -> dict[str, Any]:
        """Measure once and keep it; again if others have disturbed it and it may be `repeated`."""
        command = [sys.executable, "-m", "benchmarks.recorder_program", sdk, program or scenario]
        command.append(json.dumps({"endpoint": self.endpoint, **options}))
        trial: dict[str, Any] = {"scenario": scenario, "sdk": sdk, "run": run}
        for _ in range(ATTEMPTS if repeated else 1):
            noise.wait_for_quiet(self.patience_s)
            trial |= self._observe(command, behaviour or {}, self.folders.get(sdk, ""))
            if "others_cpu_share" not in trial or trial["others_cpu_share"] < noise.QUIET_SHARE or not self.patience_s:
                break
        self.keep(trial)
        return trial

    def start(self, run: int) -> None:
        """Measure import and set-up in fresh interpreters."""
        for number in range(STARTS_PER_ROUND):
            for sdk in BOTH:
                trial = {"scenario": "start", "sdk": sdk, "run": run * STARTS_PER_ROUND + number}
                self.keep(trial | run_program(start_command(sdk)))

    def _observe(self, command: Sequence[str], behaviour: Mapping[str, object], folder: str) -> dict[str, Any]:
        """Run one measurement and add what the sink and the machine saw of it."""
        self.sink.reset()
        self.sink.behave(behaviour)
        sink_cpu_s = self.sink.report()["cpu_s"]
        known_s, busy_s, began = _known_s(), noise.busy_s(), time.monotonic()
        figures = run_program(command, folder)
        recorded = figures.get("recorded")
        seen = self.sink.report(items=recorded or 0, timeout_s=ARRIVAL_S if recorded else 0.0)
        others_s = noise.busy_s() - busy_s - (_known_s() - known_s) - (seen["cpu_s"] - sink_cpu_s)
        self.sink.behave({})
        if recorded is not None:
            figures |= {"counted": seen["items"], "lost": recorded - seen["items"]}
        if "error" not in figures and "absent" not in figures:
            figures["others_cpu_share"] = max(0.0, others_s) / (time.monotonic() - began)
        return figures

    def keep(self, trial: dict[str, Any]) -> None:
        """Keep one trial, or why there is none, and show it."""
        said = {name: figure for name, figure in trial.items() if name not in {"scenario", "sdk", "run"}}
        print(f"{trial['scenario']:18} {trial['sdk']:18} run {trial['run']} {said}", file=sys.stderr, flush=True)
        if "absent" in trial:
            self.absent[f"{trial['sdk']}, {trial['scenario']}"] = trial["absent"]
        else:
            self.trials.append(trial)


def start_command(sdk: str) -> list[str]:
    """Return the command that measures import and set-up, with nothing imported before."""
    return [sys.executable, "-P", str(machine.ROOT / "benchmarks" / "recorder_start.py"), sdk]


def run_program(command: Sequence[str], folder: str = "") -> dict[str, Any]:
    """Run one program, with the packages in `folder`, and return its figures or its `error`: the suite goes on."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "MILLRACE_"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else an editable package is compiled anew by each process
    paths = [path for path in (folder, environment.get("PYTHONPATH")) if path]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    try:
        finished = subprocess.run(
            command, cwd=machine.ROOT, env=environment, check=False, capture_output=True, text=True,
            timeout=PROGRAM_S_MAX,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {PROGRAM_S_MAX} s"}
    if finished.returncode != 0:
        return {"error": (finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"])[-1]}
    figures: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return figures


def _known_s() -> float:
    """Return the CPU time of the harness and of the programs that it has run."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def run(*, quick: bool, peers: Sequence[str], patience_s: float) -> dict[str, Any]:  # noqa: ARG001 # those of gateways
    """Measure everything and return the results as they are kept."""
    described = machine.describe()
    effort = QUICK if quick else FULL
    began = time.monotonic()
    with Worker(set(os.sched_getaffinity(0))) as sink:
        address = sink.start_sink({"http": "127.0.0.1:0", "grpc": None})["http"]
        suite = Suite(sink, f"http://127.0.0.1:{address[1]}", patience_s)
        try:
            suite.folders[DDTRACE] = recorder_ddtrace.install()
        except AbsentError as error:
            suite.absent[DDTRACE] = str(error)
        for sdk in BOTH:
            run_program(start_command(sdk))  # writes the bytecode, which is there ever after
        for number in range(effort.rounds):
            suite.start(number)
            suite.in_process(number, effort)
            suite.sending(number, effort)
    return {
        "suite": NAME,
        "quick": quick,
        "machine": described,
        "versions": versions() | ({DDTRACE: recorder_ddtrace.VERSION} if DDTRACE in suite.folders else {}),
        "absent": suite.absent,
        "took_s": round(time.monotonic() - began),
        "trials": suite.trials,
    }
