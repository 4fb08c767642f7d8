"""The instrumentation scope: who produced telemetry (`opentelemetry.sdk.util.instrumentation` upstream)."""

from functools import total_ordering
from typing import TYPE_CHECKING

from opentelemetry.attributes import BoundedAttributes

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes

__all__ = ["InstrumentationScope"]


@total_ordering
class InstrumentationScope:
    """A library, or a part of the application, by name. Scopes with the same content are equal, and have an order."""

    __slots__ = ("_attributes", "_key", "_name", "_schema_url", "_version")

    def __init__(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: "Attributes" = None,
    ) -> None:
        self._name = name
        self._version = version
        self._schema_url = schema_url or ""
        self._attributes = BoundedAttributes(attributes=attributes)
        content = tuple(sorted((key, type(value).__name__, str(value)) for key, value in self._attributes.items()))
        self._key = (name, version or "", self._schema_url, content)

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def version(self) -> str | None:
        """The version, if it is known."""
        return self._version

    @property
    def schema_url(self) -> str:
        """The URL of the schema that its telemetry follows, or an empty text."""
        return self._schema_url

    @property
    def attributes(self) -> "Attributes":
        """The attributes, which cannot be set."""
        return self._attributes

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text."""
        from json import dumps  # noqa: PLC0415 - for people who look

        return dumps(
            {
                "name": self._name,
                "version": self._version,
                "schema_url": self._schema_url,
                "attributes": dict(self._attributes) if self._attributes else None,
            },
            indent=indent,
        )

    def __repr__(self) -> str:
        return f"InstrumentationScope({self._name}, {self._version}, {self._schema_url}, {dict(self._attributes)})"

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, InstrumentationScope) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._key < other._key if isinstance(other, InstrumentationScope) else NotImplemented
