"""Put files of OTLP requests into a store: through the server that keeps it, or by keeping it for that long."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from millrace.cli.arguments import Parser, add_color, add_json
from millrace.cli.data_folder import add_data, folder_of, read_server, serving_here
from millrace.errors import MillraceError

if TYPE_CHECKING:
    from pathlib import Path

HELP = "put files of OTLP requests into a store"

_EPILOG = """\
examples:
  millrace import telemetry.jsonl.zst
  millrace import received.otlp --data ./telemetry

Reads what `millrace export`, the Collector's file exporter and that of millrace write. Times stay as they are, so old
telemetry is found where it belongs. Exit codes: 0 all of it is kept, 1 some is not, 4 some was rejected.
"""
_START_TIMEOUT_S = 30.0


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help=".jsonl, .json or .otlp, then .gz or .zst; or .parquet"
    )
    parser.add_argument("--from", dest="like", metavar="FORMAT", help="format, whatever the name says: jsonl or otlp")
    parser.add_argument("--signal", choices=("traces", "metrics", "logs", "profiles"), help="signal of .otlp files")
    add_data(parser)
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    # The rest of what `millrace send` may be told, which does the work.
    sending: dict[str, object] = {
        "protocol": None,
        "header": [],
        "compression": "none",
        "insecure": True,
        "ca_file": None,
    }
    parser.set_defaults(run=run, timeout=_START_TIMEOUT_S, retry_for=_START_TIMEOUT_S, in_flight=4, **sending)


def run(arguments: argparse.Namespace) -> int:
    """Send them to where the store is kept."""
    from millrace.cli import send

    with _door(folder_of(arguments.data)) as address:
        arguments.endpoint = f"http://{address}"
        return send.run(arguments)


@contextmanager
def _door(folder: "Path") -> Iterator[str]:
    """Yield where telemetry for this folder is received."""
    with serving_here(folder) as is_free:
        if not is_free:
            card = read_server(folder)
            if card is None:
                raise MillraceError(f"another process keeps {folder}, and has not said yet where it listens")
            yield card["http"]
            return
        from millrace.cli.server import configuration_of
        from millrace.gateway import Gateway

        with Gateway(configuration_of(folder, "127.0.0.1:0", "127.0.0.1:0")) as gateway:
            yield str(gateway.addresses["otlp/http"])
