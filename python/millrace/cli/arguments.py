"""Arguments as this command line has them: an environment variable for every option, examples in the help."""

import argparse
import os
import re
import shutil
from typing import Any, NoReturn

from millrace.cli.codes import USAGE

__all__ = [
    "Parser",
    "add_color",
    "add_header",
    "add_json",
    "add_set",
    "count_of",
    "duration_s",
    "is_trace_id",
    "size_mib",
    "trace_id",
]

_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ms|us|s|m|h|d)")
_TRACE_ID = re.compile(r"(?:[0-9a-fA-F]{2}){1,32}")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps examples as they are written, and short commands on one line with their help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=min(100, shutil.get_terminal_size().columns - 2))
        self._action_max_length = 14  # so that a command of ten letters has its help beside it


class Parser(argparse.ArgumentParser):
    """An argument parser whose options can be set by environment variables.

    `--config` of `serve` is set by `MILLRACE_SERVE_CONFIG`. A flag wins over it, and it over the default.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - whatever argparse takes
        settings.setdefault("formatter_class", _Formatter)
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:  # noqa: ANN401 - whatever argparse takes
        """Add an argument, and its variable when it is an option with a value or a switch."""
        action = super().add_argument(*names, **settings)
        long = [name for name in action.option_strings if name.startswith("--")]
        if not long or action.dest in {"help", "version"}:
            return action
        variable = f"{self.prog}_{long[0][2:]}".upper().replace(" ", "_").replace("-", "_")
        action.help = f"{action.help} [env: {variable}]"
        value = os.environ.get(variable)
        if value is None:
            return action
        if action.nargs == 0:
            action.default = value.lower() in {"1", "true", "yes"}
        else:
            action.default = [value] if isinstance(action, _APPEND) else value
        action.required = False
        return action

    def parse_known_args(self, *arguments: Any, **settings: Any) -> Any:  # noqa: ANN401 - whatever argparse takes
        """Refuse what is unknown where it was given: the help of that command is the one to read."""
        namespace, unknown = super().parse_known_args(*arguments, **settings)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and where the help is."""
        self.exit(USAGE, f"error: {message}\n  hint: {self.prog} --help\n")


_APPEND = type(argparse.ArgumentParser().add_argument("--append", action="append"))


def add_color(parser: Parser) -> None:
    """Add `--color`, which every command has."""
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours; auto means on a terminal"
    )


def add_set(parser: Parser) -> None:
    """Add `--set`, which every command has that reads a configuration."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="a setting that wins over the file, such as exporters.otlp.timeout=2s; may be repeated",
    )


def add_json(parser: Parser) -> None:
    """Add `--json`, which every command has that prints data."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs instead of text for people")


def add_header(parser: Parser, *spelled_also: str) -> None:
    """Add `--header`, under other spellings too."""
    parser.add_argument(
        "--header",
        *spelled_also,
        action="append",
        type=_header,
        default=[],
        metavar="NAME=VALUE",
        help="add a header; may be given several times",
    )


def duration_s(text: str) -> float:
    """Read a duration such as `10s` or `1m30s`; a bare number is in seconds."""
    units = _DURATION.findall(text)
    if units and "".join(units) == text:
        return sum(float(unit.rstrip("umshd")) * _SECONDS[unit.lstrip(".0123456789")] for unit in units)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a duration such as 500ms, 10s or 1m30s, got {text!r}")
    return seconds


def size_mib(text: str) -> int:
    """Read a size such as `512MiB` or `2GiB`, in mebibytes."""
    number, unit = text[:-3], text[-3:]
    factor = {"MiB": 1, "GiB": 1_024, "TiB": 1_048_576}.get(unit)
    if factor is None or not (number.isascii() and number.isdigit()) or number == "0":
        raise argparse.ArgumentTypeError(f"expected a size such as 512MiB or 2GiB, got {text!r}")
    return int(number) * factor


def count_of(text: str) -> int:
    """Read a count, with `k` for thousands and `M` for millions."""
    factor = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    digits = text[:-1] if factor > 1 else text
    if not (digits.isascii() and digits.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a count such as 500, 10k or 1M, got {text!r}")
    return int(digits) * factor


def is_trace_id(text: str) -> bool:
    """Whether a text may be the id of a trace; stores keep those of any length that a receiver takes."""
    return _TRACE_ID.fullmatch(text) is not None


def trace_id(text: str) -> str:
    """Read the id of a trace."""
    text = text.strip()
    if not is_trace_id(text):
        raise argparse.ArgumentTypeError(f"expected a trace id, which is 32 hexadecimal digits, got {text[:80]!r}")
    return text.lower()


def _header(text: str) -> tuple[str, str]:
    """Read a header, `name=value`; telemetrygen's quotes around the value are taken off."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"expected a header as name=value, got {name!r} without a value")
    return name.strip().lower(), value.strip().removeprefix('"').removesuffix('"')
