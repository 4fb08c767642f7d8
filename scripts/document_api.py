"""Writes docs/api.md from the endpoints of the viewer's API; `--check` only compares."""

import sys
from pathlib import Path
from typing import Any

from millrace.api import ENDPOINTS, PREFIX
from millrace.api.endpoint import Endpoint, Parameter

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/api.md"

_HEAD = f"""\
# The viewer's API

What the page of `millrace serve` reads, and anything else may: JSON below `{PREFIX}`, described for programs by
`{PREFIX}/openapi.json`. Times named `*_unix_nano` are nanoseconds since 1970 as text, so that JavaScript keeps them
exact; durations are numbers of nanoseconds. A list answers with `items` and `next`, which is the `cursor` of the next
page, or null. What goes wrong is answered with `error`, a sentence, and a status: 400 for a wrong parameter, 401 and
403 for who may not ask, 404 for what is not there, 503 for a query that takes too long.

Jaeger's API (v1 and v3) is below `/jaeger`, Tempo's below `/tempo`; [look.md](look.md) tells how
Grafana is pointed at them.

This page is generated from `python/millrace/api` by `scripts/document_api.py`.
"""


def shape_text(shape: dict[str, Any]) -> str:
    """Return a shape in one line, as a reader would write it down."""
    if "anyOf" in shape:
        return " or ".join(shape_text(one) for one in shape["anyOf"])
    if "enum" in shape:
        return " or ".join(str(one) for one in shape["enum"])
    if "items" in shape:
        return f"[{shape_text(shape['items'])}]"
    if "properties" in shape:
        return "{" + ", ".join(f"{name}: {shape_text(one)}" for name, one in shape["properties"].items()) + "}"
    kind = str(shape.get("type", "any"))
    return "time" if "pattern" in shape else {"integer": "count", "string": "text"}.get(kind, kind)


def _parameter(one: Parameter) -> str:
    notes = [one.help]
    if one.required and not one.in_path:
        notes.append("required")
    if "enum" in one.schema:
        notes.append("one of " + ", ".join(f"`{word}`" for word in one.schema["enum"]))
    if one.default not in {None, False}:
        notes.append(f"by default {one.default}")
    return f"- `{one.name}`: {'; '.join(notes)}"


def section(endpoint: Endpoint) -> str:
    """Return the part of the page about one endpoint."""
    lines = [f"## {endpoint.method} {PREFIX}{endpoint.path}", "", endpoint.help, ""]
    if endpoint.parameters:
        lines += [*map(_parameter, endpoint.parameters), ""]
    return "\n".join([*lines, f"Answer: `{shape_text(endpoint.shape)}`", ""])


def main() -> int:
    """Write the page, or with `--check` say whether it is what would be written."""
    text = "\n".join([_HEAD, *map(section, ENDPOINTS)])
    if "--check" not in sys.argv:
        PAGE.write_text(text)
        return 0
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    print("docs/api.md is not what the endpoints say; run scripts/document_api.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
