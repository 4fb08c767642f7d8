"""Metric families as text: Prometheus's own format, and OpenMetrics, which has exemplars."""

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate

from millrace.sdk.metrics.prometheus.families import COUNTER, HISTOGRAM, Exemplar, Families, Family, Labels, Value

__all__ = ["CLASSIC", "OPEN_METRICS", "content_type", "render"]

CLASSIC = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def content_type(accept: str) -> str:
    """Return the format that an `Accept` header asks for: OpenMetrics where it is liked no less than plain text."""
    liked = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name in liked:
            liked[name] = max(liked[name], _quality(parameters))
    wanted, plain = liked.values()
    return OPEN_METRICS if wanted > 0 and wanted >= plain else CLASSIC


def _quality(parameters: Iterable[str]) -> float:
    text = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    try:
        return float(text)
    except ValueError:
        return 0.0


def render(families: Families, format_: str) -> str:
    """Return all families in one of the two formats."""
    is_open = format_ == OPEN_METRICS
    lines: list[str] = []
    if families.resource:
        name = "target" if is_open else "target_info"
        lines += [f"# HELP {name} Target metadata", f"# TYPE {name} {'info' if is_open else 'gauge'}"]
        lines.append(f"target_info{_braces(families.resource.items())} 1")
    for family in families.by_name.values():
        lines += _family(family, is_open=is_open)
    if is_open:
        lines.append("# EOF")
    return "\n".join([*lines, ""])


def _family(family: Family, *, is_open: bool) -> Iterator[str]:
    name = f"{family.name}_total" if family.kind == COUNTER and not is_open else family.name
    kind = family.kind if family.kind in {COUNTER, HISTOGRAM} else "gauge"
    yield f"# HELP {name} {_escaped(family.documentation, quotes=is_open)}"
    yield f"# TYPE {name} {kind}"
    if is_open and family.unit:
        yield f"# UNIT {name} {family.unit}"
    for labels, value in family.series.items():
        if kind == HISTOGRAM:
            yield from _histogram(family.name, labels, value, is_open=is_open)
        elif kind == COUNTER:
            exemplar = _shown(value.exemplars[0]) if is_open and value.exemplars else ""
            yield f"{family.name}_total{_braces(labels)} {_number(value.number)}{exemplar}"
        else:
            yield f"{family.name}{_braces(labels)} {_number(value.number)}"


def _histogram(name: str, labels: Labels, value: Value, *, is_open: bool) -> Iterator[str]:
    totals = list(accumulate(value.counts))
    exemplars = value.exemplars if is_open and value.exemplars else [None] * len(totals)
    for bound, total, exemplar in zip((*value.bounds, math.inf), totals, exemplars, strict=True):
        yield f"{name}_bucket{_braces((*labels, ('le', _number(float(bound)))))} {total}{_shown(exemplar)}"
    # A sum of what may be negative can go down, which a `_sum` must not; and OpenMetrics has both of them, or neither.
    has_sum = value.number >= 0 and (not value.bounds or value.bounds[0] >= 0)
    if has_sum or not is_open:
        yield f"{name}_count{_braces(labels)} {totals[-1]}"
    if has_sum:
        yield f"{name}_sum{_braces(labels)} {_number(value.number)}"


def _shown(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    labels = _braces(exemplar.labels.items()) or "{}"
    return f" # {labels} {_number(exemplar.value)} {exemplar.time_s:.6f}"


def _braces(labels: Iterable[tuple[str, str]]) -> str:
    inside = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels)
    return f"{{{inside}}}" if inside else ""


def _number(value: float) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _escaped(text: str, *, quotes: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
