"""The bars that the project has set itself, each as met or missed by the kept results."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.figures import NetworkResults
from benchmarks.network_io import FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OURS = "millrace"
HEADLINE_SPANS_PER_S = 2_000_000
MEMORY_BESIDE_BUDGET_MIB = 30
POLITE = {"429", "503", "UNAVAILABLE"}


@dataclass(frozen=True)
class Bar:
    """One bar and what was measured against it."""

    what: str
    required: str
    measured: str
    met: bool | None
    """`None`: not measured here."""

    def verdict(self) -> str:
        """Return the word for it."""
        return {True: "met", False: "**missed**", None: "not measured"}[self.met]


def _at_least(what: str, limit: float, value: float | None, form: str) -> Bar:
    """Return the bar for a figure that has to reach a limit; both are shown in the same form."""
    required = "≥ " + form.format(limit)
    return Bar(
        what, required, "absent" if value is None else form.format(value), None if value is None else value >= limit
    )


def _below(what: str, limit: float, value: float | None, form: str) -> Bar:
    """Return the bar for a figure that has to stay below a limit."""
    required = "< " + form.format(limit)
    return Bar(
        what, required, "absent" if value is None else form.format(value), None if value is None else value < limit
    )


def core(results: Mapping[str, Any]) -> Iterable[Bar]:
    """Return the bars of the wire code, for each set of data."""
    for data in results["data"]:
        name = f"{data['name']}: "
        ratios, speed = data["ratios"], data["results"]["validate"]["mb_per_s"] / 1000
        faster = ratios["prost_decode_to_validate"]
        yield _at_least(name + "validate and count, beside prost's decode", 3, faster, "{:.1f} x")
        yield _at_least(name + "validate and count on one core", 1.3, speed, "{:.2f} GB/s")
        cost = ratios["validate_and_insert_to_copy_and_validate"]
        what = "validate and insert an attribute into every item, beside a copy and validation"
        yield Bar(name + what, "≤ 1.5 x", f"{cost:.2f} x", cost <= 1.5)  # noqa: PLR2004 # the bar


def network(kept: Mapping[str, Any]) -> Iterable[Bar]:
    """Return the bars of the gateway."""
    results = NetworkResults(kept)
    yield _headline(results)
    for peer, factor in (("collector", 3), ("rotel", 5)):
        what = f"OTLP/HTTP in and out, no compression: spans per CPU second beside {peer}"
        yield _at_least(what, factor, results.ratio("http-none-800", peer), "{:.1f} x")
    grpc, http = (results.median(name, OURS, "spans_per_cpu_s") for name in ("grpc-none-800", "http-none-800"))
    share = grpc / http if grpc and http else None
    yield _at_least("OTLP/gRPC beside our own OTLP/HTTP: spans per CPU second", 0.7, share, "{:.0%}")
    what = "gzip in, zstd out: spans per CPU second beside collector"
    yield _at_least(what, 2, results.ratio("http-gzip-zstd-800", "collector"), "{:.1f} x")
    yield _memory(results)
    yield from _overload(results)
    for name, said in (("latency-end-to-end", "end to end by a sink"), ("latency-queue", "by the queue")):
        value = results.median(name, OURS, "latency_ms.p99")
        floor = results.median(FLOOR, "none", "latency_ms.p99")
        what = f"accept → ack at half of saturation, acknowledged {said}: p99"
        if floor is not None:
            what += f" (the same load with no gateway at all: {floor:.2f} ms)"
        yield _below(what, 3, value, "{:.2f} ms")
    for protocol in ("http", "grpc"):
        value = results.median(f"100k-{protocol}", OURS, "cpu_share")
        what = f"100,000 spans/s over {protocol}: share of one core"
        yield _below(what, 0.3, value, "{:.1%}")


def _headline(results: NetworkResults) -> Bar:
    what = "sender, gateway and sink together, ~300-byte spans, HTTP, no compression"
    rate = results.median("http-none-300", OURS, "spans_per_s")
    if rate is None:
        return Bar(what, "≥ 2,000,000 spans/s, none lost", "absent", None)
    lost = sum(trial["lost_spans"] for trial in results.of("http-none-300", OURS))
    met = rate >= HEADLINE_SPANS_PER_S and lost == 0
    return Bar(what, "≥ 2,000,000 spans/s, none lost", f"{rate:,.0f} spans/s, {lost:,} lost", met)


def _memory(results: NetworkResults) -> Bar:
    limit = MEMORY_BESIDE_BUDGET_MIB + results.results["budget_mib"]
    what = "resident memory at every offered rate from 0 to 2 x saturation, slow and stopped downstream included"
    peaks = [
        (trial["memory_peak_mib"], trial["scenario"])
        for trial in results.trials
        if trial["gateway"] == OURS and trial["scenario"].startswith(("offered-", "sink-")) and "error" not in trial
    ]
    required = f"< {limit} MiB: {MEMORY_BESIDE_BUDGET_MIB} beside a budget of {results.results['budget_mib']}"
    if not peaks:
        return Bar(what, required, "absent", None)
    peak, where = max(peaks)
    return Bar(what, required, f"{peak:.1f} MiB at most ({where})", peak < limit)


def _overload(results: NetworkResults) -> Iterable[Bar]:
    runs = results.of("offered-2.0", OURS)
    goodputs = [2 * run["spans_per_s"] / run["offered_spans_per_s"] for run in runs]
    what = "overload: every request that was not taken was answered"
    if not runs:
        yield Bar(what, "429, 503 or UNAVAILABLE", "absent", None)
        return
    codes = {code for run in runs for code in run["refused_requests"]}
    unanswered = sum(sum(run["failed_requests"].values()) for run in runs)
    refused = sum(sum(run["refused_requests"].values()) for run in runs)
    measured = f"{refused:,} refused with {', '.join(sorted(codes)) or 'nothing'}, {unanswered:,} unanswered"
    yield Bar(what, "429, 503 or UNAVAILABLE", measured, codes <= POLITE and unanswered == 0)
    what = "overload: goodput at twice saturation, beside saturation just before"
    yield _at_least(what, 0.9, statistics.median(goodputs), "{:.0%}")
