"""Searches for traces as SQL: the ids of those that are wanted, file by file, and a summary of each."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from millrace.search import Search
from millrace.store.views import VIEWS, literal, source

__all__ = ["Sql", "attribute_owners", "candidates", "conditions", "later_spans", "summaries"]

_POSITION = {"recent": "start_time_unix_nano", "slowest": "duration_ns"}
_OF_THE_SAME_FILES = ("resources", "span_events", "span_links")
"""Views that a condition may ask, of which every row belongs to a span of the same file."""
OWNERS_MAX = 1_000
"""Resources with an attribute that is asked for that are named in the query; more are looked up by it."""
_WORDS = "lower(concat_ws(' ', name, status_message, service_name, trace_id, attributes::VARCHAR))"


class Sql(NamedTuple):
    """A piece of SQL, with the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()


def conditions(search: Search, owners: Mapping[tuple[str, str], Sequence[str]]) -> list[Sql]:
    """Return what a row of the view `spans` has to fulfil.

    Args:
        search: What is wanted.
        owners: For each attribute, the resources that have it.
    """
    found = [
        Sql(text, (value,))
        for value, text in (
            (search.service, "service_name = ?"),
            (search.operation, "name = ?"),
            (search.start, "start_time_unix_nano >= ?::UBIGINT"),
            (search.end, "start_time_unix_nano <= ?::UBIGINT"),
            (search.min_duration_ns, "duration_ns >= ?::UBIGINT"),
            (search.max_duration_ns, "duration_ns <= ?::UBIGINT"),
            (search.status and search.status.upper(), "status_code = ?"),
        )
        if value is not None
    ]
    found += [_attribute(key, value, owners[key, value]) for key, value in pairs(search)]
    if search.text:
        found.append(Sql(f"contains({_WORDS}, lower(?))", (search.text,)))
    found += [Sql(f"({text})", tuple(values)) for text, values in search.where]
    return found


def pairs(search: Search) -> list[tuple[str, str]]:
    """Return the attributes that are asked for."""
    attributes = search.attributes
    return list(attributes.items() if isinstance(attributes, Mapping) else attributes)


def _attribute(key: str, value: str, owners: Sequence[str]) -> Sql:
    """Ask for an attribute: of the span alone where no resource has it, which the reader of a file can do by itself."""
    own = f"attributes[{literal(key)}]::VARCHAR = ?"
    if not owners:
        return Sql(own, (value,))
    if len(owners) > OWNERS_MAX:
        return Sql(
            f"({own} OR resource_id IN (SELECT resource_id FROM resources WHERE attributes[?] = ?))",
            (value, key, value),
        )
    return Sql(f"({own} OR resource_id IN ({', '.join('?' * len(owners))}))", (value, *owners))


def attribute_owners(key: str, value: str, paths: Sequence[str]) -> Sql:
    """Return the query for the resources in these files that have an attribute."""
    of_files = f"SELECT DISTINCT resource_id FROM {source('traces', paths)}"
    return Sql(f"{of_files} WHERE resource_attributes[?] = ? LIMIT {OWNERS_MAX + 1}", (key, value))


def candidates(  # noqa: PLR0913, PLR0917 - what, of which files, how many, and what is known of the best already
    search: Search,
    wanted: Sequence[Sql],
    paths: Sequence[str],
    around: Sequence[str],
    limit: int,
    least: int | None,
) -> Sql:
    """Return the query for the traces with matching spans in some files, best first.

    Args:
        search: What is wanted.
        wanted: The conditions of it.
        paths: The files.
        around: The files that conditions may ask for other spans of the same traces.
        limit: How many.
        least: Only positions from this one on are still of interest.
    """
    column = _POSITION[search.order]
    wanted, having = list(wanted), Sql("")
    if search.after is not None:
        position, trace_id = search.after
        wanted.append(Sql(f"{column} <= ?::UBIGINT", (position,)))
        having = Sql("HAVING position < ?::UBIGINT OR trace_id > ?", (position, trace_id))
    if least is not None:
        wanted.append(Sql(f"{column} >= ?::UBIGINT", (least,)))
    text = f"""{_with(wanted, paths, around)}
        SELECT trace_id, max({column}) AS position, min(start_time_unix_nano), max(start_time_unix_nano)
        FROM ({_view("spans", paths)}) AS spans {_where(wanted)}
        GROUP BY trace_id {having.text} ORDER BY position DESC, trace_id LIMIT {limit:d}"""
    return Sql(text, (*(value for one in wanted for value in one.values), *having.values))


