"""The demo: a shop under the stock OpenTelemetry SDK sends to `millrace serve`, and the store tells what happened.

Three programs without a line of telemetry code run under `opentelemetry-instrument`: a storefront and a payments
service, both FastAPI, and a warehouse that takes orders from a queue. Afterwards everything that the server received
must be in the store. Run it with `make demo`; it exits 1 when it is not. `make serve` shows the store in a browser.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from examples import report

ROOT = Path(__file__).parents[1]
BINARIES = Path(sys.executable).parent
STORE = ROOT / "target/demo/store"
"""Where `make serve` looks."""
CUSTOMERS = 4
REQUESTS = 200
PRODUCTS = ("mill wheel", "grindstone", "flour sack", "sluice gate", "windmill")
STOP_TIMEOUT_S = 30
PACKING_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 90
"""For the first requests, which wait until the services have started; seconds, on a machine that does nothing else."""
PAGE = "http://127.0.0.1:4319"

PICTURE = """\
  storefront ── gRPC ──╮                    ╭─▸ store ──▸ page, SQL, Jaeger and Tempo APIs
  payments ──── HTTP ──┼─▸ millrace serve ──╯
  warehouse ─── HTTP ──╯
"""


class Server(NamedTuple):
    """Where `millrace serve` listens."""

    grpc: str
    http: str


@contextmanager
def server(store: Path, final: dict[str, Any]) -> Iterator[Server]:
    """Run `millrace serve` and yield where it listens; `final` gets its last statistics when it stops."""
    free = "127.0.0.1:0"
    process = subprocess.Popen(
        [
            str(BINARIES / "millrace"),
            "serve",
            "--data",
            str(store),
            "--grpc",
            free,
            "--http",
            free,
            "--ui",
            free,
            "--json",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said: dict[str, str] = {}
    for line in process.stderr:
        name, listens, address = line.partition(" listens on ")
        if listens:
            said[name] = address.strip()
        if {"otlp/grpc", "otlp/http"} <= said.keys():
            break
    else:
        sys.exit("`millrace serve` did not start")
    try:
        yield Server(f"http://{said['otlp/grpc']}", f"http://{said['otlp/http']}")
    finally:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=STOP_TIMEOUT_S)
        if process.returncode != 0:
            sys.exit(f"`millrace serve` failed with exit code {process.returncode}:\n{errors[-2_000:]}")
        final.update(json.loads(out))


@contextmanager
def program(name: str, log: Path, command: list[str], stop: signal.Signals, **settings: Any) -> Iterator[None]:  # noqa: ANN401 - Popen's
    """Run a program of the shop under `opentelemetry-instrument`; it flushes when it stops."""
    environment = {"OTEL_SERVICE_NAME": name, "OTEL_METRIC_EXPORT_INTERVAL": "1000", **settings.pop("environment")}
    process = subprocess.Popen(
        [str(BINARIES / "opentelemetry-instrument"), *command],
        env={**os.environ, **environment},
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        **settings,
    )
    try:
        yield
    finally:
        process.send_signal(stop)
        if process.wait(STOP_TIMEOUT_S) != 0:
            sys.exit(f"the {name} failed with exit code {process.returncode}:\n{log.read_text()[-2_000:]}")


@contextmanager
def service(name: str, log: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run a FastAPI service and yield its address."""
    # The socket is open before the service is: the first request waits for it, and nobody polls.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        descriptor = listener.fileno()
        command = [str(BINARIES / "uvicorn"), f"examples.shop.{name}:app", "--fd", str(descriptor)]
        # After SIGTERM uvicorn leaves without running Python's exit handlers.
        settings = {"environment": environment, "pass_fds": [descriptor]}
        with program(name, log, [*command, "--log-level", "warning"], signal.SIGINT, **settings):
            yield address


def shop_for(storefront: httpx.Client, number: int) -> int:
    """Send one customer's request and return the status it was answered with."""
    if number % 20 == 0:
        # It fails, and uvicorn closes the connection of a request that failed without saying so.
        return storefront.get("/report", headers={"Connection": "close"}).status_code
    if number % 7 == 0:
        return storefront.get("/products").status_code
    order = {"product": PRODUCTS[number % len(PRODUCTS)], "quantity": number % 17}
    return storefront.post("/orders", json=order).status_code


def wait_until_packed(queue: Path) -> None:
    """Wait until the warehouse has taken every order; what it is packing then, it finishes before it stops."""
    deadline = time.monotonic() + PACKING_TIMEOUT_S
    while any((queue / "queue").iterdir()):
        if time.monotonic() > deadline:
            sys.exit("the warehouse did not take all orders from its queue")
        time.sleep(0.05)


def run_shop(to: Server, folder: Path, requests: int = REQUESTS) -> Counter[int]:
    """Run the shop and its customers to the end; return how many requests were answered with which status."""
    grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": to.grpc}
    http = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": to.http}
    queue = {"SHOP_QUEUE": str(folder / "orders")}
    with ExitStack() as running:
        worker = [str(BINARIES / "celery"), "-A", "examples.shop.warehouse", "worker", "--pool", "solo"]
        settings = {"environment": {**http, **queue}}
        running.enter_context(
            program("warehouse", folder / "warehouse.log", worker, signal.SIGTERM, **settings),
        )
        payments = running.enter_context(service("payments", folder / "payments.log", http))
        shop = {"SHOP_DATABASE": str(folder / "shop.db"), "SHOP_PAYMENTS": payments, **queue}
        storefront = running.enter_context(service("storefront", folder / "storefront.log", {**grpc, **shop}))
        client = running.enter_context(httpx.Client(base_url=storefront, timeout=ANSWER_TIMEOUT_S))
        pool = running.enter_context(ThreadPoolExecutor(CUSTOMERS))
        answers = Counter(pool.map(lambda number: shop_for(client, number), range(requests)))
        wait_until_packed(folder / "orders")
        return answers


def main() -> int:
    """Run the demo and return its exit code."""
    began = time.monotonic()
    store = Path(sys.argv[1]) if len(sys.argv) > 1 else STORE
    folder = store.parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print("\nA shop under the stock OpenTelemetry SDK, kept and looked at by millrace\n")
    print(PICTURE)
    final: dict[str, Any] = {}
    print(f"  Three programs start, and {REQUESTS} customers come ...\n", flush=True)
    with server(store, final) as to:
        statuses = run_shop(to, folder)
    answers = ", ".join(
        f"{count} with {status} {HTTPStatus(status).phrase}" for status, count in sorted(statuses.items())
    )
    print(f"  The shop answered {answers}.\n")
    print("  What the server received and kept of it, and what was found again in the store:\n")
    balance = list(report.accounts(final["stats"], store))
    print(report.table(balance))
    shown, slowest = report.look(store)
    print(shown)
    right = all(account.adds_up() for account in balance)
    verdict = (
        report.paint("everything adds up", report.GREEN) if right else report.paint("it does not add up", report.RED)
    )
    print(f"{verdict} ({time.monotonic() - began:.1f} s)")
    print(f"\nLook at it: make serve, then {report.paint(PAGE, report.BOLD)}")
    print(f"The slowest trace: {report.paint(f'{PAGE}/trace/{slowest}', report.BOLD)}\n")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
