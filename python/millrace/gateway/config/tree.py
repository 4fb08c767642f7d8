"""A configuration as a tree whose every node knows the line it was written on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from millrace.gateway.config.problems import Place, Problems

__all__ = ["Node", "Scalar", "Section", "Series", "node_from_python"]

DEPTH_MAX = 64
"""Deepest nesting read from a mapping; a configuration needs about ten levels, and no input may exhaust the stack."""

ScalarValue: TypeAlias = str | int | float | bool | None


class Scalar(NamedTuple):
    """One value."""

    place: Place
    value: ScalarValue
    text: str
    """The value as it was written, before it was taken for a number or a boolean."""
    substituted: bool = False
    """It came from a variable or a file: where text is expected, `text` counts and not the type it looks like."""


class Series(NamedTuple):
    """A list of nodes."""

    place: Place
    items: "tuple[Node, ...]"


class Section(NamedTuple):
    """A mapping, in the order of the file."""

    place: Place
    entries: "tuple[tuple[Scalar, Node], ...]"

    def get(self, name: str) -> "Node | None":
        """Return the node under `name`, or `None`."""
        return next((node for key, node in self.entries if key.text == name), None)

    def names(self) -> Iterator[str]:
        """Return the keys."""
        return (key.text for key, _ in self.entries)


Node: TypeAlias = Scalar | Series | Section


def node_from_python(value: object, problems: Problems) -> Node:
    """Build the tree of a configuration that was given as Python objects: places then have no lines."""
    return _node(value, problems, Place(), 0)


def _node(value: object, problems: Problems, place: Place, depth: int) -> Node:
    if depth > DEPTH_MAX:
        problems.error(place, f"more than {DEPTH_MAX} levels of nesting")
    elif value is None or isinstance(value, str | int | float):
        return Scalar(place, value, "" if value is None else str(value))
    elif isinstance(value, Mapping):
        return Section(place, tuple(_entry(key, below, problems, place, depth) for key, below in value.items()))
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        items = (_node(item, problems, place.below(f"[{index}]"), depth + 1) for index, item in enumerate(value))
        return Series(place, tuple(items))
    else:
        what = type(value).__name__
        problems.error(place, f"expected a mapping, a list, text, a number, a boolean or None, got {what}")
    return Scalar(place, None, "")


def _entry(key: object, value: object, problems: Problems, place: Place, depth: int) -> tuple[Scalar, Node]:
    if not isinstance(key, str):
        problems.error(place, f"expected text as the name of a setting, got {type(key).__name__}")
    name = str(key)
    below = place.below(name)
    return Scalar(below, name, name), _node(value, problems, below, depth + 1)
