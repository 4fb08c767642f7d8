"""Writes docs/environment-variables.md from the comments in the SDK's list of variables; `--check` only compares."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "python/millrace/sdk/environment_variables.py"
PAGE = ROOT / "docs/environment-variables.md"

_WITHOUT_EFFECT = "Known to upstream"
_SIGNALS = ("TRACES_", "METRICS_", "LOGS_")

_HEAD = """\
# Environment variables

What `millrace.configure()`, `millrace run` and the providers of `millrace.sdk` read. An argument in code wins over
every variable, the variable of a signal over the general one. An empty variable counts as unset; a boolean is `true` or
`false` in any case; what cannot be read is said once in the log, and the default used.

This page is generated from `python/millrace/sdk/environment_variables.py` by `scripts/document_variables.py`.
"""


class Variable(NamedTuple):
    """One variable and its comment."""

    name: str
    default: str
    sentence: str
    signals: bool
    """There is one for each signal beside it."""


def sections(source: str) -> dict[str, list[Variable]]:
    """Return the documented variables by section."""
    found: dict[str, list[Variable]] = {}
    title, comment = "", ""
    for line in source.splitlines():
        if line.startswith("# == "):
            title = line.removeprefix("# == ")
            found[title] = []
        elif line.startswith("# "):
            comment += line.removeprefix("#").rstrip().replace("   ", " ", 1) if comment else line.removeprefix("# ")
        elif match := re.fullmatch(r'(\w+) = "\1"', line):
            if comment:
                default, sentence = comment.removeprefix("[").split("] ", 1)
                found[title].append(Variable(match[1], default, sentence, signals=False))
            elif found[title] and match[1].startswith("OTEL_EXPORTER_OTLP_"):
                found[title][-1] = found[title][-1]._replace(signals=True)
            comment = ""
    return {title: variables for title, variables in found.items() if not title.startswith(_WITHOUT_EFFECT)}


def page(source: str) -> str:
    """Return the text of the page."""
    parts = [_HEAD]
    for title, variables in sections(source).items():
        rows = [f"| {_name(one)} | {one.default or '-'} | {one.sentence} |" for one in variables]
        parts.append("\n".join([f"## {title}\n", "| variable | default | |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _name(variable: Variable) -> str:
    if not variable.signals:
        return f"`{variable.name}`"
    prefix, setting = "OTEL_EXPORTER_OTLP_", variable.name.removeprefix("OTEL_EXPORTER_OTLP_")
    return f"`{variable.name}`, also `{prefix}{{{','.join(s.rstrip('_') for s in _SIGNALS)}}}_{setting}`"


def main() -> int:
    """Write or compare."""
    text = page(SOURCE.read_text())
    if "--check" not in sys.argv:
        PAGE.write_text(text)
        return 0
    if PAGE.read_text() == text:
        return 0
    print(f"{PAGE.relative_to(ROOT)} is not what scripts/document_variables.py writes: run it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
