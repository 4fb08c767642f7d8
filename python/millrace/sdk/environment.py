"""Reads environment variables by the rules of the specification: empty is unset, and what cannot be read is said."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

__all__ = [
    "UNSET",
    "boolean",
    "choice",
    "first_set",
    "given_or_integer",
    "integer",
    "limit",
    "names",
    "nearest",
    "number",
    "pairs",
    "read_together",
    "remark",
    "text",
    "warn",
]

_log = logging.getLogger(__name__)

_SHOWN_MAX = 60


def text(name: str) -> str | None:
    """Return the value of a variable, or `None` when it is not set, empty or only blanks (E9)."""
    return os.environ.get(name, "").strip() or None


def first_set(*variables: str) -> tuple[str, str] | None:
    """Return the name and value of the first of `variables` that is set: signal before general (E4)."""
    for name in variables:
        value = text(name)
        if value is not None:
            return name, value
    return None


def boolean(name: str, *, default: bool = False) -> bool:
    """Return whether a variable is `true`, in any case; anything else that is not `false` is said (E9)."""
    value = text(name)
    if value is None:
        return default
    if value.lower() not in {"true", "false"}:
        warn(name, f"expected true or false, got {_shown(value)}; it counts as false")
    return value.lower() == "true"


def number(name: str, *, minimum: float = 0.0, maximum: float = float("inf")) -> float | None:
    """Return a number, or `None` when the variable is unset or, which is said, not such a number (E9)."""
    value = text(name)
    if value is None:
        return None
    try:
        parsed = float(value)
    except ValueError:
        parsed = float("nan")
    if minimum <= parsed <= maximum:
        return parsed
    bounds = f"of at least {minimum:g}" if maximum == float("inf") else f"from {minimum:g} to {maximum:g}"
    warn(name, f"expected a number {bounds}, got {_shown(value)}; the default is used")
    return None


def integer(name: str, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int | None:
    """Return a whole number, or `None` when the variable is unset or, which is said, no such number (E9)."""
    value = text(name)
    if value is None:
        return None
    digits = value.removeprefix("+")
    if digits.isascii() and digits.isdigit() and minimum <= int(digits[:20]) <= maximum:
        return int(digits)
    warn(name, f"expected a whole number from {minimum} to {maximum}, got {_shown(value)}; the default is used")
    return None


def given_or_integer(given: float | None, name: str, default: int) -> float:
    """Return what code has given, else the whole number of the variable, else `default` (E4)."""
    if given is not None:
        return given
    found = integer(name)
    return default if found is None else found


UNSET = -1
"""Given in code, this is no limit."""


def limit(argument: str, given: int | None, name: str, default: int | None) -> int | None:
    """Return a limit, `None` for none: what code has given, else the whole number of the variable, else `default`.

    Raises:
        ValueError: What was given is negative.
    """
    if given == UNSET:
        return None
    if given is None:
        found = integer(name)
        return default if found is None else found
    if given < 0:
        raise ValueError(f"{argument} is a number from 0, or UNSET for no limit, got {given}")
    return given


def choice(name: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` that the variable holds in any case, or `None`; an unknown word is said (E9)."""
    value = text(name)
    if value is None or value.lower() in (known := tuple(words)):
        return value and value.lower()
    warn(name, f"expected one of {', '.join(known)}, got {_shown(value)}{nearest(value, known)}; the default is used")
    return None


def names(name: str) -> list[str]:
    """Return a comma-separated list without blanks and without the second of two equal ones."""
    return list(dict.fromkeys(part.strip() for part in (text(name) or "").split(",") if part.strip()))


def pairs(name: str) -> Mapping[str, str]:
    """Return `key=value,key=value` with percent-decoded values; what has no key or no `=` is said and left out."""
    value = text(name)
    if value is None:
        return {}
    from urllib.parse import unquote  # noqa: PLC0415 - 2 ms for those who set such a variable

    found: dict[str, str] = {}
    for part in value.split(","):
        key, equals, value = part.partition("=")
        if equals and key.strip():
            found[unquote(key.strip())] = unquote(value.strip())
        elif part.strip():
            warn(name, 'a part of it is not "key=value" and is left out')
    return found


class _Reading:
    """How faults are treated while everything is read together: one thread of a process does that at a time."""

    said: set[str] | None = None
    is_strict = False


@contextmanager
def read_together(*, strict: bool) -> Iterator[None]:
    """Within the block a fault is said once, however many signals come upon it, or raised as a `SettingsError`."""
    _Reading.said, _Reading.is_strict = set(), strict
    try:
        yield
    finally:
        _Reading.said, _Reading.is_strict = None, False


def warn(name: str, message: str) -> None:
    """Say what is wrong with a setting, which `read_together` may raise instead."""
    if _Reading.is_strict:
        from millrace.errors import SettingsError  # noqa: PLC0415 - classes that a good start does without

        raise SettingsError(f"{name}: {message}") from None
    remark(name, message)


def remark(name: str, message: str) -> None:
    """Say how a setting was understood."""
    said = f"{name}: {message}"
    if _Reading.said is None or said not in _Reading.said:
        _log.warning("%s", said)
    if _Reading.said is not None:
        _Reading.said.add(said)


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the question for the one of `words` that was probably meant, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for those who have misspelled one

    found = get_close_matches(word.lower(), list(words), n=1, cutoff=0.75)
    return f" (did you mean {found[0]}?)" if found else ""


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}...")
