"""Reads TraceQL: span sets, joined by logic and structure, and the stages count, avg, min, max, sum, select.

What is not read is refused with a sentence that names it: arithmetic, groups, and metrics functions.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from millrace.api.durations import parse_duration_ns
from millrace.api.endpoint import Fault

__all__ = [
    "Aggregate",
    "Both",
    "Compare",
    "Either",
    "Field",
    "Not",
    "Query",
    "Related",
    "SpanSet",
    "SpanSets",
    "Value",
    "parse",
]

DEPTH_MAX = 32
CONDITIONS_MAX = 64

Value: TypeAlias = str | float | int | bool | None


@dataclass(frozen=True)
class Field:
    """An attribute of a scope, or an intrinsic field, whose scope is `intrinsic`."""

    scope: str
    name: str


@dataclass(frozen=True)
class Compare:
    """A field compared with a value."""

    field: Field
    operator: str
    value: Value


@dataclass(frozen=True)
class Not:
    """What must not hold."""

    one: "Condition"


@dataclass(frozen=True)
class Both:
    """What must hold together: conditions of one span, or span sets of one trace."""

    left: "Condition | SpanSets"
    right: "Condition | SpanSets"


@dataclass(frozen=True)
class Either:
    """Of what one must hold."""

    left: "Condition | SpanSets"
    right: "Condition | SpanSets"


@dataclass(frozen=True)
class SpanSet:
    """The spans of a trace that fulfil a condition; all of them without one."""

    condition: "Condition | None"


@dataclass(frozen=True)
class Related:
    """The spans of the right span set that stand in a relation to one of the left: `>` is the child of one."""

    left: "SpanSets"
    operator: str
    """One of `>`, `>>`, `<`, `<<`, `~`; after `!` those that do not, after `&` those of both sides that do."""
    right: "SpanSets"


@dataclass(frozen=True)
class Aggregate:
    """A number over the spans that were found in a trace, compared with another."""

    function: str
    field: Field | None
    operator: str
    value: float


Condition: TypeAlias = Compare | Not | Both | Either
SpanSets: TypeAlias = SpanSet | Both | Either | Related


@dataclass(frozen=True)
class Query:
    """A whole query."""

    span_sets: SpanSets
    aggregates: tuple[Aggregate, ...]
    selected: tuple[Field, ...]


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)
  | (?P<duration>(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+)(?![\w.])
  | (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])
  | (?P<field>(?:span|resource|event|link|instrumentation)?\."(?:[^"\\]|\\.)*"
        |\.?[A-Za-z_](?:[\w.\-/]|:(?=\w))*)
  | (?P<sign>&&|\|\||[&!]?(?:>>|<<)|&[<>~]|!=|=~|!~|>=|<=|![<>]|[{}()|,=<>!~+*/%^-])
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=", "!=", "=~", "!~", ">", ">=", "<", "<="}
RELATIONS = {f"{prefix}{sign}" for prefix in ("", "!", "&") for sign in (">", ">>", "<", "<<", "~")}
_AGGREGATES = {"count", "avg", "min", "max", "sum"}
_WORDS: dict[str, Value] = {"true": True, "false": False, "nil": None}
_SCOPES = {"span", "resource", "event", "link", "instrumentation"}
_INTRINSICS = {
    "name": "name",
    "status": "status",
    "statusMessage": "statusMessage",
    "kind": "kind",
    "duration": "duration",
    "nestedSetParent": "nestedSetParent",
    "rootName": "rootName",
    "rootServiceName": "rootServiceName",
    "traceDuration": "traceDuration",
    "span:name": "name",
    "span:status": "status",
    "span:statusMessage": "statusMessage",
    "span:kind": "kind",
    "span:duration": "duration",
    "span:id": "spanID",
    "span:parentID": "parentID",
    "trace:id": "traceID",
    "trace:duration": "traceDuration",
    "trace:rootName": "rootName",
    "trace:rootService": "rootServiceName",
    "event:name": "eventName",
    "link:traceID": "linkTraceID",
    "link:spanID": "linkSpanID",
    "instrumentation:name": "scopeName",
    "instrumentation:version": "scopeVersion",
}


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        Fault: It is not TraceQL, or a part of it that is not supported.
    """
    return _Parser(text).query()


def field_of(text: str) -> Field:
    """Read the name of a field, as it stands in a query or in the path of its values."""
    if text in _INTRINSICS:
        return Field("intrinsic", _INTRINSICS[text])
    scope, dot, name = text.partition(".")
    if dot and scope in {"", *_SCOPES}:
        return Field(scope, _unquoted(name) if name.startswith('"') else name)
    raise Fault(f"TraceQL: {text[:80]!r} is no field here; attributes are written .name, span.name or resource.name")


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text[1:-1])


