"""An endpoint as data: its path, its parameters with their bounds, the shape of its answer, and who answers.

Requests are read by it, and the OpenAPI document is written from it, so the two cannot differ.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from starlette.requests import Request

from millrace.api.queries import Queries

__all__ = [
    "CURSOR",
    "END",
    "LIMIT",
    "LIMIT_MAX",
    "START",
    "Call",
    "Endpoint",
    "Fault",
    "Parameter",
    "attribute",
    "choice",
    "count",
    "cursor",
    "flag",
    "nanoseconds",
    "text",
]

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
"""Rows of one answer: what a page shows at once, and little enough to be made and read in a moment."""
TEXT_CHARACTERS_MAX = 4_096
"""Longest value of a parameter; longer ones only cost the query's memory."""
REPEATS_MAX = 32
"""How often one parameter may be given."""
NANOSECONDS_MAX = 2**64 - 1
_DIGITS = re.compile(r"[0-9]{1,20}")

Schema: TypeAlias = dict[str, Any]


class Fault(Exception):  # noqa: N818 - it is an answer, of which the client is told the status and a sentence
    """A request that cannot be answered: why, in a sentence, and the status of HTTP that says so."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query string or of a path."""

    name: str
    help: str
    schema: Schema
    read: Callable[[str, str], Any]
    default: Any = None
    required: bool = False
    repeated: bool = False
    in_path: bool = False

    def value_of(self, given: Sequence[str]) -> Any:  # noqa: ANN401 - whatever the parameter's reader returns
        """Read what was given.

        Raises:
            Fault: It was not given, too often, or is not what is expected.
        """
        given = [one for one in given if one]
        if not given:
            if self.required:
                raise Fault(f"the parameter {self.name} is missing: {self.help}")
            return () if self.repeated else self.default
        if len(given) > (REPEATS_MAX if self.repeated else 1):
            raise Fault(f"{self.name} may be given {REPEATS_MAX if self.repeated else 1} times, got {len(given)}")
        for one in given:
            if len(one) > TEXT_CHARACTERS_MAX or "\0" in one:
                raise Fault(f"{self.name} must have at most {TEXT_CHARACTERS_MAX} characters, and no NUL among them")
        values = tuple(self.read(self.name, one) for one in given)
        return values if self.repeated else values[0]


@dataclass(frozen=True)
class Call:
    """One request for an endpoint, its parameters read."""

    request: Request
    queries: Queries
    values: Mapping[str, Any]
    context: Mapping[str, Any]
    """What the application knows besides the store, such as the server's addresses."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - parameters have different types
        return self.values[name]


@dataclass(frozen=True)
class Endpoint:
    """One path and what is there."""

    path: str
    help: str
    answer: Callable[[Call], Awaitable[Any]]
    parameters: tuple[Parameter, ...] = ()
    shape: Schema = field(default_factory=dict)
    method: str = "GET"
    media_type: str = "application/json"
    lenient: bool = False
    """Whether unknown parameters are passed over: clients of other people's APIs send more than we know."""

    def read(self, request: Request) -> dict[str, Any]:
        """Return the values of all parameters.

        Raises:
            Fault: One of them is wrong, or unknown.
        """
        unknown = set(request.query_params) - {one.name for one in self.parameters} - {"token"}
        if unknown and not self.lenient:
            known = ", ".join(one.name for one in self.parameters if not one.in_path) or "none"
            raise Fault(f"unknown parameter {min(unknown)!r}; known here: {known}")
        return {
            one.name: one.value_of(
                [str(request.path_params[one.name])] if one.in_path else request.query_params.getlist(one.name)
            )
            for one in self.parameters
        }


def text(name: str, help: str, **settings: Any) -> Parameter:  # noqa: A002, ANN401 - passed on to Parameter
    """A text."""
    return Parameter(
        name, help, {"type": "string", "maxLength": TEXT_CHARACTERS_MAX}, lambda _, given: given, **settings
    )


def choice(name: str, help: str, values: Sequence[str], default: str | None = None) -> Parameter:  # noqa: A002
    """One of a few words."""

    def read(name: str, given: str) -> str:
        if given not in values:
            raise Fault(f"{name} must be one of {', '.join(values)}, got {given[:80]!r}")
        return given

    return Parameter(name, help, {"type": "string", "enum": list(values)}, read, default)


def count(name: str, help: str, default: int | None = None, low: int = 0, high: int = NANOSECONDS_MAX) -> Parameter:  # noqa: A002
    """A whole number between bounds."""

    def read(name: str, given: str) -> int:
        number = int(given) if _DIGITS.fullmatch(given) else -1
        if not low <= number <= high:
            raise Fault(f"{name} must be a whole number from {low} to {high}, got {given[:80]!r}")
        return number

    schema: Schema = {"type": "integer", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    return Parameter(name, help, schema, read, default)


def nanoseconds(name: str, help: str) -> Parameter:  # noqa: A002
    """A time, in nanoseconds since 1970."""
    return count(name, help)


def attribute(name: str, help: str) -> Parameter:  # noqa: A002
    """A condition `key=value`, which may be repeated; the value begins after the first sign that follows the key."""

    def read(name: str, given: str) -> tuple[str, str]:
        key, equals, value = given.partition("=")
        if not key or not equals:
            raise Fault(f"{name} must be key=value, such as http.route=/orders, got {given[:80]!r}")
        return key, value

    item: Schema = {"type": "string", "pattern": "^[^=]+=", "maxLength": TEXT_CHARACTERS_MAX}
    schema: Schema = {"type": "array", "items": item, "maxItems": REPEATS_MAX}
    return Parameter(name, help, schema, read, repeated=True)


def flag(name: str, help: str) -> Parameter:  # noqa: A002
    """A switch: true or false."""

    def read(name: str, given: str) -> bool:
        if given not in {"true", "false"}:
            raise Fault(f"{name} must be true or false, got {given[:80]!r}")
        return given == "true"

    return Parameter(name, help, {"type": "boolean", "default": False}, read, default=False)


START = nanoseconds("start", "only what began at or after this time, in nanoseconds since 1970")
END = nanoseconds("end", "only what began before this time, in nanoseconds since 1970")
LIMIT = count("limit", "at most so many items", LIMIT_DEFAULT, 1, LIMIT_MAX)


def cursor(form: str) -> Parameter:
    """Where the answer before ended, as a text of this form."""
    described = text("cursor", "the `next` of the answer before this one")
    return replace(described, schema={"type": "string", "pattern": f"^({form})?$"})


CURSOR = cursor("[0-9]{1,9}")
