"""What one value may be: each kind reads a node, writes the value back, and describes itself as JSON Schema."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from millrace.gateway.config.problems import Problems, escaped, nearest
from millrace.gateway.config.tree import Node, Scalar, Section, Series

__all__ = [
    "Boolean",
    "Choice",
    "Duration",
    "Ignored",
    "Integer",
    "Kind",
    "ListOf",
    "MapOf",
    "Number",
    "Schema",
    "Secret",
    "Text",
    "Unsupported",
    "describe",
]

Schema: TypeAlias = dict[str, Any]

REFERENCE_PATTERN = r"\$\{.+\}"
"""JSON Schema of a value that is looked up when the gateway starts."""

_ECHO_MAX = 60
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_NANOSECONDS["h"] = 60 * _NANOSECONDS["m"]


class Kind(ABC):
    """One kind of value."""

    expected: str
    """Completes the sentence "expected ..."."""

    @abstractmethod
    def read(self, node: Node, problems: Problems) -> object:
        """Return the value of `node`, or report why it is none of this kind and return `None`."""

    def write(self, value: Any) -> object:  # noqa: ANN401 - each kind has its own type of value
        """Return `value` as a configuration spells it: the inverse of `read`."""
        return value

    @abstractmethod
    def schema(self) -> Schema:
        """Return the JSON Schema of what `read` accepts."""

    def reject(self, node: Node, problems: Problems, hint: str | None = None) -> None:
        """Report that `node` is not of this kind."""
        problems.error(node.place, f"expected {self.expected}, got {describe(node)}", hint)


class Boolean(Kind):
    """`true` or `false`."""

    expected = "true or false"

    def read(self, node: Node, problems: Problems) -> bool | None:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        word = node.text.lower() if isinstance(node, Scalar) else ""
        meant = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}.get(word)
        self.reject(node, problems, f"write {meant}, without quotes" if meant else None)
        return None

    def schema(self) -> Schema:
        return _or_reference({"type": "boolean"})


class Integer(Kind):
    """A whole number within bounds."""

    def __init__(self, minimum: int = 0, maximum: int = 2**31 - 1) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.expected = f"a whole number from {minimum} to {maximum}"

    def read(self, node: Node, problems: Problems) -> int | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and self.minimum <= value <= self.maximum:
            return value
        self.reject(node, problems, "remove the quotes" if _quoted_number(node) else None)
        return None

    def schema(self) -> Schema:
        return _or_reference({"type": "integer", "minimum": self.minimum, "maximum": self.maximum})


class Number(Kind):
    """A number within bounds."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.expected = f"a number from {minimum:g} to {maximum:g}"

    def read(self, node: Node, problems: Problems) -> float | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and self.minimum <= value <= self.maximum:
            return float(value)
        self.reject(node, problems, "remove the quotes" if _quoted_number(node) else None)
        return None

    def schema(self) -> Schema:
        return _or_reference({"type": "number", "minimum": self.minimum, "maximum": self.maximum})


class Duration(Kind):
    """A time as Go writes it, `1m30s`; its value is in whole milliseconds, rounded up so that none becomes zero."""

    def __init__(self, minimum_ms: int = 0) -> None:
        self.minimum_ms = minimum_ms
        self.expected = "a duration such as 200ms, 5s or 1m30s"

    def read(self, node: Node, problems: Problems) -> int | None:
        text = node.text if isinstance(node, Scalar) else "?"
        units = _DURATION.findall(text)
        if text == "0":
            nanoseconds = 0.0
        elif units and "".join(units) == text:
            nanoseconds = sum(_nanoseconds(unit) for unit in units)
        else:
            number = (
                isinstance(node, Scalar) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
            )
            self.reject(node, problems, f"add the unit: {text}s or {text}ms" if number else None)
            return None
        milliseconds = -int(-nanoseconds // 10**6)
        if milliseconds < self.minimum_ms:
            self.reject(node, problems, f"the shortest here is {self.write(self.minimum_ms)}")
            return None
        return milliseconds

    def write(self, value: int) -> str:
        minutes, milliseconds = divmod(value, 60_000)
        hours, minutes = divmod(minutes, 60)
        seconds, rest = divmod(milliseconds, 1_000)
        if value == 0:
            return "0s"
        short = f"{seconds}s" if seconds and not rest else f"{milliseconds}ms" if milliseconds else ""
        return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + short

    def schema(self) -> Schema:
        pattern = r"^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$"
        return {"anyOf": [{"type": "string", "pattern": f"{pattern}|{REFERENCE_PATTERN}"}, {"const": 0}]}


class Text(Kind):
    """Text. `check` returns what is wrong with it, or `None`."""

    def __init__(self, expected: str = "text", check: Callable[[str], str | None] | None = None) -> None:
        self.expected = expected
        self.check = check

    def read(self, node: Node, problems: Problems) -> str | None:
        if isinstance(node, Scalar) and (isinstance(node.value, str) or node.substituted):
            fault = self.check(node.text) if self.check else None
            if fault is None:
                return node.text
            problems.error(node.place, self.fault(fault, node))
            return None
        self.reject(node, problems, "put quotes around it" if isinstance(node, Scalar) else None)
        return None

    def fault(self, fault: str, node: Scalar) -> str:
        """Return the sentence about text that `check` refused."""
        return f"{fault}: got {describe(node)}"

    def schema(self) -> Schema:
        return {"type": "string"}


class Secret(Text):
    """Text that no message and no print-out shows."""

    REDACTED = "[REDACTED]"

    def fault(self, fault: str, node: Scalar) -> str:  # noqa: ARG002 - says less than its parent
        return fault

    def reject(self, node: Node, problems: Problems, hint: str | None = None) -> None:
        problems.error(node.place, f"expected {self.expected}", hint)

    def write(self, value: str) -> str:  # noqa: ARG002 - the point of this kind
        return self.REDACTED


class Choice(Kind):
    """One of a few words. `absent` are words that only the Collector knows, each with what to do instead."""

    def __init__(self, *words: str, absent: Mapping[str, str] | None = None) -> None:
        self.words = words
        self.absent = absent or {}
        self.expected = _either([f'"{word}"' for word in words if word])

    def read(self, node: Node, problems: Problems) -> str | None:
        text = node.text if isinstance(node, Scalar) else ""
        if isinstance(node, Scalar) and text in self.words:
            return text
        if text in self.absent:
            problems.error(node.place, f'millrace has no "{text}" here; it has {self.expected}', self.absent[text])
            return None
        self.reject(node, problems, nearest(text, filter(None, self.words)) if text else None)
        return None

    def schema(self) -> Schema:
        return _or_reference({"enum": list(self.words)})


class ListOf(Kind):
    """A list of values of one kind."""

    def __init__(self, kind: Kind, expected: str) -> None:
        self.kind = kind
        self.expected = expected

    def read(self, node: Node, problems: Problems) -> list[object] | None:
        if isinstance(node, Series):
            return [self.kind.read(item, problems) for item in node.items]
        hint = f"write [{node.text}]" if isinstance(node, Scalar) and node.text else None
        self.reject(node, problems, hint)
        return None

    def write(self, value: list[object]) -> object:
        return [self.kind.write(item) for item in value]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.kind.schema()}


