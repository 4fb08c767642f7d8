"""Questions to kept results: medians and spreads of the runs of a scenario."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Trial = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """The median of several runs, and how far they lie apart."""

    median: float
    least: float
    most: float


def spread_of(values: Sequence[float]) -> Spread | None:
    """Return the spread of these; `None` where there are none."""
    return Spread(statistics.median(values), min(values), max(values)) if values else None


class NetworkResults:
    """The results of the suite `network_io`."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.results = results
        self.trials: list[Trial] = results["trials"]

    def gateways(self) -> list[str]:
        """Return the names of those that were measured, ours first."""
        return list(self.results["versions"])

    def of(self, scenario: str, gateway: str) -> list[Trial]:
        """Return the runs of one scenario that gave figures."""
        return [
            trial
            for trial in self.trials
            if trial["scenario"] == scenario and trial["gateway"] == gateway and "error" not in trial
        ]

    def errors(self) -> Iterator[Trial]:
        """Return the runs that gave none."""
        return (trial for trial in self.trials if "error" in trial)

    def spread(self, scenario: str, gateway: str, figure: str) -> Spread | None:
        """Return the spread of one figure; a dot reaches into a group, as in `latency_ms.p99`."""
        group, _, name = figure.rpartition(".")
        values = [trial[group][name] if group else trial[name] for trial in self.of(scenario, gateway)]
        return spread_of(values)

    def median(self, scenario: str, gateway: str, figure: str) -> float | None:
        """Return the median of one figure; `None` where it was not measured."""
        spread = self.spread(scenario, gateway, figure)
        return None if spread is None else spread.median

    def ratio(self, scenario: str, peer: str, figure: str = "spans_per_cpu_s") -> float | None:
        """Return how many times a peer's figure ours is."""
        ours, theirs = self.median(scenario, "millrace", figure), self.median(scenario, peer, figure)
        return ours / theirs if ours and theirs else None
