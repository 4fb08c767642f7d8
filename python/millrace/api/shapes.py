"""Shapes of answers, as JSON Schema: the words that endpoints describe themselves with."""

from typing import Any, TypeAlias

__all__ = [
    "ANY", "ATTRIBUTES", "BOOLEAN", "COUNT", "MAP", "NUMBER", "TEXT", "TIME",
    "array", "maybe", "one_of", "page", "record",
]  # fmt: skip

Shape: TypeAlias = dict[str, Any]

TEXT: Shape = {"type": "string"}
COUNT: Shape = {"type": "integer", "minimum": 0}
NUMBER: Shape = {"type": "number"}
BOOLEAN: Shape = {"type": "boolean"}
ANY: Shape = {}
MAP: Shape = {"type": "object"}
TIME: Shape = {"type": "string", "pattern": "^[0-9]+$", "description": "nanoseconds since 1970, exact"}


def array(items: Shape) -> Shape:
    """Any number of something."""
    return {"type": "array", "items": items}


def record(fields: dict[str, Shape], optional: tuple[str, ...] = ()) -> Shape:
    """An object with these fields and no others."""
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


def page(fields: dict[str, Shape], more: dict[str, Shape] | None = None) -> Shape:
    """A page of a list, with more beside it."""
    return record({"items": array(record(fields)), "next": maybe(TEXT), **(more or {})})


def maybe(shape: Shape) -> Shape:
    """Something, or null."""
    return {"anyOf": [shape, {"type": "null"}]}


def one_of(*words: str) -> Shape:
    """One of a few words."""
    return {"type": "string", "enum": list(words)}


ATTRIBUTES: Shape = array(record({"key": TEXT, "type": TEXT, "value": ANY}))
