"""The page docs/benchmarks/tracezip.md, written from kept results and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import tracezip_plots
from benchmarks.markdown import machine_line, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEAD = """# Tracezip beside general compressors

<!-- Written by `python -m benchmarks render` from benchmarks/results/. Change those by measuring, this not by hand. -->

Every request of ours is rebuilt and compared byte for byte in the same run. *Recorded* is 64,151 spans of the
OpenTelemetry demo as its SDKs sent them, and the same joined and cut into requests of 1,000 and of 100 spans.
*Demo-shaped* is this project's generator with a fixed seed (`benchmarks/demo_shape.py`), its first third only warming
the sessions up. The Arrow row writes spans, attributes and events as three IPC streams with delta dictionaries and zstd
buffers; nobody reads it back. Costs are CPU time of the process, through Python, which adds about a microsecond to
each request; with an extension built by `maturin develop --profile quick`, they are higher than those of a wheel.
"""

BARS = {
    "recorded demo, its own requests": 0.60,
    "recorded demo, 1,000 spans": 0.52,
    "recorded demo, 100 spans": 0.45,
    "demo-shaped, 100 spans": 0.28,
    "demo-shaped, 1,000 spans": 0.45,
    "demo-shaped, 10,000 spans": 0.52,
}
"""Of zstd-3: what was asked for before anything was built."""
ENCODE_NS, DECODE_NS, STATE_BYTES, EXCESS_BYTES = 1_000, 500, 2 << 20, 64


LOGS = """The demo's shop writes them (`make demo`): three programs under the stock SDK and its instrumentations, two
over HTTP and one over gRPC, {counted}; and the same joined and cut. Bytes for each record; every frame was read back.
"""

LINKS = """
One gateway reads requests from files and sends them to another, which counts and forgets them: each a process on a CPU
of its own, with every setting at its default (ten requests in flight; what waits travels together). Rates and CPU time
begin when both are warm. Bytes are those of the TCP connections towards the receiver, frames, headers of HTTP and the
beginnings of sessions included, counted in a run of their own; in it the receiver also writes what arrives, which is
compared, byte for byte, with what was sent.
"""


def write(results: Mapping[str, Any], links: Mapping[str, Any] | None, folder: Path) -> None:
    """Write the page."""
    data = results["data"]
    folder.mkdir(exist_ok=True)
    tracezip_plots.draw(data, folder, {"encode": ENCODE_NS, "decode": DECODE_NS, "state": STATE_BYTES})
    parts = [HEAD, machine_line(results), "\n## Bars\n", _bars(data)]
    if logs := results.get("logs"):
        counted = f"{logs[0]['records']:,} records in {logs[0]['requests']:,} requests"
        parts += ["\n## Log records\n", LOGS.format(counted=counted), _sizes(logs)]
    parts += ["\n## Size\n", "![Bytes for each span](tracezip-sizes.svg)\n", "Bytes for each span:\n", _sizes(data)]
    parts += [
        "\n## Cost\n",
        "![CPU time for each span](tracezip-cost.svg)\n",
        "Nanoseconds for each span:\n",
        _costs(data),
    ]
    parts += ["\n## State of a session over time\n", "![What a session holds](tracezip-state.svg)\n", _state(data)]
    if links:
        parts += ["\n## From gateway to gateway\n", machine_line(links), LINKS, _links(links["links"])]
    (folder / "tracezip.md").write_text("\n".join(parts) + "\n", encoding="utf-8")


def _links(links: list[dict[str, Any]]) -> str:
    rows = [
        [
            link["data"],
            link["protocol"],
            link["coding"],
            f"{link['spans_per_s']:,.0f}",
            f"{link['wire_bytes_per_span'] * link['spans_per_s'] / 1e6:,.1f}",
            f"{link['wire_bytes_per_span']:.1f}",
            f"{link['sender_ns_per_span']:,.0f}",
            f"{link['receiver_ns_per_span']:,.0f}",
        ]
        for link in links
    ]
    names = ["", "over", "coding", "spans/s", "MB/s on the wire", "bytes a span", "ns a span, sender", "receiver"]
    return table(names, rows)


def _sizes(data: list[dict[str, Any]]) -> str:
    rows = [["raw", *(f"{each['raw']:.1f}" for each in data)]]
    rows += [[codec, *(f"{each['sizes'][codec]:.1f}" for each in data)] for codec in data[0]["sizes"]]
    return table(["", *(each["name"] for each in data)], rows)


def _bars(data: list[dict[str, Any]]) -> str:
    rows = []

    def bar(what: str, measured: str, wanted: str, *, met: bool) -> None:
        rows.append([what, measured, wanted, "met" if met else "**missed**"])

    for each in data:
        ours, zstd = each["sizes"]["tracezip"], each["sizes"]["zstd-3"]
        wanted = BARS[each["name"]]
        bar(f"{each['name']}: of zstd-3", f"{ours / zstd:.3f}", f"≤ {wanted:.2f}", met=ours / zstd <= wanted)
        best = min(size for codec, size in each["sizes"].items() if not codec.startswith("tracezip"))
        bar("— of the best of all others", f"{ours / best:.2f}", "< 1", met=ours < best)
        cost = each["ns_per_span"]
        encode, decode = cost["tracezip encode"], cost["tracezip decode"]
        bar("— encode, ns a span", f"{encode:,.0f}", f"≤ {ENCODE_NS:,}", met=encode <= ENCODE_NS)
        bar(
            "— encode, of zstd-3 on the raw bytes",
            f"{encode / cost['zstd-3 encode']:.2f}",
            "≤ 1",
            met=encode <= cost["zstd-3 encode"],
        )
        bar("— decode, ns a span", f"{decode:,.0f}", f"≤ {DECODE_NS:,}", met=decode <= DECODE_NS)
        bar(
            "— worst frame above zstd-3, bytes",
            f"{each['largest_excess']:,}",
            f"≤ {EXCESS_BYTES}",
            met=each["largest_excess"] <= EXCESS_BYTES,
        )
        held = max(max(point["sender"], point["receiver"]) for point in each["state"])
        bar("— state of a session, MiB", f"{held / (1 << 20):.2f}", "≤ 2", met=held <= STATE_BYTES)
    return table(["", "measured", "bar", ""], rows)


def _costs(data: list[dict[str, Any]]) -> str:
    rows = [[cost, *(f"{each['ns_per_span'][cost]:,.0f}" for each in data)] for cost in data[0]["ns_per_span"]]
    return table(["", *(each["name"] for each in data)], rows)


def _state(data: list[dict[str, Any]]) -> str:
    """The end of each session."""
    rows = []
    for each in data:
        end = each["state"][-1]
        held = [f"{end[side] / 2**20:.2f}" for side in ("sender", "receiver")]
        rows.append([each["name"], f"{end['spans']:,}", *held, f"{end['shapes']:,}"])
    return table(["", "spans carried", "MiB at the sender", "MiB at the receiver", "shapes"], rows)
