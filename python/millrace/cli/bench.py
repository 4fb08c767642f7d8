"""Measure a gateway on this machine: a generator sends through a gateway in a process of its own to a counting sink.

Nothing is configured and nothing is left behind. Generator and sink share the processors of this machine with the
gateway; for comparisons with other programs see the folder benchmarks/ of the sources.
"""

import argparse
import json

from millrace.cli.arguments import Parser, add_color, add_json, count_of, duration_s
from millrace.cli.codes import DONE, FAILED
from millrace.cli.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen
    from typing import Any

HELP = "measure a gateway on this machine"

_EPILOG = """\
examples:
  millrace bench                                         HTTP, as fast as it goes, 5 s
  millrace bench --protocol grpc --compression gzip
  millrace bench --rate 100k --duration 20s --json       open loop: latency counts from when a request was due
"""
_ARRIVAL_S = 10.0


def configure(parser: Parser) -> None:
    """Add the arguments."""
    signals = ("traces", "metrics", "logs", "profiles")
    parser.add_argument("signal", nargs="?", choices=signals, default="traces", help="what to send (traces)")
    parser.add_argument("--protocol", choices=("http", "grpc"), default="http", help="into the gateway and out of it")
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), default="none", help="into the gateway")
    parser.add_argument(
        "--out-compression", choices=("none", "gzip", "zstd"), default="none", help="out of the gateway"
    )
    parser.add_argument(
        "--rate", type=count_of, default=0, metavar="N", help="items a second; 0 is as fast as possible"
    )
    parser.add_argument("--duration", type=duration_s, default=5.0, metavar="TIME", help="how long (5s)")
    parser.add_argument("--batch", type=count_of, default=1_000, metavar="N", help="items in each request (1000)")
    parser.add_argument("--item-bytes", type=count_of, default=300, metavar="N", help="bytes of each item (300)")
    parser.add_argument("--connections", type=int, default=4, metavar="N", help="connections of the generator (4)")
    parser.add_argument("--in-flight", type=int, default=2, metavar="N", help="requests at once on each (2)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="threads of the gateway (1)")
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run, attributes=5, events=0, services=1, child_spans=3, seed=1)


def run(arguments: argparse.Namespace) -> int:
    """Measure it."""
    import tempfile
    from pathlib import Path

    from millrace import _native

    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
        sink = _native.LoadSink(json.dumps({"http": "127.0.0.1:0", "grpc": "127.0.0.1:0"}))
        gateway = _start_gateway(arguments, sink.addresses()[arguments.protocol], Path(folder))
        try:
            endpoint = _endpoint(gateway, arguments.protocol)
            before_s = _cpu_s(gateway.pid)
            generator = _native.LoadRun(json.dumps(_options(arguments, endpoint)))
            sent = json.loads(generator.finish())
            sink.wait_for_items(sent["accepted_items"], _ARRIVAL_S)
            cpu_s, peak_mib = _cpu_s(gateway.pid) - before_s, _peak_mib(gateway.pid)
        finally:
            gateway.terminate()
            gateway.communicate()
        received = json.loads(sink.stop())
    report = {
        "sent": sent,
        "received": received,
        "gateway": {"cpu_s": cpu_s, "peak_mib": peak_mib, "items_per_cpu_s": received["items"] / max(cpu_s, 1e-9)},
    }
    if arguments.json:
        print(json.dumps(report))
    else:
        _print(report)
    lost = sent["accepted_items"] > received["unique_items"]
    if lost:
        Terminal(arguments.color).error("items were acknowledged that did not arrive")
    return FAILED if lost else DONE


def _start_gateway(arguments: argparse.Namespace, sink: "tuple[str, int]", folder: "Path") -> "Popen[str]":
    import subprocess
    import sys

    kind = "otlp" if arguments.protocol == "grpc" else "otlphttp"
    exporter = {"endpoint": f"http://{sink[0]}:{sink[1]}", "compression": arguments.out_compression}
    protocols = {"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0"}}
    config = {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {kind: exporter},
        "service": {
            "workers": arguments.workers,
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {arguments.signal: {"receivers": ["otlp"], "exporters": [kind]}},
        },
    }
    file = folder / "gateway.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "millrace", "serve", "--config", str(file), "--color", "never"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ourselves


def _endpoint(gateway: "Popen[str]", protocol: str) -> str:
    """Read from what the gateway says where it listens."""
    assert gateway.stderr is not None  # noqa: S101 - it is a pipe
    said = []
    for line in gateway.stderr:
        said.append(line)
        if line.startswith(f"otlp/{protocol} listens on "):
            return f"http://{line.rpartition(' ')[2].strip()}"
    raise OSError(f"the gateway did not start: {''.join(said).strip()}")


def _options(arguments: argparse.Namespace, endpoint: str) -> "dict[str, Any]":
    from millrace.cli.gen import shape_of

    return {
        "endpoint": endpoint,
        "protocol": arguments.protocol,
        "compression": arguments.compression,
        "shape": shape_of(arguments),
        "connections": arguments.connections,
        "in_flight": arguments.in_flight,
        "items_per_second": float(arguments.rate) or None,
        "duration_ms": int(arguments.duration * 1_000),
        "compress_ahead": 0 if arguments.compression == "none" else 64,
    }


def _cpu_s(pid: int) -> float:
    """Return the processor time a process has used."""
    import os
    from pathlib import Path

    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    """Return the most memory a process has had resident."""
    from pathlib import Path

    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1_024


def _print(report: "dict[str, Any]") -> None:
    sent, received, gateway = report["sent"], report["received"], report["gateway"]
    latency = sent["latency_ms"]
    print(f"forwarded  {received['items']:,} items in {received['requests']:,} requests")
    print(f"rate       {sent['items_per_second']:,.0f} items/s, {sent['bytes_per_second'] / 1e6:,.1f} MB/s")
    print(f"latency    p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms, p99.9 {latency['p99_9']:.2f} ms")
    print(f"gateway    {gateway['items_per_cpu_s']:,.0f} items per CPU second, {gateway['peak_mib']:.1f} MiB at most")
    print(
        f"lost       {max(0, sent['accepted_items'] - received['unique_items']):,}, "
        f"doubled {received['duplicated_items']:,}, reordered {received['reordered_items']:,}"
    )
    refused = sum(sent["refused_requests"].values()) + sum(sent["failed_requests"].values())
    if refused:
        print(f"refused    {refused:,} requests")
