"""Settings with names, kinds, defaults and documentation, and the groups they form: the schema is data of these."""

from collections.abc import Callable
from typing import Any, NamedTuple

from millrace.gateway.config.kinds import Ignored, Kind, Schema, Unsupported
from millrace.gateway.config.problems import Place, Problems, nearest
from millrace.gateway.config.tree import Node, Scalar, Section

__all__ = ["Group", "Setting", "Values"]


class Setting(NamedTuple):
    """One key of a group."""

    name: str
    kind: Kind
    doc: str
    default: Any = None
    required: bool = False
    ours: bool = False
    """The Collector does not have it."""


class Values(dict[str, Any]):
    """The values of one group, defaults filled in; remembers where each was written."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}

    def at(self, name: str) -> Place:
        """Return the place of a setting, or where it would be."""
        return self.places.get(name) or self.place.below(name)

    def written(self, name: str) -> bool:
        """Tell whether the configuration sets `name` itself."""
        return name in self.places


class Group(Kind):
    """A mapping with known keys.

    `optional` is what an absent key means: nothing at all, instead of every default. `null` is what a key without a
    value means: `"defaults"` (as for `grpc:`) or `"absent"` (as for `tls:`). `check` sees the values together, once
    each of them is right by itself.
    """

    expected = "a mapping"

    def __init__(
        self,
        *settings: Setting,
        optional: bool = False,
        null: str = "defaults",
        check: Callable[[Values, Problems], None] | None = None,
    ) -> None:
        self.settings = {setting.name: setting for setting in settings}
        self.optional = optional
        self.null = null
        self.check = check

    def read(self, node: Node, problems: Problems) -> Values | None:
        if isinstance(node, Scalar) and node.value is None:
            return None if self.null == "absent" else self.defaults(node.place, problems)
        if not isinstance(node, Section):
            self.reject(node, problems, f"it takes: {', '.join(self._offered())}" if self.settings else None)
            return None
        values = Values(node.place)
        before = len(problems.errors)
        for key, below in node.entries:
            if key.text in self.settings:
                values.places[key.text] = key.place
                self._read_one(self.settings[key.text], below, values, problems)
            else:
                problems.error(key.place, "unknown setting", nearest(key.text, self._offered()))
        self._complete(values, problems)
        if self.check and len(problems.errors) == before:
            self.check(values, problems)
        return values

    def defaults(self, place: Place, problems: Problems) -> Values:
        """Return the values of a group that is not written down."""
        values = Values(place)
        before = len(problems.errors)
        self._complete(values, problems)
        if self.check and len(problems.errors) == before:
            self.check(values, problems)
        return values

    def _read_one(self, setting: Setting, node: Node, values: Values, problems: Problems) -> None:
        unset = isinstance(node, Scalar) and node.value is None and not node.text
        if isinstance(setting.kind, Group) or not unset:
            values[setting.name] = setting.kind.read(node, problems)
        # A key without a value keeps its default, as in the Collector.

    def _complete(self, values: Values, problems: Problems) -> None:
        for setting in self.settings.values():
            if setting.name in values:
                continue
            if setting.required:
                problems.error(values.at(setting.name), f"is missing: expected {setting.kind.expected}", setting.doc)
            if isinstance(setting.kind, Group) and not setting.kind.optional:
                values[setting.name] = setting.kind.defaults(values.place.below(setting.name), problems)
            else:
                values[setting.name] = setting.default

    def _offered(self) -> list[str]:
        return [name for name, setting in self.settings.items() if not isinstance(setting.kind, Ignored | Unsupported)]

    def write(self, value: Values) -> object:
        return {
            setting.name: setting.kind.write(value[setting.name])
            for setting in self.settings.values()
            if value.get(setting.name) is not None
        }

    def schema(self) -> Schema:
        properties = {}
        for setting in self.settings.values():
            schema = {**setting.kind.schema(), "description": setting.doc or _reason(setting.kind)}
            if setting.default is not None:
                schema["default"] = setting.kind.write(setting.default)
            properties[setting.name] = schema
        required = [setting.name for setting in self.settings.values() if setting.required]
        schema = {"type": ["object", "null"], "properties": properties, "additionalProperties": False}
        return schema | ({"required": required} if required else {})


def _reason(kind: Kind) -> str:
    match kind:
        case Ignored():
            return f"No effect in millrace: {kind.reason}."
        case Unsupported():
            return f"Not in millrace: {kind.reason}."
    return ""
