"""An event of a span, as exporters written in Python see it."""

from time import time_ns
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AnyValue

__all__ = ["Event"]


class Event:
    """Something that happened during a span: a name, a time in nanoseconds since 1970, and attributes."""

    __slots__ = ("_attributes", "dropped_attributes", "name", "timestamp")

    def __init__(
        self,
        name: str,
        attributes: "Mapping[str, AnyValue] | None" = None,
        timestamp: int | None = None,
        dropped_attributes: int | None = None,
    ) -> None:
        self.name = name
        self.timestamp = time_ns() if timestamp is None else timestamp
        self._attributes: Mapping[str, AnyValue] = {} if attributes is None else attributes
        self.dropped_attributes: int = (
            getattr(attributes, "dropped", 0) if dropped_attributes is None else dropped_attributes
        )

    @property
    def attributes(self) -> "Mapping[str, AnyValue]":
        """The attributes; nobody changes them any more."""
        return MappingProxyType(self._attributes)

    def __repr__(self) -> str:
        return f"Event(name={self.name!r}, timestamp={self.timestamp}, attributes={dict(self._attributes)!r})"
