"""Ask a store in SQL: traces, logs and metrics that a gateway keeps with the exporter `store`."""

import argparse
import json
import sys
from contextlib import contextmanager

from millrace.cli.arguments import Parser, add_color, add_json, duration_s
from millrace.cli.codes import DONE
from millrace.cli.data_folder import add_data, folder_of
from millrace.cli.terminal import clean, table
from millrace.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HELP = "ask a store in SQL"

_MEMORY_BYTES_MAX = 2 << 30
"""What the process may allocate: a query may use 512 MiB, and its answer may be as large in Python."""

_EPILOG = """\
views: spans, span_events, span_links, logs, metric_points, resources; `DESCRIBE`-like: SELECT * FROM spans LIMIT 1

examples:
  millrace query "SELECT service_name, count(*) AS spans FROM spans GROUP BY ALL ORDER BY spans DESC"
  millrace query "SELECT name, max(duration_ns) / 1e6 AS ms FROM spans GROUP BY ALL ORDER BY ms DESC"
  millrace query --data telemetry --json "SELECT * FROM logs WHERE severity_number >= 17" | jq .body
  echo "SELECT attributes['http.route'], count(*) FROM spans GROUP BY ALL" | millrace query --data telemetry -
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "query", metavar="SQL", help="one SELECT, as DuckDB understands it; - reads it from standard input"
    )
    add_data(parser)
    parser.add_argument(
        "--timeout", type=duration_s, default=30.0, help="how long it may take, such as 5s; 30s if not set"
    )
    add_json(parser)
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the answer: a table, or with `--json` a line for each row."""
    from millrace.store import Store

    query = sys.stdin.read() if arguments.query == "-" else arguments.query
    with Store(folder_of(arguments.data)) as store, _bounded_memory():
        result = store.sql(query, timeout_s=arguments.timeout)
    if arguments.json:
        for row in result.rows():
            print(json.dumps(row, ensure_ascii=False, default=_as_json))
    else:
        print(table(result.columns, [[_as_text(value) for value in row] for row in result.tuples()]))
    return DONE


@contextmanager
def _bounded_memory() -> "Iterator[None]":
    """Bound what this process may allocate: DuckDB does not count long texts while it makes them.

    Raises:
        StoreError: It was not enough.
    """
    if sys.platform != "linux":  # elsewhere the limit means something else
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (min({_MEMORY_BYTES_MAX, soft, hard} - {resource.RLIM_INFINITY}), hard))
    try:
        yield
    except MemoryError as error:
        limit = f"{_MEMORY_BYTES_MAX >> 30} GiB"
        raise StoreError(f"the query needs more than {limit} of memory: add LIMIT, or name fewer columns") from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _as_text(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "" if value is None else clean(str(value))


def _as_json(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
