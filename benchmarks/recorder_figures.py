"""Questions to the kept results of the suite `recorder`: by scenario and SDK, and what follows from several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.figures import Spread, Trial, spread_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OURS, STOCK, NONE, DDTRACE = "millrace", "opentelemetry-sdk", "none", "ddtrace"


class RecorderResults:
    """The results of the suite `recorder`."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.trials: list[Trial] = results["trials"]

    def of(self, scenario: str, sdk: str) -> list[Trial]:
        """Return the runs of one scenario that gave figures."""
        return [
            trial
            for trial in self.trials
            if trial["scenario"] == scenario and trial["sdk"] == sdk and "error" not in trial
        ]

    def errors(self) -> Iterator[Trial]:
        """Return the runs that gave none."""
        return (trial for trial in self.trials if "error" in trial)

    def spread(self, scenario: str, sdk: str, figure: str = "ns_per_operation") -> Spread | None:
        """Return the spread of one figure."""
        return spread_of([trial[figure] for trial in self.of(scenario, sdk)])

    def median(self, scenario: str, sdk: str, figure: str = "ns_per_operation") -> float | None:
        """Return the median of one figure; `None` where it was not measured."""
        spread = self.spread(scenario, sdk, figure)
        return None if spread is None else spread.median

    def times_cheaper(self, scenario: str, peer: str = STOCK) -> float | None:
        """Return how many times our cost a peer's is; where a bare program was measured, of what is added to it."""
        ours, theirs = (
            self.median(scenario, sdk) if self.median(scenario, NONE) is None else self.added_ns(scenario, sdk)
            for sdk in (OURS, peer)
        )
        return theirs / ours if ours and theirs else None

    def added_ns(self, scenario: str, sdk: str) -> float | None:
        """Return what an SDK adds to the same program without one: as it was measured, or as their difference."""
        if any("added_ns" in trial for trial in self.of(scenario, sdk)):
            return self.median(scenario, sdk, "added_ns")
        bare, with_sdk = self.median(scenario, NONE), self.median(scenario, sdk)
        return None if bare is None or with_sdk is None else with_sdk - bare

    def lost(self, scenario: str, sdk: str) -> int:
        """Return how many spans did not arrive, over all runs."""
        return sum(trial["lost"] for trial in self.of(scenario, sdk))

    def lossless(self, sdk: str = STOCK) -> Spread | None:
        """Return the spread of the highest rates that were offered, in each run, before the first loss."""
        highest: dict[int, float] = {}
        for trial in self.of("sent-paced", sdk):
            if trial["lost"] == 0:
                highest[trial["run"]] = max(highest.get(trial["run"], 0.0), trial["spans_per_s"])
        return spread_of(list(highest.values()))
