"""The benchmark of gateways keeps the run that nobody disturbed, whatever came out of it."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from benchmarks import noise
from benchmarks.gateways import Gateway, Millrace
from benchmarks.network_io import HTTP, Scenario, Suite
from benchmarks.rig import Rig, Way

LATENCY, SATURATION = "latency-queue", "http-none-800"


class Scripted:
    """A rig whose runs are known beforehand: the share that others took, the share that the host took, and the p99."""

    def __init__(self, *runs: tuple[float, float, float]) -> None:
        self.left = list(runs)

    def measure(self, *_: object) -> Mapping[str, Any]:
        """Return the next run."""
        others, stolen, p99 = self.left.pop(0)
        return {"others_cpu_share": others, "stolen_cpu_share": stolen, "latency_ms": {"p99": p99}}


def kept(monkeypatch: pytest.MonkeyPatch, scenario: str, rig: Scripted, patience_s: float = 1.0) -> tuple[float, int]:
    """Return the p99 that a suite keeps of these runs, and how many it made."""
    monkeypatch.setattr(noise, "wait_for_quiet", lambda _: None)
    gateway: Gateway = Millrace()
    suite = Suite(cast("Rig", rig), [gateway], 1, 1.0, patience_s, frozenset(), trials=[])
    suite.trial(Scenario(scenario, HTTP, Way()), gateway, 0)
    (trial,) = suite.trials
    return trial["latency_ms"]["p99"], trial["attempts"]


def test_a_latency_is_measured_again_until_next_to_nothing_disturbs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Scripted((0.05, 0.0, 9.0), (0.0, 0.05, 8.0), (0.01, 0.01, 7.0), (0.0, 0.0, 1.0))

    assert kept(monkeypatch, LATENCY, rig) == (7.0, 3)


def test_a_rate_bears_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(monkeypatch, SATURATION, Scripted((0.2, 0.0, 9.0), (0.1, 0.1, 8.0))) == (8.0, 2)


def test_where_all_are_disturbed_the_least_disturbed_counts_and_not_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Scripted((0.3, 0.0, 2.0), (0.04, 0.03, 9.0), *[(0.03, 0.2, 1.0)] * 6)

    assert kept(monkeypatch, LATENCY, rig) == (9.0, 8)
    assert rig.left == []


def test_without_patience_the_first_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(monkeypatch, LATENCY, Scripted((0.9, 0.9, 5.0)), patience_s=0.0) == (5.0, 1)
