"""YAML or JSON text to a tree: syntax, duplicate keys, anchors and merge keys, each fault with its line."""

import re
from typing import TypeAlias

import yaml

from millrace.gateway.config.problems import Place, Problems
from millrace.gateway.config.tree import DEPTH_MAX, Node, Scalar, ScalarValue, Section, Series

__all__ = ["node_from_text", "scalar_value"]

NODES_MAX = 100_000
"""Most nodes of one configuration, aliases counted each time: stops a few lines that unfold to millions."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|[0-9]+)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_MERGE = "<<"
_STANDARD_TAG = "tag:yaml.org,2002:"

_YamlNode: TypeAlias = yaml.Node


def node_from_text(text: str, problems: Problems, *, json: bool = False) -> Node | None:
    """Parse `text`; return `None` when its syntax is so broken that no tree exists (the problem says where)."""
    if json:
        # JSON allows tabs between tokens and nowhere else, YAML nowhere: one space each keeps every column.
        text = text.replace("\t", " ")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        _report_syntax(error, text, problems)
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.error(Place("", line), f"the character U+{error.character:04X} is not allowed in a configuration")
        return None
    except RecursionError:
        problems.error(Place(), f"more than {DEPTH_MAX} levels of nesting")
        return None
    if root is None:
        return Section(Place("", 1, 1), ())
    return _Reader(problems).node(root, Place("", root.start_mark.line + 1, root.start_mark.column + 1), 0)


def scalar_value(text: str) -> ScalarValue:
    """Return what unquoted text means in YAML 1.2: a number, a boolean, nothing, or the text itself."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        digits = text.lstrip("+-")
        base = {"0x": 16, "0o": 8}.get(digits[:2], 10)
        return int(digits[2:] if base != 10 else digits, base) * (-1 if text[0] == "-" else 1)  # noqa: PLR2004
    return float(text) if _FLOAT.fullmatch(text) else text


class _Reader:
    """Turns the nodes of the YAML library into ours."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.count = 0
        self.open: list[_YamlNode] = []

    def node(self, node: _YamlNode, place: Place, depth: int) -> Node:
        place = place._replace(line=node.start_mark.line + 1, column=node.start_mark.column + 1)
        self.count += 1
        if any(node is outer for outer in self.open):
            self.problems.error(place, "an anchor that contains itself has no end")
            return Scalar(place, None, "")
        if depth > DEPTH_MAX or self.count > NODES_MAX:
            if self.count <= NODES_MAX + 1:
                limit = f"{DEPTH_MAX} levels of nesting" if depth > DEPTH_MAX else f"{NODES_MAX} values"
                self.problems.error(place, f"more than {limit}", "look for anchors that multiply each other")
            return Scalar(place, None, "")
        if not node.tag.startswith(_STANDARD_TAG):
            self.problems.error(place, f'the tag "{node.tag}" has no meaning in a configuration', "remove it")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        self.open.append(node)
        result: Node
        if isinstance(node, yaml.MappingNode):
            result = self._section(node, place, depth)
        else:
            items = (self.node(item, place.below(f"[{at}]"), depth + 1) for at, item in enumerate(node.value))
            result = Series(place, tuple(items))
        self.open.pop()
        return result

    @staticmethod
    def _scalar(node: yaml.ScalarNode, place: Place) -> Scalar:
        # JSON writes a character beyond U+FFFF as two escapes, which the YAML library leaves apart.
        text = _SURROGATES.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), node.value)
        mark = node.start_mark
        tagged = mark.buffer is not None and mark.buffer[mark.pointer] == "!"  # `!!str 5` is text
        plain = node.style is None and not (tagged and node.tag == f"{_STANDARD_TAG}str")
        return Scalar(place, scalar_value(text) if plain else text, text)

    def _section(self, node: yaml.MappingNode, place: Place, depth: int) -> Section:
        own: list[tuple[Scalar, Node]] = []
        merged: list[tuple[Scalar, Node]] = []
        seen: dict[str, int] = {}
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.error(place._replace(line=line, column=column), "expected a name before the colon")
                continue
            here = place.below(key.value)._replace(line=line, column=column)
            if key.value == _MERGE and key.style is None:
                merged += self._merged(value, place, depth)
                continue
            if key.value in seen:
                message = f'"{key.value}" is set twice; the first is on line {seen[key.value]}'
                self.problems.error(here, message, "keep one of the two")
            seen.setdefault(key.value, line)
            own.append((Scalar(here, key.value, key.value), self.node(value, here, depth + 1)))
        inherited: dict[str, tuple[Scalar, Node]] = {}
        for entry in merged:
            if entry[0].text not in seen:
                inherited.setdefault(entry[0].text, entry)
        return Section(place, (*inherited.values(), *own))

    def _merged(self, node: _YamlNode, place: Place, depth: int) -> list[tuple[Scalar, Node]]:
        """Return the entries that `<<: *anchor` brings; of several sources the first wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        entries: list[tuple[Scalar, Node]] = []
        for source in sources:
            section = self.node(source, place, depth + 1)
            if isinstance(section, Section):
                entries += section.entries
            else:
                self.problems.error(section.place, '"<<" takes a mapping, such as an anchor: <<: *defaults')
        return entries


def _report_syntax(error: yaml.MarkedYAMLError, text: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    place = Place("", mark.line + 1, mark.column + 1) if mark else Place()
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if mark and "\t" in line[: mark.column + 1]:
        column = line.index("\t") + 1
        message = "a tab where YAML allows only spaces"
        problems.error(place._replace(column=column), message, "indent with spaces")
        return
    what = error.problem or "the text does not parse"
    context = f"{error.context}: " if error.context else ""
    hint = None
    if "mapping values are not allowed" in what:
        hint = "put quotes around a value that contains a colon and a space, and check the indentation"
    elif "expected a single document" in (error.context or ""):
        hint = 'one file holds one configuration: remove the line "---" between the two'
    problems.error(place, f"not valid YAML: {context}{what}", hint)