def later_spans(search: Search, wanted: Sequence[Sql], paths: Sequence[str], trace_ids: Sequence[str]) -> Sql:
    """Return the query for those of the traces that have come before the cursor, by a span beyond it."""
    column, (position, last_id) = _POSITION[search.order], search.after or (0, "")
    wanted = [
        Sql(f"trace_id IN ({', '.join('?' * len(trace_ids))})", tuple(trace_ids)),
        Sql(
            f"{column} >= ?::UBIGINT AND ({column} > ?::UBIGINT OR trace_id <= ?)",
            (position, position, last_id),
        ),
        *wanted,
    ]
    text = f"""{_with(wanted, paths, paths)}
        SELECT DISTINCT trace_id FROM ({_view("spans", paths)}) AS spans {_where(wanted)}"""
    return Sql(text, tuple(value for one in wanted for value in one.values))


def _where(wanted: Sequence[Sql]) -> str:
    return f"WHERE {' AND '.join(one.text for one in wanted)}" if wanted else ""


def _with(wanted: Sequence[Sql], paths: Sequence[str], around: Sequence[str]) -> str:
    """Let the conditions' own queries see some files only: those of the spans, or those around them."""
    asked = " ".join(one.text for one in wanted)
    seen = {name: paths for name in _OF_THE_SAME_FILES if f"FROM {name}" in asked}
    if "FROM spans" in asked:
        seen["spans"] = around
    views = [f"{name} AS NOT MATERIALIZED ({_view(name, files)})" for name, files in seen.items()]
    return f"WITH {', '.join(views)}" if views else ""


def _view(name: str, paths: Sequence[str]) -> str:
    """Return the query of a view over some files of traces."""
    signals, query = VIEWS[name]
    return query.format(**{signal: source(signal, paths if signal == "traces" else ()) for signal in signals})


def summaries(trace_ids: Sequence[str], paths: Sequence[str]) -> Sql:
    """Return the query for a summary of each trace.

    The root is the span without a parent that starts first, or else the span that starts first.
    """
    marks = ", ".join("?" for _ in trace_ids)
    query = f"""
        WITH chosen AS MATERIALIZED (
            SELECT trace_id, service_name, name, parent_span_id, start_time_unix_nano AS start, duration_ns,
            coalesce(early_end_time_unix_nano, start_time_unix_nano + duration_ns::HUGEINT) AS finish,
            CASE coalesce(status_code, 0) WHEN 2 THEN 1 ELSE 0 END AS failed
            FROM {source("traces", paths)} WHERE trace_id IN ({marks})),
        services AS (
            SELECT trace_id, service_name, count(*) AS spans, CAST(sum(failed) AS BIGINT) AS errors
            FROM chosen GROUP BY trace_id, service_name)
        SELECT trace_id, arg_min(service_name, ranked), arg_min(name, ranked), min(start), max(finish), count(*),
            CAST(sum(failed) AS BIGINT),
            (SELECT list({{'name': service_name, 'spans': spans, 'errors': errors}} ORDER BY spans DESC, service_name)
             FROM services WHERE services.trace_id = all_spans.trace_id)
        FROM (SELECT *, row_number() OVER (PARTITION BY trace_id ORDER BY parent_span_id <> '', start, finish DESC)
              AS ranked FROM chosen) AS all_spans
        GROUP BY trace_id"""
    return Sql(query, tuple(trace_ids))
