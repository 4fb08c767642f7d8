"""`${env:NAME}`, `${env:NAME:-default}`, `${file:path}` and `$$` in the values of a configuration."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from millrace.gateway.config.problems import Place, Problems
from millrace.gateway.config.tree import Node, Scalar, Section, Series

__all__ = ["expand", "node_from_value"]

FILE_BYTES_MAX = 1 << 20
"""Largest file that `${file:...}` reads: a token or a certificate, not a data set."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
_REFERENCE_DEPTH_MAX = 8


def expand(node: Node, problems: Problems, environment: Mapping[str, str] | None = None) -> Node:
    """Return the tree with every reference replaced by what it stands for.

    A value that is one reference and nothing else takes the type that its text looks like, as if it had been written
    there (`${env:PORT}` may be a number, or even a list). Inside other text it stays text. What a variable contains is
    not expanded again: a password may hold `$`.
    """
    return _Expander(problems, os.environ if environment is None else environment).node(node)


def node_from_value(text: str, place: Place) -> Node:
    """Read the text of a reference or a flag as if it were written in the file, every part of it at `place`."""
    from millrace.gateway.config.text import node_from_text  # noqa: PLC0415 - imports the YAML library

    inner = Problems()
    node = node_from_text(text, inner)
    if inner.errors or node is None:
        return Scalar(place, text, text, substituted=True)
    if isinstance(node, Scalar):
        # Quotes inside a variable make text of a number; any other scalar keeps the variable's own spelling.
        quoted = text.lstrip().startswith(("'", '"'))
        return Scalar(place, node.value, node.text if quoted else text, substituted=True)
    if isinstance(node, Section) and not node.entries and not text.lstrip().startswith("{"):
        return Scalar(place, None, text, substituted=True)  # nothing, or what YAML takes for a comment
    return _moved(node, place)


class _Expander:
    def __init__(self, problems: Problems, environment: Mapping[str, str]) -> None:
        self.problems = problems
        self.environment = environment

    def node(self, node: Node) -> Node:
        match node:
            case Section():
                return node._replace(entries=tuple((key, self.node(value)) for key, value in node.entries))
            case Series():
                return node._replace(items=tuple(self.node(item) for item in node.items))
            case Scalar(value=str()) if "$" in node.text:
                return self.scalar(node)
        return node

    def scalar(self, node: Scalar) -> Node:
        end = _closing_brace(node.text, 0) if node.text.startswith("${") else None
        if end == len(node.text) - 1:
            found = self.reference(node.text[2:end], node.place, 0)
            return node_from_value(found or "", node.place)
        before = len(self.problems.errors)
        text = self.inline(node.text, node.place, 0)
        if len(self.problems.errors) > before:
            return Scalar(node.place, None, "")  # as if unset: one error is enough
        return Scalar(node.place, text, text)

    def inline(self, text: str, place: Place, depth: int) -> str:
        """Return `text` with each reference replaced by text."""
        parts: list[str] = []
        at = 0
        while (dollar := text.find("$", at)) >= 0:
            parts.append(text[at:dollar])
            following = text[dollar + 1 : dollar + 2]
            at = dollar + 1
            if following == "$":
                parts.append("$")
                at = dollar + 2
            elif following == "{":
                end = _closing_brace(text, dollar)
                if end is None:
                    hint = 'close it, or write "$${" for the two characters themselves'
                    self.problems.error(place, 'a "${" without its "}"', hint)
                    return ""
                found = self.reference(text[dollar + 2 : end], place, depth)
                parts.append(found or "")
                at = end + 1
            else:
                parts.append("$")
        return "".join([*parts, text[at:]])

    def reference(self, inner: str, place: Place, depth: int) -> str | None:
        """Look up what stands between the braces; report and return `None` when there is nothing to find."""
        if depth >= _REFERENCE_DEPTH_MAX:
            self.problems.error(place, f"references are nested more than {_REFERENCE_DEPTH_MAX} deep")
            return None
        inner = self.inline(inner, place, depth + 1)
        scheme, rest = match.groups() if (match := _SCHEME.fullmatch(inner)) else ("env", inner)
        if rest.startswith("-") and not inner.startswith("env:"):  # ${NAME:-default}
            scheme, rest = "env", inner
        match scheme:
            case "env":
                return self.variable(rest, place)
            case "file":
                return self.file(rest, place)
            case "yaml":
                return rest
        message = f'"{scheme}:" is not a source of values'
        self.problems.error(place, message, "use ${env:NAME}, ${env:NAME:-default} or ${file:path}")
        return None

    def variable(self, reference: str, place: Place) -> str | None:
        name, colon, default = reference.partition(":-")
        if not _NAME.fullmatch(name):
            message = f'"{name}" is not the name of an environment variable'
            hint = 'a name has letters, digits and "_"; write "$${" for the two characters themselves'
            self.problems.error(place, message, hint)
            return None
        value = self.environment.get(name)
        if value is None and not colon:
            message = f"the environment variable {name} is not set: the value is empty"
            self.problems.warn(place, message, f"set it, or give a default: ${{env:{name}:-value}}")
        return value or default

    def file(self, name: str, place: Place) -> str | None:
        try:
            with Path(name).open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
            text = content.decode()
        except OSError as error:
            self.problems.error(place, f'cannot read the file "{name}": {error.strerror}')
            return None
        except UnicodeDecodeError:
            self.problems.error(place, f'the file "{name}" is not UTF-8 text')
            return None
        if len(content) > FILE_BYTES_MAX:
            self.problems.error(place, f'the file "{name}" has more than {FILE_BYTES_MAX} bytes')
            return None
        return text.rstrip("\r\n")  # editors end a token's line, and a header must not


def _closing_brace(text: str, start: int) -> int | None:
    """Return the index of the brace that closes the `${` at `start`."""
    depth = 0
    for at in range(start + 1, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return None


def _moved(node: Node, place: Place) -> Node:
    """Return the tree with every place replaced: its own lines are those of another text."""
    match node:
        case Section():
            entries = ((key._replace(place=place.below(key.text)), value) for key, value in node.entries)
            return Section(place, tuple((key, _moved(value, key.place)) for key, value in entries))
        case Series():
            return Series(place, tuple(_moved(item, place.below(f"[{at}]")) for at, item in enumerate(node.items)))
        case Scalar():
            return node._replace(place=place, substituted=True)
