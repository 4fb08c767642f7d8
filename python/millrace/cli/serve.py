"""Run a server: receive telemetry, keep it, show it; or, with a configuration file, a gateway that sends it on.

Without --config it listens for OTLP over gRPC and HTTP, keeps everything in --data, and serves the page and the query
APIs on --ui. Where another one keeps the same folder already, it says so and shows what arrives there.

The first SIGTERM or SIGINT (Ctrl-C) ends it gracefully: no request is taken any more, what is held is delivered within
service.shutdown_timeout, and a table says what became of everything. A second signal ends it at once.
"""

import argparse

from millrace.cli.arguments import Parser, add_color, add_json, add_set, duration_s, size_mib
from millrace.cli.codes import DONE, INTERRUPTED
from millrace.cli.data_folder import add_data
from millrace.cli.terminal import Terminal, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from signal import Signals
    from typing import Any

    from millrace.gateway import Gateway, StopReport
    from millrace.gateway.config import Configuration

HELP = "receive, keep and show telemetry, or run a gateway"

_EPILOG = """\
examples:
  millrace serve                              page at http://127.0.0.1:4319, OTLP on ports 4317 (gRPC) and 4318 (HTTP)
  millrace serve --data ./telemetry --ui 127.0.0.1:8000 --max-age 7d --max-size 2GiB
  millrace serve --ui 0.0.0.0:4319            for others, too: the address that is printed has a token
  millrace serve --config gateway.yaml
  millrace serve --config gateway.yaml --workers 4
  millrace serve --config gateway.yaml --set exporters.otlp.endpoint=localhost:14317 --set service.budget_mib=64
  MILLRACE_SERVE_CONFIG=gateway.yaml millrace serve

the smallest configuration:
  receivers: {otlp: {protocols: {grpc: , http: }}}
  exporters: {debug: }
  service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("--config", "-c", metavar="FILE", help="run this gateway: YAML, or JSON when it ends in .json")
    add_data(parser)
    parser.add_argument("--grpc", default="127.0.0.1:4317", metavar="ADDR", help="for OTLP over gRPC (127.0.0.1:4317)")
    parser.add_argument("--http", default="127.0.0.1:4318", metavar="ADDR", help="for OTLP over HTTP (127.0.0.1:4318)")
    parser.add_argument("--ui", default="127.0.0.1:4319", metavar="ADDR", help="for page and APIs (127.0.0.1:4319)")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="a name to be asked by")
    parser.add_argument("--token", metavar="TOKEN", help="what others must know (made up when --ui is reachable)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--max-age", type=duration_s, metavar="TIME", help="remove what is older than this, such as 7d")
    parser.add_argument("--max-size", type=size_mib, metavar="SIZE", help="keep at most so much, such as 2GiB")
    add_set(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="threads, instead of service.workers")
    parser.add_argument("--quiet", "-q", action="store_true", help="do not say what goes where")
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    if arguments.config is None:
        from millrace.cli.server import serve

        return serve(arguments)
    from millrace.gateway.config import load

    terminal = Terminal(arguments.color)
    configuration = load(arguments.config, overrides=arguments.overrides)
    return run_gateway(configuration, arguments, terminal)


def run_gateway(
    configuration: "Configuration",
    arguments: argparse.Namespace,
    terminal: Terminal,
    beside: "Callable[[Gateway], AbstractContextManager[None]] | None" = None,
) -> int:
    """Run a gateway until a signal ends it, with something beside it that ends after it."""
    import signal
    from contextlib import nullcontext

    from millrace import _native
    from millrace.gateway import Gateway

    for problem in configuration.warnings:
        terminal.warn(str(problem))
    if arguments.workers is not None:
        if arguments.workers < 1:
            raise ValueError(f"--workers must be at least 1, got {arguments.workers}")
        configuration.resolved["workers"] = arguments.workers
    # Blocked before the gateway's threads start, so that they inherit it: only this thread hears of a signal.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    _native.keep_freed_memory()
    gateway = Gateway(configuration).start()
    with beside(gateway) if beside else nullcontext():
        if not arguments.quiet:
            _introduce(gateway, configuration, terminal, routes=beside is None)
        number = signal.sigwait(signals)
        if not arguments.quiet:
            terminal.say(f"{signal.Signals(number).name}: stopping; once more to stop at once")
        report = _stop(gateway, signals)
    if arguments.json:
        import json

        print(json.dumps({"undelivered": report.undelivered, "elapsed_s": report.elapsed_s, "stats": report.stats}))
    else:
        _conclude(report, terminal)
    return DONE


def _introduce(gateway: "Gateway", configuration: "Configuration", terminal: Terminal, *, routes: bool) -> None:
    """Say where it listens and what goes where, one line each."""
    for name, address in gateway.addresses.items():
        terminal.say(f"{name} listens on {address}")
    if not routes:  # nobody has written any, and there is one place only
        return
    resolved = configuration.resolved
    for pipeline in resolved["pipelines"]:
        steps = [", ".join(pipeline["receivers"]), *pipeline["processors"]]
        targets = (_target(name, resolved["exporters"][name], pipeline["signal"]) for name in pipeline["exporters"])
        terminal.say(f"{pipeline['id']}: {' -> '.join(steps)} -> {', '.join(targets)}")


def _target(name: str, exporter: "dict[str, Any]", signal: str) -> str:
    from millrace.gateway.config.endpoints import without_query

    where = exporter.get("path") or exporter.get("urls", {}).get(signal) or exporter.get("endpoint")
    return f"{name} ({without_query(where)})" if where else name


def _stop(gateway: "Gateway", signals: "set[Signals]") -> "StopReport":
    """Stop in a thread, so that this one still hears of a second signal."""
    import os
    import signal
    from threading import Thread

    for one in signals:
        signal.signal(one, lambda *_: os._exit(INTERRUPTED))
    reports: list[StopReport] = []
    thread = Thread(target=lambda: reports.append(gateway.stop()))
    thread.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    thread.join()
    return reports[0]


def _conclude(report: "StopReport", terminal: Terminal) -> None:
    """Print what became of everything."""
    rows = [
        (name, signal, row["received"], row["accepted"], sum(row["refused"].values()), row["rejected"])
        for name, rows in report.stats["receivers"].items()
        for signal, row in rows.items()
        if row["received"]
    ]
    if rows:
        terminal.say(table(("receiver", "signal", "received", "accepted", "refused", "rejected"), rows))
    rows = [
        (name, signal, row["received"], row["exported"], sum(row["dropped"].values()), row["queued"])
        for name, rows in report.stats["exporters"].items()
        for signal, row in rows.items()
        if row["received"]
    ]
    if rows:
        terminal.say(table(("exporter", "signal", "received", "exported", "dropped", "queued"), rows))
    left = sum(count for signals in report.undelivered.values() for count in signals.values())
    terminal.say(f"stopped after {report.elapsed_s:.1f} s; {f'{left:,} items' if left else 'nothing'} left undelivered")
