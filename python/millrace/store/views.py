"""What SQL sees: a view for each kind of thing, over the files of one moment."""

from collections.abc import Mapping, Sequence

from millrace.store.catalogue import Signal

__all__ = ["COLUMNS", "VIEWS", "literal", "source"]

_TIME = "make_timestamp_ns(CAST(least({0}, 9223372036854775806) AS BIGINT))"
"""The greatest that there is, in 2262, for all times beyond: one more would mean infinity, which cannot be read."""

_SHARED = {
    "resource_id": "VARCHAR",
    "service_name": "VARCHAR",
    "scope_id": "VARCHAR",
    "scope_name": "VARCHAR",
    "scope_version": "VARCHAR",
    "resource": "BLOB",
    "resource_attributes": "MAP(VARCHAR, VARCHAR)",
    "resource_schema_url": "VARCHAR",
    "scope": "BLOB",
}
_ATTRIBUTES = {"attributes": "VARIANT", "attributes_otlp": "BLOB"}
_NESTED = "attributes MAP(VARCHAR, VARCHAR), attribute_types VARCHAR, otlp BLOB"
_EVENT = f"offset_ns BIGINT, name VARCHAR, dropped_attributes_count UINTEGER, {_NESTED}"
_LINK = (
    "trace_id VARCHAR, span_id VARCHAR, trace_state VARCHAR, flags UINTEGER, "
    f"dropped_attributes_count UINTEGER, {_NESTED}"
)
_EXEMPLAR = (
    f"time_unix_nano UBIGINT, value_double DOUBLE, value_int BIGINT, trace_id VARCHAR, span_id VARCHAR, {_NESTED}"
)

COLUMNS: Mapping[Signal, Mapping[str, str]] = {
    "traces": {
        **_SHARED,
        "trace_id": "VARCHAR",
        "span_id": "VARCHAR",
        "parent_span_id": "VARCHAR",
        "trace_state": "VARCHAR",
        "name": "VARCHAR",
        "kind": "INTEGER",
        "start_time_unix_nano": "UBIGINT",
        "duration_ns": "UBIGINT",
        "early_end_time_unix_nano": "UBIGINT",
        "status_code": "INTEGER",
        "status_message": "VARCHAR",
        "flags": "UINTEGER",
        "dropped_attributes_count": "UINTEGER",
        "dropped_events_count": "UINTEGER",
        "dropped_links_count": "UINTEGER",
        **_ATTRIBUTES,
        "events": f"STRUCT({_EVENT})[]",
        "links": f"STRUCT({_LINK})[]",
        "otlp": "BLOB",
    },
    "logs": {
        **_SHARED,
        "time_unix_nano": "UBIGINT",
        "observed_time_unix_nano": "UBIGINT",
        "severity_number": "INTEGER",
        "severity_text": "VARCHAR",
        "body": "VARCHAR",
        "body_otlp": "BLOB",
        "event_name": "VARCHAR",
        "trace_id": "VARCHAR",
        "span_id": "VARCHAR",
        "flags": "UINTEGER",
        "dropped_attributes_count": "UINTEGER",
        **_ATTRIBUTES,
        "otlp": "BLOB",
    },
    "metrics": {
        **_SHARED,
        "metric_id": "VARCHAR",
        "name": "VARCHAR",
        "description": "VARCHAR",
        "unit": "VARCHAR",
        "type": "VARCHAR",
        "aggregation_temporality": "INTEGER",
        "is_monotonic": "BOOLEAN",
        "metric": "BLOB",
        "series": "UBIGINT",
        "time_unix_nano": "UBIGINT",
        "start_time_unix_nano": "UBIGINT",
        "value_double": "DOUBLE",
        "value_int": "BIGINT",
        "flags": "UINTEGER",
        "count": "UBIGINT",
        "sum": "DOUBLE",
        "min": "DOUBLE",
        "max": "DOUBLE",
        "bucket_counts": "UBIGINT[]",
        "explicit_bounds": "DOUBLE[]",
        "scale": "INTEGER",
        "zero_count": "UBIGINT",
        "zero_threshold": "DOUBLE",
        "positive_offset": "INTEGER",
        "positive_bucket_counts": "UBIGINT[]",
        "negative_offset": "INTEGER",
        "negative_bucket_counts": "UBIGINT[]",
        "quantile_values": "STRUCT(quantile DOUBLE, value DOUBLE)[]",
        **_ATTRIBUTES,
        "exemplars": f"STRUCT({_EXEMPLAR})[]",
        "otlp": "BLOB",
    },
    "profiles": {
        "time_unix_nano": "UBIGINT",
        "last_time_unix_nano": "UBIGINT",
        "profiles": "STRUCT(profile_id VARCHAR, service_name VARCHAR, time_unix_nano UBIGINT, duration_ns UBIGINT)[]",
        "payload_bytes": "UBIGINT",
        "payload": "BLOB",
    },
}
"""The columns of the files, with their types in DuckDB."""

