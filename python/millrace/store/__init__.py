"""The embedded store: telemetry in Parquet files, SQL over them, and every trace back as it came.

A gateway with the exporter `store` writes; :class:`Store` reads, in any process and while the gateway writes::

    from millrace.store import Store

    store = Store("telemetry")
    for row in store.sql("SELECT service_name, count(*) AS spans FROM spans GROUP BY ALL").rows():
        print(row)

Needs DuckDB: `pip install 'millrace[store]'`. The views that SQL sees are described in docs/store.md.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

from millrace._native import Activity, TraceIndex, check_store_file
from millrace.errors import StoreError
from millrace.search import Among, Found, Search
from millrace.store.activity import Asked, Counting
from millrace.store.arrivals import LogArrivals, TraceArrivals
from millrace.store.catalogue import SIGNALS, File, Signal, check_format, foreign, look, overlapping, removed
from millrace.store.duck import connect, fetched, over, sentence
from millrace.store.finding import AROUND_NS, Finder
from millrace.store.reading import in_sequence, write_parquet
from millrace.store.resources import ResourceIndex
from millrace.store.result import Result
from millrace.store.search import Sql, summaries
from millrace.store.views import VIEWS, source

__all__ = ["File", "Found", "Result", "Search", "Store"]

_T = TypeVar("_T")
_OnStart = Callable[[Callable[[], object]], object]

_FRESH_S = 0.5
"""A look at the directory is not older than this when a query begins."""
_MEMORY = "512MiB"
_ATTEMPTS = 4
"""A query is begun anew when a file goes while it is being read: merged, or removed by retention."""
_DAMAGE_S = 10.0
"""How long a query that has failed may look for the file that is to blame."""
_TIMEOUT_S = 30.0
_OTHER_LAYOUT = "another version of millrace or another program has written it"
_LACKING = re.compile(r'[Cc]olumn "([^"]+)" not found')


class _Patience(NamedTuple):
    """How long something may take, and until when."""

    timeout_s: float
    deadline: float

    @classmethod
    def of(cls, timeout_s: float) -> Self:
        return cls(timeout_s, time.monotonic() + timeout_s)


class Store:
    """A store, open for reading.

    Threads may share one: queries run at the same time.

    Args:
        path: The directory.
        memory_limit: What all queries together may use, as DuckDB writes sizes.
        threads: How many threads a query may use; all cores by default.

    Raises:
        millrace.errors.StoreError: The directory is no store, or of a newer format, or DuckDB is not installed.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, memory_limit: str = _MEMORY, threads: int | None = None
    ) -> None:
        self.path = Path(path).absolute()
        check_format(self.path)
        self._connection = connect(self.path, memory_limit, threads)
        self._lock = threading.RLock()
        self._files: dict[Signal, list[File]] = {signal: [] for signal in SIGNALS}
        self._skipped: dict[str, str] = {}
        self._checked: set[str] = set()
        self._looked_at = 0.0
        self._is_declared = False
        self._trace_index = TraceIndex()
        self._log_index = TraceIndex()
        self._counting = Counting(self.path)
        self._resources = ResourceIndex()
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the memory of queries; nothing else is held."""
        self._connection.close()

    def refresh(self) -> None:
        """Look for new files. `sql`, `trace` and `search` do it by themselves twice a second.

        A file that is no Parquet file or is cut off is skipped; `stats` names it.
        """
        import duckdb  # noqa: PLC0415 - optional, and loaded with the connection

        with self._lock:
            self._looked_at = time.monotonic()
            for attempt in range(_ATTEMPTS):
                files = {
                    signal: [file for file in look(self.path, signal) if self._is_whole(file.path)]
                    for signal in SIGNALS
                }
                if files == self._files and self._is_declared:
                    return
                self._files, self._is_declared = files, False
                try:
                    self._declare()
                except duckdb.Error as error:  # a file that went since the look, or one that is damaged
                    if attempt == _ATTEMPTS - 1:
                        raise StoreError(sentence(error)) from error
                    if attempt > 0:
                        self._find_damaged()
                else:
                    self._is_declared = True
                    return

    def _is_whole(self, path: str) -> bool:
        """Whether the file begins and ends as a Parquet file does, which one that was cut off does not."""
        if path in self._checked:
            return path not in self._skipped
        try:
            head, tail = _ends(path)
        except FileNotFoundError:
            return False  # gone since the look
        except OSError as error:
            self._skipped[path] = f"it cannot be read: {error}"
        else:
            if (head, tail) != (b"PAR1", b"PAR1"):
                self._skipped[path] = "it is no Parquet file, or it is cut off"
        self._checked.add(path)
        return path not in self._skipped

    def _declare(self) -> None:
        """Tell DuckDB what the views are made of now."""
        present = {file.path for signal in SIGNALS for file in self._files[signal]}
        self._checked &= present | self._skipped.keys()
        self._trace_index.keep(self._paths("traces"))
        self._resources.keep(self._paths("traces"))
        self._log_index.keep(self._paths("logs"))
        sources = {signal: source(signal, self._paths(signal)) for signal in SIGNALS}
        cursor = self._connection.cursor()
        for name, (_, query) in VIEWS.items():
            cursor.execute(f"CREATE OR REPLACE VIEW {name} AS {query.format(**sources)}")
        cursor.close()

    def _paths(self, signal: Signal, start: int | None = None, end: int | None = None) -> list[str]:
        return [file.path for file in overlapping(self._files[signal], start, end)]

    def _refresh_if_old(self) -> None:
        if time.monotonic() - self._looked_at > _FRESH_S:
            self.refresh()

    def sql(  # noqa: PLR0913 - what is asked, and within which bounds
        self,
        query: str,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
        *,
        timeout_s: float = _TIMEOUT_S,
        on_start: _OnStart | None = None,
        trace_ids: Sequence[str] | None = None,
        log_files: Sequence[str] | None = None,
        among: Among | None = None,
    ) -> Result:
        """Answer a query over the views that docs/store.md describes: `spans`, `logs`, `metric_points` and others.

        Args:
            query: One SELECT, in DuckDB's SQL; `?` or `$name` stand for parameters.
            parameters: Their values.
            timeout_s: How long it may take.
            on_start: Is given what ends the query, before it begins. Another thread may call that at any time.
            trace_ids: Only files that may hold one of these traces are looked at, and no metrics: for queries that have
                the same condition.
            log_files: Only these files of logs are looked at, and nothing else.
            among: Only files of one signal with items of some time are looked at, and nothing else.

        Raises:
            millrace.errors.StoreError: It is not SQL, is not a SELECT, takes too long, needs more memory than allowed
                or answers with more than a million rows, or more than 512 MiB.
        """
        self._check_statement(query)
        patience = _Patience.of(timeout_s)

        def work() -> Result:
            asked = query
            if trace_ids is not None:
                asked = over({signal: self._holding(signal, trace_ids) for signal in ("traces", "logs")}, query)
            elif log_files is not None:
                asked = over({"logs": log_files}, query)
            elif among is not None:
                asked = over({among.signal: self._youngest(among)}, query)
            return self._run(asked, parameters, patience, on_start)

        return self._retrying(work)

    def _youngest(self, among: Among) -> list[str]:
        """Return the files that are asked for, until they have enough rows."""
        files = sorted(overlapping(self._files[among.signal], among.start, among.end), key=lambda file: -file.last)
        found, rows = [], 0
        for file in files:
            if among.rows is not None and rows >= among.rows:
                break
            found.append(file.path)
            rows += file.rows
        return found

    def _holding(
        self, signal: Literal["traces", "logs"], trace_ids: Sequence[str], files: Sequence[File] | None = None
    ) -> list[str]:
        """Return the files that may hold any of these traces, by their Bloom filters."""
        index = self._log_index if signal == "logs" else self._trace_index
        paths = [file.path for file in (self._files[signal] if files is None else files)]
        return index.holding(signal, paths, [one.lower() for one in trace_ids])

    def _check_statement(self, query: str) -> None:
        import duckdb  # noqa: PLC0415 - optional, and loaded with the connection

        try:
            statements = self._connection.extract_statements(query)
        except duckdb.Error as error:
            raise StoreError(sentence(error)) from error
        if len(statements) != 1:
            raise StoreError(f"expected one statement, got {len(statements)}")
        kind = statements[0].type
        if kind not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
            raise StoreError(f"a store is only read: expected SELECT, got {kind.name}")

    def _run(
        self,
        query: str,
        parameters: Any,  # noqa: ANN401 - whatever DuckDB takes
        patience: _Patience,
        on_start: _OnStart | None = None,
    ) -> Result:
        import duckdb  # noqa: PLC0415 - as above

        cursor = self._connection.cursor()
        timer = threading.Timer(max(0.0, patience.deadline - time.monotonic()), cursor.interrupt)
        timer.start()
        is_interrupted = False

        def interrupt() -> None:
            nonlocal is_interrupted
            is_interrupted = True
            with suppress(duckdb.Error):  # it has ended meanwhile
                cursor.interrupt()

        if on_start is not None:
            on_start(interrupt)
        try:
            if is_interrupted:  # a search asks several times, and only the one that runs can be ended
                raise StoreError("the query was interrupted")
            cursor.execute(query, parameters)
            rows = fetched(cursor)
            described = cursor.description or []
        except duckdb.InterruptException as error:
            if is_interrupted:
                raise StoreError("the query was interrupted") from error
            message = f"the query took longer than {patience.timeout_s:g} s, which is all it may take"
            raise StoreError(message) from error
        except duckdb.OutOfMemoryException as error:
            why = sentence(error).split("\n")[0]  # what follows is advice that nobody can take here
            raise StoreError(f"the query needs more memory than it may use; narrow it with WHERE. {why}") from error
        finally:
            timer.cancel()
            cursor.close()
        return Result([name for name, *_ in described], [str(kind) for _, kind, *_ in described], rows)

    def _retrying(self, work: Callable[[], _T]) -> _T:
        """Do it again when files went meanwhile, and without those that turn out to be damaged."""
        import duckdb  # noqa: PLC0415 - as above

        of_queries = (
            duckdb.ParserException,
            duckdb.BinderException,
            duckdb.CatalogException,
            duckdb.PermissionException,
            duckdb.DataError,
        )
        self._refresh_if_old()
        for attempt in range(_ATTEMPTS):
            try:
                return work()
            except of_queries as error:
                raise StoreError(sentence(error)) from error
            except duckdb.Error as error:
                found = attempt > 0 and self._find_damaged()
                self.refresh()
                if attempt == _ATTEMPTS - 1 or (attempt > 0 and not found):
                    raise StoreError(sentence(error)) from error
        raise AssertionError("the last attempt returns or raises")

    def _find_damaged(self) -> bool:
        """Read the files to their ends; skip from now on those that cannot be read. Only after a query has failed."""
        found = False
        deadline = time.monotonic() + _DAMAGE_S
        for signal in SIGNALS:
            for file in reversed(self._files[signal]):
                if time.monotonic() > deadline:
                    break
                try:
                    self._check_layout(signal, file.path)
                    check_store_file(signal, file.path)
                except StoreError as error:
                    if Path(file.path).exists():
                        self._skipped[file.path] = str(error)
                        found = True
            files = self._files[signal]
            if len(files) > 0 and all(_OTHER_LAYOUT in self._skipped.get(file.path, "") for file in files):
                message = f"{self.path} is a store of another layout: {self._skipped[files[0].path]}"
                raise StoreError(f"{message}; use the version of millrace that wrote it")
        return found

    def _check_layout(self, signal: Signal, path: str) -> None:
        """Raise `StoreError` unless the views can be made of a file."""
        import duckdb  # noqa: PLC0415 - as above

        cursor = self._connection.cursor()
        sources = {one: source(one, [path] if one == signal else []) for one in SIGNALS}
        try:
            for signals, query in VIEWS.values():
                if signal in signals:
                    cursor.execute(f"SELECT * FROM ({query.format(**sources)}) LIMIT 0")
        except duckdb.Error as error:
            lacking = _LACKING.search(str(error))
            what = f"it lacks the column {lacking[1]}" if lacking else sentence(error).split("\n")[0]
            raise StoreError(f"{what}: {_OTHER_LAYOUT}") from error
        finally:
            cursor.close()

    def trace(self, trace_id: str) -> bytes | None:
        """Return all spans of a trace as an OTLP request, exactly as they came; `None` if there are none.

        Args:
            trace_id: Its id in hexadecimal digits.
        """
        return self._find(self._trace_index, "traces", trace_id)

    def requests(self, signal: Signal) -> Iterator[bytes]:
        """Return everything of a signal as OTLP requests, exactly as it came, file by file.

        What is there when it begins is yielded once, also where files are merged or removed by retention meanwhile.

        Raises:
            millrace.errors.StoreError: A file is damaged; or files that were merged before all of them had been read
                could not be told apart any more.
        """
        self.refresh()
        return in_sequence(self.path, signal, set(self._skipped))

    def write_parquet(self, signal: Signal, path: str | os.PathLike[str]) -> int:
        """Write everything of a signal to one Parquet file; return how many items.

        The file has the columns of the store's own (docs/store.md), `millrace import` reads it, and so does any other
        tool.

        Raises:
            millrace.errors.StoreError: A file of the store is damaged; or the other one cannot be written.
        """
        self.refresh()
        return write_parquet(self.path, signal, Path(path), set(self._skipped))

    def trace_logs(self, trace_id: str) -> bytes | None:
        """Return all log records of a trace as an OTLP request, exactly as they came; `None` if there are none."""
        return self._find(self._log_index, "logs", trace_id)

    def _find(self, index: TraceIndex, signal: Signal, trace_id: str) -> bytes | None:
        self._refresh_if_old()
        request: bytes | None = None
        for _ in range(_ATTEMPTS):
            request, skipped = index.find(signal, self._paths(signal), trace_id.lower())
            damaged = {path: reason for path, reason in skipped if Path(path).exists()}
            self._skipped.update(damaged)
            if len(damaged) == len(skipped):
                break
            self.refresh()  # files went meanwhile: merged, most likely, into one that is there now
        return request

    def find(
        self, search: Search | None = None, *, timeout_s: float = _TIMEOUT_S, on_start: _OnStart | None = None
    ) -> list[Found]:
        """Return the traces that are wanted, best first.

        Args:
            search: What is wanted; everything unless given.
            timeout_s: How long it may take.
            on_start: Is given what ends each of its queries, before it begins.

        Raises:
            millrace.errors.StoreError: It takes too long, or needs more memory than allowed.
        """
        patience = _Patience.of(timeout_s)

        def run(sql: Sql) -> list[tuple[Any, ...]]:
            return self._run(sql.text, sql.values, patience, on_start).tuples()

        def holding(files: Sequence[File], trace_ids: Sequence[str]) -> list[str]:
            return self._holding("traces", trace_ids, files)

        return self._retrying(
            lambda: Finder(search or Search(), self._files["traces"], run, holding, self._resources).find()
        )

    def summaries(
        self, found: Sequence[Found], *, timeout_s: float = _TIMEOUT_S, on_start: _OnStart | None = None
    ) -> list[dict[str, Any]]:
        """Return what each of these traces is, in their order.

        Each has `trace_id`, `service` and `name` of its root, `start_time_unix_nano`, `duration_ns`, `spans`, `errors`
        and `services`, a list of `name`, `spans` and `errors`. Of a trace that lasts longer than an hour, only the
        files with spans within an hour of those that were found are looked at.
        """
        if not found:
            return []
        first = max(0, min(one.first for one in found) - AROUND_NS)
        last = max(one.last for one in found) + AROUND_NS
        ids = [one.trace_id for one in found]
        patience = _Patience.of(timeout_s)

        def work() -> Result:
            paths = self._holding("traces", ids, overlapping(self._files["traces"], first, last))
            return self._run(*summaries(ids, paths), patience, on_start)

        by_id = {row[0]: row for row in self._retrying(work).tuples()}
        return [_summary(by_id[trace_id]) for trace_id in ids if trace_id in by_id]

    def search(self, search: Search | None = None, *, timeout_s: float = _TIMEOUT_S) -> list[dict[str, Any]]:
        """Return summaries, as :meth:`summaries` does, of the traces that are wanted, best first.

        Raises:
            millrace.errors.StoreError: It takes too long, or needs more memory than allowed.
        """
        return self.summaries(self.find(search, timeout_s=timeout_s), timeout_s=timeout_s)

    def activity(
        self,
        start: int | None = None,
        end: int | None = None,
        *,
        timeout_s: float = _TIMEOUT_S,
        on_start: _OnStart | None = None,
    ) -> Activity:
        """Return what services did in spans that begin from `start` on and before `end`.

        It has rows for `services`, `operations` and `calls` between services: docs/api.md says what is exact in them.

        Raises:
            millrace.errors.StoreError: It takes too long.
        """
        self._refresh_if_old()

        def skip(path: str, reason: str) -> None:
            self._skipped[path] = reason

        def listing() -> list[File]:
            return self._files["traces"]

        asked = Asked(listing, self.refresh, skip, timeout_s, on_start)
        return self._counting.answer(asked, start, end)

    def keep_activity(self, is_over: Callable[[], bool]) -> None:
        """Count beforehand what `activity` will ask for, and keep it in the store: for whoever serves the store."""
        self._refresh_if_old()
        self._counting.keep(self._files["traces"], is_over)

    def trace_arrivals(self) -> TraceArrivals:
        """Return what tells of the traces that come from now on."""

        def listing() -> list[File]:
            self.refresh()
            return self._files["traces"]

        def run(sql: Sql) -> list[tuple[Any, ...]]:
            return self._run(sql.text, sql.values, _Patience.of(_TIMEOUT_S)).tuples()

        return TraceArrivals(listing, run, self._retrying)

    def log_arrivals(self) -> LogArrivals:
        """Return what tells of the log records that come from now on."""

        def listing() -> list[File]:
            self.refresh()
            return self._files["logs"]

        return LogArrivals(listing)

    def stats(self) -> dict[str, Any]:
        """Return what the store holds.

        `signals` has `rows`, `files`, `bytes`, `oldest_unix_nano` and `newest_unix_nano` of each signal; `files`,
        `bytes`, `oldest_unix_nano` and `newest_unix_nano` are of all; `removed` is what retention has removed so far,
        exactly; `skipped` names the Parquet files that cannot be read or are not of the store, with the reason.
        """
        self._refresh_if_old()
        signals: dict[str, dict[str, Any]] = {}
        for signal in SIGNALS:
            files = self._files[signal]
            signals[signal] = {
                "rows": sum(file.rows for file in files),
                "files": len(files),
                "bytes": sum(_size(file.path) for file in files),
                "oldest_unix_nano": min((file.first for file in files), default=None),
                "newest_unix_nano": max((file.last for file in files), default=None),
            }
        oldest = [kept["oldest_unix_nano"] for kept in signals.values() if kept["files"]]
        newest = [kept["newest_unix_nano"] for kept in signals.values() if kept["files"]]
        return {
            "path": str(self.path),
            "signals": signals,
            "files": sum(kept["files"] for kept in signals.values()),
            "bytes": sum(kept["bytes"] for kept in signals.values()),
            "oldest_unix_nano": min(oldest, default=None),
            "newest_unix_nano": max(newest, default=None),
            "removed": removed(self.path),
            "skipped": foreign(self.path)
            | {path: reason for path, reason in self._skipped.items() if Path(path).exists()},
        }


def _summary(row: tuple[Any, ...]) -> dict[str, Any]:
    trace_id, service, name, start, finish, spans, errors, services = row
    return {
        "trace_id": trace_id,
        "service": service,
        "name": name,
        "start_time_unix_nano": start,
        "duration_ns": max(finish - start, 0),
        "spans": spans,
        "errors": errors,
        "services": services,
    }


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - thousands of them
    except FileNotFoundError:
        return 0


def _ends(path: str) -> tuple[bytes, bytes]:
    """Return the first and the last four bytes of a file."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.pread(file, 4, 0), os.pread(file, 4, max(0, os.fstat(file).st_size - 4))
    finally:
        os.close(file)