class MapOf(Kind):
    """Names chosen by the user, each with a value of one kind; also as a list of `{name: ..., value: ...}`."""

    def __init__(self, kind: Kind, expected: str, check_name: Callable[[str], str | None] | None = None) -> None:
        self.kind = kind
        self.expected = expected
        self.check_name = check_name

    def read(self, node: Node, problems: Problems) -> dict[str, object] | None:
        pairs = self._pairs(node)
        if pairs is None:
            self.reject(node, problems, "write `name: value`, one a line, indented")
            return None
        values: dict[str, object] = {}
        for name, value in pairs:
            fault = self.check_name(name.text) if self.check_name else None
            if fault:
                problems.error(name.place, f"{fault}: got {describe(name)}")
            else:
                values[name.text] = self.kind.read(value, problems)
        return values

    @staticmethod
    def _pairs(node: Node) -> "list[tuple[Scalar, Node]] | None":
        if isinstance(node, Section):
            return list(node.entries)
        if not isinstance(node, Series):
            return None
        pairs = []
        for item in node.items:
            if not isinstance(item, Section) or set(item.names()) != {"name", "value"}:
                return None
            name, value = item.get("name"), item.get("value")
            if not isinstance(name, Scalar) or value is None:
                return None
            pairs.append((name, value))
        return pairs

    def write(self, value: dict[str, object]) -> object:
        return {name: self.kind.write(item) for name, item in value.items()}

    def schema(self) -> Schema:
        pair = {"name": {"type": "string"}, "value": self.kind.schema()}
        items = {"type": "object", "properties": pair, "required": ["name", "value"], "additionalProperties": False}
        map_schema = {"type": "object", "additionalProperties": self.kind.schema()}
        return {"anyOf": [map_schema, {"type": "array", "items": items}]}


class Ignored(Kind):
    """A setting of the Collector that changes nothing here: accepted, with a warning that says why."""

    expected = "any value"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def read(self, node: Node, problems: Problems) -> None:
        problems.warn(node.place, f"has no effect in millrace: {self.reason}")

    def schema(self) -> Schema:
        return {}


class Unsupported(Kind):
    """A setting of the Collector that would change what happens, and that millrace does not have: refused when used."""

    expected = "nothing"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def read(self, node: Node, problems: Problems) -> None:
        contents = node.value if isinstance(node, Scalar) else node.items if isinstance(node, Series) else node.entries
        if contents:
            problems.error(node.place, "the Collector has this setting, millrace does not", self.reason)

    def schema(self) -> Schema:
        return {"enum": [None, False, ""]}


def describe(node: Node) -> str:
    """Return what `node` is, for the end of the sentence "expected ..., got ..."."""
    match node:
        case Series():
            return "a list"
        case Section():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool() | int() | float()):
            return node.text if not isinstance(node.value, bool) else str(node.value).lower()
    shown = node.text if len(node.text) <= _ECHO_MAX else f"{node.text[:_ECHO_MAX]}..."
    return f'"{escaped(shown)}"'


def _or_reference(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "string", "pattern": REFERENCE_PATTERN}]}


def _quoted_number(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and node.text.strip().isdigit()


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _nanoseconds(unit: str) -> float:
    number = unit.rstrip("nuµμmsh")
    return float(number) * _NANOSECONDS[unit[len(number) :]]
