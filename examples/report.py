"""What the demo prints: the accounts of each signal, and one order read back from the file as a waterfall."""

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEAVES = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}
"""Where each signal of OTLP/JSON keeps its items; a metric counts by its points."""

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
GREEN, RED, DIM, BOLD = "32", "31", "2", "1"
BAR_WIDTH = 36


@dataclass(frozen=True)
class Account:
    """What the gateway says it did with one signal for one destination, and what that destination says it got."""

    signal: str
    destination: str
    received: int
    exported: int
    dropped: int
    queued: int
    arrived: int

    def adds_up(self) -> bool:
        """Every item is accounted for, the destination holds what the gateway exported, and there was something."""
        return self.received == self.exported + self.dropped + self.queued and self.arrived == self.exported > 0


def paint(text: str, colour: str) -> str:
    """Colour a text, on a terminal only."""
    return f"\x1b[{colour}m{text}\x1b[0m" if COLOUR else text


def table(accounts: list[Account]) -> str:
    """The accounts as a table, one line for each signal and destination."""
    columns = ("received", "exported", "dropped", "queued", "arrived")
    lines = [paint(f"  {'signal':9}{'destination':14}" + "".join(f"{name:>10}" for name in columns), BOLD)]
    for account in accounts:
        numbers = "".join(f"{getattr(account, name):>10,}" for name in columns)
        verdict = paint("✓", GREEN) if account.adds_up() else paint("✗ does not add up", RED)
        lines.append(f"  {account.signal:9}{account.destination:14}{numbers}  {verdict}")
    return "\n".join(lines)


def items(file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Signal, service and JSON of every span, metric and log record in a file of OTLP/JSON lines."""
    for line in file.read_text().splitlines():
        request = json.loads(line)
        for signal, (resources, scopes, leaves) in LEAVES.items():
            for resource in request.get(resources, []):
                attributes = {each["key"]: each["value"] for each in resource["resource"]["attributes"]}
                for scope in resource.get(scopes, []):
                    for item in scope.get(leaves, []):
                        yield signal, attributes["service.name"]["stringValue"], item


def count(file: Path) -> Counter[str]:
    """How many spans, metric points and log records a file holds, counted with nothing but Python's `json`."""
    counts: Counter[str] = Counter()
    for signal, _, item in items(file):
        points = [
            len(value["dataPoints"]) for value in item.values() if isinstance(value, dict) and "dataPoints" in value
        ]
        counts[signal] += sum(points) if signal == "metrics" else 1
    return counts


def extent(spans: list[tuple[str, dict[str, Any]]]) -> tuple[int, int, list[tuple[str, dict[str, Any]]]]:
    """When a trace begins and ends, in nanoseconds, and its spans in the order in which they start."""
    ordered = sorted(spans, key=lambda each: int(each[1]["startTimeUnixNano"]))
    end = max(int(span["endTimeUnixNano"]) for _, span in ordered)
    return int(ordered[0][1]["startTimeUnixNano"]), end, ordered


def waterfall(file: Path) -> str:
    """One trace, drawn: which service did what, and when. Of those with the most spans, the quickest."""
    traces: defaultdict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for signal, service, item in items(file):
        # ASGI's spans for single messages say little that their parent does not.
        if signal == "traces" and not item["name"].endswith((" http send", " http receive")):
            traces[item["traceId"]].append((service, item))
    begin, end, spans = min(map(extent, traces.values()), key=lambda trace: (-len(trace[2]), trace[1] - trace[0]))
    depth: dict[str, int] = {}
    lines = []
    for service, span in spans:
        depth[span["spanId"]] = depth.get(span.get("parentSpanId", ""), -1) + 1
        start, length = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])
        left = (start - begin) * BAR_WIDTH // (end - begin)
        width = max(1, length * BAR_WIDTH // (end - begin))
        bar = " " * left + paint("━" * width, GREEN) + " " * (BAR_WIDTH - left - width)
        name = "  " * depth[span["spanId"]] + span["name"]
        lines.append(f"  {service:12}{name:22}{bar} {length / 1e6:6.2f} ms")
    return "\n".join(lines)
