"""Conditions of TraceQL as SQL over the views of a store."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from millrace.api.endpoint import Fault
from millrace.api.filters import attribute_text
from millrace.api.tempo.traceql import Both, Compare, Either, Field, Not, Query, SpanSet, SpanSets, Value

__all__ = ["Sql", "any_of", "condition_of", "fields_of", "number_of", "span_sets_of"]


class Sql(NamedTuple):
    """A piece of SQL with the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()


_KEYWORDS = {"status": "status_code", "kind": "kind"}
_COLUMNS = {
    "name": "name",
    "statusMessage": "status_message",
    "duration": "duration_ns",
    "spanID": "span_id",
    "parentID": "parent_span_id",
    "traceID": "trace_id",
    "scopeName": "scope_name",
    "scopeVersion": "scope_version",
}
_OF_ROOT = {"rootName": "name", "rootServiceName": "service_name"}
_ELSEWHERE = {
    "eventName": ("span_events", "name"),
    "linkTraceID": ("span_links", "linked_trace_id"),
    "linkSpanID": ("span_links", "linked_span_id"),
}
_TABLES = {"event": "span_events", "link": "span_links"}
_TRACE_DURATION = "max(start_time_unix_nano + duration_ns::HUGEINT) - min(start_time_unix_nano)::HUGEINT"


def condition_of(span_set: SpanSet) -> Sql:
    """Return the condition that the spans of a span set fulfil."""
    return _condition(span_set.condition)


def any_of(span_sets: Iterable[SpanSet]) -> Sql:
    """Return the condition that a span fulfils which is in any of them."""
    parts = [condition_of(one) for one in span_sets]
    return Sql(" OR ".join(f"({part.text})" for part in parts), tuple(value for part in parts for value in part.values))


def number_of(field: Field) -> str:
    """Return the number that a field of a span is."""
    if field == Field("intrinsic", "duration"):
        return "duration_ns::DOUBLE"
    if field.scope not in {"", "span"}:
        raise Fault(f"TraceQL: cannot aggregate {field.scope}.{field.name}; attributes of spans and duration can be")
    return f"TRY_CAST({attribute_text(field.name)} AS DOUBLE)"


def fields_of(query: Query) -> list[Field]:
    """Return every field that the query names, once: what its answer shows of each span."""
    found = dict.fromkeys(query.selected)

    def visit(condition: Any) -> None:  # noqa: ANN401 - any node
        match condition:
            case Compare(field=field):
                found.setdefault(field)
            case Not(one=one):
                visit(one)
            case Both(left=left, right=right) | Either(left=left, right=right):
                visit(left)
                visit(right)

    for span_set in span_sets_of(query.span_sets):
        visit(span_set.condition)
    return list(found)


def span_sets_of(node: SpanSets) -> Iterator[SpanSet]:
    """Yield every span set."""
    if isinstance(node, SpanSet):
        yield node
    else:
        yield from span_sets_of(node.left)  # type: ignore[arg-type] # what joins span sets has span sets
        yield from span_sets_of(node.right)  # type: ignore[arg-type]


def _joined(left: Sql, node: Any, right: Sql) -> Sql:  # noqa: ANN401 - any node
    word = "AND" if isinstance(node, Both) else "OR"
    return Sql(f"({left.text} {word} {right.text})", left.values + right.values)


def _condition(condition: Any) -> Sql:  # noqa: ANN401 - any node
    match condition:
        case None:
            return Sql("true")
        case Compare():
            return _compare(condition)
        case Not(one=one):
            inner = _condition(one)
            return Sql(f"NOT coalesce({inner.text}, false)", inner.values)
    return _joined(_condition(condition.left), condition, _condition(condition.right))


