"""Which spans of a trace a query of TraceQL selects, by logic, structure and numbers, when it is known what each is.

The meaning of the operators is that of Tempo's documentation: what stands in a relation is always the right side's.
"""

import operator
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from millrace.api.tempo.traceql import Aggregate, Both, Either, Query, Related, SpanSet, SpanSets

__all__ = ["Span", "needed", "needs_structure", "select"]

_INVERSE = {">": "<", "<": ">", ">>": "<<", "<<": ">>", "~": "~"}
_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Span(NamedTuple):
    """A span of a trace: of which span sets it is, in the query's order, and the numbers that are aggregated."""

    span_id: str
    parent_span_id: str
    matches: Sequence[bool | None]
    numbers: Sequence[float | None]


def needs_structure(node: SpanSets) -> bool:
    """Tell whether spans are needed that match nothing: what relates others goes through them."""
    match node:
        case SpanSet():
            return False
        case Related():
            return True
    return needs_structure(node.left) or needs_structure(node.right)  # type: ignore[arg-type] # span sets


def needed(node: SpanSets) -> list[SpanSet]:
    """Return span sets of which one must have a span for a trace to be found: the most telling that there are."""
    match node:
        case SpanSet():
            return [node]
        case Either(left=left, right=right):
            return [*needed(left), *needed(right)]  # type: ignore[arg-type] # span sets
    on_the_right = needed(node.right)  # type: ignore[arg-type] # span sets
    is_free = any(one.condition is None for one in on_the_right)
    if is_free and not (isinstance(node, Related) and node.operator.startswith("!")):
        return needed(node.left)  # type: ignore[arg-type] # span sets
    return on_the_right


def select(query: Query, span_sets: Mapping[SpanSet, int], spans: Sequence[Span]) -> list[int]:
    """Return the spans of a trace that a query selects, none where the trace is not found.

    Args:
        query: The query.
        span_sets: The place of each span set in `Span.matches`.
        spans: The trace.
    """
    chosen = sorted(_Trace(spans, span_sets).evaluate(query.span_sets))
    for at, aggregate in enumerate(query.aggregates):
        numbers = [spans[one].numbers[at] for one in chosen]
        if not _holds(aggregate, [number for number in numbers if number is not None]):
            return []
    return chosen


def _holds(aggregate: Aggregate, numbers: Sequence[float]) -> bool:
    if not numbers:
        return aggregate.function == "count" and bool(_COMPARE[aggregate.operator](0, aggregate.value))
    found = {
        "count": float(len(numbers)),
        "sum": sum(numbers),
        "avg": sum(numbers) / len(numbers),
        "min": min(numbers),
        "max": max(numbers),
    }
    return bool(_COMPARE[aggregate.operator](found[aggregate.function], aggregate.value))


class _Trace:
    """A trace as a tree; a cycle or an id that occurs twice does no harm."""

    def __init__(self, spans: Sequence[Span], span_sets: Mapping[SpanSet, int]) -> None:
        self._spans, self._span_sets = spans, span_sets
        rows = {span.span_id: row for row, span in reversed(list(enumerate(spans)))}
        self._parents = [rows.get(span.parent_span_id, -1) if span.parent_span_id else -1 for span in spans]

    def evaluate(self, node: SpanSets) -> AbstractSet[int]:
        """Return the spans of a span set, or of what joins them."""
        if isinstance(node, SpanSet):
            place = self._span_sets[node]
            return {row for row, span in enumerate(self._spans) if span.matches[place]}
        left, right = self.evaluate(node.left), self.evaluate(node.right)  # type: ignore[arg-type] # span sets
        match node:
            case Both():
                return left | right if left and right else set()
            case Either():
                return left | right
        relation = node.operator.lstrip("!&")
        related = self._related(relation, left, right)
        if node.operator.startswith("!"):
            return right - related
        if node.operator.startswith("&"):
            return related | self._related(_INVERSE[relation], right, left)
        return related

    def _related(self, relation: str, left: AbstractSet[int], right: AbstractSet[int]) -> AbstractSet[int]:
        """Return the spans of the right side in relation to one of the left."""
        match relation:
            case ">":
                return {row for row in right if self._parents[row] in left}
            case "<":
                return right & {self._parents[row] for row in left}
            case "<<":
                return right & self._above(left)
            case ">>":
                return self._below(left, right)
        children: dict[str, list[int]] = {}
        for row in left:
            children.setdefault(self._spans[row].parent_span_id, []).append(row)
        siblings = {row: children.get(self._spans[row].parent_span_id, []) for row in right}
        return {
            row for row, others in siblings.items() if self._spans[row].parent_span_id and any(o != row for o in others)
        }

    def _above(self, rows: AbstractSet[int]) -> AbstractSet[int]:
        """Return the ancestors of some spans."""
        found: set[int] = set()
        for row in rows:
            at = self._parents[row]
            while at >= 0 and at not in found:
                found.add(at)
                at = self._parents[at]
        return found

    def _below(self, left: AbstractSet[int], right: AbstractSet[int]) -> AbstractSet[int]:
        """Return those on the right that have an ancestor on the left, each span on the way looked at once."""
        known: dict[int, bool] = {}
        for row in right:
            way: list[int] = []
            at = row
            while at >= 0 and at not in known:
                known[at] = False  # until it is known: a cycle ends here
                way.append(at)
                at = self._parents[at]
            is_below = at >= 0 and known[at]
            for one in reversed(way):
                is_below = is_below or self._parents[one] in left
                known[one] = is_below
        return {row for row in right if known[row]}
