"""What a component is to the configuration: a kind, its settings, and how they become what the engine reads."""

from collections.abc import Callable
from typing import NamedTuple

from millrace.exporter import Resolved
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.settings import Group, Values

__all__ = ["Component", "Resolved"]


class Component(NamedTuple):
    """One kind of receiver, processor, exporter or extension."""

    kind: str
    doc: str
    settings: Group
    resolve: Callable[[Values, Problems], Resolved]
    aliases: tuple[str, ...] = ()
    """Other names that the Collector has for it."""