_KIND = (
    "CASE kind WHEN 0 THEN 'UNSPECIFIED' WHEN 1 THEN 'INTERNAL' WHEN 2 THEN 'SERVER' WHEN 3 THEN 'CLIENT' "
    "WHEN 4 THEN 'PRODUCER' WHEN 5 THEN 'CONSUMER' ELSE CAST(kind AS VARCHAR) END"
)
_STATUS = (
    "CASE coalesce(status_code, 0) WHEN 0 THEN 'UNSET' WHEN 1 THEN 'OK' WHEN 2 THEN 'ERROR' "
    "ELSE CAST(status_code AS VARCHAR) END"
)
_TEMPORALITY = (
    "CASE aggregation_temporality WHEN 0 THEN 'UNSPECIFIED' WHEN 1 THEN 'DELTA' WHEN 2 THEN 'CUMULATIVE' "
    "ELSE CAST(aggregation_temporality AS VARCHAR) END"
)

VIEWS: Mapping[str, tuple[tuple[Signal, ...], str]] = {
    "spans": (
        ("traces",),
        f"""SELECT trace_id, span_id, parent_span_id, coalesce(trace_state, '') AS trace_state, name, {_KIND} AS kind,
        start_time_unix_nano, duration_ns,
        coalesce(early_end_time_unix_nano, start_time_unix_nano + duration_ns) AS end_time_unix_nano,
        {_TIME.format("start_time_unix_nano")} AS start_time, {_STATUS} AS status_code,
        coalesce(status_message, '') AS status_message, service_name, attributes, scope_name, scope_version,
        resource_id,
        coalesce(flags, 0) AS flags, coalesce(dropped_attributes_count, 0) AS dropped_attributes_count,
        coalesce(dropped_events_count, 0) AS dropped_events_count,
        coalesce(dropped_links_count, 0) AS dropped_links_count,
        coalesce(len(events), 0) AS event_count, coalesce(len(links), 0) AS link_count
        FROM {{traces}}""",
    ),
    "span_events": (
        ("traces",),
        """SELECT trace_id, span_id, service_name, event.name AS name,
        CAST((CAST(start_time_unix_nano AS HUGEINT) + event.offset_ns + 18446744073709551616) % 18446744073709551616
        AS UBIGINT) AS time_unix_nano, event.attributes AS attributes
        FROM (SELECT trace_id, span_id, service_name, start_time_unix_nano, unnest(events) AS event FROM {traces})""",
    ),
    "span_links": (
        ("traces",),
        """SELECT trace_id, span_id, link.trace_id AS linked_trace_id, link.span_id AS linked_span_id,
        coalesce(link.trace_state, '') AS trace_state, link.attributes AS attributes
        FROM (SELECT trace_id, span_id, unnest(links) AS link FROM {traces})""",
    ),
    "logs": (
        ("logs",),
        f"""SELECT time_unix_nano, observed_time_unix_nano,
        {_TIME.format("CASE time_unix_nano WHEN 0 THEN observed_time_unix_nano ELSE time_unix_nano END")} AS time,
        severity_number, coalesce(severity_text, '') AS severity_text, body, body_otlp IS NOT NULL AS is_body_json,
        coalesce(event_name, '') AS event_name, coalesce(trace_id, '') AS trace_id, coalesce(span_id, '') AS span_id,
        service_name, attributes, scope_name, scope_version, resource_id, coalesce(flags, 0) AS flags
        FROM {{logs}}""",
    ),
    "metric_points": (
        ("metrics",),
        f"""SELECT name, description, unit, type, time_unix_nano, start_time_unix_nano,
        {_TIME.format("time_unix_nano")} AS time, coalesce(value_double, CAST(value_int AS DOUBLE)) AS value, value_int,
        count, sum, min, max, bucket_counts, explicit_bounds, scale, zero_count, zero_threshold, positive_offset,
        positive_bucket_counts, negative_offset, negative_bucket_counts, quantile_values, is_monotonic,
        {_TEMPORALITY} AS temporality, exemplars, attributes, series, metric_id, service_name, scope_name, resource_id,
        coalesce(flags, 0) AS flags FROM {{metrics}}""",
    ),
    "profiles": (
        ("profiles",),
        f"""SELECT profile.profile_id AS profile_id, profile.service_name AS service_name,
        profile.time_unix_nano AS time_unix_nano, {_TIME.format("profile.time_unix_nano")} AS time,
        profile.duration_ns AS duration_ns, payload_bytes, payload
        FROM (SELECT unnest(profiles) AS profile, payload_bytes, payload FROM {{profiles}})""",
    ),
    "resources": (
        ("traces", "logs", "metrics"),
        """SELECT resource_id, any_value(service_name) AS service_name, any_value(resource_attributes) AS attributes,
        any_value(resource_schema_url) AS schema_url FROM (
        SELECT resource_id, service_name, resource_attributes, resource_schema_url FROM {traces}
        WHERE resource IS NOT NULL UNION ALL
        SELECT resource_id, service_name, resource_attributes, resource_schema_url FROM {logs}
        WHERE resource IS NOT NULL UNION ALL
        SELECT resource_id, service_name, resource_attributes, resource_schema_url FROM {metrics}
        WHERE resource IS NOT NULL) GROUP BY resource_id""",
    ),
}
"""Each view: the signals it is made from, and its query, which has a place for the files of each."""


def source(signal: Signal, paths: Sequence[str]) -> str:
    """Return what stands after FROM for these files: a table without rows where there are none."""
    if paths:
        listed = ", ".join(literal(path) for path in paths)
        return f"read_parquet([{listed}])"
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in COLUMNS[signal].items())
    return f"(SELECT {columns} WHERE false)"


def literal(text: str) -> str:
    """Return `text` as a literal of SQL: paths, and keys of a Variant, whose column DuckDB finds when it plans."""
    return "'" + text.replace("'", "''") + "'"
