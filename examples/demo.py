"""The demo: a shop under the stock OpenTelemetry SDK sends through a gateway to a second gateway and to a file.

Two services without a line of telemetry code run under `opentelemetry-instrument`: the storefront sends over gRPC, the
payments service over HTTP. Afterwards everything the gateway received must be accounted for, at both ends. Run it with
`make demo`; it exits 1 when the accounts do not add up.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from examples import report
from millrace.gateway import Gateway

SIGNALS = ("traces", "metrics", "logs")
CUSTOMERS = 4
REQUESTS = 200
PRODUCTS = ("mill wheel", "grindstone", "flour sack", "sluice gate", "windmill")
STOP_TIMEOUT_S = 20

PICTURE = """\
  storefront ── gRPC ──╮            ╭── gRPC ──▸ second gateway
                       ├─▸ gateway ─┤
  payments ──── HTTP ──╯            ╰──────────▸ {file}
"""


def configuration(exporters: dict[str, Any]) -> dict[str, Any]:
    """A gateway that receives OTLP on free ports of the loopback interface and sends it to some exporters."""
    pipeline = {"receivers": ["otlp"], "exporters": list(exporters)}
    return {
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0"}}},
        },
        "exporters": exporters,
        "service": {
            "pipelines": dict.fromkeys(SIGNALS, pipeline),
            "telemetry": {"metrics": {"level": "none"}},  # port 8888 may be taken on a developer's machine
        },
    }


def url(gateway: Gateway, protocol: str) -> str:
    """Where a gateway listens for a protocol of its `otlp` receiver."""
    return f"http://{gateway.addresses[f'otlp/{protocol}']}"


@contextmanager
def service(name: str, log: Path, **environment: str) -> Iterator[str]:
    """Run a service of the shop under `opentelemetry-instrument` and yield its address; it flushes when it stops."""
    binaries = Path(sys.executable).parent
    # The socket is open before the service is: the first request waits for it, and nobody polls.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        program = [str(binaries / "opentelemetry-instrument"), str(binaries / "uvicorn"), f"examples.shop.{name}:app"]
        process = subprocess.Popen(
            [*program, "--fd", str(listener.fileno()), "--log-level", "warning"],
            pass_fds=[listener.fileno()],
            env={**os.environ, "OTEL_SERVICE_NAME": name, "OTEL_METRIC_EXPORT_INTERVAL": "1000", **environment},
            stdout=subprocess.DEVNULL,
            stderr=log.open("wb"),
        )
    try:
        yield address
    finally:
        process.send_signal(signal.SIGINT)  # after SIGTERM uvicorn leaves without running Python's exit handlers
        if process.wait(STOP_TIMEOUT_S) != 0:
            sys.exit(f"the {name} service failed with exit code {process.returncode}:\n{log.read_text()[-2_000:]}")


def shop_for(storefront: httpx.Client, number: int) -> int:
    """Send one customer's request and return the status it was answered with."""
    if number % 20 == 0:
        # It fails, and uvicorn closes the connection of a request that failed without saying so.
        return storefront.get("/report", headers={"Connection": "close"}).status_code
    if number % 7 == 0:
        return storefront.get("/products").status_code
    order = {"product": PRODUCTS[number % len(PRODUCTS)], "quantity": number % 17}
    return storefront.post("/orders", json=order).status_code


def run_shop(gateway: Gateway, folder: Path) -> Counter[int]:
    """Run both services and their customers to the end; return how many requests were answered with which status."""
    grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": url(gateway, "grpc")}
    http = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": url(gateway, "http")}
    with ExitStack() as running:
        payments = running.enter_context(service("payments", folder / "payments.log", **http))
        shop = {"SHOP_DATABASE": str(folder / "shop.db"), "SHOP_PAYMENTS": payments}
        storefront = running.enter_context(service("storefront", folder / "storefront.log", **grpc, **shop))
        client = running.enter_context(httpx.Client(base_url=storefront, timeout=30))
        pool = running.enter_context(ThreadPoolExecutor(CUSTOMERS))
        return Counter(pool.map(lambda number: shop_for(client, number), range(REQUESTS)))


def accounts(first: dict[str, Any], second: dict[str, Any], file: Path) -> Iterator[report.Account]:
    """Compare what the first gateway says with what its two destinations hold."""
    in_file = report.count(file)
    for name in SIGNALS:
        received = first["receivers"]["otlp"][name]["received"]
        arrived = {"otlp": second["receivers"]["otlp"][name]["accepted"], "file": in_file[name]}
        for exporter, destination in (("otlp", "second gateway"), ("file", "file")):
            sent = first["exporters"][exporter][name]
            dropped = sum(sent["dropped"].values())
            yield report.Account(
                name, destination, received, sent["exported"], dropped, sent["queued"], arrived[exporter]
            )


def main() -> int:
    """Run the demo and return its exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="millrace-demo-") as temporary:
        folder = Path(temporary)
        file = folder / "shop.jsonl"
        print("\nA shop under the stock OpenTelemetry SDK, through millrace, to two places\n")
        print(PICTURE.format(file=file.name))
        second = Gateway(configuration({"nop": {}})).start()
        onward = {"otlp": {"endpoint": url(second, "grpc"), "tls": {"insecure": True}}, "file": {"path": str(file)}}
        first = Gateway(configuration(onward)).start()
        try:
            statuses = run_shop(first, folder)
        finally:
            sent, arrived = first.stop().stats, second.stop().stats
        balance = list(accounts(sent, arrived, file))
        answers = ", ".join(f"{count} with {status}" for status, count in sorted(statuses.items()))
        print(f"  The shop answered {answers}\n")
        print(report.table(balance))
        print(f"\nOne order, read back from {file.name}\n\n{report.waterfall(file)}\n")
    right = all(account.adds_up() for account in balance)
    verdict = (
        report.paint("everything adds up", report.GREEN) if right else report.paint("it does not add up", report.RED)
    )
    print(f"{verdict} ({time.monotonic() - began:.1f} s)")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
