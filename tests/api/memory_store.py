"""A store in memory for tests of the APIs: the real one's views over tables of DuckDB, filled from OTLP requests."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from millrace import otlp
from millrace.errors import MillraceError

TABLES = """
CREATE TABLE resources (resource_id VARCHAR, service_name VARCHAR, attributes MAP(VARCHAR, VARCHAR),
    schema_url VARCHAR);
CREATE TABLE spans_kept (trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, trace_state VARCHAR, name VARCHAR,
    kind VARCHAR, start_time_unix_nano UBIGINT, end_time_unix_nano UBIGINT, status_code VARCHAR,
    status_message VARCHAR, service_name VARCHAR, attributes VARIANT, scope_name VARCHAR, scope_version VARCHAR,
    resource_id VARCHAR, flags UINTEGER, event_count UINTEGER, link_count UINTEGER);
CREATE VIEW spans AS SELECT *, CASE WHEN end_time_unix_nano < start_time_unix_nano THEN 0::UBIGINT
    ELSE end_time_unix_nano - start_time_unix_nano END AS duration_ns FROM spans_kept;
CREATE TABLE span_events (trace_id VARCHAR, span_id VARCHAR, name VARCHAR, time_unix_nano UBIGINT,
    attributes MAP(VARCHAR, VARCHAR));
CREATE TABLE span_links (trace_id VARCHAR, span_id VARCHAR, linked_trace_id VARCHAR, linked_span_id VARCHAR,
    attributes MAP(VARCHAR, VARCHAR));
CREATE TABLE logs (time_unix_nano UBIGINT, observed_time_unix_nano UBIGINT, severity_number INTEGER,
    severity_text VARCHAR, body VARCHAR, is_body_json BOOLEAN,
    event_name VARCHAR, trace_id VARCHAR, span_id VARCHAR, service_name VARCHAR,
    attributes VARIANT, scope_name VARCHAR, resource_id VARCHAR);
CREATE TABLE metric_points (name VARCHAR, description VARCHAR, unit VARCHAR, type VARCHAR, time_unix_nano UBIGINT,
    start_time_unix_nano UBIGINT, value DOUBLE, count UBIGINT, sum DOUBLE, min DOUBLE, max DOUBLE,
    bucket_counts UBIGINT[], explicit_bounds DOUBLE[], is_monotonic BOOLEAN, temporality VARCHAR,
    exemplars STRUCT(time_unix_nano UBIGINT, value_double DOUBLE,
        value_int BIGINT, trace_id VARCHAR, span_id VARCHAR)[], attributes VARIANT,
    service_name VARCHAR, resource_id VARCHAR, scope_name VARCHAR);
