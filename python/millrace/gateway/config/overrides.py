"""`--set a.b=c`: single settings that win over the configuration file, as the Collector's flag does."""

from collections.abc import Iterable

from millrace.gateway.config.expansion import node_from_value
from millrace.gateway.config.problems import Place, Problems
from millrace.gateway.config.tree import Node, Scalar, Section

__all__ = ["FLAG", "override"]

FLAG = "--set"


def override(root: Section, assignments: Iterable[str], problems: Problems) -> Section:
    """Return the tree with each `path=value` set in it; mappings are joined, everything else is replaced.

    The names of a path are parted by dots, or by `::` where a name itself holds a dot. The value is YAML.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        names = path.strip().split("::" if "::" in path else ".")
        if not equals or not all(names):
            place = Place("", source=FLAG)
            problems.error(place, "expected path=value", f"for example: {FLAG} exporters.otlp.timeout=2s")
            continue
        root = _set(root, names, text, Place(source=FLAG), problems)
    return root


def _set(section: Section, names: list[str], text: str, place: Place, problems: Problems) -> Section:
    name, *rest = names
    place = place.below(name)
    old = section.get(name)
    if not rest:
        new = _joined(old, node_from_value(text, place))
    elif old is None or isinstance(old, Section) or (isinstance(old, Scalar) and old.value is None):
        inner = old if isinstance(old, Section) else Section(place, ())
        new = _set(inner, rest, text, place, problems)
    else:
        problems.error(place.below(rest[0]), f'"{name}" is not a mapping in the file', "check the path")
        return section
    key = Scalar(place, name, name)
    if old is None:
        return section._replace(entries=(*section.entries, (key, new)))
    return section._replace(entries=tuple((k, new if k.text == name else node) for k, node in section.entries))


def _joined(old: Node | None, new: Node) -> Node:
    """Return both mappings as one, what is new winning; what is no mapping replaces what was there."""
    if not (isinstance(old, Section) and isinstance(new, Section)):
        return new
    kept = tuple((key, _joined(node, new.get(key.text) or node)) for key, node in old.entries)
    return old._replace(entries=(*kept, *(entry for entry in new.entries if old.get(entry[0].text) is None)))
