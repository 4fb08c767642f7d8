"""Declarative configuration, file format 1.0: the file that OTEL_CONFIG_FILE names, read for `millrace.configure`.

`schema.py` says what a file may hold, `kinds.py` what the format has that a gateway's configuration has not, and
`planned.py` makes of it what the SDK is put together from. Reading, variables and errors are the gateway's: every
problem at once, each with its line.
"""

from pathlib import Path

from millrace.declarative.planned import Declaration, declaration
from millrace.declarative.schema import ROOT
from millrace.gateway.config.expansion import expand
from millrace.gateway.config.problems import Place, Problem, Problems
from millrace.gateway.config.text import node_from_text

__all__ = ["FILE_BYTES_MAX", "Declaration", "load"]

FILE_BYTES_MAX = 1 << 20
"""Largest file that is read: no SDK needs more to be described."""


def load(path: str) -> tuple[Declaration, tuple[Problem, ...]]:
    """Read a file of YAML, or of JSON when its name ends in `.json`.

    Returns:
        What it declares, and what its author should know although it can be used.

    Raises:
        millrace.errors.ConfigError: With every error of the file.
    """
    problems = Problems(path)
    text = _text(Path(path), problems)
    problems.raise_errors()
    node = node_from_text(text, problems, json=path.endswith(".json"))
    problems.raise_errors()
    values = None if node is None else ROOT.read(expand(node, problems), problems)
    problems.raise_errors()
    if values is None:
        problems.error(Place("", 1), "a configuration is a mapping that begins with file_format", 'file_format: "1.0"')
        raise problems.as_error()
    declared = declaration(values, problems)
    problems.raise_errors()
    return declared, tuple(problems.warnings)


def _text(path: Path, problems: Problems) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) <= FILE_BYTES_MAX:
            return content.decode("utf-8-sig")
        problems.error(Place(), f"the file has more than {FILE_BYTES_MAX} bytes", "is it a configuration?")
    except OSError as error:
        problems.error(Place(), f"cannot read the file: {error.strerror}")
    except UnicodeDecodeError:
        problems.error(Place(), "the file is not UTF-8 text")
    return ""