def _compare(condition: Compare) -> Sql:
    field, operator, value = condition.field, condition.operator, condition.value
    match field.scope:
        case "intrinsic":
            return _intrinsic(field.name, operator, value)
        case "span":
            return _text(attribute_text(field.name), operator, value)
        case "" | "resource" if field.name == "service.name":
            return _text("nullif(service_name, '')", operator, value)
        case "resource":
            return _on_resource(field.name, operator, value)
        case "event" | "link":
            inner = _text(attribute_text(field.name), operator, value)
            return _elsewhere(_TABLES[field.scope], inner)
        case "":
            return _anywhere(field.name, operator, value)
    raise Fault(f"TraceQL: attributes of {field.scope} are not supported")


def _on_resource(name: str, operator: str, value: Value) -> Sql:
    inner = _text(attribute_text(name), operator, value)
    return Sql(f"resource_id IN (SELECT resource_id FROM resources WHERE {inner.text})", inner.values)


def _anywhere(name: str, operator: str, value: Value) -> Sql:
    """An attribute without a scope: that of the span, or where it has none, that of its resource."""
    own, whose = _text(attribute_text(name), operator, value), _on_resource(name, operator, value)
    if value is None and operator == "=":
        return Sql(f"({own.text} AND {whose.text})", own.values + whose.values)
    is_absent = f"{attribute_text(name)} IS NULL"
    return Sql(f"({own.text} OR ({is_absent} AND {whose.text}))", own.values + whose.values)


def _elsewhere(table: str, inner: Sql) -> Sql:
    return Sql(f"(trace_id, span_id) IN (SELECT (trace_id, span_id) FROM {table} WHERE {inner.text})", inner.values)


def _intrinsic(name: str, operator: str, value: Value) -> Sql:
    if name in _KEYWORDS:
        return _text(_KEYWORDS[name], operator, value.upper() if isinstance(value, str) else value)
    if name in _OF_ROOT:
        inner = _text(_OF_ROOT[name], operator, value)
        return Sql(f"trace_id IN (SELECT trace_id FROM spans WHERE parent_span_id = '' AND {inner.text})", inner.values)
    if name in _ELSEWHERE:
        table, column = _ELSEWHERE[name]
        return _elsewhere(table, _text(column, operator, value))
    if name in {"duration", "traceDuration"}:
        return _duration(name, operator, value)
    if name == "nestedSetParent":  # a number of Tempo's that is below 0 for roots
        is_root = operator in {"<", "<=", "="} and isinstance(value, int) and value <= 0
        return Sql(f"parent_span_id {'=' if is_root else '<>'} ''")
    return _text(_COLUMNS.get(name, "'true'"), operator, value)  # the literals are compared as fields are


def _duration(name: str, operator: str, value: Value) -> Sql:
    if isinstance(value, str | bool) or value is None or operator in {"=~", "!~"}:
        raise Fault(f"TraceQL: {name} is compared with a duration such as 100ms")
    if name == "duration":
        return Sql(f"duration_ns {operator} ?", (value,))
    of_trace = f"SELECT trace_id FROM spans GROUP BY trace_id HAVING {_TRACE_DURATION} {operator} ?"
    return Sql(f"trace_id IN ({of_trace})", (value,))


def _text(column: str, operator: str, value: Value) -> Sql:
    """Compare a column of text; what is absent fulfils no comparison but that with nil."""
    sign = "<>" if operator == "!=" else operator
    if value is None:
        if operator not in {"=", "!="}:
            raise Fault("TraceQL: nil is compared by = and != only")
        return Sql(f"{column} IS {'NOT ' if operator == '!=' else ''}NULL")
    if operator in {"=~", "!~"}:
        if not isinstance(value, str):
            raise Fault("TraceQL: =~ and !~ take a pattern in quotes")
        return Sql(f"{'NOT ' if operator == '!~' else ''}regexp_full_match({column}, ?)", (value,))
    if isinstance(value, bool):
        return Sql(f"{column} {sign} ?", (str(value).lower(),))
    return Sql(f"{column if isinstance(value, str) else f'TRY_CAST({column} AS DOUBLE)'} {sign} ?", (value,))