"""
KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


class Answer:
    def __init__(self, columns: list[str], found: list[tuple[Any, ...]]) -> None:
        self.columns = columns
        self._found = found

    def rows(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self._found]

    def tuples(self) -> list[tuple[Any, ...]]:
        return self._found


class MemoryStore:
    def __init__(self) -> None:
        self.path = Path("/nowhere")
        self.database = duckdb.connect()
        self.database.execute(TABLES)
        self.traces: dict[str, list[bytes]] = {}
        self._lock = Lock()

    def sql(
        self,
        query: str,
        parameters: Sequence[Any] | None = None,
        *,
        timeout_s: float = 30.0,
        on_start: Callable[[Callable[[], object]], object] | None = None,
    ) -> Answer:
        del timeout_s
        cursor = self.database.cursor()
        if on_start:
            on_start(cursor.interrupt)
        try:
            cursor.execute(query, parameters)
            return Answer([one[0] for one in cursor.description or ()], cursor.fetchall())
        except duckdb.Error as error:
            raise MillraceError(f"{error}\n{query}") from error

    def trace(self, trace_id: str) -> bytes | None:
        found = self.traces.get(trace_id)
        return otlp.merge("traces", found) if found else None

    def stats(self) -> dict[str, Any]:
        count = {
            signal: self.database.cursor().sql(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # noqa: S608
            for signal, table in (("traces", "spans"), ("logs", "logs"), ("metrics", "metric_points"))
        }
        newest = self.database.cursor().sql("SELECT max(start_time_unix_nano) FROM spans").fetchall()[0][0]
        signals = {signal: {"rows": rows, "newest_unix_nano": newest} for signal, rows in count.items()}
        return {"signals": signals, "bytes": 0, "files": 0, "oldest_unix_nano": None, "newest_unix_nano": None}

    def add(self, signal: otlp.Signal, request: dict[str, Any] | bytes) -> None:
        data = request if isinstance(request, bytes) else otlp.from_json(signal, json.dumps(request))
        if signal == "traces":
            for part in otlp.split_by_count("traces", data, 1):
                span = json.loads(otlp.to_json("traces", part))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
                self.traces.setdefault(span.get("traceId", ""), []).append(part)
        read = json.loads(otlp.to_json(signal, data))
        outer, middle, inner = {
            "traces": ("resourceSpans", "scopeSpans", "spans"),
            "logs": ("resourceLogs", "scopeLogs", "logRecords"),
            "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
        }[signal]
        for resource in read.get(outer, ()):
            attributes = plain(resource.get("resource", {}))
            resource_id = json.dumps(attributes, sort_keys=True)
            service = str(attributes.get("service.name", ""))
            known = (
                self.database.cursor()
                .execute("SELECT 1 FROM resources WHERE resource_id = ?", [resource_id])
                .fetchall()
            )
            if not known:
                self._insert("resources", [resource_id, service, attributes, ""])
            for scope in resource.get(middle, ()):
                name = scope.get("scope", {}).get("name", "")
                version = scope.get("scope", {}).get("version", "")
                for item in scope.get(inner, ()):
                    getattr(self, f"_add_{signal}")(item, service, name, version, resource_id)

    def _add_traces(self, span: dict[str, Any], service: str, scope: str, version: str, resource_id: str) -> None:
        status, kind = span.get("status", {}), span.get("kind", 0)
        trace_id, span_id = span.get("traceId", ""), span.get("spanId", "")
        events, links = span.get("events", []), span.get("links", [])
        self._insert(
            "spans_kept",
            [
                trace_id, span_id, span.get("parentSpanId", ""), span.get("traceState", ""), span.get("name", ""),
                KINDS[kind] if kind < len(KINDS) else str(kind), int(span.get("startTimeUnixNano", 0)),
                int(span.get("endTimeUnixNano", 0)), ("UNSET", "OK", "ERROR")[status.get("code", 0)],
                status.get("message", ""), service, plain(span), scope, version, resource_id, span.get("flags", 0),
                len(events), len(links),
            ],
        )  # fmt: skip
        for event in events:
            row = [trace_id, span_id, event.get("name", ""), int(event.get("timeUnixNano", 0)), plain(event)]
            self._insert("span_events", row)
        for link in links:
            row = [trace_id, span_id, link.get("traceId", ""), link.get("spanId", ""), plain(link)]
            self._insert("span_links", row)

    def _add_logs(self, record: dict[str, Any], service: str, scope: str, version: str, resource_id: str) -> None:
        del version
        body = value_of(record.get("body"))
        self._insert(
            "logs",
            [
                int(record.get("timeUnixNano", 0)), int(record.get("observedTimeUnixNano", 0)),
                record.get("severityNumber", 0), record.get("severityText", ""),
                body if isinstance(body, str) else json.dumps(body), not isinstance(body, str),
                record.get("eventName", ""),
                record.get("traceId", ""), record.get("spanId", ""), service, plain(record), scope, resource_id,
            ],
        )  # fmt: skip

    def _add_metrics(self, metric: dict[str, Any], service: str, scope: str, version: str, resource_id: str) -> None:
        del version
        for kind, row in points_of(metric):
            name, about = metric["name"], (metric.get("description", ""), metric.get("unit", ""))
            self._insert("metric_points", [name, *about, kind, *row, service, resource_id, scope])

    def _insert(self, table: str, row: list[Any]) -> None:
        kind = "MAP(VARCHAR, VARCHAR)" if table in {"resources", "span_events", "span_links"} else "VARIANT"
        values = ", ".join(f"?::JSON::{kind}" if isinstance(one, dict) else "?" for one in row)
        given = [json.dumps(one) if isinstance(one, dict) else one for one in row]
        self.database.cursor().execute(f"INSERT INTO {table} VALUES ({values})", given)  # noqa: S608 - ours


def points_of(metric: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for kind, field in (("gauge", "gauge"), ("sum", "sum"), ("histogram", "histogram")):
        data = metric.get(field)
        if data is None:
            continue
        for point in data.get("dataPoints", ()):
            number = point.get("asDouble", point.get("asInt"))
            exemplars = [
                {
                    "time_unix_nano": int(one.get("timeUnixNano", 0)),
                    "value_double": one.get("asDouble"),
                    "value_int": None if "asInt" not in one else int(one["asInt"]),
                    "trace_id": one.get("traceId", ""),
                    "span_id": one.get("spanId", ""),
                }
                for one in point.get("exemplars", ())
            ]
            yield (
                kind,
                [
                    int(point.get("timeUnixNano", 0)), int(point.get("startTimeUnixNano", 0)),
                    None if number is None else float(number), int(point.get("count", 0)), point.get("sum"),
                    point.get("min"), point.get("max"), [int(one) for one in point.get("bucketCounts", ())],
                    point.get("explicitBounds", []), data.get("isMonotonic"),
                    ("", "delta", "cumulative")[data.get("aggregationTemporality", 0)], exemplars, plain(point),
                ],
            )  # fmt: skip


def plain(owner: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: value_of(one.get("value")) for one in owner.get("attributes", ())}


def value_of(value: dict[str, Any] | None) -> Any:  # noqa: ANN401
    field, content = next(iter((value or {"": None}).items()))
    match field:
        case "intValue":
            return int(content)
        case "arrayValue":
            return [value_of(one) for one in content.get("values", ())]
        case "kvlistValue":
            return {one["key"]: value_of(one.get("value")) for one in content.get("values", ())}
    return content