class _Parser:
    """Descends through the tokens of one query."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        self._conditions = 0
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise Fault(
                    f"TraceQL: cannot read what follows character {position}: {text[position : position + 20]!r}"
                )
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind]))
            position = match.end()

    def query(self) -> Query:
        """Read all of it."""
        span_sets = self._span_sets()
        aggregates: list[Aggregate] = []
        selected: list[Field] = []
        while self._take("|"):
            name = self._next("a stage such as count()")[1]
            if name == "select":
                selected += self._fields()
            elif name in _AGGREGATES:
                aggregates.append(self._aggregate(name))
            else:
                raise Fault(f"TraceQL: the stage {name[:40]}() is not supported; count, avg, min, max, sum, select are")
        if self._at < len(self._tokens):
            raise Fault(f"TraceQL: {self._tokens[self._at][1][:40]!r} is not supported after a span set")
        return Query(span_sets, tuple(aggregates), tuple(selected))

    def _span_sets(self) -> SpanSets:
        """Read span sets. As in Tempo, `&&` and `||` bind alike, from the left, and structure binds tighter."""
        left = self._related()
        while True:
            if self._take("&&"):
                left = Both(left, self._related())
            elif self._take("||"):
                left = Either(left, self._related())
            else:
                return left

    def _related(self) -> SpanSets:
        left = self._span_set()
        while self._at < len(self._tokens) and self._tokens[self._at][1] in RELATIONS:
            operator = self._next("an operator")[1]
            left = Related(left, operator, self._span_set())
        return left

    def _span_set(self) -> SpanSets:
        if self._take("("):
            self._enter()
            inner = self._span_sets()
            self._expect(")")
            self._depth -= 1
            return inner
        self._expect("{")
        self._count()
        if self._take("}"):
            return SpanSet(None)
        condition = self._either()
        self._expect("}")
        return SpanSet(condition)

    def _either(self) -> Condition:
        left = self._both()
        while self._take("||"):
            left = Either(left, self._both())
        return left

    def _both(self) -> Condition:
        left = self._one()
        while self._take("&&"):
            left = Both(left, self._one())
        return left

    def _one(self) -> Condition:
        self._enter()
        try:
            if self._take("!"):
                return Not(self._one())
            if self._take("("):
                inner = self._either()
                self._expect(")")
                return inner
            return self._compare()
        finally:
            self._depth -= 1

    def _compare(self) -> Condition:
        self._count()
        kind, text = self._next("a condition")
        if kind == "field" and text in {"true", "false"}:
            return Compare(Field("intrinsic", "always"), "=", text == "true")
        if kind != "field":
            raise Fault(f"TraceQL: a condition begins with a field, got {text[:40]!r}")
        field = field_of(text)
        operator = self._tokens[self._at][1] if self._at < len(self._tokens) else ""
        if operator not in _COMPARISONS:
            return Compare(field, "=", value=True)
        self._at += 1
        return Compare(field, operator, self._value())

    def _value(self) -> Value:
        kind, text = self._next("a value")
        match kind:
            case "text":
                return _unquoted(text)
            case "duration":
                return parse_duration_ns(text, "a duration")
            case "number":
                return float(text) if "." in text else int(text)
            case "field" if text in _WORDS:
                return _WORDS[text]
            case "field" if "." not in text and ":" not in text:
                return text  # a keyword: error, ok, unset, server ...
        raise Fault(f"TraceQL: a field is compared with a value, got {text[:40]!r}")

    def _aggregate(self, function: str) -> Aggregate:
        fields = self._fields()
        if (function == "count") == bool(fields):
            raise Fault(f"TraceQL: {function}() takes {'nothing' if function == 'count' else 'one field'}")
        operator = self._next("a comparison")[1]
        value = self._value()
        if operator not in _COMPARISONS - {"=~", "!~"} or isinstance(value, str | bool) or value is None:
            raise Fault(f"TraceQL: {function}() is compared with a number or a duration")
        return Aggregate(function, fields[0] if fields else None, operator, value)

    def _fields(self) -> list[Field]:
        self._expect("(")
        fields: list[Field] = []
        while not self._take(")"):
            fields.append(field_of(self._next("a field")[1]))
            self._take(",")
        return fields

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > CONDITIONS_MAX:
            raise Fault(f"TraceQL: at most {CONDITIONS_MAX} conditions and span sets")

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise Fault(f"TraceQL: parentheses nest at most {DEPTH_MAX} deep")

    def _next(self, wanted: str) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise Fault(f"TraceQL: the query ends where {wanted} should follow")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, sign: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign)
        self._at += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            found = self._tokens[self._at][1][:40] if self._at < len(self._tokens) else "its end"
            raise Fault(f"TraceQL: expected {sign!r}, got {found!r}")
