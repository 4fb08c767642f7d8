"""`python -m benchmarks`: measure, keep the results as JSON, and render the pages that show them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import core, links, network_io, readme, recorder, report, store, tracezip, viewer
from benchmarks.gateways import PEERS
from benchmarks.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """Parse the command line and do it."""
    suites: dict[str, Callable[..., dict[str, Any]]] = {
        suite.NAME: suite.run for suite in (core, links, network_io, recorder, store, tracezip, viewer)
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    measure = commands.add_parser("run", help="measure one suite or all, then render")
    measure.add_argument("suite", nargs="?", choices=sorted(suites), help="the suite; all unless given")
    measure.add_argument("--quick", action="store_true", help="one short run of each: to try, not to publish")
    measure.add_argument("--peers", nargs="*", choices=sorted(PEERS), default=sorted(PEERS), help="gateways to compare")
    measure.add_argument(
        "--patience", type=float, default=20.0, metavar="S", help="wait so long for a quiet machine, and repeat (20)"
    )
    measure.add_argument(
        "--only",
        nargs="+",
        metavar="SCENARIO",
        default=[],
        help="these of network_io only; shown, neither kept nor rendered",
    )
    measure.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each scenario of network_io (5)")
    measure.add_argument("--seconds", type=float, default=5.0, metavar="S", help="how long each of them takes (5)")
    measure.add_argument("--scale", type=int, default=0, metavar="SPANS", help="store: search among so many spans, too")
    measure.add_argument("--scale-folder", type=Path, metavar="DIR", help="store: keep them here for the next time")
    measure.add_argument(
        "--minutes", type=float, default=0.0, metavar="N", help="store: watch its memory at 100,000 spans/s for so long"
    )
    commands.add_parser("render", help="write docs/benchmarks.md and the README's table from the kept results")
    arguments = parser.parse_args(sys.argv[1:] or ["run"])
    if arguments.command == "run" and arguments.only:
        chosen: dict[str, Any] = {"only": set(arguments.only), "effort": (arguments.runs, arguments.seconds)}
        network_io.run(quick=arguments.quick, peers=arguments.peers, patience_s=arguments.patience, **chosen)
        return 0
    if arguments.command == "run":
        for name in [arguments.suite] if arguments.suite else sorted(suites):
            more: dict[str, Any] = {}
            if name == network_io.NAME:
                more = {"effort": (arguments.runs, arguments.seconds)}
            elif name == store.NAME:
                more = {"scale": store.Scale(arguments.scale, arguments.scale_folder, arguments.minutes)}
            keep(suites[name](quick=arguments.quick, peers=arguments.peers, patience_s=arguments.patience, **more))
    render()
    return 0


def keep(results: dict[str, Any]) -> None:
    """Write the results of one suite."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{results['suite']}.json"
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"kept in {file.relative_to(ROOT)}", file=sys.stderr)


def render() -> None:
    """Write every document that shows figures."""
    results = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(RESULTS.glob("*.json"))}
    report.write(results, ROOT / "docs")
    readme.write(results, ROOT / "README.md")


if __name__ == "__main__":
    sys.exit(main())
