"""Makes attributes that the native side can read of whatever was given, and never raises."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

_log = logging.getLogger("millrace.sdk.metrics")

# Common decoders refuse more than 100 messages in each other, of which a point in its request takes 9; what lies deeper
# is left empty, so that one attribute does not cost the whole request.
_MESSAGES_MAX = 88
_MESSAGES_OF_SEQUENCE, _MESSAGES_OF_MAPPING = 2, 3

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1

_said: set[str] = set()


def clean(attributes: object) -> dict[str, Any]:
    """Return a dict with keys of `str` and plain values; what cannot be made one is left out, and said once."""
    if not isinstance(attributes, Mapping):
        _say("mapping", "Expected a mapping as attributes, got %s; they are left out.", attributes)
        return {}
    try:
        return _mapping(attributes, _MESSAGES_MAX)
    except Exception:  # noqa: BLE001 - a mapping of the user's may raise anything
        _say("failed", "The attributes, a %s, could not be read; they are left out.", attributes)
        return {}


def _mapping(attributes: Mapping[Any, Any], messages: int) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for key in list(attributes):
        name = key if type(key) is str else _text(key)
        if not name:
            _say("key", "Expected text as the key of an attribute, got %s; the attribute is left out.", key)
            continue
        try:
            cleaned[name] = _value(attributes[key], messages)
        except Exception:  # noqa: BLE001 - as above
            _say("value", "The value of an attribute, a %s, could not be read; it is left out.", key)
    return cleaned


def _value(value: object, messages: int) -> Any:  # noqa: ANN401, PLR0911 - an AnyValue, one line for each form
    if value is None or type(value) in {bool, float}:
        return value
    if isinstance(value, str):
        return _valid(value)
    if isinstance(value, int):
        return int(value) if _INT_MIN <= value <= _INT_MAX else str(int(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, Mapping):
        left = messages - _MESSAGES_OF_MAPPING
        return _mapping(value, left) if left > 0 else None
    if isinstance(value, Sequence):
        left = messages - _MESSAGES_OF_SEQUENCE
        return tuple(_value(item, left) for item in value) if left > 0 else None
    _say("type", "Expected a plain value as an attribute, got %s; its text is used.", value)
    return _text(value)


def _text(value: object) -> str | None:
    """Return the text that an object says it is, unless it says nothing of its own."""
    if isinstance(value, str):
        return _valid(value)
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return None
    try:
        return _valid(str(value))
    except Exception:  # noqa: BLE001 - a method of the user's may raise anything
        return None


def _valid(text: str) -> str:
    """Return exactly a `str`, with a question mark for each half of a surrogate pair: UTF-8 has none."""
    exact = str.__str__(text)
    if exact.isascii():
        return exact
    return exact.encode("utf-8", "replace").decode("utf-8")


def _say(kind: str, sentence: str, given: object) -> None:
    if kind not in _said:
        _said.add(kind)
        _log.warning("%s This is said once.", sentence % type(given).__name__)
