"""DuckDB as the store uses it: what a connection may do, how much an answer may hold, and what its errors say."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millrace.errors import StoreError
from millrace.store.catalogue import SIGNALS, Signal
from millrace.store.views import VIEWS, source

if TYPE_CHECKING:
    import duckdb

__all__ = ["connect", "fetched", "over", "sentence"]

_ROWS_MAX = 1_000_000
"""Rows of an answer: more would be a way to fill the memory of the process."""
_PART_ROWS = 2_048
"""Rows that DuckDB computes at once."""
_ANSWER_BYTES_MAX = 512 << 20
"""Of an answer, about: a million rows may be as large as anybody's memory."""
_WEIGHED_EVERY = 64
"""Of so many rows one is weighed."""
_WITH = re.compile(r"\s*WITH\s+(RECURSIVE\s+)?", re.IGNORECASE)


def connect(path: Path, memory_limit: str, threads: int | None) -> "duckdb.DuckDBPyConnection":
    """Open a database in memory that reads the files of a store and nothing else.

    Raises:
        millrace.errors.StoreError: DuckDB is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415 - optional, and heavy
    except ImportError as error:
        raise StoreError("the store needs DuckDB: pip install 'millrace[store]'") from error
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{memory_limit}'")
    if threads is not None:
        connection.execute(f"SET threads = {threads:d}")
    # No query reads or writes anything but the files of this store.
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET temp_directory = ''")
    connection.execute("SET allowed_directories = [$path]", {"path": f"{path}/"})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def fetched(cursor: "duckdb.DuckDBPyConnection") -> list[tuple[Any, ...]]:
    """Return all rows of an answer, part by part, so that one that is too large is known before it is all here."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    while part := cursor.fetchmany(_PART_ROWS):
        rows += part
        if len(rows) > _ROWS_MAX:
            raise StoreError(f"the answer has more than {_ROWS_MAX:,} rows: add LIMIT, or aggregate")
        size += _WEIGHED_EVERY * sum(sys.getsizeof(cell) for row in part[::_WEIGHED_EVERY] for cell in row)
        if size > _ANSWER_BYTES_MAX:
            limit = f"{_ANSWER_BYTES_MAX >> 20} MiB"
            raise StoreError(f"the answer has more than {limit}: add LIMIT, aggregate, or name fewer columns")
    return rows


def over(paths: Mapping[Signal, Sequence[str]], query: str) -> str:
    """Return a query that sees only these files."""
    sources = {signal: source(signal, paths.get(signal, ())) for signal in SIGNALS}
    views = ", ".join(f"{name} AS NOT MATERIALIZED ({made.format(**sources)})" for name, (_, made) in VIEWS.items())
    if begin := _WITH.match(query):  # its own come after ours, which they ask
        return f"WITH {begin[1] or ''}{views}, {query[begin.end() :]}"
    return f"WITH {views} {query}"


def sentence(error: Exception) -> str:
    """The part of DuckDB's message that is for people; after it come traces of its own stack."""
    return str(error).split("\n\nStack Trace", 1)[0].strip()
