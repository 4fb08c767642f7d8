"""The benchmark of the recorder measures what it says, and its bars say what was measured."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import recorder_report
from benchmarks.bars import Bar
from benchmarks.recorder import IN_PROCESS, Suite
from benchmarks.recorder_bars import recorder
from benchmarks.recorder_figures import NONE, OURS, STOCK, RecorderResults
from benchmarks.worker import Worker

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    with Worker(os.sched_getaffinity(0)) as sink:
        host, port = sink.start_sink({"http": "127.0.0.1:0", "grpc": None})["http"]
        yield Suite(sink, f"http://{host}:{port}", patience_s=0.0)


@pytest.mark.parametrize("scenario", sorted(set(IN_PROCESS) - {"logger-info"}))
def test_each_operation_of_our_sdk_is_recorded_and_costs_something(suite: Suite, scenario: str) -> None:
    trial = suite.measure(scenario, OURS, 0, {"seconds": 0.01})
    assert trial["ns_per_operation"] > 0


@pytest.mark.parametrize("sdk", [OURS, STOCK])
def test_every_span_of_a_measured_process_is_counted_by_the_sink(suite: Suite, sdk: str) -> None:
    trial = suite.measure("sent-0a", sdk, 0, {"spans": 600})
    assert (trial["counted"], trial["lost"]) == (900, 0)  # with 300 of the warm-up


def test_what_an_sdk_has_not_is_absent_and_no_figure(suite: Suite) -> None:
    before = len(suite.trials)
    assert "no metrics" in suite.measure("counter-add", NONE, 0, {"seconds": 0.01})["absent"]
    assert len(suite.trials) == before


def test_a_program_that_fails_is_kept_with_its_error_and_without_figures(suite: Suite) -> None:
    suite.measure("span-3", "an SDK that nobody knows", 0, {})
    error = suite.trials[-1]
    assert "KeyError" in error["error"]
    assert error in RecorderResults({"trials": suite.trials}).errors()


def test_a_bar_that_is_reached_is_met() -> None:
    assert bar("counter.add", costs("counter-add", ours=100, stock=2_500)).verdict() == "met"


def test_a_bar_that_is_not_reached_is_shown_as_missed() -> None:
    found = bar("counter.add", costs("counter-add", ours=100, stock=2_400))
    assert (found.verdict(), found.measured) == ("**missed**", "1/24.0: 100 ns")


def test_a_bar_without_figures_is_not_measured() -> None:
    assert {found.verdict() for found in recorder({"trials": []})} == {"not measured"}


def test_what_is_added_to_the_bare_program_is_compared_not_the_whole() -> None:
    trials = [*costs("fastapi-request", ours=150_000, stock=250_000), trial("fastapi-request", NONE, 100_000)]
    found = bar("FastAPI", trials)
    assert (found.verdict(), found.measured) == ("met", "0.33: 50 of 150 µs")


def test_a_lost_span_misses_the_bar_of_the_rate() -> None:
    run = {"scenario": "sent-flat-out", "sdk": OURS, "run": 0, "spans_per_s": 3e6, "recorded": 9, "dropped": 0}
    assert bar("small spans", [run | {"lost": 0}]).verdict() == "met"
    assert bar("small spans", [run | {"lost": 1}]).verdict() == "**missed**"


def test_the_lossless_rate_is_the_highest_of_each_run_before_a_loss() -> None:
    rates = [(0, 6_000.0, 0), (0, 7_000.0, 0), (0, 8_000.0, 3), (1, 6_000.0, 0), (1, 7_000.0, 1)]
    trials = [
        {"scenario": "sent-paced", "sdk": STOCK, "run": run, "spans_per_s": rate, "lost": lost}
        for run, rate, lost in rates
    ]
    spread = RecorderResults({"trials": trials}).lossless()
    assert spread is not None
    assert (spread.least, spread.most) == (6_000.0, 7_000.0)


def test_the_page_names_what_is_absent_and_what_has_failed() -> None:
    machine = dict.fromkeys(
        ("measured_at", "commit", "cores", "cpu", "memory_gib", "system", "load_before", "python", "rust", "go"), "?"
    )
    kept = {
        "machine": machine | {"modified": False},
        "quick": True,
        "absent": {"ddtrace": "it is not to be had"},
        "trials": [{"scenario": "span-3", "sdk": OURS, "run": 4, "error": "it broke"}],
    }
    page = "\n".join(recorder_report.part(kept))
    assert "Absent: ddtrace: it is not to be had" in page
    assert "millrace, span-3, run 4: it broke" in page


def trial(scenario: str, sdk: str, cost_ns: float) -> dict[str, Any]:
    return {"scenario": scenario, "sdk": sdk, "run": 0, "ns_per_operation": cost_ns}


def costs(scenario: str, *, ours: float, stock: float) -> list[dict[str, Any]]:
    return [trial(scenario, OURS, ours), trial(scenario, STOCK, stock)]


def bar(beginning: str, trials: list[dict[str, Any]]) -> Bar:
    return next(found for found in recorder({"trials": trials}) if found.what.startswith(beginning))
