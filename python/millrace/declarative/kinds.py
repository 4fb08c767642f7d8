"""Kinds of values that declarative configuration has and a gateway's configuration has not."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from millrace.gateway.config.kinds import Kind, Schema, Unsupported, describe
from millrace.gateway.config.problems import Place, Problems, nearest
from millrace.gateway.config.tree import Node, Scalar, Section

__all__ = ["Absent", "Attributes", "Chosen", "FileFormat", "Named", "OneOf"]

_FORMATS = re.compile(r"1\.[01](-rc\.[0-9]+)?")
_ARRAY = "_array"
_TYPES: Mapping[str, type | tuple[type, ...]] = {"string": str, "bool": bool, "int": int, "double": (int, float)}


class Absent(Unsupported):
    """A node of the format that millrace does not have: refused, because leaving it out would change what happens."""

    def read(self, node: Node, problems: Problems) -> None:
        """Refuse it, even when it is empty: `drop:` means something."""
        problems.error(node.place, "millrace does not have this", self.reason)


class FileFormat(Kind):
    """The version of the format."""

    expected = 'the version of the format, "1.0"'

    def read(self, node: Node, problems: Problems) -> str | None:
        """Accept 1.0 and 1.1, of which nothing here differs."""
        if isinstance(node, Scalar) and _FORMATS.fullmatch(node.text):
            return node.text
        self.reject(node, problems)
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "string"}


class Chosen(NamedTuple):
    """The one component that was chosen."""

    name: str
    values: Any
    place: Place


class OneOf(Kind):
    """A mapping with exactly one key, which says what it is: `{batch: ...}`, `{always_on: }`."""

    def __init__(self, what: str, **kinds: Kind) -> None:
        self.what = what
        self.kinds = kinds
        self.expected = f"{what}: a mapping with one of {', '.join(self._offered())}"

    def _offered(self) -> list[str]:
        return [name for name, kind in self.kinds.items() if not isinstance(kind, Absent)]

    def read(self, node: Node, problems: Problems) -> Chosen | None:
        """Return the choice; an unknown one is an error with the likeliest name."""
        if not isinstance(node, Section) or len(node.entries) != 1:
            self.reject(node, problems)
            return None
        ((key, below),) = node.entries
        kind = self.kinds.get(key.text.removesuffix("/development"))
        if kind is None:
            hint = nearest(key.text, self._offered())
            problems.error(key.place, f"millrace has no {self.what} of this name", hint)
            return None
        return Chosen(key.text, kind.read(below, problems), key.place)

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "object", "minProperties": 1, "maxProperties": 1}


class Named(Kind):
    """A list of `{name: ..., value: ...}`."""

    expected = "a list of {name: ..., value: ...}"

    def read(self, node: Node, problems: Problems) -> dict[str, Any] | None:
        """Return the values by name."""
        found: dict[str, Any] = {}
        items = getattr(node, "items", None)
        if not isinstance(items, tuple):
            self.reject(node, problems)
            return None
        for item in items:
            name = item.get("name") if isinstance(item, Section) else None
            value = item.get("value") if isinstance(item, Section) else None
            if not isinstance(name, Scalar) or value is None or not self.complete(item, problems):
                problems.error(item.place, f"expected {{name: ..., value: ...}}, got {describe(item)}")
                continue
            found[name.text] = self.value(item, value, problems)
        return found

    def complete(self, item: Section, problems: Problems) -> bool:  # noqa: ARG002 - an overriding kind reports
        """Tell whether the item has no other keys."""
        return set(item.names()) <= {"name", "value"}

    def value(self, item: Section, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - text here, more below
        """Return one value as text."""
        del item
        if isinstance(node, Scalar):
            return node.text
        problems.error(node.place, f"expected text, got {describe(node)}")
        return None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "array"}


class Attributes(Named):
    """A list of attributes, each with its type, which is `string` unless said."""

    def complete(self, item: Section, problems: Problems) -> bool:  # noqa: ARG002 - its parent's shape
        """Tell whether the item has no other keys."""
        return set(item.names()) <= {"name", "value", "type"}

    def value(self, item: Section, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - what an attribute may be
        """Return one value, of the type that is said."""
        kind = item.get("type")
        word = kind.text if isinstance(kind, Scalar) and kind.text else "string"
        scalar = word.removesuffix(_ARRAY)
        if scalar not in _TYPES:
            hint = nearest(word, [*_TYPES, *(f"{name}{_ARRAY}" for name in _TYPES)])
            problems.error(kind.place if kind else node.place, "expected the type of an attribute", hint)
            return None
        if word != scalar:
            items = getattr(node, "items", None)
            if isinstance(items, tuple):
                return [_of_type(scalar, one, problems) for one in items]
            problems.error(node.place, f"expected a list, as the type is {word}, got {describe(node)}")
            return None
        return _of_type(scalar, node, problems)


def _of_type(word: str, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - what an attribute may be
    value = node.value if isinstance(node, Scalar) else None
    if word == "string" and isinstance(node, Scalar) and value is not None:
        return node.text
    if isinstance(value, _TYPES[word]) and (word == "bool" or not isinstance(value, bool)):
        return float(str(value)) if word == "double" else value
    problems.error(node.place, f"expected a value of the type {word}, got {describe(node)}")
    return None
