"""Prometheus's names for what OpenTelemetry measures (specification: compatibility/prometheus_and_openmetrics)."""

import json
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["label_name", "label_value", "labels", "metric_name", "unit_word"]

_NOT_IN_METRIC_NAME = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABEL_NAME = re.compile(r"[^a-zA-Z0-9]+")
_ANNOTATION = re.compile(r"\{[^}]*\}")

_UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "%": "percent",
    "1": "",
}
_PER = {"s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}


def metric_name(name: str, unit: str, kind: str) -> str:
    """Return the name of a metric family: with the unit at its end, and without the `_total` of a counter."""
    made = _NOT_IN_METRIC_NAME.sub("_", name)
    if made[:1].isdigit():
        made = f"_{made}"
    if kind == "counter":
        made = made.removesuffix("_total")
    return made if not unit or made.endswith(f"_{unit}") or made == unit else f"{made.rstrip('_')}_{unit}"


def unit_word(unit: str, kind: str) -> str:
    """Return a unit in words: `By` is `bytes`, `m/s` is `meters_per_second`, `{request}` is nothing."""
    unit = _ANNOTATION.sub("", unit)
    if unit == "1" and kind == "gauge":
        return "ratio"
    if unit in _UNITS:
        return _UNITS[unit]
    counted, slash, per = unit.partition("/")
    if not slash or not per.strip():
        return _words(counted)
    return "_".join(filter(None, (_UNITS.get(counted, _words(counted)), "per", _PER.get(per, _words(per)))))


def _words(unit: str) -> str:
    return _NOT_IN_METRIC_NAME.sub("_", unit).strip("_")


def labels(attributes: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return attributes as labels; values of keys that become the same are joined, in the order of these keys."""
    found: dict[str, str] = {}
    for key, value in sorted(attributes, key=lambda attribute: attribute[0]):
        name, text = label_name(key), label_value(value)
        found[name] = f"{found[name]};{text}" if name in found else text
    return found


def label_name(key: str) -> str:
    """Return the name of a label."""
    made = _NOT_IN_LABEL_NAME.sub("_", key)
    return f"_{made}" if made[:1].isdigit() or not made else made


def label_value(value: Any) -> str:  # noqa: ANN401 - an attribute's
    """Return the value of a label: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
